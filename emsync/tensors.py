"""Safetensors files of strangers: named arrays, whose sizes are compared with what is there.

Arrays are mapped into memory, not read, so that a large file is open at once; what is written is
streamed.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.errors import EmsyncError
from emsync.limits import check_file, parse_json, shown

Shape: TypeAlias = tuple[int, ...]

LARGEST_HEADER = 16 * 2**20  # bytes
SIZES = {  # bytes of each kind
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
}  # fmt: skip
KINDS = {  # of NumPy's arrays, which have no BF16
    np.dtype(f"<{kind[0].lower()}{size}"): kind for kind, size in SIZES.items() if kind != "BF16"
}
TYPES = {kind: dtype for dtype, kind in KINDS.items()}


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file, as its header has it."""

    kind: str
    shape: Shape
    start: int  # bytes, from the beginning of the file

    @property
    def size(self) -> int:
        """Return its bytes."""
        return SIZES[self.kind] * math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Rows:
    """An array to write, piece by piece."""

    dtype: np.dtype[Any]
    shape: Shape
    pieces: Iterable[NDArray[Any]]  # which follow on each other

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Rows":
        """Return an array that is there as a whole."""
        return cls(array.dtype, array.shape, [array])


def read_tensors(
    path: Path, name: str, error: type[EmsyncError], kinds: Sequence[str] = tuple(SIZES)
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file, and what it says of itself.

    ``error`` where they do not fill it exactly; its sentence begins with ``name``.
    """
    size = check_file(path, error)
    broken = error(f"{name} are cut off or broken; fetch them again")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LARGEST_HEADER, size - 8):
            raise broken
        text = file.read(length).decode("utf-8", "replace")
    header = parse_json(text, name, error)
    if not isinstance(header, dict):
        raise error(f"{name} are broken: their header is no JSON object")
    said = header.pop("__metadata__", {})
    if not (isinstance(said, dict) and all(isinstance(value, str) for value in said.values())):
        raise error(f"{name} are broken: what their header says of them is no text")
    tensors = {key: _tensor(key, entry, name, error, kinds) for key, entry in header.items()}
    tensors = {key: replace(t, start=t.start + 8 + length) for key, t in tensors.items()}
    end = 8 + length
    for tensor in sorted(tensors.values(), key=lambda t: (t.start, t.size)):
        if tensor.start != end:
            raise broken
        end += tensor.size
    if end != size:
        raise broken
    return tensors, said


def _tensor(
    key: str, entry: Any, name: str, error: type[EmsyncError], kinds: Sequence[str]
) -> Tensor:
    """Return a tensor as the header has it; it starts where the tensors begin, or behind that."""
    entry = entry if isinstance(entry, dict) else {}
    kind, shape, place = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if kind not in kinds:
        raise error(f"{name} hold {shown(key)} as {shown(kind)}; known are {', '.join(kinds)}")
    if not _are_sizes(shape):
        raise error(f"{name} hold {shown(key)} of the shape {shown(shape)}, which is none")
    if not (_are_sizes(place) and len(place) == 2):
        raise error(f"{name} hold {shown(key)} at {shown(place)}, which is no place")
    tensor = Tensor(kind, tuple(shape), place[0])
    if tensor.start + tensor.size != place[1]:
        raise error(f"{name} are broken: {shown(key)} does not fill its place; fetch them again")
    return tensor


def _are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)


def map_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file; their numbers stay on the disk until they are used."""
    data = np.asarray(np.memmap(path, np.uint8, "r"))
    return {
        key: data[t.start : t.start + t.size].view(TYPES[t.kind]).reshape(t.shape)
        for key, t in tensors.items()
    }


def write_tensors(file: BinaryIO, arrays: Mapping[str, Rows], said: Mapping[str, str]) -> None:
    """Write arrays to ``file``, those of the widest numbers first, so that each lies aligned."""
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    sizes = [rows.dtype.itemsize * math.prod(rows.shape) for _, rows in ordered]
    ends = accumulate(sizes, initial=0)
    header = {"__metadata__": dict(said)} | {
        key: {"dtype": KINDS[rows.dtype], "shape": list(rows.shape), "data_offsets": list(place)}
        for (key, rows), place in zip(ordered, pairwise(ends), strict=True)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, rows in ordered:
        for piece in rows.pieces:
            file.write(np.ascontiguousarray(piece, rows.dtype).reshape(-1).view(np.uint8).data)
