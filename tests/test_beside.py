"""What is done beside other work is told of as if it had been done where it is waited for."""

import threading
from collections.abc import Iterator

import pytest

from emsync.beside import Tell, beside
from emsync.errors import InputError, noted, warn


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
