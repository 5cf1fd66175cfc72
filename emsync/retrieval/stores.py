"""Stores: folders of what is made once, in shards, and learned from many times.

``store.json`` says how a store was made, a table has a row for each thing in it, and
``shards/NNNNN.safetensors`` holds the arrays of several of them and their rows. A shard is written
whole or not at all, and what is there can be read while the rest is still being made.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from emsync.errors import InputError
from emsync.files import atomic_write
from emsync.limits import check_file, parse_json, quoted, read_json, read_text, shown
from emsync.matching.matcher import Columns
from emsync.tensors import map_tensors, read_tensors

VERSION = 1
MOST_ROWS = 10_000_000
MOST_SHARD = 2**30  # bytes
MOST_COLUMNS = 64  # of a film, or of music
SPLITS = ("train", "held")


@dataclass(frozen=True)
class Head:
    """How a store was made, but for how much is in it."""

    seconds: float  # of each film, or of each passage of music; 0 where each is as long as it is
    film: Mapping[str, str]  # column: its stamp
    music: Mapping[str, str]
    made: Mapping[str, Any]  # by which command, with what


class Row(Protocol):
    """What a store's table has of each thing in it, as a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def number(self) -> int:
        """Return its place in the store, ascending."""

    @property
    def name(self) -> str:
        """Return what it is called where it cannot be made."""

    @property
    def group(self) -> str:
        """Return of which song it is: what is of one group is in one split."""

    @property
    def split(self) -> str:
        """Return one of SPLITS: only what is of "train" is ever trained on."""

    def becomes(self, made: Self) -> bool:
        """Return whether ``made`` is what this is once it is made."""


R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Written(Generic[R]):
    """What a shard holds beside its arrays."""

    asked: list[str]  # what was to be made, in order
    rows: list[R]
    skipped: list[tuple[str, str]]  # of what was asked, what could not be made, and why


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of store."""

    one: str  # of what is in it, as it is called
    name: str  # several of them
    maker: str  # the command that makes one
    row: type[R]
    shard: int  # of them in a shard

    # --- the folder -------------------------------------------------------------------------------

    def read(self, folder: Path) -> tuple[Head, tuple[R, ...]]:
        """Return how a store was made and its rows; InputError where there is no whole one."""
        if not (folder / "store.json").is_file():
            raise InputError(
                f"{quoted(folder)} is no store of {self.name}; `{self.maker}` makes one"
            )
        path = folder / f"{self.name}.csv"
        rows = self.read_rows(path) if path.exists() else ()
        if not rows:
            raise InputError(f"the store {quoted(folder)} has no {self.name} yet")
        for number in sorted({row.number // self.shard for row in rows}):
            check_shard(folder, number)
        return self.read_head(folder), rows

    def shards(self, count: int) -> Iterator[tuple[int, range]]:
        """Yield the number of each shard of ``count`` things, with the numbers of those."""
        for number in range(-(-count // self.shard)):
            yield number, range(number * self.shard, min(count, (number + 1) * self.shard))

    def read_head(self, folder: Path) -> Head:
        """Return how a store was made; InputError where that is not told, or by a newer emsync."""
        path = folder / "store.json"
        read = read_json(path)
        try:
            version, seconds = int(read["version"]), float(read["seconds"])
            film, music = _stamps(read["film"]), _stamps(read["music"])
            made = dict(read["made"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{quoted(path)} is of no store of {self.name}: {shown(str(error))}"
            ) from error
        if version > VERSION:
            raise InputError(f"{quoted(path)} is of version {version}; this emsync reads {VERSION}")
        if not (math.isfinite(seconds) and seconds >= 0):
            raise InputError(f"{quoted(path)} tells of films of {seconds} seconds")
        return Head(seconds, film, music, made)

    # --- the table --------------------------------------------------------------------------------

    def write_rows(self, folder: Path, rows: Sequence[R]) -> None:
        """Write the table of all that is in a store."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([field.name for field in fields(self.row)])
        for row in rows:
            table.writerow([" ".join(v) if isinstance(v, tuple) else v for v in astuple(row)])
        with atomic_write(folder / f"{self.name}.csv") as part:
            part.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")

    def read_rows(self, path: Path) -> tuple[R, ...]:
        """Return the rows of a table."""
        try:
            text = read_text(path, others="surrogateescape")  # as written: names may have any byte
            rows = tuple(self._row(row) for row in csv.DictReader(io.StringIO(text, newline="")))
            numbers = [row.number for row in rows]
            if any(b <= a for a, b in pairwise(numbers)):
                raise ValueError("its numbers do not ascend")
        except (csv.Error, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{quoted(path)} is no table of {self.name}: {shown(str(error))}"
            ) from error
        return rows

    def _row(self, read: Mapping[str, str]) -> R:
        kinds: dict[str, Any] = {field.name: field.type for field in fields(self.row)}
        row = self.row(**{name: _value(read[name], kind) for name, kind in kinds.items()})
        if not 0 <= row.number < MOST_ROWS or row.split not in SPLITS:
            raise ValueError(f"{self.one} {row.number} is of the split {row.split!r}")
        return row

    # --- shards -----------------------------------------------------------------------------------

    def write_shard(
        self, folder: Path, number: int, content: Written[R], arrays: Mapping[int, Columns]
    ) -> None:
        """Write a shard: the arrays of each row by its number."""
        from safetensors.numpy import save

        tensors = {
            f"{row}.{name}": np.ascontiguousarray(values)
            for row, own in sorted(arrays.items())
            for name, values in own.items()
        }
        told = {
            "asked": content.asked,
            self.name: [asdict(row) for row in content.rows],
            "skipped": content.skipped,
        }
        # one key alone: safetensors does not keep their order
        data = save(tensors, {self.name: json.dumps(told)})
        with atomic_write(shard(folder, number)) as part:
            part.write_bytes(data)

    def read_written(self, folder: Path, number: int) -> Written[R] | None:
        """Return what a shard holds beside its arrays; None where there is no whole one."""
        from safetensors import SafetensorError, safe_open

        path = shard(folder, number)
        if not path.exists():
            return None
        try:
            with safe_open(path, "np") as file:
                read = parse_json(file.metadata()[self.name], quoted(path))
            rows = [self.row(**_in_tuples(row)) for row in read[self.name]]
            return Written(list(read["asked"]), rows, [(n, why) for n, why in read["skipped"]])
        except (SafetensorError, InputError, OSError, KeyError, TypeError, ValueError):
            return None

    def map_shard(self, folder: Path, number: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of a shard by row and name; they stay on the disk until used."""
        path = check_shard(folder, number)
        tensors, _ = read_tensors(path, f"the {self.name} in {quoted(path)}", InputError)
        return map_tensors(path, tensors)

    def array_in(
        self, arrays: Mapping[str, NDArray[Any]], folder: Path, number: int, name: str, ndim: int
    ) -> NDArray[Any]:
        """Return an array of a row, of so many dimensions, of those of its shard."""
        found = arrays.get(f"{number}.{name}")
        if found is None or found.ndim != ndim:
            path = shard(folder, number // self.shard)
            raise InputError(
                f"{quoted(path)} has no {name!r} of {self.one} {number}; remove it, and run "
                f"`{self.maker}` again"
            )
        return found


def shard(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / "shards" / f"{number:05d}.safetensors"


def check_shard(folder: Path, number: int) -> Path:
    """Return the path of a shard; InputError where it is none that could be read."""
    path = shard(folder, number)
    if check_file(path) > MOST_SHARD:
        raise InputError(f"{quoted(path)} has more than {MOST_SHARD} bytes, which are too many")
    return path


def write_head(folder: Path, head: Head) -> None:
    """Write how a store is made."""
    with atomic_write(folder / "store.json") as part:
        text = json.dumps({"version": VERSION, **asdict(head)}, indent=2, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


def _stamps(read: Any) -> dict[str, str]:
    stamps = {str(name): str(stamp) for name, stamp in dict(read).items()}
    if len(stamps) > MOST_COLUMNS:
        raise ValueError(f"it has {len(stamps)} columns")
    return stamps


def _value(text: str, kind: Any) -> Any:
    """Return what a cell of a table says of a field."""
    return kind(text) if kind in (int, float, str) else tuple(text.split())


def _in_tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
