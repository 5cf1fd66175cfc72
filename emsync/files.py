"""Outputs that appear complete or not at all."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emsync.errors import EmsyncError, UsageError


def check_target(path: Path) -> None:
    """Refuse a target that cannot be written, before any work is done for it.

    Raises UsageError when the folder is missing, is not writable, or ``path`` is a folder.
    """
    if path.is_dir():
        raise UsageError(f"cannot write {str(path)!r}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(
            f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}; make it first"
        )
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {str(path)!r}: the folder is not writable")


_open: dict[Path, Path] = {}  # partial files being written, and what they will be called


def check_suffix(path: Path | None, known: Sequence[str]) -> None:
    """Refuse a name that ends as no file of its kind does; one without an end may be a device."""
    if path is not None and path.suffix and path.suffix.lower() not in known:
        raise UsageError(
            f"cannot write {path.name!r}: end its name with {' or '.join(known)}, or choose "
            "another output"
        )


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; rename it to ``path`` on success, remove it on failure.

    The partial file has the suffix of ``path``, since writers choose the format by it. A target
    that cannot be written raises EmsyncError, and the previous ``path`` stays untouched. A writer
    that is given the partial file of another ``atomic_write`` writes straight to it, so that
    several outputs can appear together.
    """
    if path in _open:
        yield path
        return
    check_target(path)
    partial = path.with_name(f".{path.stem[:64]}.{secrets.token_hex(4)}.part{path.suffix}")
    _open[partial] = path
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise EmsyncError(f"cannot write {str(path)!r}: {error.strerror}") from error
    finally:
        del _open[partial]
        partial.unlink(missing_ok=True)
