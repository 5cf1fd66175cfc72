"""Small networks on several threads: one each, so that sums and costs do not depend on how many."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """Let torch compute on one thread in each of as many workers.

    Each picture or sound is then summed in one order, and threads do not wait for each other,
    which on a busy machine takes several times as long as the sums.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as workers:
            yield workers
    finally:
        torch.set_num_threads(threads)
