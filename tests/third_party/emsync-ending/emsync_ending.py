"""The end of the video, so that the music can come to rest on it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Floats, Place
from emsync.music import Piece
from emsync.tokens import Timeline


@dataclass(frozen=True)
class Ending(Conditioner):
    """The time left until the end, beside each token.

    Targets are (1,): the end in seconds; NaN leaves it open.
    """

    name: ClassVar[str] = "ending"
    summary: ClassVar[str] = "seconds to the end, so that the music comes to rest there"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 1

    horizon: float = 10.0  # seconds; an end further away is not thought of

    def from_music(self, piece: Piece) -> Floats:
        return np.array([piece.duration], np.float32)

    def from_video(self, video: Analysis) -> Floats:
        return np.array([video.duration], np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        left = np.clip(target[0] - timeline.times, 0, self.horizon)  # (T,) seconds
        return (left / self.horizon)[:, None].astype(np.float32)
