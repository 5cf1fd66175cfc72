"""Texture: who plays how much, and whether anybody is stuck.

Conventions: a piece in seconds. A class of instruments has only been stuck if it had LEAST notes to
move with. A measure that a piece does not have is NaN.

drums, bass, guitar, piano, strings
              onsets a second of a class that plays, over the whole of the piece
instruments   classes that play
sounding      share of the piece in which something pitched sounds
stuck         largest share that one pitch has of the notes of a pitched class
entropy       of the pitch classes, by how long they sound, in bits
motion        share of the sound whose pitch class changes from one two seconds to the next, mean
"""

import math

import numpy as np

from emsync.arrays import Float64s
from emsync.music.piece import CLASSES, DRUMS, Piece
from emsync.music.statistics import onset_density, pitch_class_seconds, sounded

WINDOW = 2.0  # seconds: about a bar
LEAST = 8  # notes
SILENT = 1e-9  # seconds of sound that are none


def texture_of(piece: Piece, seconds: float) -> dict[str, float]:
    """Return the measures of a piece that lasts ``seconds``, by their names."""
    found = dict.fromkeys(CLASSES, math.nan)
    for c in np.unique(piece.classes).tolist():
        found[CLASSES[c]] = onset_density(piece.where(piece.classes == c), seconds)
    pitched = piece.where(piece.classes != DRUMS)
    return found | {
        "instruments": float(len(np.unique(piece.classes))),
        "sounding": _sounding(pitched, seconds),
        "stuck": _stuck(pitched),
        "entropy": _entropy(pitch_class_seconds(pitched)),
        "motion": _motion(pitched, seconds),
    }


def _sounding(pitched: Piece, seconds: float) -> float:
    until = np.append(0.0, np.maximum.accumulate(pitched.offsets))
    starts = np.append(pitched.onsets, seconds)
    return 1.0 - min(1.0, float(np.maximum(starts - until, 0.0).sum()) / seconds)


def _stuck(pitched: Piece) -> float:
    shares = []
    for c in np.unique(pitched.classes).tolist():
        own = pitched.pitches[pitched.classes == c]
        if len(own) >= LEAST:
            shares.append(float(np.bincount(own).max()) / len(own))
    return max(shares, default=math.nan)


def _entropy(seconds: Float64s) -> float:
    if not seconds.sum():
        return math.nan
    shares = seconds / seconds.sum()
    return -float((shares * np.log2(np.where(shares > 0, shares, 1))).sum())


def _motion(pitched: Piece, seconds: float) -> float:
    edges = np.arange(max(1, round(seconds / WINDOW)) + 1, dtype=np.float64) * WINDOW
    profiles = np.diff(sounded(pitched, edges), axis=0)
    heard = profiles[profiles.sum(axis=1) > SILENT].clip(0.0)
    if len(heard) < 2:
        return math.nan
    shares = heard / heard.sum(axis=1, keepdims=True)
    return float(np.abs(np.diff(shares, axis=0)).sum(axis=1).mean() / 2)
