"""How busy the music should be, moment by moment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Cursor, Floats, Place
from emsync.music import Piece, Seconds
from emsync.tokens import Timeline

NEAR = 1e-6  # windows; a sum of waits may end a hair below an edge

# Onsets a second of music of an arousal: medians of 2,972 passages of 12 s of held-out songs
ONSETS = (-0.875, -0.625, -0.375, -0.125, 0.125, 0.375, 0.625), (2.5, 4.2, 5.2, 6.3, 8.2, 8.9, 9.8)


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
        """Ask for what fits the arousal where that changes, else for nothing.

        Dense control from motion breaks the beat (Sulun et al., section 2); this is one density for
        a whole state, and makes heard that the next one has begun.
        """
        times = (np.arange(math.ceil(video.duration / self.window)) + 0.5) * self.window
        if len(video.arc) < 2:
            return np.full(len(times), np.nan, np.float32)
        states = np.searchsorted([state.start for state in video.arc[1:]], times, side="right")
        arousal = np.array([state.arousal for state in video.arc])[states]
        return np.interp(arousal, *ONSETS).astype(np.float32)

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
