"""Crash cymbals on the moments that a person names: --ask crash=2.5,7."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.plugin import (
    DRUMS,
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

CYMBALS = (49, 52, 55, 57)  # General MIDI: crash 1, china, splash, crash 2
NEAR = 0.1  # seconds over which the last number falls
GRACE = 0.006  # seconds by which music on a grid may be late


@dataclass(frozen=True)
class Crash(Conditioner):
    """The time left until the next crash, for each token.

    Targets are the (N,) seconds of the crashes; NaN requests nothing, no number requests none.
    """

    name: ClassVar[str] = "crash"
    summary: ClassVar[str] = "seconds to the next crash cymbal: --ask crash=2.5,7"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 3
    reads: ClassVar[frozenset[str]] = frozenset({"requested.crash"})

    horizon: float = 8.0  # seconds; all that is further looks the same

    def from_music(self, piece: Piece) -> Floats:
        struck = (piece.classes == DRUMS) & np.isin(piece.pitches, CYMBALS)
        return np.unique(piece.onsets[struck]).astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        words = video.requested.get("crash")
        if words is None:
            return np.array([math.nan], np.float32)
        return np.sort(video.music_time(seconds(words))).astype(np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        if np.isnan(target).any():
            return np.full((len(timeline.times), self.channels), np.nan, np.float32)
        ahead = np.append(target.astype(np.float64), np.inf)
        waits = ahead[np.searchsorted(target, timeline.times - GRACE)] - timeline.times
        near = np.clip(waits, 0.0, self.horizon)
        rows = [near / self.horizon, np.exp(-near), np.exp(-near / NEAR)]
        return np.stack(rows, axis=1).astype(np.float32)

    def cursor(self, target: Floats) -> Cursor:
        return _Moment(self, target)


class _Moment(Cursor):
    """Rows depend on the time alone."""

    def row(self, time: float, mark: bool) -> Sequence[float]:
        moment = Timeline(np.array([time]), np.array([mark]))
        row: list[float] = self.conditioner.features(self.target, moment)[0].tolist()
        return row


def seconds(words: str) -> Seconds:
    """Return the moments in words such as "2.5,7"; UsageError names what is none."""
    try:
        times = np.array([float(word) for word in words.split(",")])
    except ValueError:
        times = np.array([math.nan])
    if not (np.isfinite(times) & (times >= 0)).all():
        raise UsageError(f"crash is {words!r}; write seconds of the film, such as 2.5,7")
    return times
