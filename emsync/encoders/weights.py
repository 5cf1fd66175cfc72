"""The shipped weights of an encoder: checked, read, and brought back from eight bits.

Each encoder is a folder of ``checkpoints/encoders`` with ``model.safetensors``, the licence of its
authors and a README that says where it comes from; ``scripts/encoders`` makes them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import AssetError
from emsync.limits import quoted
from emsync.model.weights import read_header
from emsync.shipped import checkpoints_folder
from emsync.tensors import Shape

if TYPE_CHECKING:
    import torch

SCALE, LEAST = ".scale", ".least"  # after a name: 8-bit levels stand for LEAST + level * SCALE


def weights_of(encoder: str) -> Path:
    """Return where the weights of ``encoder`` are."""
    return checkpoints_folder() / "encoders" / encoder / "model.safetensors"


def check_weights(encoder: str, shapes: Mapping[str, Shape]) -> None:
    """Refuse weights that are missing, cut off or not of ``shapes``, before anything is watched."""
    path = weights_of(encoder)
    try:
        found = read_header(path)
    except FileNotFoundError:
        raise AssetError(
            f"the encoder {encoder!r} is not installed: there is no {quoted(path)}; install "
            "emsync again"
        ) from None
    wanted = dict(shapes)
    for name in shapes:
        if found.get(name, ("",))[0] == "U8":
            wanted |= {name + SCALE: (1,), name + LEAST: (1,)}
    for name, shape in wanted.items():
        if name not in found or found[name][1] != shape:
            raise AssetError(
                f"the weights {quoted(path)} do not fit: {name!r} is not of {shape}; install "
                "emsync again"
            )


def read_weights(
    encoder: str, shapes: Mapping[str, Shape], prefix: str = ""
) -> "dict[str, torch.Tensor]":
    """Return the weights of ``encoder`` as float32, by name; ``shapes`` are those that it needs.

    In the file ``prefix`` stands before each name, where it holds several networks. AssetError
    where they are missing, cut off or of other shapes.
    """
    from safetensors import SafetensorError, safe_open

    check_weights(encoder, {prefix + name: shape for name, shape in shapes.items()})
    path = weights_of(encoder)
    weights = {}
    try:
        with safe_open(path, "pt") as file:
            stored = set(file.keys())
            for name in shapes:
                key = prefix + name
                weights[name] = file.get_tensor(key).float()
                if key + SCALE in stored:
                    scale, least = file.get_tensor(key + SCALE), file.get_tensor(key + LEAST)
                    weights[name] = weights[name] * scale + least
    except (OSError, SafetensorError) as error:
        raise AssetError(
            f"the weights {quoted(path)} cannot be read: {error}; install emsync again"
        ) from error
    return weights
