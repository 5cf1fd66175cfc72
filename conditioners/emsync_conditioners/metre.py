"""Where in the bar each token stands, so that the music keeps the beat."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from emsync.plugin import (
    BEATS,
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

CYCLES = np.array([1, 2, 4, 8, 16])  # a bar: from the bar itself to its sixteenths


@dataclass(frozen=True)
class Metre(Conditioner):
    """The position in the bar at each token, as sine and cosine of several cycles a bar.

    Targets are the (K,) downbeats in seconds; the bars before and after them go on evenly. Fewer
    than two, or NaN, request no metre, nor does a bar that lasts nothing.
    """

    name: ClassVar[str] = "metre"
    summary: ClassVar[str] = "where in the bar the music is, so that it keeps the beat"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 2 * len(CYCLES)
    always_on: ClassVar[bool] = True

    beats: Annotated[int, Within(1, 64)] = BEATS  # in a bar of the grid that a video requests

    def from_music(self, piece: Piece) -> Floats:
        return piece.downbeats.astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        if np.isnan(video.tempo):
            return np.array([np.nan], np.float32)
        bar = self.beats * 60 / video.tempo
        return np.arange(0, video.duration + 2 * bar, bar).astype(np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        if not _requested(target):
            return np.full((len(timeline.times), self.channels), np.nan, np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):  # of a bar that lasts nothing
            turns = 2 * np.pi * np.outer(_bars(target.astype(np.float64), timeline.times), CYCLES)
            return np.concatenate([np.sin(turns), np.cos(turns)], axis=1).astype(np.float32)

    def cursor(self, target: Floats) -> Cursor:
        return _Phase(self, target)


class _Phase(Cursor):
    """Computes a row from the time alone."""

    timed = True

    def __init__(self, conditioner: Conditioner, target: Floats) -> None:
        super().__init__(conditioner, target)
        self.downbeats: list[float] = target.astype(np.float64).tolist()
        self.requested = _requested(target)

    def row(self, time: float, mark: bool) -> Floats:
        i = max(0, min(bisect_right(self.downbeats, time) - 1, len(self.downbeats) - 2))
        before, after = self.downbeats[i : i + 2] if self.requested else (0.0, 0.0)
        if before == after:
            return np.full(2 * len(CYCLES), np.nan, np.float32)
        turns = 2 * np.pi * ((i + (time - before) / (after - before)) * CYCLES)
        return np.concatenate([np.sin(turns), np.cos(turns)]).astype(np.float32)


def _requested(target: Floats) -> bool:
    return len(target) > 1 and not np.isnan(target).any()


def _bars(downbeats: Seconds, times: Seconds) -> Seconds:
    """Return (T,) times in bars; outside of the downbeats the first and last bar repeat."""
    i = np.clip(np.searchsorted(downbeats, times, side="right") - 1, 0, len(downbeats) - 2)
    return i + (times - downbeats[i]) / (downbeats[i + 1] - downbeats[i])
