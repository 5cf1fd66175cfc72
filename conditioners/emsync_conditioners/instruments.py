"""Which instruments play, moment by moment."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from emsync.plugin import (
    CLASSES,
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    Piece,
    Place,
    Timeline,
    Windows,
    Within,
    in_windows,
    window_starts,
)

LEAST = 1e-3  # seconds; who enters so little before a window ends is not heard in it


@dataclass(frozen=True)
class Instruments(Conditioner):
    """Whether each instrument class sounds in the next seconds, for each token.

    Targets are (F, 5), a row for the ``window`` from each ``step`` on: 1 where the class sounds, 0
    where it rests; NaN requests nothing.
    """

    name: ClassVar[str] = "instruments"
    summary: ClassVar[str] = "which instruments play in the next seconds"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = len(CLASSES)
    reads: ClassVar[frozenset[str]] = frozenset({"duration", "sheet"})

    window: Annotated[float, Within(0.1, 600)] = 4.0  # seconds
    step: Annotated[float, Within(0.05, 60)] = 0.5  # seconds

    def from_music(self, piece: Piece) -> Floats:
        starts = window_starts(piece.duration, self.step)
        rows = np.zeros((len(starts), self.channels), np.float32)
        for c in range(self.channels):
            mine = piece.classes == c
            begun = np.searchsorted(piece.onsets[mine], starts + self.window, side="left")
            ended = np.searchsorted(np.sort(piece.offsets[mine]), starts, side="right")
            rows[:, c] = begun > ended
        return rows

    def from_video(self, video: Analysis) -> Floats:
        """Request the players of the lead sheet's passages; the last one goes on.

        As in a piece, a class is announced a window before it enters.
        """
        starts = window_starts(video.duration, self.step)
        if video.sheet is None:
            return np.full((len(starts), self.channels), np.nan, np.float32)
        rows = np.zeros((len(starts), self.channels), np.float32)
        first = video.sheet.passage(starts)
        last = video.sheet.passage(starts + self.window - LEAST)
        for index, passage in enumerate(video.sheet.passages):
            inside = (first <= index) & (index <= last)
            rows[np.ix_(inside, np.array(passage.classes, np.intp))] = 1.0
        return rows

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        return in_windows(target, timeline.times, self.step)

    def cursor(self, target: Floats) -> Cursor:
        return Windows(self, target, self.step)
