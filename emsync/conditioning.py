"""Conditions: what a video requests of the music.

A conditioner turns a training piece, or a video, into the same small array (its target), and that
target into the numbers that the model reads (its features). Training and generation call the same
object, so the model is given what it learned to read.

Times are in seconds. Targets and features are float32, and NaN means "not requested".
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.arrays import Seconds
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.music.piece import Piece
from emsync.tokens import Timeline

Floats: TypeAlias = NDArray[np.float32]
Targets: TypeAlias = Mapping[str, Floats]  # by the name of the condition
Place: TypeAlias = Literal["prefix", "position"]
GivenKind: TypeAlias = Literal["theme", "later"]  # music that stands before what is composed

NEAR = 1e-6  # windows; a sum of waits may end a hair below an edge


class Cursor:
    """Computes the features row by row, as tokens arrive.

    This one computes all rows anew at each token, which is right for every conditioner; a
    conditioner may return a faster one from ``cursor``. Its rows must equal ``features``.
    """

    # whether a row depends on its time alone; it is not asked for again while that stays
    timed: ClassVar[bool] = False

    def __init__(self, conditioner: "Conditioner", target: Floats) -> None:
        self.conditioner, self.target = conditioner, target
        self.times: list[float] = []
        self.marks: list[bool] = []

    def row(self, time: float, mark: bool) -> Sequence[float] | Floats:
        """Return the (channels,) row of a token that ends at ``time`` seconds."""
        self.times.append(time)
        self.marks.append(mark)
        timeline = Timeline(np.asarray(self.times), np.asarray(self.marks))
        row: Floats = self.conditioner.features(self.target, timeline)[-1]
        return row

    def waits(self, time: float) -> bool:
        """Return whether a mark at ``time``, that of the last row, would come too early."""
        return False


class Windows(Cursor):
    """A cursor for rows that depend on nothing but the window that the time is in."""

    timed = True

    def __init__(self, conditioner: "Conditioner", target: Floats, width: float) -> None:
        super().__init__(conditioner, target)
        self.width = width  # seconds
        edges = np.arange(len(target) + 1, dtype=np.float64) * width
        self.rows = conditioner.features(target, Timeline(edges, edges < 0))

    def row(self, time: float, mark: bool) -> Floats:
        row: Floats = self.rows[min(int(time / self.width + NEAR), len(self.rows) - 1)]
        return row


def window_starts(duration: float, step: float) -> Seconds:
    """Return the (F,) starts, ``step`` seconds apart, of windows over all of ``duration``."""
    return np.arange(math.ceil(duration / step) + 1, dtype=np.float64) * step


def in_windows(target: Floats, times: Seconds, width: float) -> Floats:
    """Return the (T, channels) rows of the (W, channels) windows that ``times`` are in.

    After the last window, NaN. ``width`` is in seconds.
    """
    now = np.floor(times / width + NEAR).astype(np.intp)  # (T,)
    inside = now < len(target)
    rows = np.full((len(now), target.shape[1]), np.nan, np.float32)
    rows[inside] = target[now[inside]]
    return rows


@dataclass(frozen=True)
class Conditioner(ABC):
    """One thing that a video can request of the music; the fields are its settings."""

    name: ClassVar[str]  # the entry point's name, and the key in checkpoints
    summary: ClassVar[str] = ""  # one line for ``emsync plugins``
    place: ClassVar[Place]  # "prefix": vectors before the tokens; "position": one for each token
    channels: ClassVar[int]  # the length of one row of features
    reads: ClassVar[frozenset[str]] = frozenset()  # of an analysis; see below
    always_on: ClassVar[bool] = False  # given also to unconditional predictions, as the metre is

    # ``reads`` names what ``from_video`` looks at: fields of ``Analysis``, such as "tonic", and
    # "requested.NAME" for what a person gives with ``--ask NAME=VALUE``. What no condition of a
    # checkpoint reads cannot be requested of it, and is refused before the film is watched.

    @abstractmethod
    def from_music(self, piece: Piece) -> Floats:
        """Return the target that a training piece meets."""

    @abstractmethod
    def from_video(self, video: Analysis) -> Floats:
        """Return the target that a video requests, in the form of ``from_music``.

        Both have the same number of dimensions and differ in the first one at most.
        """

    @abstractmethod
    def features(self, target: Floats, timeline: Timeline) -> Floats:
        """Return the (P, channels) rows of a prefix, or the (T, channels) rows of the tokens.

        Pure, and causal: row i of the tokens may depend on tokens 0..i only, since at generation
        there are no others. The rows of a prefix are those at the end of the timeline.
        """

    def changes(self, target: Floats) -> Floats:
        """Return the seconds, ascending, at which the rows of a prefix change."""
        return np.empty(0, np.float32)

    def given_row(self, kind: GivenKind) -> Sequence[float] | None:
        """Return the (channels,) row for each token of music that is given: a theme from elsewhere,
        or what comes later. None: the row of the token's own time in its piece.
        """
        return None

    def null_target(self, target: Floats) -> Floats:
        """Return a target that requests nothing, in the form of ``target``."""
        return np.full((max(len(target), 1), *target.shape[1:]), np.nan, np.float32)

    def cursor(self, target: Floats) -> Cursor:
        """Return an object that computes ``features`` one row at a time."""
        return Cursor(self, target)


def knows_given(conditioners: Sequence[Conditioner]) -> bool:
    """Return whether one of ``conditioners`` tells which tokens are music that is given."""
    return any(c.given_row("theme") is not None for c in conditioners)


def beside_given(conditioner: Conditioner, kind: GivenKind | None, rows: Floats) -> Floats:
    """Return the (T, channels) rows that stand beside music of a kind, from those of its own time.

    ``kind`` is None for music that is not given, whose rows are its own.
    """
    row = None if kind is None else conditioner.given_row(kind)
    return rows if row is None else np.tile(np.asarray(row, np.float32), (len(rows), 1))


def null_targets(
    conditioners: Sequence[Conditioner], targets: Targets, kept: Sequence[str] = ()
) -> dict[str, Floats]:
    """Return ``targets`` with nothing requested but ``kept``, and what is always on."""
    return {
        c.name: targets[c.name] if c.always_on or c.name in kept else c.null_target(targets[c.name])
        for c in conditioners
    }


def check_conditions(conditioners: Sequence[Conditioner], names: Sequence[str]) -> None:
    """Refuse the name of a condition that a model does not have."""
    known = [c.name for c in conditioners]
    for name in names:
        if name not in known:
            raise UsageError(f"no condition {shown(name)}; the model has {', '.join(known)}")
