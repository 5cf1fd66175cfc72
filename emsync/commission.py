"""A commission: what the music of a film is to be, once all but the music itself is decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emsync.analysis import Analysis
from emsync.arrays import Float64s
from emsync.fit.ending import Ending
from emsync.music.piece import Piece
from emsync.options import Options
from emsync.performance.player import Casting
from emsync.planning.plan import Plan
from emsync.sound.audio import Audio
from emsync.video.footage import Footage
from emsync.video.observers import Observer

if TYPE_CHECKING:
    from emsync.redo import Redo


@dataclass(frozen=True, eq=False)
class Commission:
    """What a maker is asked for. Times in seconds of the film."""

    brief: Analysis  # what the film and the plan ask, with the last chord as one more boundary
    plan: Plan
    casting: Casting  # who plays from second to second: the palettes of the plan
    ending: Ending
    options: Options
    seeds: Sequence[int]  # of the candidates, one each
    theme: Piece | None = None  # in beats, what a person gives for the sections of its letter
    visible: Float64s | None = None  # the impact of the pictures, where their rhythm counts
    redo: "Redo | None" = None  # the span of a kept score, where only that is composed
    footage: Footage | None = None  # of the one pass; there where the maker observes
    seen: Sequence[Observer] = ()  # the maker's own observers, which have seen all frames
    like: Audio | None = None  # a style prompt at the maker's rate, which is not silent
    waited_for: bool = False  # whether somebody waits for each candidate, so that few are at once
