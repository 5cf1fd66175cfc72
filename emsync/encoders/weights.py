"""The shipped weights of an encoder: checked, read, and brought back from eight bits.

Each encoder is a folder of ``checkpoints/encoders`` with ``model.safetensors``, the licence of its
authors and a README that says where it comes from; ``scripts/encoders`` makes them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import AssetError
from emsync.limits import quoted
from emsync.model.weights import Shape, read_header
from emsync.shipped import checkpoints_folder

if TYPE_CHECKING:
    import torch

SCALE, LEAST = ".scale", ".least"  # after a name: 8-bit levels stand for LEAST + level * SCALE


def weights_of(encoder: str) -> Path:
    """Return where the weights of ``encoder`` are."""
    return checkpoints_folder() / "encoders" / encoder / "model.safetensors"


def check_weights(encoder: str) -> None:
    """Refuse weights that are missing or cut off, before anything is watched or listened to."""
    path = weights_of(encoder)
    try:
        read_header(path)
    except FileNotFoundError:
        raise AssetError(
            f"the encoder {encoder!r} is not installed: there is no {quoted(path)}; install "
            "emsync again"
        ) from None


def read_weights(encoder: str, shapes: Mapping[str, Shape]) -> "dict[str, torch.Tensor]":
    """Return the weights of ``encoder`` as float32, by name; ``shapes`` are those that it needs.

    AssetError where they are missing, cut off or of other shapes.
    """
    from safetensors import safe_open

    check_weights(encoder)
    path = weights_of(encoder)
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, its own
    weights = {}
    for name, shape in shapes.items():
        if name not in stored or tuple(stored[name].shape) != shape:
            raise AssetError(f"the weights {quoted(path)} do not fit: {name!r} is not of {shape}")
        weights[name] = stored[name].float()
        if name + SCALE in stored:
            weights[name] = weights[name] * stored[name + SCALE] + stored[name + LEAST]
    return weights
