"""Musical boundaries on the cuts of the video (Sulun, Viana & Davies, "boundary offsets")."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import (
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    Piece,
    Place,
    Seconds,
    Timeline,
    Within,
)

# seconds; a mark so little before a boundary is on it, as on the last sixteenth before. A network
# whose guidance is strong marks a boundary as soon as it may, and again soon after it; in its songs
# a chord is on time, and one answers a boundary.
EARLY = 0.12


@dataclass(frozen=True)
class Boundaries(Conditioner):
    """The time left until the next boundary, for each token.

    Targets are the (N,) times of the boundaries in seconds; [NaN] requests nothing.
    """

    name: ClassVar[str] = "boundaries"
    summary: ClassVar[str] = "seconds to the next cut, so that a chord can be ready on it"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 2
    reads: ClassVar[frozenset[str]] = frozenset({"cuts"})

    horizon: Annotated[float, Within(0.01, 1000)] = (
        8.0  # seconds; all that is further looks the same
    )
    tolerance: Annotated[float, Within(0, 60)] = 1.0  # seconds; a mark this close meets a boundary
    grace: Annotated[float, Within(0, 1)] = 0.006  # seconds by which music on a grid may be late

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
        """Return the (T,) seconds until the next boundary that no mark has met; or infinity.

        A boundary is pending until a mark within the tolerance meets it, or it has passed. Both
        ends come in the order of the boundaries, so one search finds the first that is pending.
        """
        times = timeline.times
        passed = np.searchsorted(times, target + self.grace, side="right")  # (N,) first beyond it
        met = _first_mark(target, times, np.flatnonzero(timeline.marks), self.tolerance)
        ends = np.minimum(passed, met)  # (N,) ascending; pending for tokens before this one
        nearest = np.searchsorted(ends, np.arange(len(times)), side="right")  # (T,)
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
    """Keeps the boundaries that are pending, the next one first."""

    def __init__(self, conditioner: Boundaries, target: Floats) -> None:
        super().__init__(conditioner, target)
        self.boundaries = conditioner
        self.requested = not np.isnan(target).any()
        self.pending = sorted(map(float, target)) if self.requested else []
        self.met = -math.inf  # seconds: when a mark last met a boundary

    def row(self, time: float, mark: bool) -> Sequence[float]:
        if not self.requested:
            return [math.nan] * self.boundaries.channels
        grace, reach = self.boundaries.grace, self.boundaries.tolerance
        while self.pending and self.pending[0] + grace < time:
            del self.pending[0]
        if mark:
            left = [t for t in self.pending if not t - reach < time < t + reach]
            self.met = time if len(left) < len(self.pending) else self.met
            self.pending = left
        wait = max(self.pending[0] - time, 0.0) if self.pending else math.inf
        near = min(wait, self.boundaries.horizon)
        return [near / self.boundaries.horizon, math.exp(-near)]

    def waits(self, time: float) -> bool:
        reach = self.boundaries.tolerance
        wait = self.pending[0] - time if self.pending else math.inf
        return wait > EARLY and (wait < reach or time - self.met < reach)
