"""What is counted in a piece: how busy it is, what sounds at once, and which pitch classes.

Pitched means all but the drums. Shapes: N notes, T times.
"""

import math

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.music.piece import DRUMS, Piece


def density(piece: Piece, seconds: float | None = None) -> float:
    """Return the notes a second of each instrument that plays, averaged over them; 0 in silence.

    ``seconds`` is how long the piece lasts, if not until the end of its last note.
    """
    length = piece.duration if seconds is None else seconds
    playing = len(np.unique(piece.classes))
    return len(piece) / length / playing if playing and length else 0.0


def onset_density(piece: Piece, seconds: float) -> float:
    """Return the moments a second at which a note begins."""
    return len(np.unique(piece.onsets)) / seconds


def polyphony(piece: Piece) -> float:
    """Return how many pitched notes sound at once, mean over the time in which any does; or NaN."""
    pitched = piece.where(piece.classes != DRUMS)
    if not len(pitched):
        return math.nan
    starts, ends = pitched.onsets, pitched.offsets
    until = np.maximum.accumulate(ends)  # starts ascend
    silence = np.maximum(starts[1:] - until[:-1], 0).sum()
    return float((ends - starts).sum() / (until[-1] - starts[0] - silence))


def pitch_class_seconds(piece: Piece, shortest: float = 0.0, longest: float = math.inf) -> Float64s:
    """Return the (12,) seconds that each pitch class sounds, from C; voices add up.

    A note counts for ``shortest`` seconds at least and ``longest`` at most.
    """
    pitched = piece.where(piece.classes != DRUMS)
    lengths = np.clip(pitched.offsets - pitched.onsets, shortest, longest)
    return np.bincount(pitched.pitches % 12, lengths, 12).astype(np.float64)


def sounded(piece: Piece, times: Seconds, longest: float = math.inf) -> Seconds:
    """Return the (T, 12) seconds that each pitch class has sounded until each of ``times``.

    Voices add up, and no note counts for more than ``longest`` seconds.
    """
    pitched = piece.where(piece.classes != DRUMS)
    pitch, starts = pitched.pitches % 12, pitched.onsets
    ends = np.minimum(pitched.offsets, starts + longest)
    return np.stack(
        [_since(starts[pitch == c], times) - _since(ends[pitch == c], times) for c in range(12)],
        axis=1,
    )


def _since(moments: Seconds, times: Seconds) -> Seconds:
    """Return the (T,) seconds since each of the ``moments`` before each of ``times``, summed."""
    moments = np.sort(moments)
    past = np.searchsorted(moments, times)
    return past * times - np.append(0.0, np.cumsum(moments))[past]
