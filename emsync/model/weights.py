"""Files of weights: written, and compared by their header before any memory is asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import AssetError
from emsync.limits import quoted, shown
from emsync.tensors import Shape, read_tensors

if TYPE_CHECKING:
    from torch import Tensor

SCALE = ".scale"  # after the name of a matrix in int8: the tensor of its rows' scales
KINDS = ("F64", "I64", "F32", "F16", "BF16", "I8", "U8")  # that weights have


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


def write_weights(path: Path, tensors: Mapping[str, "Tensor"]) -> None:
    """Write tensors to ``path``, with the mode that the file has, or a new file gets.

    safetensors by itself lets nobody but its owner read the file.
    """
    from safetensors.torch import save_file

    path.touch()
    mode = path.stat().st_mode & 0o777
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(mode)


def read_header(path: Path) -> dict[str, tuple[str, Shape]]:
    """Return {name: (kind, shape)} of a safetensors file whose sizes add up to its own."""
    name = f"the weights {quoted(path)}"
    try:
        if not path.exists():
            raise FileNotFoundError(path)
        tensors, _ = read_tensors(path, name, AssetError, KINDS)
    except PermissionError as error:
        raise AssetError(f"{name} cannot be read: {error.strerror}; allow it") from error
    return {key: (tensor.kind, tensor.shape) for key, tensor in tensors.items()}
