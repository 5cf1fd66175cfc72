"""The memory that training takes: what cannot fit is refused before any is asked for."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from emsync.conditioning import Conditioner
from emsync.errors import EmsyncError, UsageError
from emsync.memoryless import memoryless
from emsync.model.transformer import EventTransformer, ModelConfig

BYTES = 28  # of a parameter: the weight, its gradient, what an optimizer knows, and a snapshot


def check_size(shape: ModelConfig, conditioners: Sequence[Conditioner]) -> None:
    """Refuse a network that this machine cannot train."""
    with memoryless():  # shapes without memory
        model = EventTransformer(shape, conditioners)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count * BYTES > (there := _memory()):
        raise UsageError(
            f"a network of {count:.3g} parameters takes {count * BYTES / 2**30:.1f} GiB to train, "
            f"and this machine has {there / 2**30:.1f}; choose a smaller width or depth"
        )


def _memory() -> int:
    """Return the bytes of memory of this machine; a terabyte where it does not say."""
    if not hasattr(os, "sysconf"):  # Windows
        return 2**40
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise EmsyncError in place of what PyTorch says when memory runs out."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        text = str(error).lower()
        if "out of memory" not in text and "can't allocate" not in text:
            raise
        raise EmsyncError(
            "out of memory; choose a smaller batch or context, or a larger accumulate"
        ) from error
