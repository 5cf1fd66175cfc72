"""Outputs that appear complete or not at all, alone or together.

A file is filled under another name in its folder, ``.NAME.xxxxxxxx.part``, and renamed at the end.
That keeps its mode; of several hard links, only this name has the new content. The partial file is
locked while its process lives, so that a later run can tell what a kill has left, and removes it.
"""

import errno
import os
import re
import secrets
import select
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from emsync.errors import EmsyncError
from emsync.limits import PATIENCE, quoted
from emsync.targets import (
    check_suffix,
    check_target,
    descriptor_of,
    is_special,
    real_folder,
    real_target,
)

if sys.platform != "win32":
    import fcntl

__all__ = ["Together", "atomic_write", "check_suffix", "check_target", "together"]

MOST_STEM, MOST_SUFFIX = 64, 32  # bytes of a name that its partial file's has, too
STALLED = 60.0  # seconds in which the reader of a pipe takes nothing
SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]

_staged: set[Path] = set()  # partial files and folders of this process


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; rename it to ``path`` on success, remove it on failure.

    The partial file has the suffix of ``path``, since writers choose the format by it. A target
    that cannot be written raises EmsyncError, and the previous ``path`` stays untouched. A writer
    that is given a partial file of ``together`` writes straight to it.
    """
    if any(place in _staged for place in (path, *path.parents)):
        yield path
        return
    with together() as outputs:
        yield outputs.file(path)


@contextmanager
def together() -> Iterator["Together"]:
    """Yield what takes several outputs; all of them appear at the end, or none of them."""
    outputs = Together()
    try:
        yield outputs
        outputs.appear()
    except OSError as error:
        if error.errno is None or outputs.last is None or not outputs.concerns(error):
            raise
        if isinstance(error, BrokenPipeError) and descriptor_of(real_target(outputs.last)) == 1:
            raise  # the reader of the standard output wants no more, nor to be told so
        name = quoted(outputs.last)
        raise EmsyncError(f"cannot write {name}: {error.strerror}") from error
    finally:
        outputs.clear()


@dataclass
class _Move:
    """A finished file or folder, and the name that it will have; None where one is removed."""

    source: Path | None
    target: Path
    kept: Path | None = None  # what had the name before, until all are moved


@dataclass
class Together:
    """Outputs on their way: each is filled under another name. See ``together``."""

    last: Path | None = None  # the output that is being written
    files: list[tuple[Path, Path]] = field(default_factory=list)  # partial files, and targets
    poured: list[tuple[Path, Path]] = field(default_factory=list)  # and targets to write into
    folders: list[tuple[Path, Path, Sequence[str]]] = field(default_factory=list)
    claimed: dict[Path, int | None] = field(default_factory=dict)  # all of these, and their locks

    def file(self, path: Path) -> Path:
        """Return a new file to fill in place of ``path``."""
        check_target(path)
        self.last, target = path, real_target(path)
        if is_special(target):
            partial = self._claim(Path(tempfile.gettempdir()), target, Path.touch)
            self.poured.append((partial, target))
        else:
            partial = self._claim(target.parent, target, Path.touch)
            self.files.append((partial, target))
            if target.exists():
                _look_like(partial, target)
        return partial

    def folder(self, path: Path, earlier: Sequence[str] = ()) -> Path:
        """Return a new folder to fill in place of ``path``.

        Where ``path`` is there already, what is in it stays, but for files of the same name and
        for those that ``earlier`` names, relative to it.
        """
        self.last, target = path, real_folder(path)
        place = target if target.is_dir() else target.parent
        partial = self._claim(place, target, Path.mkdir)
        self.folders.append((partial, target, earlier))
        return partial

    def appear(self) -> None:
        """Give all outputs their names; after a failure, all names have what they had before.

        ``together`` does so at its end, if it has not been done.
        """
        for partial, target in [*self.files, *((p, t) for p, t, _ in self.folders)]:
            self.last = target
            for path in [partial, *partial.rglob("*")]:
                if path.is_file():
                    _sync(path)
        for partial, target in self.poured:
            self.last = target
            _pour(partial, target)
        moves = [_Move(*both) for both in self.files]
        made: list[Path] = []
        with _uninterrupted():
            try:
                for partial, target, earlier in self.folders:
                    self.last = target
                    moves += _moves(partial, target, earlier, made)
                for number, move in enumerate(moves):
                    self.last = move.target
                    _apply(move, is_last=number == len(moves) - 1)
            except BaseException:
                for move in reversed(moves):
                    _undo(move)
                for folder in reversed(made):
                    folder.rmdir()
                raise
            for move in moves:
                if move.kept is not None and move.kept != move.source:
                    move.kept.unlink(missing_ok=True)
        self.files, self.poured, self.folders = [], [], []

    def concerns(self, error: OSError) -> bool:
        """Return whether an error is of these outputs, and not of a file that is read for them."""
        if not isinstance(error.filename, str | bytes | os.PathLike):
            return True
        path = Path(os.fsdecode(error.filename).removeprefix("file:"))
        targets = [target for _, target, *_ in (*self.files, *self.poured, *self.folders)]
        places = {*self.claimed, *targets}
        return ".part" in path.name or any(place in places for place in (path, *path.parents))

    def clear(self) -> None:
        """Remove what has not got its name."""
        for partial, lock in self.claimed.items():
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)
            _staged.discard(partial)
            if lock is not None:
                os.close(lock)
        self.claimed = {}

    def _claim(self, place: Path, target: Path, make: Callable[[Path], None]) -> Path:
        """Make an empty partial file or folder of ``target`` in ``place``, and lock it."""
        _sweep(place, target.name)
        while True:
            partial = place / _partial(target.name)
            self.claimed[partial] = None
            _staged.add(partial)
            make(partial)
            with suppress(BlockingIOError):  # another run sweeps it away before it was locked
                self.claimed[partial] = _lock(partial)
                return partial


# --- names appear ---------------------------------------------------------------------------------


def _moves(partial: Path, folder: Path, earlier: Sequence[str], made: list[Path]) -> list[_Move]:
    """Return what brings a filled folder to its place; ``made`` notes the folders made for it."""
    if not folder.exists():
        return [_Move(partial, folder)]
    moves = []
    for path in sorted(partial.rglob("*")):
        target = folder / path.relative_to(partial)
        if path.is_dir():
            if not target.exists():
                target.mkdir()
                made.append(target)
            continue
        _sweep(target.parent, target.name)
        if target.is_file():
            _look_like(path, target)
        moves.append(_Move(path, target))
    new = {move.target for move in moves}
    gone = [path for name in earlier if (path := folder / name) not in new and _is_there(path)]
    return moves + [_Move(None, path) for path in gone]


def _apply(move: _Move, is_last: bool) -> None:
    """Give a file its name; what had it before is kept where something may still fail."""
    if _is_there(move.target) and not (is_last and move.source):
        kept = move.target.with_name(_partial(move.target.name))
        if move.source is None:
            move.target.replace(kept)
        else:
            _link(move.target, kept)
        move.kept = kept
    elif move.source is not None and not is_last:
        move.kept = move.source  # nothing had the name: the new file goes back
    if move.source is not None:
        move.source.replace(move.target)


def _undo(move: _Move) -> None:
    """Give a name back what it had."""
    if move.kept is None:
        return
    if move.kept == move.source:
        if not _is_there(move.source):
            move.target.replace(move.source)
    else:
        move.kept.replace(move.target)
        move.kept.unlink(missing_ok=True)  # renaming a link to its own file leaves both
    move.kept = None


def _link(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError:  # a file system without hard links, or another person's file
        shutil.copy2(path, kept, follow_symlinks=False)


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _sync(path: Path) -> None:
    """Bring what was written onto the disk, so that no name is there before its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back interrupts for the moment in which several names change."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in caught:
            signal.raise_signal(number)


# --- partial files --------------------------------------------------------------------------------


def _partial(name: str) -> str:
    """Return a hidden name for what will be ``name``, short enough for every file system."""
    stem, suffix = _parts(name)
    return f".{stem}.{secrets.token_hex(4)}.part{suffix}"


def _parts(name: str) -> tuple[str, str]:
    """Return the beginning of a name in whole letters, and its suffix; one too long is none."""
    path = Path(name)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= MOST_SUFFIX else ""
    stem = os.fsencode(path.stem)[:MOST_STEM].decode("utf-8", "ignore")
    return os.fsdecode(stem.encode()), suffix  # where names are not UTF-8, too


def _lock(path: Path) -> int | None:
    """Lock a partial file or folder; return what holds the lock, None where there are no locks.

    BlockingIOError where a process has locked it, or has swept it away.
    """
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, (os.O_RDONLY if path.is_dir() else os.O_RDWR) | os.O_NOFOLLOW)
    except FileNotFoundError as gone:
        raise BlockingIOError(errno.EWOULDBLOCK, "it was swept away") from gone
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():
            return descriptor
        raise BlockingIOError(errno.EWOULDBLOCK, "it was swept away")
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None


def _sweep(folder: Path, name: str) -> None:
    """Remove partial files of ``name`` whose process is gone."""
    stem, suffix = _parts(name)
    stale = re.compile(rf"\.{re.escape(stem)}\.[0-9a-f]{{8}}\.part{re.escape(suffix)}")
    for path in [path for path in folder.iterdir() if stale.fullmatch(path.name)]:
        with suppress(OSError):  # another person's, or a process is at it
            if path not in _staged and (lock := _lock(path)) is not None:
                try:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                finally:
                    os.close(lock)


def _look_like(partial: Path, target: Path) -> None:
    """Give a partial file the owner and mode of what it replaces, as far as that is allowed."""
    facts, mine = target.stat(), partial.stat()
    with suppress(PermissionError):  # only root gives files away
        if (facts.st_uid, facts.st_gid) != (mine.st_uid, mine.st_gid):
            os.chown(partial, facts.st_uid, facts.st_gid)
    with suppress(PermissionError):  # a file system without modes
        if (mode := stat.S_IMODE(facts.st_mode) & 0o777) != stat.S_IMODE(mine.st_mode):
            partial.chmod(mode)


# --- what is written into -------------------------------------------------------------------------


def _pour(partial: Path, target: Path) -> None:
    """Copy a finished file into a device, a pipe, or an open file from where that stands."""
    descriptor = descriptor_of(target)
    if descriptor == 1:
        sys.stdout.flush()
    out = _opened(target) if descriptor is None else os.dup(descriptor)
    is_pipe = descriptor is None and stat.S_ISFIFO(os.fstat(out).st_mode)
    try:
        with partial.open("rb") as file:
            while block := file.read(select.PIPE_BUF if is_pipe else 2**20):
                if is_pipe and not select.select([], [out], [], STALLED)[1]:
                    raise EmsyncError(f"cannot write {quoted(target)}: its reader takes nothing")
                while block:
                    block = block[os.write(out, block) :]
    finally:
        os.close(out)


def _opened(target: Path) -> int:
    """Return a descriptor to write to a device or a pipe; wait a while for a pipe's reader."""
    began = time.monotonic()
    while True:
        try:
            out = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() - began > PATIENCE:
                raise EmsyncError(
                    f"cannot write {quoted(target)}: nothing reads from the pipe; start its reader"
                ) from error
            time.sleep(0.05)
        else:
            os.set_blocking(out, True)
            return out
