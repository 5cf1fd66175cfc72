"""Where a network computes."""

from typing import TypeVar

import torch
from torch import nn

from emsync.errors import UsageError

Module = TypeVar("Module", bound=nn.Module)


def moved(module: Module, device: str) -> Module:
    """Move a network to "cpu", "cuda", or with "auto" to a GPU if there is one, and return it."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return module.to(torch.device(device))
    except (AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used: {reason}; try 'cpu'") from error
