"""Measure how well the music of films is found among that of others: ``emsync evaluate retrieval``.

A query is a film of a store that was held out, its gallery the music under it and one passage of
each of many other songs, all equally long and from their beginning. No song is among them that a
system was trained on. Beside the systems stand CM and DM, a network that learned nothing, and
chance.

Shapes: Q films and the music of each, S songs: a gallery has one passage of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emsync.arrays import Float64s, Int64s
from emsync.data.split import read_keys
from emsync.errors import InputError, UsageError
from emsync.limits import shown
from emsync.matching.matcher import Columns
from emsync.matching.pairwise import PAIRS as SHORTLIST
from emsync.metrics.frechet import distance
from emsync.metrics.retrieval import Bools, chance, figures, permutation_p
from emsync.metrics.statistics import Estimate, ratio
from emsync.progress import Progress, silent
from emsync.retrieval.checkpoint import System, find
from emsync.retrieval.cmvmr import Cmvmr
from emsync.retrieval.examples import check_columns, evenly
from emsync.retrieval.of_vm_net import OfVmNet
from emsync.retrieval.pairing import by_pairs, shortlist_recall
from emsync.retrieval.pairs import Pair, PairStore
from emsync.retrieval.pulses import cm_scores, dm_scores
from emsync.retrieval.reader import Reader
from emsync.retrieval.scoring import by_own, by_query, flow_order
from emsync.signals import STEP_RATE

MOST = 1000  # passages of a gallery beside the right one, if not told otherwise
LEAST = 8  # seconds of a film, if not told otherwise
PERMUTATIONS = 99, 999  # of a test, at least and at most
PERMUTED = 10**8  # scores that are gone through in all of them, about
FITTED = 1000  # tracks at most to which the space of the Fréchet distance is fitted
SOUND = "musicnn"  # the column in whose space that is
RHYTHM = ("impact", "rhythm", "pulse")  # the columns that CM and DM need
OWN = ", cut where its own film is"  # after the name of a system that divides films
PAIRS = ", in pairs"  # after that of one that scores a film and music together


@dataclass(frozen=True, eq=False)
class Asked:
    """The films that music is sought for, their own music, and among what it is sought."""

    pairs: list[Pair]
    films: list[Columns]
    music: list[Columns]  # (Q,) the right one of each film
    gallery: Int64s  # (Q, S) numbers of ``music``; that of the film's own song is its own
    right: Bools  # (Q, S) whether it is that
    seconds: int

    @property
    def units(self) -> list[str]:
        """What of each film was drawn by chance: its source if it is real, else its song."""
        return [pair.group if pair.style else pair.source or pair.song for pair in self.pairs]


def evaluate(
    store: Path,
    checkpoints: Sequence[str],
    gallery: int | None = None,
    styles: Sequence[str] = (),
    seconds: int = LEAST,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure the systems ``checkpoints`` on the held-out films of a store, or of its ``styles``.

    ``gallery`` is how many other songs there are; all are cut to the seconds of the shortest film,
    and films of fewer than ``seconds`` are left out.
    """
    systems = {name: System.load(name) for name in checkpoints}
    trained = {int(key) for name in checkpoints for key in read_keys(find(name))}
    opened = PairStore.open(store)
    for system in systems.values():
        check_columns(system, opened)
    asked = ask(opened, trained, gallery, styles, seconds, seed)
    scores: dict[str, Float64s] = {}
    order: dict[str, Float64s] = {}
    listed: dict[str, float] = {}
    for name, system in systems.items():
        scores[name] = by_query(system, asked.films, asked.music, _told(progress, name))
        if system.name == Cmvmr.name:
            told = _told(progress, name)
            paired = by_pairs(system, asked.films, asked.music, told, asked.gallery)
            alone, both = (np.take_along_axis(t, asked.gallery, 1) for t in (scores[name], paired))
            listed[name + PAIRS] = shortlist_recall(alone, both, SHORTLIST)
            scores[name + PAIRS] = paired
        divided = any(len(system.film_parts(film)) > 1 for film in asked.films)
        if system.name == OfVmNet.name and divided:
            scores[name + OWN] = by_own(system, asked.films, asked.music)
            order[name] = flow_order(system, asked.films, asked.music)
    for name, system in list(systems.items())[:1]:
        bare = untrained(system, seed)
        scores["untrained"] = by_query(bare, asked.films, asked.music, _told(progress, "untrained"))
        if name in order:
            order["untrained"] = flow_order(bare, asked.films, asked.music)
    there = {*asked.films[0], *asked.music[0]}
    if there.issuperset(RHYTHM):
        progress("Sliding rhythms", 0.0)
        scores["cm"] = cm_scores(asked.films, asked.music, asked.seconds)
        scores["dm"] = dm_scores(asked.films, asked.music, asked.seconds)
    found = report(opened, asked, scores, order, seed)
    for name, share in listed.items():
        found["systems"][name]["shortlist"] = share
    return found


def ask(
    store: PairStore,
    trained: set[int],
    gallery: int | None,
    styles: Sequence[str],
    seconds: int,
    seed: int,
) -> Asked:
    """Return the held-out films of songs that are drawn by ``seed``, and their galleries.

    UsageError where there is no such style, or not so many songs.
    """
    name = shown(str(store.folder))
    store.check_styles(styles)
    held = [
        place
        for place, pair in enumerate(store.pairs)
        if pair.split == "held" and not pair.keys & trained and (not styles or pair.style in styles)
    ]
    both = {place: (store.film(place), store.music(place)) for place in held}
    lengths = {place: _seconds(*sides) for place, sides in both.items()}
    enough = [place for place in held if lengths[place] >= seconds]
    songs = list(dict.fromkeys(_song(store.pairs[place]) for place in enough))
    if len(songs) < 2:
        raise InputError(
            f"the store {name} has {len(songs)} held-out songs of {seconds} s or more that were "
            "not trained on; music is sought among two or more"
        )
    others = min(MOST, len(songs) - 1) if gallery is None else gallery
    if not 1 <= others < len(songs):
        raise UsageError(
            f"gallery is {others}; the store {name} has {len(songs)} held-out songs, so choose "
            f"from 1 to {len(songs) - 1}"
        )
    rng = np.random.default_rng(seed)
    drawn = {songs[i] for i in rng.choice(len(songs), others + 1, replace=False)}
    places = [place for place in enough if _song(store.pairs[place]) in drawn]
    pairs, shortest = [store.pairs[place] for place in places], min(lengths[p] for p in places)
    return Asked(
        pairs,
        [cut(both[place][0], shortest) for place in places],
        [cut(both[place][1], shortest) for place in places],
        *galleries([_song(pair) for pair in pairs], seed),
        shortest,
    )


def galleries(songs: Sequence[str], seed: int) -> tuple[Int64s, Bools]:
    """Return the (Q, S) numbers of music for each film, and which of it is right.

    A column is a song: of the film's own it is the music under the film, of another one passage,
    drawn by chance.
    """
    by_song: dict[str, list[int]] = {}
    for number, song in enumerate(songs):
        by_song.setdefault(song, []).append(number)
    rng = np.random.default_rng([seed, len(songs)])
    table = np.stack([rng.choice(numbers, len(songs)) for numbers in by_song.values()], axis=1)
    right = np.array([[song == own for song in by_song] for own in songs])
    return np.where(right, np.arange(len(songs))[:, None], table), right


def cut(columns: Columns, seconds: int) -> Columns:
    """Return the first seconds of a film's columns, or of music's."""
    kept = {}
    for name, rows in columns.items():
        if name in ("beats", "pulse"):
            kept[name] = rows[rows < seconds]
        elif name == "strength":
            kept[name] = rows[columns["beats"] < seconds]
        elif name in ("impact", "rhythm"):
            kept[name] = rows[: round(seconds * STEP_RATE)]
        else:
            kept[name] = rows[: 4 * seconds if name == "flow" else seconds]
    return kept


def untrained(system: System, seed: int) -> System:
    """Return a system of the same shape that reads the same, and whose network learned nothing."""
    torch.manual_seed(seed % 2**63)  # it takes no larger one
    new = System.build(
        system.name, system.films.widths, system.music.widths, asdict(system.network.settings)
    )
    new.films, new.music = system.films, system.music
    return new.eval()


def report(
    store: PairStore,
    asked: Asked,
    scores: Mapping[str, Float64s],
    order: Mapping[str, Float64s],
    seed: int,
) -> dict[str, Any]:
    """Return all figures of what the scores, each (Q, Q) of films and music, find."""
    space, rows = sound_space(store, asked), {}
    for name, table in scores.items():
        found = np.take_along_axis(table, asked.gallery, 1)
        rows[name] = measured(found, asked, seed)
        if space is not None:
            best = asked.gallery[np.arange(len(found)), found.argmax(1)]
            rows[name]["frechet"] = space.distance(best)
        if name in order:
            rows[name]["flow_order"] = asdict(_mean(order[name], asked.units, seed))
    by_chance = chance(np.zeros(asked.right.shape), asked.right)
    nothing: dict[str, Any] = {
        "recall": dict(by_chance.recall),
        "median_rank": by_chance.median,
        "percentile": by_chance.percentile,
    }
    if space is not None:
        picked = np.random.default_rng(seed).integers(asked.gallery.shape[1], size=len(asked.films))
        nothing["frechet"] = space.distance(asked.gallery[np.arange(len(picked)), picked])
    notes = [] if "cm" in rows else ["CM and DM are left out: the store has no rhythm"]
    if len(set(asked.units)) == 1:
        notes.append("all films are of one source, so there is no interval, though it looks narrow")
    return {
        "store": str(store.folder),
        "films": len(asked.films),
        "units": len(set(asked.units)),
        "styles": sorted({pair.style for pair in asked.pairs if pair.style}),
        "gallery": asked.gallery.shape[1],
        "listed": SHORTLIST,
        "seconds": asked.seconds,
        "seed": seed,
        "chance": nothing,
        "systems": rows,
        "note": "; ".join(notes),
    }


def measured(found: Float64s, asked: Asked, seed: int) -> dict[str, Any]:
    """Return what (Q, S) scores of galleries say, each figure with its interval."""
    told = figures(found, asked.right, asked.units, seed=seed)
    permutations = int(np.clip(PERMUTED // found.size, *PERMUTATIONS))
    return {
        "recall": {k: asdict(estimate) for k, estimate in told.recall.items()},
        "median_rank": asdict(told.median),
        "percentile": asdict(told.percentile),
        "p": permutation_p(found, asked.right, seed, permutations),
    }


@dataclass(frozen=True, eq=False)
class SoundSpace:
    """The seconds of all music in the space of the Fréchet distance."""

    rows: Float64s  # (Q, seconds, D)

    def distance(self, found: Int64s) -> float:
        """Return the distance of the music that was found to all that is right."""
        width = self.rows.shape[-1]
        return distance(self.rows[found].reshape(-1, width), self.rows.reshape(-1, width))


def sound_space(store: PairStore, asked: Asked) -> SoundSpace | None:
    """Return the music in the first principal components of the column SOUND; None without it.

    They are those of songs that are trained on, or where the store has none, of what is asked for.
    """
    if SOUND not in asked.music[0]:
        return None
    train = [place for place, pair in enumerate(store.pairs) if pair.split == "train"]
    fitted = [store.music(place)[SOUND] for place in evenly(train, FITTED)]
    fitted = fitted or [music[SOUND] for music in asked.music]
    reader = Reader({SOUND: fitted[0].shape[1]})
    reader.fit({SOUND: fitted})
    return SoundSpace(np.stack([reader(music).double().numpy() for music in asked.music]))


def _song(pair: Pair) -> str:
    """Return what is sought for a film: one of the versions of a song, or its own sound."""
    return pair.group if pair.style else pair.song


def _seconds(film: Columns, music: Columns) -> int:
    """Return the whole seconds that both sides of a pair have."""
    return min(len(rows) for side in (film, music) for rows in side.values() if rows.ndim == 2)


def _mean(values: Float64s, units: Sequence[str], seed: int) -> Estimate:
    """Return the mean of what films have, with a bootstrap of their units; NaN is left out."""
    known = np.isfinite(values)
    _, unit = np.unique(np.array(units)[known], return_inverse=True)
    return ratio(np.bincount(unit, values[known]), np.bincount(unit), seed)


def _told(progress: Progress, name: str) -> Progress:
    return lambda _stage, share: progress(f"Scoring, {name}", share)
