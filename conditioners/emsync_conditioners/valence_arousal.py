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

    Targets are (2,), valence and arousal, or (S, 3) where they change: the second from which they
    hold, then both. NaN leaves one open. Row 0 is the valence with a zero beside it, row 1 a zero
    and the arousal.
    """

    name: ClassVar[str] = "valence_arousal"
    summary: ClassVar[str] = "valence and arousal in [-1, 1], scene by scene"
    place: ClassVar[Place] = "prefix"
    channels: ClassVar[int] = 2

    limit: float = 1.0  # the largest size asked of the model

    def from_music(self, piece: Piece) -> Floats:
        labels = [piece.labels.get(name, np.nan) for name in ("valence", "arousal")]
        return np.array(labels, np.float32)

    def from_video(self, video: Analysis) -> Floats:
        return np.array([(s.start, s.valence, s.arousal) for s in video.arc], np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        if target.ndim == 2:
            now = timeline.times[-1] if len(timeline.times) else 0.0
            target = target[np.searchsorted(target[1:, 0], now, side="right"), 1:]
        return np.diag(np.clip(target, -self.limit, self.limit)).astype(np.float32)

    def changes(self, target: Floats) -> Floats:
        return target[1:, 0] if target.ndim == 2 else target[:0]
