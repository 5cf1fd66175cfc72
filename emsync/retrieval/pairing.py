"""Films and music scored in pairs, by a network in which they attend to each other.

Of each part of a film, and of each passage of music, φ is made once; a pair then costs some ten
million multiplications.

Shapes: N pairs; Q films, T tracks, each from its beginning.
"""

from collections.abc import Sequence

import numpy as np
import torch

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.encoders.threads import answering
from emsync.errors import UsageError
from emsync.matching.matcher import Columns
from emsync.progress import Progress, silent
from emsync.retrieval.checkpoint import System
from emsync.retrieval.cmvmr import Cmvmr
from emsync.retrieval.regimes import Stretch
from emsync.retrieval.scoring import divided

DIGITS = 5  # of a score: the rest depends on what else is scored with it


def of_film(system: System, film: Columns, parts: Sequence[Stretch]) -> Float32s:
    """Return the (P, 768) φ of parts of a film."""
    with answering(system):
        phi = _network(system).film_phi(system.divided(system.films, film, parts))
    return phi.numpy()


def of_music(system: System, track: Columns, parts: Sequence[Stretch]) -> Float32s:
    """Return the (P, 768) φ of parts of a track."""
    with answering(system):
        phi = _network(system).music_phi(system.divided(system.music, track, parts))
    return phi.numpy()


def scores(system: System, films: Float32s, music: Float32s) -> Float64s:
    """Return the (N,) scores of pairs of φ, (N, 768) of films and of music."""
    with answering(system):
        found = _network(system).scores(torch.from_numpy(films), torch.from_numpy(music))
    return found.double().numpy().round(DIGITS)


def by_pairs(
    system: System,
    films: Sequence[Columns],
    tracks: Sequence[Columns],
    progress: Progress = silent,
    among: Int64s | None = None,
) -> Float64s:
    """Return the (Q, T) scores: means over the parts of a film, with the music under each.

    With ``among``, the (Q, S) numbers of some tracks for each film, the others have -inf.
    """
    parts, stretches, places = divided(system, films)
    heard = np.stack([of_music(system, track, stretches) for track in tracks], 1)
    found = np.full((len(films), len(tracks)), -np.inf)
    for q, (film, own, under) in enumerate(zip(films, parts, places, strict=True)):
        some = np.arange(len(tracks)) if among is None else np.unique(among[q])
        each = [
            _all_pairs(system, phi[None], heard[place, some])[0]
            for phi, place in zip(of_film(system, film, own), under, strict=True)
        ]
        found[q, some] = np.mean(each, axis=0)
        progress("Scoring pairs", (q + 1) / len(films))
    return found


def shortlist_recall(alone: Float64s, paired: Float64s, most: int, top: int = 10) -> float:
    """Return the share of the best ``top`` tracks in pairs that are among the ``most`` alone."""
    best = np.argsort(-paired, axis=1, kind="stable")[:, :top]
    places = np.argsort(np.argsort(-alone, axis=1, kind="stable"), axis=1)
    return float((np.take_along_axis(places, best, axis=1) < most).mean())


def _all_pairs(system: System, films: Float32s, music: Float32s) -> Float64s:
    """Return the (P, Q) scores of all pairs of φ."""
    with answering(system):
        found = _network(system).pairs(torch.from_numpy(films), torch.from_numpy(music))
    return found.double().numpy().round(DIGITS)


def _network(system: System) -> Cmvmr:
    """Return the network of a system; UsageError where it does not score in pairs."""
    if not isinstance(system.network, Cmvmr):
        raise UsageError(f"{system.name} does not score in pairs; ask {Cmvmr.name}")
    return system.network
