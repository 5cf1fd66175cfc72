"""Checkpoints of small networks: a folder each, of ``config.json`` and ``model.safetensors``.

Those that come with the package are found by their names, in the folder of their kind.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emsync.checkpoints import CONFIG, WEIGHTS
from emsync.errors import AssetError, EmsyncError
from emsync.files import together
from emsync.limits import quoted, shown
from emsync.model.weights import check_weights, write_weights
from emsync.options import PathLike
from emsync.shipped import checkpoints_folder


def names(kind: str) -> list[str]:
    """Return the names of the shipped checkpoints of a kind."""
    return sorted(path.parent.name for path in (checkpoints_folder() / kind).glob(f"*/{CONFIG}"))


def find(kind: str, name: PathLike, what: str) -> Path:
    """Return the folder of a shipped checkpoint of a kind, or the folder named itself.

    AssetError says that there is no ``what``.
    """
    for folder in (checkpoints_folder() / kind / name, Path(name)):
        if (folder / CONFIG).is_file():
            return folder
    there = f"; shipped are {', '.join(names(kind))}" if names(kind) else ""
    raise AssetError(
        f"there is no {what} {shown(str(name))}: no folder of that name has a {CONFIG}{there}"
    )


def read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights at ``path`` as those ``wanted``; AssetError names what does not fit."""
    try:
        check_weights(path, {name: tuple(weight.shape) for name, weight in wanted.items()})
        stored = load_file(path)
    except FileNotFoundError as error:
        raise AssetError(f"there are no weights {quoted(path)}; fetch or train them") from error
    except (OSError, SafetensorError) as error:
        raise AssetError(f"cannot read the weights {quoted(path)}: {error}") from error
    for name, weight in wanted.items():
        if stored[name].is_floating_point() != weight.is_floating_point():
            raise AssetError(f"the weights {quoted(path)} hold {name} as {stored[name].dtype}")
        if not stored[name].isfinite().all():
            raise AssetError(f"the weights {quoted(path)} are damaged: {name} is not finite")
    # copied, since sums depend in their last digits on where numbers lie in memory
    return {name: stored[name].to(weight.dtype, copy=True) for name, weight in wanted.items()}


def write(folder: PathLike, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write a checkpoint to ``folder``, both files or none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with together() as outputs:
        partial = outputs.file(folder / WEIGHTS)
        try:
            write_weights(partial, {name: weight.detach() for name, weight in weights.items()})
        except SafetensorError as error:
            raise EmsyncError(f"cannot write {quoted(folder)}: {error}") from error
        outputs.file(folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def in_dtype(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return weights whose numbers, but not counts, are kept in ``dtype``."""
    return {
        name: weight.to(dtype) if weight.is_floating_point() else weight
        for name, weight in weights.items()
    }
