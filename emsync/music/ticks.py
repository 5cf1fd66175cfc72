"""Ticks of a MIDI file: the seconds at which they come, and where its bars begin."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Float64s, Int64s, Seconds

DEFAULT_TEMPO = 500_000  # microseconds a quarter, 120 BPM: what holds until a file says otherwise


def tick_seconds(ticks: ArrayLike, tempi: Mapping[int, int], resolution: int) -> Seconds:
    """Return the times in seconds of ``ticks``, any shape.

    ``tempi`` holds the microseconds a quarter from each tick on, ``resolution`` is the ticks a
    quarter.

    >>> tick_seconds([0, 480, 960], {480: 250_000}, 480).tolist()
    [0.0, 0.5, 0.75]
    """
    starts, reached, paces = _changes(tempi, resolution)
    at = np.asarray(ticks, np.float64)
    i = np.searchsorted(starts, at, side="right") - 1
    return np.asarray(reached[i] + (at - starts[i]) * paces[i], np.float64)


def ticks_at(seconds: ArrayLike, tempi: Mapping[int, int], resolution: int) -> Float64s:
    """Return the ticks, with fractions, at which ``seconds`` have passed; see ``tick_seconds``.

    >>> ticks_at([0.0, 0.5, 0.75], {480: 250_000}, 480).tolist()
    [0.0, 480.0, 960.0]
    """
    starts, reached, paces = _changes(tempi, resolution)
    at = np.asarray(seconds, np.float64)
    i = np.maximum(np.searchsorted(reached, at, side="right") - 1, 0)
    return np.asarray(starts[i] + (at - reached[i]) / paces[i], np.float64)


def _changes(tempi: Mapping[int, int], resolution: int) -> tuple[Float64s, Seconds, Float64s]:
    """Return the tick and the second of each tempo, and the seconds that its ticks last."""
    tempo = {0: DEFAULT_TEMPO, **tempi}
    starts = np.array(sorted(tempo), np.float64)
    paces = np.array([tempo[int(t)] for t in starts]) / 1e6 / resolution
    return starts, np.concatenate([[0.0], np.cumsum(np.diff(starts) * paces[:-1])]), paces


def bar_lines(signatures: Iterable[tuple[int, int, int]], resolution: int, stop: int) -> Int64s:
    """Return the ticks before ``stop`` at which a bar begins, by (tick, top, bottom) signatures.

    4/4 holds until the first of them.

    >>> bar_lines([(0, 3, 4), (2880, 6, 8)], 480, 6000).tolist()
    [0, 1440, 2880, 4320, 5760]
    """
    rows = sorted(signatures)
    if not rows or rows[0][0] > 0:
        rows.insert(0, (0, 4, 4))
    stops = [start for start, _, _ in rows[1:]] + [stop]
    lines = [
        np.arange(start, end, max(1, resolution * 4 * top // bottom))
        for (start, top, bottom), end in zip(rows, stops, strict=True)
    ]
    return np.concatenate(lines).astype(np.int64)
