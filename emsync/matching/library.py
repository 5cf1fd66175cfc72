"""The tracks of a folder, heard in threads: once, where an index keeps what was heard."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from emsync.errors import InputError, warn
from emsync.limits import quoted
from emsync.locks import locked
from emsync.matching.former import read_former
from emsync.matching.index import (
    Index,
    Track,
    broken,
    check_place,
    file_of,
    folder_of,
    read_index,
    write_index,
)
from emsync.matching.matcher import Columns, Matcher, Shelf
from emsync.matching.rhythm import STAMP
from emsync.progress import Progress, silent
from emsync.sound.decode import read_mono
from emsync.targets import make_folder

SOUNDS = frozenset([
    ".aac", ".aif", ".aiff", ".ape", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp2", ".mp3", ".oga",
    ".ogg", ".opus", ".wav", ".wma", ".wv",
])  # fmt: skip

File = tuple[Path, str, os.stat_result]  # with its name in the library


@dataclass(frozen=True, eq=False)
class Library:
    """The tracks of a folder as a matcher has heard them, and what became of its files."""

    shelf: Shelf  # by name
    skipped: list[tuple[str, str]]  # name and reason of each file that could not be heard
    heard: int  # tracks that were not in the index, or have changed since


def sounds_of(folder: Path) -> list[Path]:
    """Return the files of sound in ``folder``, by name. InputError when there are none."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}; name one that holds music")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file())
    if not files:
        raise InputError(f"{str(folder)!r} holds no music; known are {' '.join(sorted(SOUNDS))}")
    return files


def check_index(matcher: Matcher, index: Path) -> None:
    """Refuse, before a film is watched, an index that is none, or that another process writes."""
    check_place(index, matcher.stamp)
    if folder_of(index).is_dir():
        with locked(folder_of(index), "writing"):
            _kept(matcher, index)
    else:
        _kept(matcher, index)


def listen_to(
    matcher: Matcher, folder: Path, index: Path | None = None, progress: Progress = silent
) -> Library:
    """Return the tracks of ``folder``, heard now unless ``index`` has them unchanged.

    Afterwards ``index`` holds exactly these tracks. InputError when there are none.
    """
    files = sounds_of(folder)
    if index is None:
        return _listen(matcher, folder, files, None, progress)
    check_place(index, matcher.stamp)
    make_folder(folder_of(index))
    with locked(folder_of(index), "writing"):
        return _listen(matcher, folder, files, index, progress)


def _kept(matcher: Matcher, index: Path) -> Index:
    """Return what was heard before; from an index of the first version where there is no other."""
    file = file_of(index, matcher.stamp)
    if matcher.stamp == STAMP and _is_former(index) and not file.exists():
        source, known = index, read_former(index)
    else:
        source, known = file, read_index(file, matcher.stamp)
    if not len(known.shelf):
        return known
    try:
        matcher.verify(known.shelf)
    except (LookupError, ValueError) as error:
        raise broken(source) from error
    return known


def _is_former(index: Path) -> bool:
    """Return whether an index of the first version is named, and is there."""
    return index != folder_of(index) and index.exists()


def _listen(
    matcher: Matcher, folder: Path, files: Sequence[Path], index: Path | None, progress: Progress
) -> Library:
    """Return the tracks of ``folder``; nobody else writes ``index`` meanwhile."""
    known = Index.of([]) if index is None else _kept(matcher, index)
    numbers = {name: number for number, name in enumerate(known.shelf.names)}
    unchanged: list[int] = []
    stale: list[File] = []
    for path in files:
        name, facts = path.relative_to(folder).as_posix(), path.stat()
        number = numbers.get(name)
        if number is not None and (known.sizes[number], known.changed[number]) == (
            facts.st_size,
            facts.st_mtime_ns,
        ):
            unchanged.append(number)
        else:
            stale.append((path, name, facts))
    skipped: list[tuple[str, str]] = []
    fresh: list[Track] = []
    for (_, name, facts), heard in _hear(matcher, stale, progress):
        if isinstance(heard, InputError):
            skipped.append((name, str(heard)))
        else:
            fresh.append(Track(name, facts.st_size, facts.st_mtime_ns, *heard))
    if not unchanged and not fresh:
        raise InputError(f"no file of {str(folder)!r} can be heard: {skipped[0][1]}")
    tracks = [*map(known.track, unchanged), *fresh]
    if index is None:
        known = Index.of(sorted(tracks, key=lambda track: track.name))
    else:
        file = file_of(index, matcher.stamp)
        if fresh or len(unchanged) < len(numbers) or not file.exists():
            if _is_former(index) and not file.exists():
                warn(f"what {quoted(index)} has is kept in the folder {quoted(file.parent)} now")
            write_index(file, matcher.stamp, tracks)
            known = read_index(file, matcher.stamp)
    return Library(known.shelf, sorted(skipped), len(fresh))


def _hear(
    matcher: Matcher, stale: Sequence[File], progress: Progress
) -> Iterator[tuple[File, tuple[float, Columns] | InputError]]:
    """Yield each file with its seconds and columns, or with why it has none; on all processors."""
    if not stale:
        return

    def heard(path: Path) -> tuple[float, Columns]:
        samples = read_mono(path, matcher.rate)
        return len(samples) / matcher.rate, matcher.hear(samples)

    progress("Listening", 0.0)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        jobs = {pool.submit(heard, item[0]): item for item in stale}
        for done, job in enumerate(as_completed(jobs), 1):
            error = job.exception()
            if error is not None and not isinstance(error, InputError):
                raise error
            yield jobs[job], job.result() if error is None else error
            progress("Listening", done / len(stale))
    finally:
        pool.shutdown(cancel_futures=True)
