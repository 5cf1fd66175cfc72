"""How pleasant and how excited the music should feel."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Floats, Place
from emsync.music import Piece
from emsync.tokens import Timeline


@dataclass(frozen=True)
class ValenceArousal(Conditioner):
    """Valence and arousal in [-1, 1], as two vectors before the tokens.

    Targets are (2,): valence and arousal; NaN leaves one open. Row 0 is the valence with a zero
    beside it, row 1 a zero and the arousal.
    """

    name: ClassVar[str] = "valence_arousal"
    summary: ClassVar[str] = "valence and arousal of the whole piece, in [-1, 1]"
    place: ClassVar[Place] = "prefix"
    channels: ClassVar[int] = 2

    limit: float = 1.0  # the largest size asked of the model

    def from_music(self, piece: Piece) -> Floats:
        labels = [piece.labels.get(name, np.nan) for name in ("valence", "arousal")]
        return np.array(labels, np.float32)

    def from_video(self, video: Analysis) -> Floats:
        return np.array([video.valence, video.arousal], np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        return np.diag(np.clip(target, -self.limit, self.limit)).astype(np.float32)
