"""Where Numba cannot compile, music is drawn all the same; and interrupts interrupt."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.caching import CacheImpl

from emsync.errors import EmsyncWarning
from emsync.model import sliding_window
from emsync.model.composer import Composer
from emsync.model.int8 import compiler, kernels
from emsync.model.int8.compiler import COMPILING, compiled, compiles, told
from emsync.progress import silent

DRAW = """
import sys
from emsync.model.composer import Composer

composer = Composer.from_pretrained(sys.argv[1])
for _ in range(2):
    (drawn,) = composer.sample([composer.null_targets(2.0)], [2.0], [0])
sys.stdout.buffer.write(drawn.ids.tobytes())
"""
FAILURES = {  # what is done to Numba, and how the warning begins
    "it is not installed": (
        "import sys; sys.modules['numba'] = sys.modules['llvmlite'] = None",
        "ModuleNotFoundError: import of llvmlite halted",
    ),
    "there is no LLVM for the machine": (
        """
from numba.core.codegen import CPUCodeLibrary
def fail(self): raise RuntimeError("no target for this machine\\nand more")
CPUCodeLibrary.finalize = fail
""",
        "RuntimeError: no target for this machine)",
    ),
    "what is compiled cannot be kept": (
        """
from numba.core.caching import IndexDataCacheFile
def fail(*_): raise OSError(28, "No space left on device")
IndexDataCacheFile.save = fail
""",
        "OSError: [Errno 28] No space left on device)",
    ),
    "it is told not to": (
        "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'",
        "NotImplementedError: ",
    ),
}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a failure be forgotten after the test."""
    monkeypatch.setattr(compiler, "_failures", [])


@pytest.mark.slow
@pytest.mark.parametrize("why", FAILURES)
def test_where_numba_cannot_compile_pytorch_decodes_and_one_warning_says_so(
    why: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prelude, reason = FAILURES[why]
    made = subprocess.run(
        [sys.executable, "-c", prelude + DRAW, str(small)],
        capture_output=True,
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )
    warned = made.stderr.decode()
    assert f"EmsyncWarning: Numba cannot compile here ({reason}" in warned
    assert warned.count("Warning") == 1
    monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    composer = Composer.from_pretrained(small)
    (plain,) = composer.sample([composer.null_targets(2.0)], [2.0], [0])
    assert np.array_equal(np.frombuffer(made.stdout, np.int64), plain.ids)


def test_after_a_failure_nothing_is_compiled_any_more() -> None:
    def fail() -> None:
        raise ValueError

    with pytest.warns(EmsyncWarning, match=r"\(ValueError: no reason given\)"):
        assert not compiles(fail)
    assert not compiles(lambda: pytest.fail("it is tried again"))


def test_all_that_is_compiled_is_told_of_and_what_is_ready_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    function = numba.njit(lambda x: x + 1)
    monkeypatch.setattr(compiler, "_functions", {function.py_func.__qualname__})
    said: list[tuple[str, float]] = []
    for x in (1, 2):
        with told(lambda *at: said.append(at)):
            assert function(x) == x + 1
        assert said == [(COMPILING, 0.0), (COMPILING, 1.0)]


def test_what_is_raised_by_who_is_told_is_no_failure_to_compile() -> None:
    function = numba.njit(lambda x: x + 1)

    def refuse(stage: str, share: float) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"), told(refuse):
        assert compiles(lambda: function(1))
    assert function(2) == 3


def test_what_cannot_be_kept_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    for name, value in (("_functions", set()), ("_unkept", [])):
        monkeypatch.setattr(compiler, name, value)

    @compiled
    def following(x: int) -> int:
        return x + 1

    with pytest.warns(EmsyncWarning, match="in every run; name a folder"), told(silent):
        assert following(1) == 2


def test_the_trial_compiles_all_that_decoding_calls(small: Path) -> None:
    sliding_window._decode_two_tokens()
    called = ("compute", "apply", "products", "quantize", "total")
    before = {name: len(getattr(kernels, name).signatures) for name in called}
    composer = Composer.from_pretrained(small)
    composer.sample([composer.null_targets(1.0)] * 2, [1.0] * 2, [0, 1])
    assert {name: len(getattr(kernels, name).signatures) for name in called} == before


@pytest.mark.parametrize("fails", [True, False])
def test_an_interrupt_that_numba_swallows_interrupts(fails: bool) -> None:
    def work() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        if fails:
            raise SystemError("half compiled")

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        compiles(work)
    assert signal.getsignal(signal.SIGINT) is handler
    assert compiles(lambda: None)


def test_memory_that_runs_out_is_no_failure_to_compile() -> None:
    def work() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        compiles(work)
