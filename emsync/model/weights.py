"""The header of a file of weights: what it holds is compared before any memory is asked for."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emsync.errors import AssetError
from emsync.limits import check_file, parse_json, quoted, shown

SCALE = ".scale"  # after the name of a matrix in int8: the tensor of its rows' scales
BYTES = {  # of the kinds that are read
    "F64": 8, "I64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1,
}  # fmt: skip
LARGEST_HEADER = 16 * 2**20  # bytes

Shape = tuple[int, ...]


def check_weights(path: Path, shapes: Mapping[str, Shape]) -> None:
    """Refuse the weights at ``path`` if they are not of ``shapes``; AssetError names the first.

    A matrix in int8 must have the scales of its rows beside it. FileNotFoundError where there is
    no file.
    """
    name = quoted(path)
    found = read_header(path)
    wanted = dict(shapes)
    for key, (kind, shape) in found.items():
        if kind == "I8" and len(shape) == 2:
            wanted[key + SCALE] = shape[:1]
    for key, shape in wanted.items():
        if key not in found:
            raise AssetError(f"the weights {name} do not fit config.json: there is no {shown(key)}")
        kind, stored = found[key]
        if stored != shape or (kind == "I8" and len(shape) != 2):
            raise AssetError(
                f"the weights {name} do not fit config.json: {shown(key)} is {kind} of {stored}, "
                f"where {shape} is needed"
            )
    if extra := sorted(set(found) - set(wanted)):
        raise AssetError(
            f"the weights {name} do not fit config.json: {shown(extra[0])} is not in it"
        )


def read_header(path: Path) -> dict[str, tuple[str, Shape]]:
    """Return {name: (kind, shape)} of a safetensors file whose sizes add up to its own."""
    name = f"the weights {quoted(path)}"
    try:
        if not path.exists():
            raise FileNotFoundError(path)
        size = check_file(path, AssetError)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(LARGEST_HEADER, size - 8):
                raise AssetError(f"{name} are cut off or broken; fetch them again")
            text = file.read(length).decode("utf-8", "replace")
    except PermissionError as error:
        raise AssetError(f"{name} cannot be read: {error.strerror}; allow it") from error
    header = parse_json(text, name, AssetError)
    if not isinstance(header, dict):
        raise AssetError(f"{name} are broken: their header is no JSON object")
    header.pop("__metadata__", None)
    tensors = {key: _tensor(key, entry, name) for key, entry in header.items()}
    if 8 + length + sum(BYTES[k] * math.prod(shape) for k, shape in tensors.values()) != size:
        raise AssetError(f"{name} are cut off or broken; fetch them again")
    return tensors


def _tensor(key: str, entry: Any, name: str) -> tuple[str, Shape]:
    entry = entry if isinstance(entry, dict) else {}
    kind, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(kind, str) or kind not in BYTES:
        raise AssetError(f"{name} hold {shown(key)} as {shown(kind)}; known are {', '.join(BYTES)}")
    if not (isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)):
        raise AssetError(f"{name} hold {shown(key)} of the shape {shown(shape)}, which is none")
    return kind, tuple(shape)
