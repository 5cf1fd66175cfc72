"""What a person asks of the music, beyond what the video asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from emsync.analysis import FASTEST, SLOWEST
from emsync.ending import Ending
from emsync.errors import UsageError
from emsync.feeling import DEFAULT as ESTIMATOR
from emsync.hits import Sync
from emsync.tonality import pitch_class

Arc = Literal["scene", "constant"]


@dataclass(frozen=True)
class Wishes:
    """What a person asks of the music, beyond what the video asks."""

    analysis: Path | None = None  # read instead of watching the video
    cuts: str = "auto"  # found in the video; "none"; or a file of cuts
    estimator: str = ESTIMATOR  # who feels the emotion; see ``emsync.feeling.choose``
    emotion_file: Path | None = None  # an arc in place of the estimated one
    arc: Arc = "scene"  # whether the emotion follows the scenes
    max_va: float | None = None  # the largest mean of an emotion; None leaves all as it is
    emotion: Mapping[str, float] | None = None
    valence: float | None = None
    arousal: float | None = None
    tempo: float | None = None  # beats a minute; None follows the arousal and the cuts
    tonic: str = ""  # such as "F#", that the music stands on; empty lets the seed choose
    sync: Sync = "beat"
    max_tempo_change: float = 0.06
    ending: Ending = "cadence"
    start_timecode: str = ""  # of the first frame, such as 01:00:00:00
    seed: int = 0
    candidates: int = 2  # drawn side by side; the best is kept
    rhythm: bool = False  # whether the best is also the one that moves with the pictures

    def __post_init__(self) -> None:
        if not 1 <= self.candidates <= 64:
            raise UsageError(f"{self.candidates} candidates cannot be drawn; choose from 1 to 64")
        if self.rhythm and self.analysis is not None:
            raise UsageError("rhythm is seen in the video itself; leave out rhythm or the analysis")
        if self.tempo is not None and not SLOWEST <= self.tempo <= FASTEST:
            raise UsageError(
                f"a tempo of {self.tempo:g} is outside {SLOWEST:g} to {FASTEST:g} beats a minute"
            )
        if self.tonic:
            pitch_class(self.tonic)
        if self.max_va is not None and not 0 < self.max_va <= 1:
            raise UsageError(f"max-va is {self.max_va}; it must be above 0 and at most 1")
        for name, kind in (("sync", Sync), ("ending", Ending), ("arc", Arc)):
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise UsageError(f"{name} is {getattr(self, name)!r}; choose of {known}")
