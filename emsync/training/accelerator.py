"""Where a run trains: Accelerate's processes, or one process with torch alone.

``SingleProcess`` has the same losses as ``accelerate.Accelerator`` on one device.
"""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from emsync.errors import AssetError

Part = TypeVar("Part", bound=nn.Module | torch.optim.Optimizer)


class Accelerator(Protocol):
    """What the training loop needs of ``accelerate.Accelerator``."""

    @property
    def device(self) -> torch.device:
        """Where tensors go."""

    @property
    def num_processes(self) -> int:
        """How many processes train together."""

    @property
    def process_index(self) -> int:
        """The number of this one, from 0 on."""

    @property
    def is_main_process(self) -> bool:
        """Whether this one writes the files."""

    def prepare(self, part: Part) -> Part:
        """Return ``part`` on the device; a model goes there before its optimizers."""

    def reduce(self, value: Tensor, reduction: str = "sum") -> Tensor:
        """Return the sum of ``value`` over all processes."""

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which matrices are multiplied in bfloat16, if that is wanted."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of ``loss`` to the parameters."""

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        """Scale the gradients down to ``max_norm``, and return what their norm was."""

    def end_training(self) -> None:
        """Part from the other processes."""


def accelerator(bf16: bool) -> Accelerator:
    """Return Accelerate's processes, or one process where Accelerate is not installed.

    Raises AssetError where several processes were started without it.
    """
    try:
        from accelerate import Accelerator as Accelerate
    except ImportError as error:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise AssetError(
                "several processes train together by Accelerate, which is not installed: "
                "python -m pip install 'emsync[train]'"
            ) from error
        return SingleProcess(bf16)
    processes: Any = Accelerate(mixed_precision="bf16" if bf16 else "no")
    return processes


class SingleProcess:
    """An ``Accelerator`` of one process on one device."""

    num_processes: int = 1
    process_index: int = 0
    is_main_process: bool = True

    def __init__(self, bf16: bool) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.bf16 = bf16

    def prepare(self, part: Part) -> Part:
        """Return ``part`` on the device; a model goes there before its optimizers."""
        if isinstance(part, nn.Module):
            part.to(self.device)
        else:
            part.load_state_dict(part.state_dict())  # moves what it knows of its parameters
        return part

    def reduce(self, value: Tensor, reduction: str = "sum") -> Tensor:
        """Return ``value``, which is that of all processes."""
        return value

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which matrices are multiplied in bfloat16, if that is wanted."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of ``loss`` to the parameters."""
        torch.autograd.backward([loss])

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        """Scale the gradients down to ``max_norm``, and return what their norm was."""
        return nn.utils.clip_grad_norm_(parameters, max_norm)

    def end_training(self) -> None:
        """Do nothing: there are no other processes."""
