"""Numba, and whether it can compile here: LLVM may not know the machine, or a disk be full."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast

from emsync.errors import warn
from emsync.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

COMPILING = "Compiling for this processor, once"  # the stage of ``told``
KEEP = "name a folder that can be written in NUMBA_CACHE_DIR"

_functions: set[str] = set()  # the names of all that are compiled
_unkept: list[str] = []  # those that are compiled anew in each process
_failures: list[str] = []  # at most one: after it nothing is compiled any more


def compiled(function: F) -> F:
    """Compile a function at its first call, and keep what was compiled beside the source.

    No fast-math flag: a function may be compiled several times, alone and into its callers, and
    which copy runs depends on what was loaded first. Sums are taken in the order that is written,
    so that all copies give the same bits; where speed counts, that order has lanes
    (``kernels.total``). Numba's cache does not notice a change of the flags.

    Without Numba the function is returned as it is.
    """
    compiler = _compiler()
    if compiler is None:
        return function
    _functions.add(function.__qualname__)
    try:
        return cast(F, compiler(cache=True)(function))
    except RuntimeError:  # no folder can be written
        _unkept.append(function.__qualname__)
        return cast(F, compiler()(function))


def inlined(function: F) -> F:
    """Compile a function as a part of the one that calls it, once."""
    compiler = _compiler()
    return function if compiler is None else cast(F, compiler(inline="always")(function))


def _compiler() -> Callable[..., Any] | None:
    """Return Numba's decorator, which takes further options; None without Numba."""
    try:
        from numba import njit
    except Exception:  # not installed, or it finds no LLVM
        return None
    return partial(njit, nogil=True, error_model="numpy")


@contextmanager
def told(progress: Progress) -> Iterator[None]:
    """Tell ``progress`` how many of our functions are ready, while any is compiled in the block.

    Nothing is told where all of them are loaded from Numba's cache. What ``progress`` raises is
    raised at the end of the block: Numba would take it for a failure of its own.
    """
    try:
        from numba.core.event import Event, Listener, install_listener
    except Exception:  # as in ``_compiler``
        yield
        return
    ready: set[str] = set()
    raised: list[Exception] = []

    def tell() -> None:
        try:
            progress(COMPILING, len(ready) / len(_functions))
        except Exception as error:
            raised.append(error)

    class Compilations(Listener):
        def on_start(self, event: Event) -> None:
            tell()

        def on_end(self, event: Event) -> None:
            name = event.data["dispatcher"].py_func.__qualname__  # one of ours, or of Numba's own
            ready.update({name} & _functions)
            tell()

    with install_listener("numba:compile", Compilations()):
        yield
    if raised:
        raise raised[0]
    if ready.intersection(_unkept):
        warn(f"what was compiled cannot be kept, and is compiled anew in every run; {KEEP}")


def compiles(work: Callable[[], object]) -> bool:
    """Run ``work``, which calls compiled functions; return whether that is possible here.

    The first failure is told of, and nothing is tried after it. An interrupt raises
    KeyboardInterrupt, also where Numba has swallowed it and failed in another way.
    """
    if _failures:
        return False
    try:
        with _interrupts() as interrupts:
            work()
    except MemoryError:
        raise
    except Exception as error:  # whatever Numba, LLVM or the file system may raise
        if interrupts:
            raise KeyboardInterrupt from error
        reason = next(iter(str(error).splitlines()), "no reason given")
        _failures.append(f"{type(error).__name__}: {reason}")
        where = f"; {KEEP}" if isinstance(error, OSError) else ""
        warn(
            f"Numba cannot compile here ({_failures[0]}); music is drawn without compiled code, "
            f"several times slower{where}"
        )
        return False
    if interrupts:
        raise KeyboardInterrupt
    return True


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Yield a list of the signals that arrive; their handlers are called as well."""
    arrived: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def watched(handler: Callable[[int, Any], Any]) -> Callable[[int, Any], None]:
        def handle(number: int, frame: Any) -> None:
            arrived.append(number)
            handler(number, frame)

        return handle

    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, watched(handler))
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
