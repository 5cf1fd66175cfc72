"""Velocity: how differently the notes are struck.

Conventions: velocities from 1 to 127, of notes in beats with bars of four. Spreads are standard
deviations; a class, or a track, counts if it has LEAST notes, and they are averaged. NaN where none
has.

spread      of all notes of a class
within      of its notes in one bar, mean over the bars with two notes or more
downbeats   velocity of its notes on downbeats, less that of its others, mean
levels      different velocities among RUN notes of a class in a row, mean
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.music.piece import BEATS

LEAST = 8  # notes
RUN = 16  # notes
NEAR = 0.125  # beats from a bar line that are on it


@dataclass(frozen=True)
class Velocity:
    """How differently notes are struck; see the head of this file."""

    spread: float
    within: float
    downbeats: float
    levels: float


def velocity_of(
    velocities: NDArray[np.uint8], classes: NDArray[np.integer], beats: Float64s
) -> Velocity:
    """Measure (N,) velocities of notes of (N,) classes, or tracks, at (N,) ascending beats."""
    rows = []
    for c in np.unique(classes):
        own, at = velocities[classes == c].astype(np.float64), beats[classes == c]
        if len(own) >= LEAST:
            rows.append(_of_class(own, at))
    means = [_mean([row[i] for row in rows]) for i in range(4)]
    return Velocity(*means)


def _of_class(own: Float64s, at: Float64s) -> tuple[float, float, float, float]:
    bar = np.floor(at / BEATS + NEAR / BEATS).astype(np.int64)
    bars = [own[bar == number] for number in np.unique(bar)]
    on = np.abs(at - np.round(at / BEATS) * BEATS) <= NEAR
    both = on.any() and not on.all()
    runs = [own[i : i + RUN] for i in range(0, len(own) - RUN + 1, RUN)]
    return (
        float(own.std()),
        _mean([float(one.std()) for one in bars if len(one) > 1]),
        float(own[on].mean() - own[~on].mean()) if both else math.nan,
        _mean([float(len(np.unique(run))) for run in runs]),
    )


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
