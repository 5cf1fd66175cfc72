"""Networks with shapes and no memory, to be filled with weights that are known to fit.

On torch's device "meta" numbers are still drawn by chance as far as that goes, and what draws them
there imports torch's compiler: two seconds of each start, for nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextmanager
def memoryless() -> Iterator[None]:
    """Build networks on the device "meta" in the block, and draw none of their weights."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves out what fills weights: torch.nn.init, random numbers and factors of them, ones."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        if func is torch.randn:
            return torch.empty(*args, **named)
        if func is torch.eye:
            return torch.empty(args[0], args[-1], **named)
        if func in (Tensor.mul, Tensor.__mul__) and isinstance(args[1], float):
            return args[0]
        return func(*args, **named)
