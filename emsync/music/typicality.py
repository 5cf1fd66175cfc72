"""How typical of real songs a piece is, in what small models get wrong.

They fall silent, repeat one tone or one chord for good, or leave an instrument alone. Pitched means
all but the drums; a window is ``WINDOW`` seconds, about a bar.
"""

from collections.abc import Mapping

import numpy as np

from emsync.arrays import Float64s
from emsync.music.piece import DRUMS, Piece
from emsync.music.statistics import sounded

WINDOW = 2.0
SILENT = 1e-9  # seconds of sound that are none

# Between these lie four of five passages of 24 s, from the middle of 286 songs of Lakh Pianoroll
# that no checkpoint was trained on.
TYPICAL: Mapping[str, tuple[float, float]] = {
    "motion": (0.217, 0.467),
    "repetition": (0.065, 0.208),
    "entropy": (2.309, 3.003),
    "instruments": (2.0, 5.0),
}


def typicality(piece: Piece, duration: float) -> float:
    """Return how typical of real songs ``piece`` is, from 0 to 1: the mean over TYPICAL.

    Each statistic counts 1 in its range, and less outside of it, until it is as far away as the
    range is wide. The mean is weighed by the share of windows in which something pitched sounds.
    """
    profiles = _profiles(piece, duration)
    heard = profiles.sum(axis=1) > 0
    if not heard.any():
        return 0.0
    parts = [_typical(value, *TYPICAL[name]) for name, value in statistics(piece, profiles).items()]
    return float(np.mean(parts) * heard.mean())


def statistics(piece: Piece, profiles: Float64s) -> dict[str, float]:
    """Return the statistics of a piece whose windows have (W, 12) ``profiles``.

    motion        the share of sound whose pitch class changes from a window to the next, the mean
    repetition    the share of pitched notes that are the commonest note of one instrument
    entropy       of the pitch classes, by how long they sound, in bits
    instruments   classes that play
    """
    sounding = profiles[profiles.sum(axis=1) > 0]
    shares = sounding / sounding.sum(axis=1, keepdims=True)
    whole = sounding.sum(axis=0) / sounding.sum()
    pitched = piece.classes != DRUMS
    notes = piece.classes[pitched].astype(np.int64) * 128 + piece.pitches[pitched]
    return {
        "motion": float(np.abs(np.diff(shares, axis=0)).sum(axis=1).mean() / 2)
        if len(shares) > 1
        else 0.0,
        "repetition": float(np.bincount(notes).max() / len(notes)),
        "entropy": -float((whole * np.log2(np.where(whole > 0, whole, 1))).sum()),
        "instruments": float(len(np.unique(piece.classes))),
    }


def _profiles(piece: Piece, duration: float) -> Float64s:
    """Return the (W, 12) seconds that each pitch class sounds in each window, voices added up."""
    edges = np.arange(max(1, round(duration / WINDOW)) + 1, dtype=np.float64) * WINDOW
    profiles = np.diff(sounded(piece, edges), axis=0)
    return np.where(profiles > SILENT, profiles, 0.0)


def _typical(value: float, low: float, high: float) -> float:
    """Return 1 from ``low`` to ``high``, falling to 0 at the width of that range outside.

    >>> _typical(3.0, 2.0, 4.0), _typical(5.0, 2.0, 4.0), _typical(-1.0, 2.0, 4.0)
    (1.0, 0.5, 0.0)
    """
    away = max(low - value, value - high, 0.0)
    return max(0.0, 1.0 - away / (high - low))
