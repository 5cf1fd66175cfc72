"""The lead sheet: chords, players and themes over time, as a composer of notes is given them.

The plan (``emsync.planning``) says them in bars and in words; here they have seconds and numbers,
for the rules of the sampler and for conditions.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Seconds
from emsync.music.chords import Harmony
from emsync.music.piece import CLASSES, Piece

THEME_BARS = 4  # of a theme that are taken up: a phrase


@dataclass(frozen=True)
class Passage:
    """One section of the music, and who plays in it."""

    start: float  # seconds
    end: float  # seconds
    classes: tuple[int, ...] = tuple(range(len(CLASSES)))  # those that play, of CLASSES
    theme: str = ""  # passages of one letter take up the first one's material
    minor: bool = False  # the mode
    density: float = math.nan  # onsets a beat; NaN leaves them to the composer


@dataclass(frozen=True, eq=False)
class LeadSheet:
    """The chords of a piece and its passages, which follow each other without a gap."""

    harmony: Harmony
    passages: tuple[Passage, ...]
    tonic: int = 0  # pitch class, from C
    begins: float = 0.0  # seconds: what is before it will be left out, for an upbeat
    resumes: float = math.nan  # seconds at which music that is given goes on; NaN: none is
    later: Piece | None = None  # that music, in seconds from then on
    # By its letter, what a person gives as a theme: its first bars, from their first bar line on,
    # in the composed music's seconds
    themes: Mapping[str, Piece] = field(default_factory=dict)

    def retimed(self, f: Callable[[Seconds], Seconds]) -> Self:
        """Return the sheet in which every time t is ``f(t)``; ``f`` must not fall.

        Themes and later music stay as they are: their times are their own.
        """

        def at(time: float) -> float:
            return time if math.isnan(time) else float(f(np.array([time]))[0])

        edges = f(np.array([(p.start, p.end) for p in self.passages]).reshape(-1))
        passages = tuple(
            replace(passage, start=float(start), end=float(end))
            for passage, (start, end) in zip(self.passages, edges.reshape(-1, 2), strict=True)
        )
        return replace(
            self,
            harmony=self.harmony.retimed(f),
            passages=passages,
            begins=at(self.begins),
            resumes=at(self.resumes),
        )

    def passage(self, times: ArrayLike) -> NDArray[np.intp]:
        """Return the indices of the passages that ``times``, any shape, are in.

        The last one goes on.
        """
        starts = [passage.start for passage in self.passages[1:]]
        return np.asarray(np.searchsorted(starts, np.asarray(times) + 1e-6, side="right"), np.intp)
