"""One writer at a time: a folder or a file that a process is filling is closed to a second one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emsync.errors import EmsyncError, warn
from emsync.limits import quoted


@contextmanager
def locked(path: Path, work: str) -> Iterator[None]:
    """Hold the lock of the folder or the file at ``path`` while the block runs.

    EmsyncError at once where another process holds it; ``work`` says what that one does. The lock
    of a process that was killed is free: it is the system's, not the lock file's.
    """
    lock = path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock")
    descriptor = _held(lock)
    if descriptor is None:
        raise EmsyncError(
            f"another process is {work} {quoted(path)}; wait for its end, or name another"
        )
    try:
        yield
    finally:
        if sys.platform != "win32":  # Windows removes no open file; it does no harm
            lock.unlink(missing_ok=True)  # while it is held: see ``_held``
        os.close(descriptor)


def _held(lock: Path) -> int | None:
    """Return the descriptor of the lock file, locked; None where another process holds it."""
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise EmsyncError(f"cannot write {str(lock)!r}: {error.strerror}") from error
        try:
            _take(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except OSError as error:  # some network file systems
            warn(
                f"{quoted(lock.parent)} cannot be locked ({error.strerror}); start no "
                "second process that writes there"
            )
            return descriptor
        try:  # a file that its last holder removed meanwhile locks nothing
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
