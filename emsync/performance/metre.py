"""Where notes stand in their bars, in beats. N notes."""

from dataclasses import dataclass

import numpy as np

from emsync.arrays import Float64s, Int64s, Seconds
from emsync.music.piece import BEATS

GRID = 24  # of a beat: what lies nearer together begins together
NEIGHBOURS = 9  # bars, whose usual length says how many beats one of them has
BAR = 2.0  # seconds, where a piece has no bars


@dataclass(frozen=True, eq=False)
class Metre:
    """Where notes stand in their bars."""

    beats: Float64s  # (N,) since the first downbeat
    place: Float64s  # (N,) beats since the note's own downbeat
    bars: Int64s  # (N,) the note's bar, counted from the first that is known


def metre(times: Seconds, downbeats: Seconds) -> Metre:
    """Return where ``times`` stand; bars go on before the first downbeat and after the last.

    A bar that is shorter than its neighbours has fewer beats, not faster ones.
    """
    lines = np.unique(np.round(downbeats, 6))
    if len(lines) < 2:
        first = lines[0] if len(lines) else 0.0
        lines = np.array([first, first + BAR])
    lengths = np.diff(lines)
    last = float(max(times.max(initial=0.0), lines[-1])) + 1e-6
    before = int(np.ceil(max(lines[0] - float(times.min(initial=lines[0])), 0.0) / lengths[0]))
    after = int((last - lines[-1]) / lengths[-1]) + 1
    lines = np.concatenate([
        lines[0] - lengths[0] * np.arange(before, 0, -1),
        lines,
        lines[-1] + lengths[-1] * np.arange(1, after + 1),
    ])  # fmt: skip
    lengths = np.diff(lines)
    usual = running_median(lengths, NEIGHBOURS)
    beats = np.clip(np.round(BEATS * lengths / usual), 1, 2 * BEATS)
    starts = np.concatenate([[0.0], np.cumsum(beats)])
    counted = np.round(np.interp(times, lines, starts) * GRID) / GRID
    bars = np.clip(np.searchsorted(starts, counted + 1e-9, side="right") - 1, 0, len(beats) - 1)
    return Metre(counted, counted - starts[bars], bars - before)


def running_median(values: Float64s, width: int) -> Float64s:
    """Return the (N,) medians of each value and its neighbours, ``width`` in all."""
    from scipy.ndimage import median_filter

    return median_filter(values, size=width, mode="nearest")
