"""What every run does, whatever it learns: its rates, its folder, its seeds, and how it stops."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from emsync.errors import UsageError
from emsync.limits import quoted
from emsync.locks import locked
from emsync.targets import check_apart, make_folder, real_folder


def apart(out: Path, files: Sequence[str], store: Path) -> None:
    """Refuse a run whose ``files`` would lie in the folder of the store that it learns from."""
    check_apart([out / name for name in files], {"the store": store / "store.json"})
    if real_folder(out).is_relative_to(real_folder(store)):
        raise UsageError(
            f"the run would be in the store {quoted(store)} itself; name another folder in out"
        )


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make the folder ``out`` of a run, and keep other runs out while the block runs."""
    make_folder(out)
    with locked(out, "training in"):
        yield


def rate_at(share: float, warm_up: float, decay: float) -> float:
    """Return the factor of the learning rate once a ``share`` in [0, 1] of the budget is spent.

    It rises over ``warm_up``, stays at one, and falls to zero over the last ``decay``.

    >>> [rate_at(share, 0.1, 0.5) for share in (0.05, 0.3, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    up = share / warm_up if warm_up else 1.0
    down = (1.0 - share) / decay if decay else 1.0
    return max(0.0, min(1.0, up, down))


def seed_of(seed: int, step: int, process: int = 0) -> int:
    """Return a seed of this step's own, so that a resumed run drops what it would have dropped."""
    return int(np.random.default_rng([seed, step, process]).integers(2**63))


@contextmanager
def signals() -> Iterator[list[int]]:
    """Yield a list that fills when SIGINT or SIGTERM arrives; a second one stops at once."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: object) -> None:
        caught.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, handle)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
