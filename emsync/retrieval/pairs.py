"""A store of pairs: what was seen of films, and what was heard of the music that goes with each.

``pairs.csv`` has a row for each pair, and a shard the columns of several.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from emsync.data.split import song_key
from emsync.errors import InputError, UsageError
from emsync.limits import quoted, shown
from emsync.matching.matcher import Columns
from emsync.options import PathLike
from emsync.retrieval.stores import Head, Kind, check_shard

RANKED = ("impact", "rhythm", "pulse")  # which pairs of "train" may lack: nothing learns from them

Side = Literal["film", "music"]


@dataclass(frozen=True)
class Pair:
    """A film and the music that goes with it."""

    number: int
    name: str
    song: str
    group: str  # songs of a group are versions of one another, and are in one split
    film: int  # which of the films to its song, from 0
    split: str  # one of SPLITS: only pairs of "train" are ever trained on
    style: str  # in which it was drawn; nothing of a real one
    k: str  # how much the film follows the music, as ``read_follow`` reads it; nothing if unknown
    tags: tuple[str, ...]
    source: str  # where it comes from: clips of one source are alike in other ways too

    def becomes(self, made: Self) -> bool:
        """Return whether ``made`` is this pair: what it is tagged with may not be known before."""
        return replace(self, tags=self.tags or made.tags) == made

    @property
    def keys(self) -> set[int]:
        """By what a checkpoint knows that it was trained on the song, or on a version of it."""
        return {song_key(self.song), song_key(f"group {self.group}")}


PAIRS = Kind("pair", "pairs", "emsync pairs", Pair, shard=16)


def sides(film: Columns, music: Columns) -> Columns:
    """Return the columns of a pair as its store has them."""
    return {
        f"{side}.{name}": values
        for side, own in (("film", film), ("music", music))
        for name, values in own.items()
    }


@dataclass(frozen=True, eq=False)
class PairStore:
    """A store to read from."""

    folder: Path
    head: Head
    pairs: tuple[Pair, ...]

    @classmethod
    def open(cls, path: PathLike) -> Self:
        """Return the store in the folder ``path``; InputError where there is no whole one."""
        path = Path(path)
        return cls(path, *PAIRS.read(path))

    def film(self, place: int) -> Columns:
        """Return what was seen of the film of ``pairs[place]``."""
        return self._columns(place, "film")

    def music(self, place: int) -> Columns:
        """Return what was heard of the music of ``pairs[place]``."""
        return self._columns(place, "music")

    def check_styles(self, styles: Sequence[str]) -> None:
        """Refuse a style in which no film of the store is drawn."""
        known = sorted({pair.style for pair in self.pairs if pair.style})
        for style in styles:
            if style not in known:
                raise UsageError(
                    f"the store {quoted(self.folder)} has no films of the style {shown(style)}, "
                    f"but {', '.join(known) or 'real ones'}"
                )

    def _columns(self, place: int, side: Side) -> Columns:
        from safetensors import SafetensorError, safe_open

        number = self.pairs[place].number
        path = check_shard(self.folder, number // PAIRS.shard)
        prefix = f"{number}.{side}."
        stamps = self.head.film if side == "film" else self.head.music
        try:
            with safe_open(path, "np") as file:
                keys = set(file.keys())
                found = {
                    name: file.get_tensor(prefix + name) for name in stamps if prefix + name in keys
                }
        except (SafetensorError, OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{quoted(path)} is damaged: {shown(str(error))}; remove it, and make it again"
            ) from error
        wanted = [
            name for name in stamps if self.pairs[place].split == "held" or name not in RANKED
        ]
        if missing := [name for name in wanted if name not in found]:
            raise InputError(f"{quoted(path)} has no {missing[0]!r} of pair {number}; remove it")
        for name, values in found.items():
            _check(values, f"{name!r} of pair {number} in {quoted(path)}")
        return found


def _check(values: NDArray[Any], name: str) -> None:
    if values.dtype.kind != "f" or values.ndim not in (1, 2) or not np.isfinite(values).all():
        raise InputError(f"{name} is no column of finite numbers; remove it, and make it again")
