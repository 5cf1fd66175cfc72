"""What ranks music for a film: the interface that the rhythm and the learned networks share.

A matcher sees a film once and hears each track once. Both leave a few named arrays, its columns;
those of the tracks are kept in an index, so that a query neither decodes nor listens.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync import plugins
from emsync.arrays import Float32s, Float64s, Int64s
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.options import METRIC
from emsync.video.footage import NOTHING_MORE, Footage, Needs
from emsync.video.observers import Observer

SILENT = -1e9  # the score of what is silent where a score has no least value
Columns: TypeAlias = Mapping[str, NDArray[Any]]  # of one film or one track, each (rows, ...)


@dataclass(frozen=True)
class Match:
    """How well a track meets a film, and where in the track the film best starts."""

    track: int  # its number on the shelf
    score: float  # the higher, the better
    offset: float = 0.0  # seconds of the track


@dataclass(frozen=True, eq=False)
class Column:
    """One column of all tracks, one after the other."""

    values: NDArray[Any]  # (R, ...), it may lie in a file
    starts: Int64s  # (T + 1,) where the rows of each track begin, and at last R

    def of(self, track: int) -> NDArray[Any]:
        """Return the rows of one track."""
        return self.values[self.starts[track] : self.starts[track + 1]]


@dataclass(frozen=True, eq=False)
class Shelf:
    """T tracks as a matcher has heard them."""

    names: Sequence[str]  # (T,) paths within the library, with slashes
    seconds: Float64s  # (T,) how long each is
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.names)

    def track(self, number: int) -> Columns:
        """Return the columns of one track."""
        return {name: column.of(number) for name, column in self.columns.items()}

    @classmethod
    def of(cls, heard: Mapping[str, tuple[float, Columns]]) -> Self:
        """Return the shelf of tracks by name, each with its seconds and columns."""
        columns = {}
        for name in next(iter(heard.values()), (0.0, {}))[1]:
            rows = [own[name] for _, own in heard.values()]
            starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
            columns[name] = Column(np.concatenate(rows), starts.astype(np.int64))
        seconds = np.array([seconds for seconds, _ in heard.values()], np.float64)
        return cls(list(heard), seconds, columns)


@dataclass(frozen=True)
class Matcher(ABC):
    """Ranks music for a film. Its settings are the fields of the dataclass."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for ``emsync plugins``
    rate: ClassVar[int]  # samples a second that it hears

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the matcher for what follows the colon of ``name:argument``, or nothing.

        Raises AssetError where weights that it needs are missing, or are another network's.
        """
        if argument:
            raise UsageError(
                f"the matcher {cls.name!r} takes no argument, but got {shown(argument)}"
            )
        return cls()

    @property
    @abstractmethod
    def stamp(self) -> str:
        """Tell what is heard, and by which version: columns of another stamp are heard anew."""

    @property
    def needs(self) -> Needs:
        """What has to be gathered of a film beyond its cuts, motion and colours."""
        return NOTHING_MORE

    def observers(self) -> list[Observer]:
        """Return who else looks at each frame in the one pass over the film."""
        return []

    @abstractmethod
    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        """Return what is to be matched of a film; InputError where there is nothing.

        ``observers`` are those that it asked for, once they have looked.
        """

    @abstractmethod
    def hear(self, samples: Float32s) -> Columns:
        """Return the columns of one track of (N,) samples, ``rate`` a second.

        Loudness has no part in it. Silence, and what is very short, have columns too.
        """

    def verify(self, tracks: Shelf) -> None:
        """Raise ValueError where the columns of an index are not such as ``hear`` returns.

        There is a track at least. Here a moment of silence is heard to compare with; a matcher may
        know without.
        """
        heard = self.hear(np.zeros(self.rate // 10, np.float32))
        kinds = {name: (rows.dtype, rows.shape[1:]) for name, rows in heard.items()}
        found = {n: (c.values.dtype, c.values.shape[1:]) for n, c in tracks.columns.items()}
        if found != kinds:
            raise ValueError(f"the columns are {found}, where {kinds} are needed")

    @abstractmethod
    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        """Return the best ``top`` of the tracks, best first; of equals the first on the shelf."""


def choose(text: str = METRIC) -> Matcher:
    """Return the matcher that ``text`` names, such as ``cm``, or ``NAME:ARGUMENT``.

    AssetError where the plug-in, or what it needs, is broken or missing.
    """
    name, _, argument = text.partition(":")
    if name not in (known := plugins.names(plugins.MATCHERS)):
        raise UsageError(f"metric is {shown(name)}; choose one of {', '.join(known)}")
    return plugins.load(plugins.MATCHERS, name, Matcher).given(argument)
