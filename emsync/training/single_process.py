"""One process on one device, with torch alone: what the training loop asks of Accelerate."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor, nn

Part = TypeVar("Part", nn.Module, torch.optim.Optimizer)


class Alone:
    """A stand-in for ``accelerate.Accelerator`` where there is but one process."""

    num_processes, process_index, is_main_process = 1, 0, True

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
        """Return the context in which matrices are multiplied in bfloat16, if that is asked."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of ``loss`` to the parameters."""
        torch.autograd.backward([loss])

    def clip_grad_norm_(self, parameters: Iterable[Tensor], most: float) -> Tensor:
        """Scale the gradients down to a norm of ``most``, and return what it was."""
        return nn.utils.clip_grad_norm_(parameters, most)

    def end_training(self) -> None:
        """Do nothing: there are no other processes to part from."""
