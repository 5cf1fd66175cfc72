"""Notes begin on the moments that a person names, and only there: --ask strikes=2.5,3,7."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.plugin import (
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    Piece,
    Place,
    Seconds,
    Timeline,
    UsageError,
)

NEAR = 0.1  # seconds over which the sharp numbers fall
GRACE = 0.006  # seconds by which music on a grid may be late


@dataclass(frozen=True)
class Strikes(Conditioner):
    """Whether notes begin now, and the time until they do next, for each token.

    Targets are the (N,) seconds at which notes begin; NaN requests nothing, no number requests
    silence.
    """

    name: ClassVar[str] = "strikes"
    summary: ClassVar[str] = "when notes begin: --ask strikes=2.5,3,7"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 4
    reads: ClassVar[frozenset[str]] = frozenset({"requested.strikes"})

    horizon: float = 8.0  # seconds; all that is further looks the same

    def from_music(self, piece: Piece) -> Floats:
        return np.unique(piece.onsets).astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        words = video.requested.get("strikes")
        if words is None:
            return np.array([math.nan], np.float32)
        return np.sort(video.music_time(seconds(words))).astype(np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        if np.isnan(target).any():
            return np.full((len(timeline.times), self.channels), np.nan, np.float32)
        times, moments = timeline.times, np.concatenate([[-np.inf], target, [np.inf]])
        after = np.searchsorted(moments, times + GRACE, side="right")  # the first that is to come
        since = np.minimum(np.abs(times - moments[after - 1]), self.horizon)
        wait = np.minimum(moments[after] - times, self.horizon)
        rows = [np.exp(-since / NEAR), wait / self.horizon, np.exp(-wait), np.exp(-wait / NEAR)]
        return np.stack(rows, axis=1).astype(np.float32)

    def cursor(self, target: Floats) -> Cursor:
        return _Moment(self, target)


class _Moment(Cursor):
    """Rows depend on the time alone, and most tokens take none: the last row is kept."""

    now = math.nan
    last: Sequence[float] = ()

    def row(self, time: float, mark: bool) -> Sequence[float]:
        if time != self.now:
            moment = Timeline(np.array([time]), np.array([mark]))
            self.now, self.last = time, self.conditioner.features(self.target, moment)[0].tolist()
        return self.last


def seconds(words: str) -> Seconds:
    """Return the moments in words such as "2.5,7"; UsageError names what is none."""
    try:
        times = np.array([float(word) for word in words.split(",")])
    except ValueError:
        times = np.array([math.nan])
    if not (np.isfinite(times) & (times >= 0)).all():
        raise UsageError(f"strikes is {words!r}; write seconds of the film, such as 2.5,3,7")
    return times
