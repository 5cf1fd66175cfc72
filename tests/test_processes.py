"""Work spread over processes: all of it is done, whoever dies."""

import os
import signal
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from emsync.errors import EmsyncWarning, InputError
from emsync.processes import Died, cores, in_order, spread


def doubled(item: int) -> int:
    return 2 * item


def odd_refused(item: int) -> int:
    if item % 2:
        raise InputError(f"{item} is odd")
    return item


class TwoWordsError(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


def refused_in_two_words(_: int) -> None:
    raise TwoWordsError("not", "so")


def killed_once(folder: Path, item: int) -> int:
    """Die at item 3 the first time, as by kill -9; note each time that an item is done."""
    if item == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (folder / str(item)).open("a") as notes:
        notes.write("done\n")
    return 2 * item


def killed_always(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * item


def threads_of(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def napping(folder: Path, item: int) -> int:
    (folder / str(item)).touch()
    time.sleep(60 if item == 0 else 0)
    return item


def test_everything_is_made_once_and_placed() -> None:
    assert dict(spread(doubled, range(50), 3)) == {place: 2 * place for place in range(50)}
    assert list(in_order(doubled, range(50), 3, ahead=4)) == list(range(0, 100, 2))
    assert list(spread(doubled, [], 2)) == []


def test_what_a_killed_process_was_at_is_done_again_and_nothing_twice(tmp_path: Path) -> None:
    work = partial(killed_once, tmp_path)
    with pytest.warns(EmsyncWarning, match="a process has died.* item 3 is begun again") as told:
        found = dict(spread(work, range(8), 2, name=lambda item: f"item {item}"))
    assert found == {item: 2 * item for item in range(8)} and len(told) == 1
    assert (tmp_path / "died").exists()
    assert all((tmp_path / str(item)).read_text() == "done\n" for item in range(8))


def test_what_kills_process_after_process_is_told_of_and_the_rest_is_done() -> None:
    with pytest.warns(EmsyncWarning, match="what it was at is begun again"):
        found = list(in_order(killed_always, range(6), 2, ahead=6))
    assert found == [0, 2, 4, Died(), 8, 10]


def test_what_is_raised_in_a_process_is_raised_here() -> None:
    with pytest.raises(InputError, match="1 is odd") as raised:
        list(spread(odd_refused, [0, 1], 1))
    assert "odd_refused" in raised.value.__notes__[0]


def test_an_error_that_cannot_be_pickled_is_raised_in_its_words() -> None:
    with pytest.raises(RuntimeError, match="TwoWordsError: not so"):
        list(spread(refused_in_two_words, [0], 1))


def test_nothing_is_begun_far_ahead_of_what_is_not_done(tmp_path: Path) -> None:
    with closing(spread(partial(napping, tmp_path), range(9), 2, ahead=4)) as found:
        assert sorted(next(found)[0] for _ in range(3)) == [1, 2, 3]
        time.sleep(0.1)
        assert not (tmp_path / "4").exists()


def test_processes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("emsync.processes.cores", lambda: 6)
    assert {threads for _, threads in spread(threads_of, range(9), 3)} == {"2"}
    assert cores() >= 1
