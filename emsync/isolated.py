"""Run a function on a stranger's file in a process of its own, within limits of time and memory.

Native readers crash, hang or ask for all memory on files that were made to do so; here that ends
the child and becomes one sentence. Use it as

    notes = isolated(read_notes, path, name=shown(str(path)))

The function is at the top of a module that imports little, since the child is a new interpreter
that imports that module: about 0.1 s with NumPy, never the caller's torch. It is never a fork,
which would copy the locks of threads. What the function returns is plain values and arrays: a child
that a file has got hold of can answer nothing else. What it raises and warns is raised and warned
here.
"""

import io
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from emsync.errors import EmsyncError, EmsyncWarning, InputError

SECONDS = 60.0  # that reading one file may take, on a slow machine too
MEMORY = 4 * 2**30  # bytes of address space; libraries alone reserve a few hundred MiB

ARRAYS = ("_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar")  # what NumPy's are made of

T = TypeVar("T")

# the caller's path instead of the child's, whose first place is the folder that a person is in
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from emsync.isolated import _serve; _serve()"
)


def isolated(
    function: Callable[..., T],
    *arguments: Any,
    name: str,
    error: type[EmsyncError] = InputError,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> T:
    """Return ``function(*arguments)`` as a child process computes it.

    ``error`` says that ``name``, a file quoted for a message, crashes its reader, or needs more
    than ``seconds`` or ``memory`` (bytes; not limited on Windows).
    """
    task = [sys.path, (memory, seconds), (function, arguments)]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _START],
            input=b"".join(pickle.dumps(part) for part in task),
            capture_output=True,
            timeout=seconds,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each thread reserves memory
        )
    except subprocess.TimeoutExpired as late:
        raise error(f"{name} is not read: that takes more than {seconds:g} s") from late
    except OSError as reason:
        raise EmsyncError(f"cannot start a process to read {name}: {reason.strerror}") from reason
    if done.returncode:
        why = f"a signal {-done.returncode}" if done.returncode < 0 else f"{done.returncode}"
        raise error(f"{name} crashes its reader ({why}); it is damaged")
    try:
        value, raised, told = _Answer(io.BytesIO(done.stdout)).load()
    except (pickle.UnpicklingError, EOFError, ValueError) as wrong:
        raise error(f"{name} upsets its reader; it is damaged") from wrong
    for warning in told:
        warnings.warn(warning, stacklevel=2)
    if isinstance(raised, MemoryError):
        raise error(f"{name} is not read: that takes more than {memory // 2**20} MiB")
    if raised is not None:
        raise raised
    return value


class _Answer(pickle.Unpickler):
    """Reads what a child answers: plain values, arrays, and errors; it may be under a spell."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in ARRAYS:
            return super().find_class(module, name)
        if module in ("builtins", "emsync.errors"):
            found = super().find_class(module, name)
            if isinstance(found, type) and issubclass(found, Exception):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an answer")


def _serve() -> None:
    """Be the child: do the one task on stdin, and answer on what was stdout."""
    # native code may print to stdout, which is for the answer
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    memory, seconds = pickle.load(sys.stdin.buffer)
    _limit(memory, seconds)
    value = raised = None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
            value = function(*arguments)
        except Exception as error:  # is raised in the parent
            raised = error
    with answer:
        notes = [w.message for w in told if issubclass(w.category, EmsyncWarning)]
        answer.write(_pickled(value, raised, notes))
        answer.flush()
    os._exit(0)  # what native code does at its end is of no interest


def _pickled(value: object, raised: Exception | None, told: list[Warning | str]) -> bytes:
    try:
        return pickle.dumps((value, raised, told))
    except MemoryError as error:
        return pickle.dumps((None, error, []))


def _limit(memory: int, seconds: float) -> None:
    """Limit this process, also for the case that its parent is killed."""
    if sys.platform == "win32":
        return
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 5),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard < 0 else min(most, hard), hard))
