"""Columns of the rhythm: what CM and DM rank by, kept in a store beside what the networks read.

The accents of the visible impact of a film and of the onsets of music, STEP_RATE steps a second, in
half precision; and the beats of the music. Those of a film follow from its accents.

Shapes: Q films, T tracks, N steps, B beats.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from emsync.arrays import Float32s, Float64s
from emsync.matching.matcher import Columns
from emsync.matching.rhythm import Cm
from emsync.metrics.rhythm import discrete, distances
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.rhythm import beats, rhythm_of
from emsync.video.impact import Impact

STAMPS = {"impact": "impact 1", "rhythm": "rhythm 1", "pulse": "pulse 1"}
RATE = 16_000  # samples a second that are heard here, as by the columns of a track
DIVISOR = math.gcd(SAMPLE_RATE, RATE)


def seen(impact: Impact, seconds: float) -> Columns:
    """Return ``impact``, (N,) the accents of a film of so many seconds that was watched."""
    return {"impact": impact.signal(seconds).astype(np.float16)}


def heard(samples: Float32s) -> Columns:
    """Return ``rhythm``, (N,) accents, 1 the strongest, and ``pulse``, (B,) seconds of the beats.

    ``samples`` are RATE a second; the rhythm is heard at SAMPLE_RATE.
    """
    sound = resample_poly(samples, SAMPLE_RATE // DIVISOR, RATE // DIVISOR).astype(np.float32)
    rhythm = rhythm_of(sound)
    return {"rhythm": rhythm.signal, "pulse": (rhythm.beats / STEP_RATE).astype(np.float32)}


def cm_scores(films: Sequence[Columns], tracks: Sequence[Columns], seconds: int) -> Float64s:
    """Return the (Q, T) CM of films and tracks, each from its beginning for so many seconds."""
    length = _length(seconds)
    music = [{"onsets": track["rhythm"][:length]} for track in tracks]
    pictures = _rows([film["impact"] for film in films], seconds)
    return np.stack([Cm().curves({"impact": film}, music, length)[:, 0] for film in pictures])


def dm_scores(films: Sequence[Columns], tracks: Sequence[Columns], seconds: int) -> Float64s:
    """Return the (Q, T) DM of films and tracks, each from its beginning for so many seconds."""
    length = _length(seconds)
    moments, beaten = np.arange(length) / STEP_RATE, [len(track["pulse"]) > 0 for track in tracks]
    near = np.zeros((len(tracks), length))
    for row, track in zip(near, tracks, strict=True):
        if len(track["pulse"]):
            row[:] = distances(track["pulse"].astype(np.float64), moments)
    scores = np.zeros((len(films), len(tracks)))
    for row, film in zip(scores, _rows([film["impact"] for film in films], seconds), strict=True):
        steps = beats(film)
        if len(steps):
            comb = np.bincount(steps, minlength=length)[:length].astype(np.float64)
            row[:] = np.where(beaten, discrete(near, comb)[:, 0], 0.0)
    return scores


def _rows(signals: Sequence[NDArray[np.floating]], seconds: int) -> Float64s:
    """Return signals of one length; what is shorter ends in silence."""
    length = _length(seconds)
    rows = np.zeros((len(signals), length))
    for row, signal in zip(rows, signals, strict=True):
        row[: len(signal)] = signal[:length]
    return rows


def _length(seconds: int) -> int:
    return round(seconds * STEP_RATE)
