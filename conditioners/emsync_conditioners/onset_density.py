"""How busy the music should be, moment by moment."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from emsync.plugin import (
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
    onset_rate,
)


@dataclass(frozen=True)
class OnsetDensity(Conditioner):
    """The number of onsets in the current window, for each token.

    Targets are the (W,) onsets a second in each window; NaN requests nothing there.
    """

    name: ClassVar[str] = "onset_density"
    summary: ClassVar[str] = "onsets a second in each window of time"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 1
    reads: ClassVar[frozenset[str]] = frozenset({"arc", "duration", "sheet", "tempo"})

    window: Annotated[float, Within(0.05, 60)] = 1.0  # seconds
    most: Annotated[float, Within(0.1, 1000)] = 16.0  # onsets a second that count as full

    def from_music(self, piece: Piece) -> Floats:
        times = np.unique(piece.onsets)
        edges = np.arange(0, times.max(initial=0) + 2 * self.window, self.window)
        return (np.histogram(times, edges)[0] / self.window).astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        """Request the lead sheet's density; without one, that of a changing arousal; or nothing.

        A density that follows the motion breaks the beat (Sulun, Viana & Davies, section 1); this
        one is constant within a scene, and makes audible that the next one has begun.
        """
        count = math.ceil(video.duration / self.window)
        times = (np.arange(count, dtype=np.float64) + 0.5) * self.window
        if (sheet := video.sheet) is not None:
            a_beat = np.array([passage.density for passage in sheet.passages], np.float32)
            return a_beat[sheet.passage(times)] * np.float32(video.tempo / 60)
        if len(video.arc) < 2:
            return np.full(len(times), np.nan, np.float32)
        return onset_rate(video.feelings(times)[:, 1]).astype(np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        full = np.minimum(target / self.most, 1)
        return in_windows(full[:, None], timeline.times, self.window)

    def cursor(self, target: Floats) -> Cursor:
        return Windows(self, target, self.window)
