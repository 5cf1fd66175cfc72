"""A store of real clips, each with its own sound, measured as drawn films are.

Whole clips are watched and heard. All are held out: nobody trains on what others have filmed.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from emsync.arrays import Float32s
from emsync.errors import InputError, UsageError
from emsync.limits import quoted, read_text, shown
from emsync.progress import Progress, Stopwatch, silent
from emsync.retrieval import heard
from emsync.retrieval.filling import Filled, Made, Task, fill
from emsync.retrieval.measured import Measured
from emsync.retrieval.pairs import PAIRS, Pair, sides
from emsync.sound.decode import own_sound
from emsync.video.film import FORMATS, open_film
from emsync.video.watch import watch

SUFFIXES = (*FORMATS, ".m4v", ".avi", ".mpg", ".mpeg", ".ogv")


def prepare(
    folder: Path,
    clips: Sequence[Path],
    tags: str | None = None,
    columns: Measured = Measured(),  # noqa: B008
    workers: int | None = None,
    progress: Progress = silent,
) -> Filled:
    """Watch and hear clips into the store ``folder``; go on where a killed run stopped.

    ``tags`` is ``csv:FILE``, with the columns clip (a file's name, after as many of its folders as
    tell it from others), tags (words with spaces between) and, if one likes, source; without, the
    source is the folder that a clip lies in.
    """
    found = films_in(clips)
    told = _read_tags(tags) if tags else {}
    rows = [next((told[name] for name in _names(path) if name in told), None) for path in found]
    if told and not any(rows):
        raise InputError(
            f"{shown(tags)} names none of the clips; its first is {next(iter(told))!r}"
        )
    tasks = []
    for number, (path, row) in enumerate(zip(found, rows, strict=True)):
        facts = path.stat()
        words, source = row or ((), "")
        source = source or path.absolute().parent.name
        pair = Pair(number, path.name, path.as_posix(), source, 0, "held", "", "", words, source)
        tasks.append(Task(f"{path.absolute()} {facts.st_size} {facts.st_mtime_ns}", pair, path))
    head = columns.head(0.0, {"by": "prepare"})
    return fill(PAIRS, folder, head, tasks, partial(make_real, columns), workers, progress)


def make_real(columns: Measured, task: Task[Pair], stopwatch: Stopwatch) -> Made[Pair]:
    """Return the pair of a clip and its own sound."""
    film = open_film(task.path)
    if not film.has_audio:
        raise InputError(f"{quoted(task.path)} has no sound")
    with stopwatch("watching"):
        observers = columns.observers()
        footage = watch(film, observers=observers, needs=columns.needs)
        pictures = columns.see(footage, observers)
    with stopwatch("hearing"):
        music = columns.hear(_sound(task.path, footage.film.duration))
    return Made(task.row, sides(pictures, music))


def _sound(path: Path, seconds: float) -> Float32s:
    """Return the (N,) samples under the pictures of a clip; InputError where it is silent."""
    mono = own_sound(path, heard.RATE).samples.mean(axis=1)
    length = round(seconds * heard.RATE)
    if not np.abs(mono[:length]).max(initial=0.0):
        raise InputError(f"the sound of {quoted(path)} is silent")
    return np.pad(mono[:length], (0, max(0, length - len(mono)))).astype(np.float32)


def films_in(clips: Sequence[Path]) -> list[Path]:
    """Return the films among files and folders, in order; InputError where there are none."""
    found: dict[Path, None] = {}
    for clip in clips:
        if not clip.exists():
            raise InputError(f"there is no file {quoted(clip)}")
        inside = sorted(clip.rglob("*")) if clip.is_dir() else [clip]
        found |= dict.fromkeys(
            path for path in inside if path == clip or path.suffix.lower() in SUFFIXES
        )
    if not found:
        raise InputError(f"there are no films in {quoted(clips[0])}")
    return list(found)


def _names(path: Path) -> Iterator[str]:
    """Yield what a table may call a clip: its whole path, and less and less of its folders."""
    for first in range(len(path.parts)):
        yield Path(*path.parts[first:]).as_posix()


def _read_tags(tags: str) -> Mapping[str, tuple[tuple[str, ...], str]]:
    """Return tags and source by the name of a clip."""
    kind, _, name = tags.partition(":")
    if kind != "csv" or not name:
        raise UsageError(f"tags come from {shown(tags)}; give csv:FILE")
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(Path(name)), newline=""), restval=""))
        if not rows:
            raise KeyError("it has no rows")
        return {
            Path(row["clip"]).as_posix(): (tuple(row["tags"].split()), row.get("source") or "")
            for row in rows
        }
    except (csv.Error, KeyError, AttributeError) as error:
        raise InputError(
            f"{quoted(name)} is no table of clip and tags: {shown(str(error))}"
        ) from error
