"""How well each piece of music meets each film, by the embeddings of a system.

Two protocols: by "query" the music is cut where the film is, as for a user; by "own" where its own
film is, as Merrill's evaluation has it: there the boundaries alone can tell which belong together.

Shapes: Q films, T tracks, each from its beginning; D numbers an embedding.
"""

from collections.abc import Sequence

import numpy as np

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.matching.matcher import Columns
from emsync.progress import Progress, silent
from emsync.retrieval.checkpoint import System
from emsync.retrieval.examples import speeds_of
from emsync.retrieval.regimes import Stretch

CHUNK = 256  # parts that are embedded at once


def by_query(
    system: System,
    films: Sequence[Columns],
    tracks: Sequence[Columns],
    progress: Progress = silent,
) -> Float64s:
    """Return the (Q, T) scores: means over the parts of a film, with the music under each."""
    parts, stretches, places = divided(system, films)
    under = np.concatenate(places)  # of each part
    seen = np.concatenate([system.embed_film(*both) for both in zip(films, parts, strict=True)])
    counts = np.array([len(own) for own in parts])
    starts = np.cumsum(counts) - counts
    scores = np.empty((len(films), len(tracks)))
    for t, track in enumerate(tracks):
        products = np.einsum("pd,pd->p", seen, _heard(system, track, stretches)[under])
        scores[:, t] = np.add.reduceat(products.astype(np.float64), starts) / counts
        progress("Scoring", (t + 1) / len(tracks))
    return scores


def divided(
    system: System, films: Sequence[Columns]
) -> tuple[list[list[Stretch]], list[Stretch], list[Int64s]]:
    """Return the parts of each film, all that occur, and which of these each part of a film is."""
    parts = [system.film_parts(film) for film in films]
    stretches = sorted({stretch for own in parts for stretch in own})
    place = {stretch: i for i, stretch in enumerate(stretches)}
    return parts, stretches, [np.array([place[stretch] for stretch in own]) for own in parts]


def by_own(system: System, films: Sequence[Columns], tracks: Sequence[Columns]) -> Float64s:
    """Return the (Q, Q) scores of films and the music of each, cut where its own film is.

    The embeddings of all parts, each of length 1, are joined to one vector, with zeros where one
    side has fewer.
    """
    parts = [system.film_parts(film) for film in films]
    most = max(len(own) for own in parts)
    seen = [system.embed_film(*both) for both in zip(films, parts, strict=True)]
    heard = [system.embed_music(*both) for both in zip(tracks, parts, strict=True)]
    return _joined(seen, most) @ _joined(heard, most).T


def flow_order(system: System, films: Sequence[Columns], tracks: Sequence[Columns]) -> Float64s:
    """Return of each film the share of triplets of its fastest part in the order of their flow.

    That is, with each other pair of a film and its music: is the fastest part more like the
    other's fastest than like its slowest? Of four kinds, as in Merrill's λ3 to λ6: a film with
    music, music with films, films with each other, and music with each other. NaN where a film, or
    all others, are of one part.
    """
    shares = np.full(len(films), np.nan)
    fast, slow, moving = [], [], []
    for i, (film, track) in enumerate(zip(films, tracks, strict=True)):
        parts = system.film_parts(film)
        speeds = speeds_of(film, parts)
        if max(speeds) > min(speeds):
            both = np.stack([system.embed_film(film, parts), system.embed_music(track, parts)])
            fast.append(both[:, int(np.argmax(speeds))])
            slow.append(both[:, int(np.argmin(speeds))])
            moving.append(i)
    if len(moving) < 2:
        return shares
    quick, calm = np.stack(fast, 1), np.stack(slow, 1)  # (2, H, D): films, music
    ordered = np.einsum("aid,bjd->abij", quick, quick) > np.einsum("aid,bjd->abij", quick, calm)
    others = ~np.eye(len(moving), dtype=bool)
    shares[moving] = (ordered & others).mean((0, 1)).sum(1) / (len(moving) - 1)
    return shares


def _heard(system: System, track: Columns, stretches: Sequence[Stretch]) -> Float32s:
    """Return the embeddings of all stretches of a track."""
    return np.concatenate(
        [
            system.embed_music(track, stretches[first : first + CHUNK])
            for first in range(0, len(stretches), CHUNK)
        ]
    )


def _joined(embeddings: Sequence[Float32s], most: int) -> Float64s:
    """Return the (N, most x D) embeddings of each film or track side by side, of length 1."""
    rows = np.zeros((len(embeddings), most, embeddings[0].shape[1]))
    for row, parts in zip(rows, embeddings, strict=True):
        row[: len(parts)] = parts
    flat = rows.reshape(len(rows), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
