"""Where an output may go: links are followed, and nothing that is read is ever replaced.

A file is replaced whole. A pipe, a device and an open file such as /dev/stdout are written into,
and stay what they are.
"""

import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emsync.errors import UsageError
from emsync.limits import quoted, shown

STDOUT = Path("/dev/stdout")
MOST_LINKS = 40  # that lead from one name to the next
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"(?:/dev/fd|/proc/(?:self|thread-self|\d+)/fd)/(\d{1,9})")


def descriptor_of(path: Path) -> int | None:
    """Return the number of the open file that ``path`` names.

    >>> descriptor_of(Path("/dev/stdout")), descriptor_of(Path("/dev/fd/3"))
    (1, 3)
    >>> descriptor_of(Path("score.mid")) is None
    True
    """
    name = path.as_posix()
    if name in _STANDARD:
        return _STANDARD[name]
    found = _DESCRIPTOR.fullmatch(name)
    return int(found[1]) if found else None


def real_target(path: Path) -> Path:
    """Return the file that ``path`` leads to, where it may still be missing; no open file's.

    OSError where a name is too long, or links lead in a circle.
    """
    here = path
    for _ in range(MOST_LINKS):
        try:
            here = here.parent.resolve() / here.name
        except RuntimeError as circle:  # what pathlib makes of one among the folders
            raise OSError(str(circle)) from circle
        if descriptor_of(here) is not None or not here.is_symlink():
            return here
        here = here.parent / here.readlink()
    raise OSError("its links lead in a circle")


def real_folder(path: Path) -> Path:
    """Return the folder that ``path`` leads to; UsageError where its links lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot write {quoted(path)}: {reason}") from error


def make_folder(path: Path) -> None:
    """Make the folder ``path``, and those that it is in; UsageError where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"{quoted(path)} is no folder; name a new one") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot make the folder {quoted(path)}: {reason}") from error


def is_special(target: Path) -> bool:
    """Return whether a ``real_target`` is written into, not replaced: a pipe, a device, ..."""
    if descriptor_of(target) is not None:
        return True
    return target.exists() and not target.is_file()


def check_target(path: Path) -> None:
    """Refuse a target that cannot be written, before any work is done for it.

    Raises UsageError when the folder is missing or not writable, the name is too long, or ``path``
    is a folder, a file that may only be read, a disk, or a terminal.
    """
    try:
        reason = _obstacle(real_target(path), path)
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
    if reason:
        raise UsageError(f"cannot write {quoted(path)}: {reason}")


def _obstacle(target: Path, path: Path) -> str:
    """Return why ``target``, which ``path`` leads to, cannot be written, or nothing."""
    if (descriptor := descriptor_of(target)) is not None:
        return _closed(descriptor)
    folder = target.parent
    if target.is_dir():
        return "it is a folder; name a file in it"
    if not folder.is_dir():
        named = folder if path.is_symlink() else path.parent
        return f"there is no folder {quoted(named)}; make it first"
    try:
        facts = target.lstat()
    except FileNotFoundError:
        facts = None
    if facts and not stat.S_ISREG(facts.st_mode):
        if not (stat.S_ISFIFO(facts.st_mode) or stat.S_ISCHR(facts.st_mode)):
            return "it is a disk or a socket; name a file"
        return "" if os.access(target, os.W_OK) else "it is not writable"
    if facts and not os.access(target, os.W_OK):
        return "it may only be read; change its mode or choose another name"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "the folder is not writable"
    if facts and _is_anothers(facts, folder.stat()):
        return "it is another person's, in a folder that is shared; choose another name"
    return ""


def _closed(descriptor: int) -> str:
    """Return why an open file cannot be written, or nothing."""
    try:
        os.fstat(descriptor)
    except OSError:
        return f"no file is open as number {descriptor}"
    if os.isatty(descriptor):
        return "it is a terminal; send it to a file or into a pipe"
    if sys.platform != "win32":
        import fcntl

        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            return "it is open for reading only"
    return ""


def _is_anothers(file: os.stat_result, folder: os.stat_result) -> bool:
    """Return whether ``file`` may not be replaced, as in /tmp, since a person must own it."""
    me = os.geteuid() if hasattr(os, "geteuid") else 0
    return bool(folder.st_mode & stat.S_ISVTX) and me not in (0, file.st_uid, folder.st_uid)


def check_suffix(path: Path | None, known: Sequence[str]) -> None:
    """Refuse a name that ends as no file of its kind does; one without an end may be a device."""
    if path is not None and path.suffix and path.suffix.lower() not in known:
        raise UsageError(
            f"cannot write {shown(path.name)}: end its name with {' or '.join(known)}, or choose "
            "another output"
        )


def check_apart(outputs: Iterable[Path], inputs: Mapping[str, Path | Iterable[Path]]) -> None:
    """Refuse an output that is an input or another output, whatever its name and links.

    ``inputs`` are the files that are read, by what they are: "the video". A missing one is none.
    """
    read = {
        key: what
        for what, given in inputs.items()
        for path in ([given] if isinstance(given, Path) else given)
        if (key := _identity(path)) is not None
    }
    written: dict[tuple[object, ...], Path] = {}
    for path in outputs:
        key = _identity(path)
        if key is None:
            continue
        if key in read:
            raise UsageError(f"{quoted(path)} is {read[key]} itself; choose another name")
        if key in written:
            both = " and ".join(quoted(p) for p in (written[key], path))
            raise UsageError(f"two outputs have the same name or file: {both}")
        written[key] = path


def _identity(path: Path) -> tuple[object, ...] | None:
    """Return what tells one file from another; None of a device, which takes what comes."""
    try:
        target = real_target(path)
    except (OSError, ValueError):
        return None  # ``check_target`` and the reader say why
    try:
        number = descriptor_of(target)
        facts = os.fstat(number) if number is not None else target.stat()
        return None if stat.S_ISCHR(facts.st_mode) else (facts.st_dev, facts.st_ino)
    except FileNotFoundError:
        pass
    except (OSError, ValueError):
        return None  # ``check_target`` and the reader say why
    name = target.name
    if sys.platform in ("darwin", "win32"):  # where a file has one name, however it is spelt
        name = unicodedata.normalize("NFC", name).casefold()
    return (str(target.parent), name)
