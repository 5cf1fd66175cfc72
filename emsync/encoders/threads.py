"""Small networks on one thread each: neither sums nor costs then depend on how many there are."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def one_thread() -> Iterator[int]:
    """Let torch compute on one thread; yield how many it had.

    All is then summed in one order, and threads do not wait for each other, which on a busy machine
    takes several times as long as the sums.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


@contextmanager
def one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """Let torch compute on one thread in each of as many workers as it has threads."""
    with one_thread() as threads, ThreadPoolExecutor(threads) as workers:
        yield workers


@contextmanager
def answering(network: "nn.Module") -> Iterator[None]:
    """Let a network answer rather than learn, and the same whatever the number of threads."""
    import torch

    training = network.training
    network.eval()
    try:
        with one_thread(), torch.inference_mode():
            yield
    finally:
        network.train(training)
