"""Musical boundaries on the cuts of the video (Sulun, Viana & Davies, "boundary offsets")."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Cursor, Floats, Place
from emsync.music import Piece, Seconds
from emsync.tokens import Timeline


@dataclass(frozen=True)
class Boundaries(Conditioner):
    """The time left until the next boundary, beside each token.

    Targets are the (N,) times of the boundaries in seconds; [NaN] asks for none and forbids none.
    """

    name: ClassVar[str] = "boundaries"
    summary: ClassVar[str] = "seconds to the next cut, so that a chord can be ready on it"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 2

    horizon: float = 8.0  # seconds; boundaries further away all look the same
    tolerance: float = 1.0  # seconds; a mark this close answers a boundary
    grace: float = 0.006  # seconds; music on a grid may come to a boundary this late

    def from_music(self, piece: Piece) -> Floats:
        return piece.chords.astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        return np.asarray([cut.time for cut in video.kept] or [np.nan], np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        if np.isnan(target).any():
            return np.full((len(timeline.times), self.channels), np.nan, np.float32)
        return self._rows(self._waits(np.sort(target).astype(np.float64), timeline))

    def cursor(self, target: Floats) -> Cursor:
        return _Countdown(self, target)

    def _waits(self, target: Seconds, timeline: Timeline) -> Seconds:
        """Return the (T,) seconds until the next boundary that no mark has answered.

        Each boundary is open until a mark within the tolerance answers it, or it has passed. Both
        ends come in the order of the boundaries, so one search finds the first that is open.
        """
        times = timeline.times
        passed = np.searchsorted(times, target + self.grace, side="right")  # (N,) first beyond it
        answered = _first_mark(target, times, np.flatnonzero(timeline.marks), self.tolerance)
        shut = np.minimum(passed, answered)  # (N,) ascending; open for tokens before this one
        nearest = np.searchsorted(shut, np.arange(len(times)), side="right")  # (T,)
        return np.maximum(np.append(target, np.inf)[nearest] - times, 0.0)

    def _rows(self, waits: Seconds) -> Floats:
        """Return the (T, 2) rows: the offset over the horizon, and one that is sharp near zero."""
        near = np.minimum(waits, self.horizon)
        return np.stack([near / self.horizon, np.exp(-near)], axis=1).astype(np.float32)


def _first_mark(
    target: Seconds, times: Seconds, marks: NDArray[np.intp], tolerance: float
) -> NDArray[np.intp]:
    """Return for each boundary the first of ``marks`` within ``tolerance``, or T."""
    first = np.searchsorted(times[marks], target - tolerance, side="right")  # > target - tolerance
    padded = np.append(marks, len(times))
    reached = np.append(times[marks], np.inf)[first] < target + tolerance
    return np.where(reached, padded[first], len(times))


class _Countdown(Cursor):
    """The boundaries still open, the next one first."""

    def __init__(self, conditioner: Boundaries, target: Floats) -> None:
        super().__init__(conditioner, target)
        self.boundaries = conditioner
        self.asked = not np.isnan(target).any()
        self.open = sorted(map(float, target)) if self.asked else []

    def row(self, time: float, mark: bool) -> Sequence[float]:
        if not self.asked:
            return [math.nan] * self.boundaries.channels
        grace, reach = self.boundaries.grace, self.boundaries.tolerance
        while self.open and self.open[0] + grace < time:
            del self.open[0]
        if mark:
            self.open = [t for t in self.open if not t - reach < time < t + reach]
        wait = max(self.open[0] - time, 0.0) if self.open else math.inf
        near = min(wait, self.boundaries.horizon)
        return [near / self.boundaries.horizon, math.exp(-near)]
