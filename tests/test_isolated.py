"""Strangers' files are read in a process that may die."""

import ctypes
import os
import time
from pathlib import Path

import numpy as np
import pytest

from emsync.errors import AssetError, EmsyncWarning, InputError, warn
from emsync.isolated import isolated


def test_a_child_answers_as_the_function_would() -> None:
    np.testing.assert_array_equal(isolated(np.arange, 5, name="'x'"), np.arange(5))


def _refuse(text: str) -> None:
    warn("it is odd")
    raise InputError(text)


def test_what_the_child_raises_and_warns_is_raised_and_warned_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with (
        pytest.warns(EmsyncWarning, match="it is odd"),
        pytest.raises(InputError, match="line 4"),
    ):
        isolated(_refuse, "line 4", name="'x'")


@pytest.mark.slow
def test_a_crash_a_hang_and_too_much_memory_are_errors() -> None:
    with pytest.raises(InputError, match="'x' crashes its reader"):
        isolated(ctypes.string_at, 0, name="'x'")
    with pytest.raises(AssetError, match="'x' crashes its reader"):
        isolated(os._exit, 3, name="'x'", error=AssetError)
    with pytest.raises(InputError, match=r"more than 0\.5 s"):
        isolated(time.sleep, 60, name="'x'", seconds=0.5)
    with pytest.raises(InputError, match="more than 1024 MiB"):
        isolated(bytearray, 2**31, name="'x'", memory=2**30)


def test_what_native_code_prints_is_no_answer() -> None:
    assert isolated(os.write, 1, b"noise", name="'x'") == 5


class _Call:
    """What pickles as a call that runs in whoever reads it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


def test_a_child_cannot_make_its_parent_run_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(InputError, match="upsets its reader"):
        isolated(_Call, name="'x'")
