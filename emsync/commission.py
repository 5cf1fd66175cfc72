"""A commission: what the music of a film is to be, once all but the notes is decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from emsync.analysis import Analysis
from emsync.arrays import Float64s
from emsync.fit.ending import Ending
from emsync.model.composer import Composer
from emsync.music.piece import Piece
from emsync.options import Options, Sampling
from emsync.performance.player import Casting
from emsync.planning.plan import Plan


@dataclass(frozen=True, eq=False)
class Commission:
    """What a composer is asked for. Times in seconds of the film."""

    composer: Composer
    brief: Analysis  # what the film and the plan ask, with the last chord as one more boundary
    plan: Plan
    casting: Casting  # who plays from second to second: the palettes of the plan
    ending: Ending
    options: Options
    sampling: Sampling
    seeds: Sequence[int]  # of the candidates, one each
    theme: Piece | None = None  # in beats, what a person gives for the sections of its letter
    visible: Float64s | None = None  # the impact of the pictures, where their rhythm counts
