"""How pleasant and how excited the music should feel."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from emsync.plugin import (
    Analysis,
    Conditioner,
    Floats,
    Piece,
    Place,
    Timeline,
    Within,
)


@dataclass(frozen=True)
class ValenceArousal(Conditioner):
    """Valence and arousal in [-1, 1], as two vectors before the tokens.

    Targets are (S, 3), a row for each state: the second from which it holds, valence, arousal. NaN
    requests no value. The features are (valence, 0) and (0, arousal).
    """

    name: ClassVar[str] = "valence_arousal"
    summary: ClassVar[str] = "valence and arousal in [-1, 1], scene by scene"
    place: ClassVar[Place] = "prefix"
    channels: ClassVar[int] = 2
    reads: ClassVar[frozenset[str]] = frozenset({"arc"})

    limit: Annotated[float, Within(0, 1)] = 1.0  # the largest absolute value that is requested

    def from_music(self, piece: Piece) -> Floats:
        labels = [piece.labels.get(name, np.nan) for name in ("valence", "arousal")]
        return np.array([[0.0, *labels]], np.float32)  # one state throughout

    def from_video(self, video: Analysis) -> Floats:
        return np.array([(s.start, s.valence, s.arousal) for s in video.arc], np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        now = timeline.times[-1] if len(timeline.times) else 0.0
        felt = target[np.searchsorted(target[1:, 0], now, side="right"), 1:]
        return np.diag(np.clip(felt, -self.limit, self.limit)).astype(np.float32)

    def changes(self, target: Floats) -> Floats:
        return target[1:, 0]
