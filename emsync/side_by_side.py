"""Work in threads, each part in one of its own, with the progress of all."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from math import inf
from threading import Event
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Tell: TypeAlias = Callable[[float], None]  # called now and then with how far a part of work is
Part: TypeAlias = Callable[[Tell], T]

OFTEN = 0.1  # seconds between looks at the other threads


class _StoppedError(Exception):
    """Another part has failed, so that this one is in vain."""


def side_by_side(parts: Sequence[Part[T]], tell: Tell) -> list[T]:
    """Return the results of ``parts``, the first of which runs in this thread.

    ``tell`` is called in this thread alone, with how far the part is that is furthest behind. Where
    one fails, the others stop when they next tell how far they are, and its exception is raised.
    """
    reached, over = [0.0] * len(parts), Event()

    def run(i: int) -> T:
        def told(now: float) -> None:
            if over.is_set():
                raise _StoppedError
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
        others = [pool.submit(copy_context().run, run, i) for i in range(1, len(parts))]
        try:
            done = [run(0)]
            while wait(others, OFTEN).not_done:
                if (now := min(reached)) < inf:
                    tell(now)
        except _StoppedError:
            done = []  # why is told by the other one
        except BaseException:
            over.set()
            raise
    failures = [e for e in (other.exception() for other in others) if e is not None]
    for failure in sorted(failures, key=lambda e: isinstance(e, _StoppedError)):
        raise failure
    return [*done, *(other.result() for other in others)]
