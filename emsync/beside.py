"""Work beside work: what needs nothing of each other runs in threads, and is told of in order."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from math import inf
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

from emsync.errors import noted, warn

Result = TypeVar("Result")
Tell: TypeAlias = Callable[[float], None]  # is told now and then how far work is

OFTEN = 0.1  # seconds between looks at other threads


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

    def result(tell: Tell) -> Result:
        for share in iter(shares.get, None):
            tell(share)
        for sentence in told:
            warn(sentence)
        return running.result()

    with ThreadPoolExecutor(1) as thread:
        try:
            running = thread.submit(noting.run, run)
            yield result
        finally:
            left.set()


def side_by_side(parts: Sequence[Callable[[Tell], Result]], tell: Tell) -> list[Result]:
    """Return the results of ``parts``, the first of which runs in this thread.

    ``tell`` is called in this thread alone, with how far the part is that is furthest behind. Where
    one fails, the others stop when they next tell how far they are, and its exception is raised.
    """
    reached, over = [0.0] * len(parts), threading.Event()

    def run(i: int) -> Result:
        def told(now: float) -> None:
            if over.is_set():
                raise _LeftError
            reached[i] = now
            if i == 0:
                tell(min(reached))

        try:
            return parts[i](told)
        except BaseException:
            over.set()
            raise
        finally:
            reached[i] = inf

    if len(parts) == 1:
        return [run(0)]
    with ThreadPoolExecutor(len(parts) - 1) as pool:
        try:
            others = [pool.submit(copy_context().run, run, i) for i in range(1, len(parts))]
            done = [run(0)]
            while wait(others, OFTEN).not_done:
                if (now := min(reached)) < inf:
                    tell(now)
        except _LeftError:
            done = []  # why is told by the other one
        except BaseException:
            over.set()
            raise
    failures = [e for e in (other.exception() for other in others) if e is not None]
    for failure in sorted(failures, key=lambda e: isinstance(e, _LeftError)):
        raise failure
    return [*done, *(other.result() for other in others)]


class _LeftError(Exception):
    """Nobody waits for the work any more, or it is in vain."""
