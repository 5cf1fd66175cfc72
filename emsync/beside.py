"""Work beside work: what needs nothing of each other runs in threads, and is told of in order."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

from emsync.errors import noted, warn

Result = TypeVar("Result")
Tell: TypeAlias = Callable[[float], None]  # is told the share that is done


@contextmanager
def beside(work: Callable[[Tell], Result]) -> Iterator[Callable[[Tell], Result]]:
    """Do ``work`` in a thread during the block; yield what waits for it and returns its result.

    ``work`` tells now and then the share that is done. Whoever waits is told of it, then of what
    ``work`` warned of, and is raised its error. Where the block is left without waiting, as by an
    interrupt, work ends when it next tells a share, and nothing of it is told.
    """
    left = threading.Event()
    shares: SimpleQueue[float | None] = SimpleQueue()
    with noted() as told:
        noting = copy_context()  # in which a warning is noted

    def tell(share: float) -> None:
        if left.is_set():
            raise _LeftError
        shares.put(share)

    def run() -> Result:
        try:
            return work(tell)
        finally:
            shares.put(None)

    def wait(tell: Tell) -> Result:
        for share in iter(shares.get, None):
            tell(share)
        for sentence in told:
            warn(sentence)
        return running.result()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(noting.run, run)
        try:
            yield wait
        finally:
            left.set()


class _LeftError(Exception):
    """Nobody waits for the work any more."""
