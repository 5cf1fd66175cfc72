"""How far work is, for whoever shows it, and how long each of its stages took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float], None]  # the stage, and the share of it that is done


def silent(stage: str, share: float) -> None:
    """Show nothing."""


def clock(seconds: float) -> str:
    """Return seconds as people read them.

    >>> clock(75.4), clock(7384)
    ('1:15', '2:03:04')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass
class Stopwatch:
    """Seconds spent in each stage, by a clock: the wall's, or time.process_time."""

    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time that the ``with`` block takes to ``stage``."""
        start = self.clock()
        try:
            yield
        finally:
            spent = self.clock() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
