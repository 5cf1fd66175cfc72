"""Work in threads: results in order, the progress of all, and failures at once."""

import threading
from collections.abc import Callable

import pytest

from emsync.errors import EmsyncError
from emsync.side_by_side import Part, Tell, side_by_side

ENDLESS = 10**6


def counting(name: str, until: int) -> Part[str]:
    def count(tell: Tell) -> str:
        for step in range(until):
            tell(float(step))
        return name

    return count


def failing(after: int) -> Part[str]:
    def fail(tell: Tell) -> str:
        counting("", after)(tell)
        raise EmsyncError("no more")

    return fail


@pytest.mark.parametrize("lengths", [(3,), (3, 50, 7), (50, 3), (0, 0, 0)])
def test_results_are_in_the_order_of_the_parts_and_told_in_the_caller_s_thread(
    lengths: tuple[int, ...],
) -> None:
    told: list[tuple[str, float]] = []

    def tell(now: float) -> None:
        told.append((threading.current_thread().name, now))

    parts = [counting(str(i), until) for i, until in enumerate(lengths)]
    assert side_by_side(parts, tell) == [str(i) for i in range(len(lengths))]
    assert {name for name, _ in told} <= {threading.current_thread().name}
    assert all(0 <= now < max(lengths) for _, now in told)


def test_how_far_the_last_one_is_is_told_after_this_thread_is_done() -> None:
    gate, told = threading.Event(), []

    def slow(tell: Tell) -> int:
        tell(5.0)
        gate.wait(10)
        return 2

    def watched(now: float) -> None:
        told.append(now)
        if now == 5.0:
            gate.set()

    assert side_by_side([lambda tell: 1, slow], watched) == [1, 2]
    assert told[-1] == 5.0


@pytest.mark.parametrize(
    "parts",
    [
        (failing(5), counting("", ENDLESS)),
        (counting("", ENDLESS), failing(5)),
        (counting("", ENDLESS), counting("", ENDLESS), failing(5)),
    ],
)
def test_where_one_part_fails_all_stop(parts: tuple[Part[str], ...]) -> None:
    before = threading.active_count()
    with pytest.raises(EmsyncError, match="no more"):
        side_by_side(parts, lambda now: None)
    assert threading.active_count() == before


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_who_is_told_may_stop_it(parts: int) -> None:
    def stop(now: float) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    work: list[Callable[[Tell], str]] = [counting("", ENDLESS)] * parts
    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, stop)
    assert threading.active_count() == before
