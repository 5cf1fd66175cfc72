"""Small networks on one thread each: neither sums nor costs then depend on how many there are."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


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
