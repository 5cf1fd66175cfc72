"""What is done beside other work is told of as if it had been done where it is waited for."""

import threading
from collections.abc import Callable, Iterator

import pytest

from emsync.beside import Tell, beside, side_by_side
from emsync.errors import EmsyncError, InputError, noted, warn

ENDLESS = 10**6


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_shares_warnings_and_the_result_are_told_in_order_by_whoever_waits() -> None:
    def work(tell: Tell) -> threading.Thread:
        tell(0.5)
        warn("of the work")
        tell(1.0)
        return threading.current_thread()

    shares: list[float] = []
    with noted() as notes, beside(work) as result:
        warn("of the block")
        assert result(shares.append) != threading.current_thread()
    assert notes == ["of the block", "of the work"]
    assert shares == [0.5, 1.0]


def test_an_error_is_raised_where_it_is_waited_for_after_what_was_warned_of() -> None:
    def work(_tell: Tell) -> None:
        warn("of the work")
        raise InputError("it cannot be read")

    refused = pytest.raises(InputError, match="it cannot be read")
    with noted() as notes, refused, beside(work) as result:
        result(lambda _share: None)
    assert notes == ["of the work"]


def test_where_nobody_waits_work_ends_at_its_next_share_and_nothing_is_told() -> None:
    told = threading.Event()

    def work(tell: Tell) -> None:
        warn("of the work")
        while True:
            tell(0.5)
            told.set()

    with noted() as notes, beside(work):
        told.wait()
    assert notes == []


def counting(name: str, until: int) -> Callable[[Tell], str]:
    def count(tell: Tell) -> str:
        for step in range(until):
            tell(float(step))
        return name

    return count


def failing(after: int) -> Callable[[Tell], str]:
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
def test_where_one_part_fails_all_stop(parts: tuple[Callable[[Tell], str], ...]) -> None:
    with pytest.raises(EmsyncError, match="no more"):
        side_by_side(parts, lambda now: None)


def test_where_one_part_cannot_begin_the_others_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, begun, ended = threading.Thread.start, [], []

    def work(tell: Tell) -> None:
        counting("", ENDLESS)(tell)
        ended.append(tell)

    def start(thread: threading.Thread) -> None:
        begun.append(thread)
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start"):
        side_by_side([work] * 3, lambda now: None)
    assert not ended


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_who_is_told_may_stop_it(parts: int) -> None:
    def stop(now: float) -> None:
        raise KeyboardInterrupt

    work: list[Callable[[Tell], str]] = [counting("", ENDLESS)] * parts
    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, stop)
