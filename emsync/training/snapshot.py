"""What a run has learned at one step: its weights, and what its optimizers know of each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emsync.errors import AssetError
from emsync.limits import check_file
from emsync.model.transformer import EventTransformer
from emsync.model.weights import write_weights

WEIGHTS, MEMORY = "weights.", "optimizer."  # before the names of tensors in a file

Tensors = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Copies of the weights, and of what the optimizers know; by name."""

    weights: Tensors
    memory: Tensors

    @classmethod
    def of(cls, model: EventTransformer, optims: Sequence[torch.optim.Optimizer]) -> Self:
        """Return the snapshot of this moment."""
        weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        return cls(weights, {name: value.clone() for name, value in memory(optims).items()})

    def put_back(self, model: EventTransformer, optims: Sequence[torch.optim.Optimizer]) -> None:
        """Let ``model`` and ``optims`` be again what they were."""
        model.load_state_dict(self.weights)
        remember(optims, {name: value.clone() for name, value in self.memory.items()}, "a snapshot")

    def save(self, path: Path) -> None:
        """Write the snapshot to ``path``."""
        named = {
            prefix + name: value
            for prefix, tensors in ((WEIGHTS, self.weights), (MEMORY, self.memory))
            for name, value in tensors.items()
        }
        write_weights(path, named)

    @classmethod
    def load(cls, path: Path, model: EventTransformer) -> Self:
        """Read a snapshot of ``model``; AssetError where it is of another, or damaged."""
        stored = load_tensors(path)
        weights, memory = (
            {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
            for prefix in (WEIGHTS, MEMORY)
        )
        shapes = {name: weight.shape for name, weight in model.state_dict().items()}
        if {name: weight.shape for name, weight in weights.items()} != shapes:
            raise AssetError(f"{str(path)!r} does not fit the network; delete it to go on without")
        device = model.head.weight.device
        return cls({name: weight.to(device) for name, weight in weights.items()}, memory)


def memory(optims: Sequence[torch.optim.Optimizer]) -> Tensors:
    """Return what the optimizers know: "optimizer.parameter.key" and the tensor."""
    return {
        f"{o}.{p}.{key}": torch.as_tensor(value)
        for o, optim in enumerate(optims)
        for p, values in optim.state_dict()["state"].items()
        for key, value in values.items()
    }


def remember(
    optims: Sequence[torch.optim.Optimizer], known: Mapping[str, Tensor], name: str
) -> None:
    """Let the optimizers know what ``memory`` returned; ``name`` is where it comes from."""
    for o, optim in enumerate(optims):
        parameters = [p for group in optim.param_groups for p in group["params"]]
        state = {
            i: own
            for i, parameter in enumerate(parameters)
            if (own := _of_parameter(parameter, f"{o}.{i}.", known, name))
        }
        optim.load_state_dict({"state": state, "param_groups": optim.state_dict()["param_groups"]})


def load_tensors(path: Path) -> Tensors:
    """Return the tensors of a safetensors file; AssetError where it cannot be read."""
    try:
        check_file(path, AssetError)
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise AssetError(f"cannot read {str(path)!r}: {error}") from error


def _of_parameter(
    parameter: Tensor, prefix: str, known: Mapping[str, Tensor], name: str
) -> Tensors:
    """Return what is known of ``parameter``: numbers, and tensors of its shape."""
    state = {k.removeprefix(prefix): v for k, v in known.items() if k.startswith(prefix)}
    for key, value in state.items():
        if value.ndim and value.shape != parameter.shape:
            raise AssetError(
                f"{name} does not fit the network: {prefix}{key} is of {tuple(value.shape)}, "
                f"its weights of {tuple(parameter.shape)}"
            )
    return state
