"""Measure real songs, and teach a judge to tell them from damaged ones.

    python scripts/portraits.py CORPUS CHECKPOINT

CORPUS is a folder of songs; those that CHECKPOINT was not trained on are measured, at the lengths
BARS, from within and at their ends. Writes ``emsync/metrics/portrait.json``, the ranges of these
measures, and ``emsync/metrics/likeness.json``, the weights of the judge: non-negative ones of a
logistic regression on what a song costs less than its damaged twin, every kind of damage alike.
They are chosen on one half of the songs, and tested on the other.
"""

import argparse
import json
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from emsync.data.songs import Named, read_played
from emsync.data.split import is_held_out
from emsync.errors import InputError
from emsync.evaluation.damaged import DAMAGES
from emsync.evaluation.likelihood import untrained
from emsync.metrics.harmony import Range
from emsync.metrics.likeness import WEIGHTS, distances
from emsync.metrics.portrait import REAL_SONGS, Portrait, portrait, ranges_of
from emsync.metrics.quality import beat_positions
from emsync.metrics.velocity import velocity_of
from emsync.music.piece import CLASSES, Piece, Played

BARS = (4, 8, 16, 32)
FEWEST = 8  # notes of an excerpt
SPARSE = 0.02  # what a weight costs
LEAST = 0.05  # the least weight that is kept
TYPICAL = 0.8  # likeness of the median song
# What the plan decides, or the density, is not judged
ASKED = {f"texture.{name}" for name in (*CLASSES, "instruments")}

Floats = NDArray[np.float64]
Ranges = Mapping[int, Mapping[str, Range]]


@dataclass(frozen=True)
class Excerpt:
    """Some bars of a song, measured whole and damaged."""

    song: str
    bars: int
    ends: bool  # with the song
    real: Portrait
    twins: Mapping[str, Portrait]

    @property
    def tests(self) -> bool:
        """Whether its song is of the half that the judge is tested on."""
        return is_held_out(self.song, 0.5)


@dataclass(frozen=True)
class Contest:
    """What each twin is further away than its song."""

    apart: Floats  # (N, 2 K) below and above the median, of K measures
    kinds: NDArray[np.str_]  # (N,) of damage
    bars: NDArray[np.intp]  # (N,)

    def won(self, weights: Floats, only: NDArray[np.bool_] | None = None) -> float:
        """Return how often the song costs less; half where both cost the same."""
        gain = self.apart @ weights
        right = (gain > 0) + 0.5 * (gain == 0)
        return float(right.mean() if only is None else right[only].mean())


def excerpt(song: Piece, bars: int, ends: bool) -> tuple[float, Piece] | None:
    """Return so many bars of a song, its last ones or from a third on, and when they begin.

    None where the song is shorter, or hardly anything plays.
    """
    lines = song.downbeats
    last = int(np.searchsorted(lines, song.onsets[-1] + 1e-6)) if ends else len(lines) - 1
    first = last - bars if ends else min(last - bars, len(lines) // 3)
    if first < 0:
        return None
    piece = song.since(lines[first])
    piece = piece if ends else piece.until(lines[first + bars] - lines[first])
    enough = len(piece) >= FEWEST and len(piece.downbeats) > 1
    return (float(lines[first]), piece) if enough else None


def excerpts_of(named: Named) -> list[Excerpt]:
    """Return the measured excerpts of a song."""
    name, path = named
    try:
        played = read_played(path)
    except InputError:
        return []
    found = []
    for bars in BARS:
        for ends in (False, True):
            cut = excerpt(played.piece, bars, ends)
            if cut is not None:
                start, piece = cut
                rng = np.random.default_rng(zlib.crc32(name.encode()) + bars)
                hurt = {kind: damage(piece, rng) for kind, damage in DAMAGES.items()}
                twins = {kind: portrait(twin) for kind, twin in hurt.items() if twin is not None}
                real = portrait(piece) | struck(played, start, piece)
                found.append(Excerpt(name, bars, ends, real, twins))
    return found


def struck(played: Played, start: float, piece: Piece) -> dict[str, float]:
    """Return how differently the notes of an excerpt are struck that begins at ``start``."""
    at = int(np.searchsorted(played.piece.onsets, start))
    own = slice(at, at + len(piece))
    beats = beat_positions(piece, piece.onsets)
    found = velocity_of(played.velocities[own], played.tracks[own], beats)
    return {f"velocity.{name}": value for name, value in asdict(found).items()}


def by_length(excerpts: Sequence[Excerpt]) -> Ranges:
    """Return the range of each measure by the length of excerpts; of cadences where songs end."""
    found: dict[int, dict[str, Range]] = {}
    for bars in BARS:
        own = [one for one in excerpts if one.bars == bars]
        ends = ranges_of([one.real for one in own if one.ends])
        every = ranges_of([one.real for one in own])
        cadences = {name: ends[name] for name in ends if name.startswith("cadence.")}
        found[bars] = every | cadences
    return found


def contest(excerpts: Sequence[Excerpt], ranges: Ranges, names: Sequence[str]) -> Contest:
    """Return how much further away damaged songs are, measure by measure."""

    def away(found: Portrait, bars: int) -> Floats:
        return np.array([distances(found[name], ranges[bars][name]) for name in names]).ravel()

    rows = [
        (away(twin, one.bars) - away(one.real, one.bars), kind, one.bars)
        for one in excerpts
        for kind, twin in one.twins.items()
    ]
    apart, kinds, bars = zip(*rows, strict=True)
    return Contest(np.array(apart), np.array(kinds), np.array(bars))


def fit(taught: Contest) -> Floats:
    """Return the (2 K,) weights of the judge."""
    _, index, counts = np.unique(taught.kinds, return_inverse=True, return_counts=True)
    share = 1 / counts[index]

    def loss(weights: Floats) -> tuple[float, Floats]:
        gain = taught.apart @ weights
        slope = share / (1 + np.exp(gain))
        value = (share * np.logaddexp(0, -gain)).sum() + SPARSE * weights.sum()
        return float(value), SPARSE - taught.apart.T @ slope

    start = np.full(taught.apart.shape[1], 0.1)
    bounds = [(0, None)] * len(start)
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return np.where(found >= LEAST, np.round(found, 2), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("checkpoint", type=Path)
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        songs = untrained([options.corpus], options.checkpoint)
        excerpts = [one for found in pool.map(excerpts_of, songs, chunksize=4) for one in found]
    names = [
        name
        for name in excerpts[0].real
        if name not in ASKED and not name.startswith("velocity.")  # twins are struck alike
    ]
    taught = [one for one in excerpts if not one.tests]
    tested = [one for one in excerpts if one.tests]
    half = by_length(taught)  # the test sees nothing of its own half
    lessons, test = contest(taught, half, names), contest(tested, half, names)
    weights = fit(lessons)
    every = by_length(excerpts)
    costs = [
        sum(np.array([distances(one.real[name], every[one.bars][name]) for name in names]).ravel()
            * weights)
        for one in excerpts
    ]  # fmt: skip
    won = {}
    for kind in DAMAGES:
        own, others = test.kinds == kind, lessons.kinds != kind
        untold = fit(Contest(lessons.apart[others], lessons.kinds[others], lessons.bars[others]))
        won[kind] = {
            "all": round(test.won(weights, own), 3),
            **{str(n): round(test.won(weights, own & (test.bars == n)), 3) for n in BARS},
            "never taught": round(test.won(untold, own), 3),
        }
    facts = {"made by": "scripts/portraits.py", "songs": len({one.song for one in excerpts})}
    ranges = {
        str(n): {
            name: [r.low, r.median, r.high] for name, r in row.items() if np.isfinite(r.median)
        }
        for n, row in every.items()
    }
    pairs = zip(names, weights.reshape(-1, 2).tolist(), strict=True)
    judge = {
        **facts,
        "taught": len({one.song for one in taught}),
        "tested": len({one.song for one in tested}),
        "won": won,
        "scale": round(float(-np.median(costs) / np.log(TYPICAL)), 3),
        "weights": {name: pair for name, pair in pairs if any(pair)},
    }
    REAL_SONGS.write_text(json.dumps(facts | {"ranges": ranges}) + "\n", encoding="utf-8")
    WEIGHTS.write_text(json.dumps(judge, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(judge, indent=1))


if __name__ == "__main__":
    main()
