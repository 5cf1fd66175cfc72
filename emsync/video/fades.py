"""Fades through black or white, found on the curve of brightness: one boundary at the middle."""

import numpy as np

from emsync.arrays import Float64s, Seconds

DARK, WHITE = 0.012, 0.985  # mean brightness of a picture with nothing on it
LIT = 0.08  # usual brightness on both sides, away from black or white; a night sky has less
SIDE = 3.0  # seconds on each side that are looked at: longer than the slope of a fade


def fades(times: Seconds, brightness: Float64s) -> list[tuple[float, float, float]]:
    """Return (start, middle, end) seconds of each stretch that is empty between two pictures.

    ``brightness`` is the (F,) mean luma in [0, 1] of the frames shown at ``times``. A film that
    begins or ends empty has no fade there: there is no scene on the other side.
    """
    found = []
    for level in (brightness, 1.0 - brightness):
        limit = DARK if level is brightness else 1.0 - WHITE
        empty = np.concatenate([[False], level < limit, [False]])
        edges = np.flatnonzero(np.diff(empty.astype(np.int8))).reshape(-1, 2)
        for first, stop in edges.tolist():
            if first == 0 or stop == len(times):
                continue
            before = level[(times >= times[first] - SIDE) & (times < times[first])]
            after = level[(times >= times[stop]) & (times <= times[stop] + SIDE)]
            if np.median(before) >= LIT and np.median(after) >= LIT:
                start, end = float(times[first]), float(times[stop])
                found.append((start, (start + end) / 2, end))
    return sorted(found)
