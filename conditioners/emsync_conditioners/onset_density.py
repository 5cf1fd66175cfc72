"""How busy the music should be, moment by moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Cursor, Floats, Place
from emsync.music import Piece, Seconds
from emsync.tokens import Timeline

NEAR = 1e-6  # windows; a sum of waits may end a hair below an edge


@dataclass(frozen=True)
class OnsetDensity(Conditioner):
    """The number of onsets in the current window, beside each token.

    Targets are the (W,) onsets a second in each window; NaN asks for nothing there.
    """

    name: ClassVar[str] = "onset_density"
    summary: ClassVar[str] = "onsets a second in each window of time"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 1

    window: float = 1.0  # seconds
    most: float = 16.0  # onsets a second that count as full

    def from_music(self, piece: Piece) -> Floats:
        times = np.unique(piece.onsets)
        edges = np.arange(0, times.max(initial=0) + 2 * self.window, self.window)
        return (np.histogram(times, edges)[0] / self.window).astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        """Ask for nothing: dense control from motion breaks the beat (Sulun et al., section 2).

        Whoever wants it anyway gives a target of their own.
        """
        return np.full(int(np.ceil(video.duration / self.window)), np.nan, np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        # (T,) index of the current window
        now = np.floor(timeline.times / self.window + NEAR).astype(np.intp)
        inside = now < len(target)
        rows = np.full((len(now), 1), np.nan, np.float32)  # nothing is asked after the end
        rows[inside, 0] = np.minimum(target[now[inside]] / self.most, 1)
        return rows

    def cursor(self, target: Floats) -> Cursor:
        return _Window(self, target)


class _Window(Cursor):
    """The row of the window that the time is in."""

    def __init__(self, conditioner: OnsetDensity, target: Floats) -> None:
        super().__init__(conditioner, target)
        self.width = conditioner.window
        edges: Seconds = np.arange(len(target) + 1, dtype=np.float64) * self.width
        self.rows = conditioner.features(target, Timeline(edges, edges < 0)).tolist()

    def row(self, time: float, mark: bool) -> Sequence[float]:
        row: list[float] = self.rows[min(int(time / self.width + NEAR), len(self.rows) - 1)]
        return row
