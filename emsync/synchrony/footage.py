"""A store of real films as they are retimed: small grey pictures at their own rate, and impacts.

Each film is watched once, and is a file of its own:

=========================  =========================================================================
luma                       (F, 36, 64) uint8: upright, with a margin to crop
times                      (F,) float64: seconds at which each picture begins to be shown
impacts                    (I, 2) float64: seconds, and strength in [0, 1], 1 of strong ones
=========================  =========================================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from emsync.arrays import Float64s, Picture, Seconds
from emsync.errors import InputError
from emsync.limits import quoted
from emsync.matching.matcher import Columns
from emsync.options import PathLike
from emsync.progress import Progress, Stopwatch, silent
from emsync.retrieval.filling import Filled, Made, Task, fill
from emsync.retrieval.prepare import films_in
from emsync.retrieval.stores import Head, Kind, shard
from emsync.synchrony.seen import shrunk
from emsync.video.film import open_film
from emsync.video.impact import LEAST_IMPACT, Impact
from emsync.video.observers import Frame
from emsync.video.watch import watch

TALL, WIDE = 36, 64  # pixels
LONGEST = 36_000  # frames of a film that are kept
AROUND = 0.25  # seconds in which an impact is the strongest
OUT = 1.5  # times the mean of the second around, which an impact exceeds
STRONG = 0.8  # quantile of a film's impacts from which on they are as strong as any
STAMPS = {name: f"{name} 1" for name in ("luma", "times", "impacts")}


@dataclass(frozen=True)
class Shown:
    """A film, as the store's table has it."""

    number: int
    name: str  # of its file
    frames: int
    seconds: float
    impacts: int

    @property
    def group(self) -> str:
        """Return what tells it from films that show the same: its name without the ending."""
        return Path(self.name).stem

    @property
    def split(self) -> str:
        """Return that it may be trained on; who trains says which film is left out."""
        return "train"

    def becomes(self, made: Self) -> bool:
        """Return whether ``made`` is this film, of which nothing more is known before."""
        return (self.number, self.name) == (made.number, made.name)


FOOTAGE = Kind("film", "films", "emsync pairs watch", Shown, shard=1)


class Clip(NamedTuple):
    """A film to retime."""

    luma: Picture  # (F, TALL, WIDE)
    times: Seconds  # (F,)
    impacts: Float64s  # (I, 2) seconds, strength
    seconds: float


@dataclass(frozen=True, eq=False)
class Clips:
    """A store to read from; its pictures stay on the disk until they are used."""

    folder: Path
    rows: tuple[Shown, ...]

    @classmethod
    def open(cls, path: PathLike) -> Self:
        """Return the store in the folder ``path``; InputError where there is no whole one."""
        return cls(Path(path), FOOTAGE.read(Path(path))[1])

    def clip(self, place: int) -> Clip:
        """Return the film of ``rows[place]``."""
        if place not in self._clips:
            self._clips[place] = self._read(place)
        return self._clips[place]

    @cached_property
    def _clips(self) -> dict[int, Clip]:
        return {}

    def _read(self, place: int) -> Clip:
        row = self.rows[place]
        arrays = FOOTAGE.map_shard(self.folder, row.number)
        luma, times, impacts = (
            FOOTAGE.array_in(arrays, self.folder, row.number, name, ndim)
            for name, ndim in (("luma", 3), ("times", 1), ("impacts", 2))
        )
        if luma.shape != (len(times), TALL, WIDE) or not len(times):
            path = shard(self.folder, row.number)
            raise InputError(
                f"{quoted(path)} holds no film of {row.name!r}; remove it, and run "
                f"`{FOOTAGE.maker}` again"
            )
        return Clip(luma, times, impacts, row.seconds)


# --- making one -----------------------------------------------------------------------------------


def watch_films(
    folder: Path,
    clips: Sequence[Path],
    workers: int | None = None,
    progress: Progress = silent,
) -> Filled:
    """Watch films into the store ``folder``; go on where a killed run stopped."""
    tasks = []
    for number, path in enumerate(films_in(clips)):
        facts = path.stat()
        row = Shown(number, path.name, 0, 0.0, 0)
        tasks.append(Task(f"{path.absolute()} {facts.st_size} {facts.st_mtime_ns}", row, path))
    head = Head(0.0, STAMPS, {}, {"by": "watch"})
    return fill(FOOTAGE, folder, head, tasks, watched, workers, progress)


def watched(task: Task[Shown], stopwatch: Stopwatch) -> Made[Shown]:
    """Return one film, watched."""
    film = open_film(task.path)
    if film.frames > LONGEST:
        raise InputError(
            f"{quoted(task.path)} has {film.frames} pictures, and {LONGEST} are the most"
        )
    kept, impact = _Kept(film.rotation), Impact()
    with stopwatch("watching"):
        footage = watch(film, observers=[kept, impact])
    impacts = impacts_of(np.array(impact.times), impact.strengths)
    row = Shown(
        task.row.number, task.row.name, len(footage.times), round(footage.film.duration, 6),
        len(impacts),
    )  # fmt: skip
    arrays: Columns = {"luma": np.stack(kept.pictures), "times": footage.times, "impacts": impacts}
    return Made(row, arrays)


class _Kept:
    """An observer that keeps every picture, small and upright."""

    def __init__(self, rotation: int) -> None:
        self.pictures: list[Picture] = []
        self._turns = rotation // 90

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        upright = np.ascontiguousarray(np.rot90(frame.grey, self._turns))
        self.pictures.append(shrunk(upright, WIDE, TALL))


def impacts_of(times: Seconds, strengths: Float64s) -> Float64s:
    """Return the (I, 2) times and strengths of what stands out of the impacts at (P,) times.

    An impact is the strongest within AROUND, and well above the mean of the second it lies in;
    what is weaker than LEAST_IMPACT is none.
    """
    total = np.concatenate([[0.0], np.cumsum(strengths)])
    found: list[int] = []
    for place in range(len(times)):
        first, last = np.searchsorted(times, times[place] + np.array([-AROUND, AROUND]))
        low, high = np.searchsorted(times, times[place] + np.array([-0.5, 0.5]))
        mean = (total[high] - total[low]) / max(high - low, 1)
        if strengths[place] == strengths[first:last].max() > max(OUT * mean, LEAST_IMPACT):
            found.append(place)
    rows = np.stack([times[found], strengths[found]], axis=1)
    if len(rows):
        rows[:, 1] = np.minimum(rows[:, 1] / np.quantile(rows[:, 1], STRONG), 1).round(4)
    return rows
