"""What was heard of a library, on disk: a folder with one file for each kind of hearing.

A file holds, of T tracks: ``names``, ``sizes``, ``changed``, ``seconds``, and of each column all
rows and ``COLUMN.starts``. It is mapped into memory, so that it opens at once however large it is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Int64s
from emsync.errors import InputError, UsageError
from emsync.files import atomic_write
from emsync.limits import check_file, quoted, shown
from emsync.matching.matcher import Column, Columns, Shelf
from emsync.targets import check_target
from emsync.tensors import Rows, map_tensors, read_tensors, write_tensors

VERSION = 2  # of the files; 1 was a file with the rhythm alone: see ``former``
OWN = {"names": "u1", "sizes": "i8", "changed": "i8", "seconds": "f8"}  # beside the columns
STARTS = ".starts"  # after the name of a column: where each track's rows begin


@dataclass(frozen=True, eq=False)
class Track:
    """A file of a library, and what was heard of it."""

    name: str  # path within the library, with slashes
    size: int  # bytes
    changed: int  # nanoseconds: the file's time of modification
    seconds: float
    columns: Columns


@dataclass(frozen=True, eq=False)
class Index:
    """The tracks of a library, by name."""

    shelf: Shelf
    sizes: Int64s  # (T,) bytes
    changed: Int64s  # (T,) nanoseconds

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> Self:
        """Return the index of tracks that were heard."""
        return cls(
            Shelf.of({t.name: (t.seconds, t.columns) for t in tracks}),
            np.array([t.size for t in tracks], np.int64),
            np.array([t.changed for t in tracks], np.int64),
        )

    def track(self, number: int) -> Track:
        """Return one track; its columns stay where they are."""
        return Track(
            self.shelf.names[number], int(self.sizes[number]), int(self.changed[number]),
            float(self.shelf.seconds[number]), self.shelf.track(number),
        )  # fmt: skip


def folder_of(index: Path) -> Path:
    """Return the folder of an index, also where one of the former kind, a file, is named."""
    return index.with_suffix("") if index.suffix == ".npz" else index


def file_of(index: Path, stamp: str) -> Path:
    """Return the file that has what is heard by ``stamp``."""
    return folder_of(index) / (re.sub(r"[^A-Za-z0-9.]+", "-", stamp) + ".safetensors")


def check_place(index: Path, stamp: str) -> None:
    """Refuse, before any work is done for it, a folder that cannot be written."""
    folder = folder_of(index)
    if folder.is_dir():
        check_target(file_of(index, stamp))
    elif folder.exists():
        raise UsageError(f"the index {quoted(folder)} is no folder; name a new one")
    else:
        check_target(folder)


def read_index(path: Path, stamp: str) -> Index:
    """Return the index in a file; where there is no file, an empty one.

    InputError says so when the file is no index of this ``stamp``, is broken, or of a newer emsync:
    it is not overwritten.
    """
    if not path.exists():
        return Index.of([])
    check_file(path)
    try:
        tensors, said = read_tensors(path, quoted(path), InputError)
        version, kept = int(said["emsync_index"]), said["stamp"]
    except (OSError, LookupError, ValueError, InputError) as error:
        raise broken(path) from error
    if version > VERSION:
        raise InputError(
            f"{quoted(path)} is of version {version}, this emsync has {VERSION}; name another "
            "index or take a newer emsync"
        )
    try:
        if version < VERSION or kept != stamp:
            raise ValueError(f"it is of version {version}, and has {shown(kept)}")
        return _index(map_tensors(path, tensors))
    except (ArithmeticError, LookupError, ValueError) as error:
        raise broken(path) from error


def broken(path: Path) -> InputError:
    """Return what is raised where a file is no index."""
    return InputError(
        f"{quoted(path)} is not an index of music, or is broken; delete it or name another"
    )


def _index(arrays: dict[str, NDArray[Any]]) -> Index:
    """Return what the arrays of a file hold; ValueError where they contradict each other."""
    for name, kind in OWN.items():
        if arrays[name].dtype != kind or arrays[name].ndim != 1:
            raise ValueError(f"{name} cannot be")
    names, sizes, changed, seconds = (arrays.pop(name) for name in OWN)
    known = names.tobytes().decode("utf-8", "surrogateescape").split("\0") if len(names) else []
    if not len(known) == len(sizes) == len(changed) == len(seconds):
        raise ValueError("the tracks cannot be counted")
    if not all(one < next_ for one, next_ in pairwise(known)):
        raise ValueError("the names are not in order")
    if not (np.isfinite(seconds) & (seconds >= 0)).all():
        raise ValueError("the tracks are not of a length")
    starts = {name: arrays.pop(name) for name in list(arrays) if name.endswith(STARTS)}
    if set(starts) != {name + STARTS for name in arrays}:
        raise ValueError("the columns are not complete")
    columns = {name: Column(rows, starts[name + STARTS]) for name, rows in arrays.items()}
    for name, column in columns.items():
        ends = column.starts
        if ends.dtype != np.int64 or ends.shape != (len(known) + 1,) or not column.values.ndim:
            raise ValueError(f"{name} is not of these tracks")
        if ends[0] or (np.diff(ends) < 0).any() or ends[-1] != len(column.values):
            raise ValueError(f"{name} is not cut into tracks")
    return Index(Shelf(known, seconds, columns), sizes, changed)


def write_index(path: Path, stamp: str, tracks: Sequence[Track]) -> None:
    """Write one or more tracks to ``path``, whole or not at all, those of least name first.

    Rows that lie in a mapped file go from there to here, a track at a time.
    """
    tracks = sorted(tracks, key=lambda track: track.name)
    names = "\0".join(track.name for track in tracks).encode("utf-8", "surrogateescape")
    arrays = {
        "names": Rows.of(np.frombuffer(names, np.uint8)),
        "sizes": Rows.of(np.array([track.size for track in tracks], np.int64)),
        "changed": Rows.of(np.array([track.changed for track in tracks], np.int64)),
        "seconds": Rows.of(np.array([track.seconds for track in tracks], np.float64)),
    }
    for name, first in tracks[0].columns.items():
        ends = accumulate((len(track.columns[name]) for track in tracks), initial=0)
        starts = np.fromiter(ends, np.int64, len(tracks) + 1)
        arrays[name + STARTS] = Rows.of(starts)
        shape = (int(starts[-1]), *first.shape[1:])
        arrays[name] = Rows(first.dtype, shape, _pieces(tracks, name))
    with atomic_write(path) as part, part.open("wb") as file:
        write_tensors(file, arrays, {"emsync_index": str(VERSION), "stamp": stamp})


def _pieces(tracks: Iterable[Track], name: str) -> Iterable[NDArray[Any]]:
    return (track.columns[name] for track in tracks)
