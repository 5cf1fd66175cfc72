"""Columns of the rhythm: what CM and DM rank by, kept in a store beside what the networks read.

The visible impact of a film and the onset strength of music, STEP_RATE steps a second, in half
precision; and the beats of the music. Those of a film follow from its impact.
"""

import math

import numpy as np
from scipy.signal import resample_poly

from emsync.arrays import Float32s
from emsync.matching.matcher import Columns
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.rhythm import rhythm_of
from emsync.video.impact import Impact

STAMPS = {"impact": "impact 1", "rhythm": "rhythm 1", "pulse": "pulse 1"}
RATE = 16_000  # samples a second that are heard here, as by the columns of a track
DIVISOR = math.gcd(SAMPLE_RATE, RATE)


def seen(impact: Impact, seconds: float) -> Columns:
    """Return ``impact``, (N,) the visible impact of a film of so many seconds that was watched."""
    return {"impact": impact.signal(seconds).astype(np.float16)}


def heard(samples: Float32s) -> Columns:
    """Return ``rhythm``, (N,) the onsets, 1 the strongest, and ``pulse``, (B,) seconds of beats.

    ``samples`` are RATE a second; the paper's rhythm is heard at SAMPLE_RATE.
    """
    sound = resample_poly(samples, SAMPLE_RATE // DIVISOR, RATE // DIVISOR).astype(np.float32)
    rhythm = rhythm_of(sound)
    return {"rhythm": rhythm.signal, "pulse": (rhythm.beats / STEP_RATE).astype(np.float32)}
