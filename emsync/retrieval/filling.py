"""Fill a store in several processes, shard by shard; what is there already is kept."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, TypeAlias

from emsync.errors import EmsyncError, InputError, UsageError
from emsync.limits import quoted, shown
from emsync.locks import locked
from emsync.matching.matcher import Columns
from emsync.processes import Died, cores, in_order
from emsync.progress import Progress, Stopwatch, silent
from emsync.retrieval.stores import Head, Kind, R, Written, write_head
from emsync.targets import make_folder


@dataclass(frozen=True)
class Task(Generic[R]):
    """One thing that is to be made."""

    key: str  # tells it from others of the store: of another key it is made anew
    row: R  # as far as it is known
    path: Path  # of the song, or of the clip


@dataclass(frozen=True)
class Made(Generic[R]):
    """One thing that is made."""

    row: R
    arrays: Columns


AHEAD = 8  # for each process, that are made before the one that is waited for
Answer: TypeAlias = tuple[Made[R] | str, dict[str, float]]
Make: TypeAlias = Callable[[Task[R], Stopwatch], Made[R]]  # in a worker; InputError skips it


@dataclass(frozen=True)
class Filled:
    """What is in a store now."""

    count: int
    made: int  # of them, those that were not there before
    skipped: Sequence[tuple[str, str]]  # name and reason
    seconds: Mapping[str, float] = field(default_factory=dict)  # of the processor, by stage


def fill(
    kind: Kind[R],
    folder: Path,
    head: Head,
    tasks: Sequence[Task[R]],
    make: Make[R],
    workers: int | None = None,
    progress: Progress = silent,
) -> Filled:
    """Make what of ``tasks`` the store in ``folder`` does not have yet.

    The same things have the same bytes, whatever the number of processes, and however often it was
    interrupted.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; choose 1 or more")
    try:
        make_folder(folder)
        with locked(folder, f"making the {kind.name} of"):
            _begin(kind, folder, head)
            return _fill(kind, folder, tasks, make, workers or cores(), progress)
    except OSError as error:
        raise EmsyncError(
            f"cannot write the store {quoted(folder)}: {error.strerror}; what is written stays "
            "good, run the same command again once there is room"
        ) from error


def _begin(kind: Kind[R], folder: Path, head: Head) -> None:
    """Say how the store is made; refuse a folder that holds something else."""
    if (folder / "store.json").exists():
        if differs := _different(kind.read_head(folder), head):
            raise UsageError(
                f"the store {quoted(folder)} was made in another way: {differs}; name a new "
                "folder, or the options it was made with"
            )
    elif any(path.name not in (".lock", "films") for path in folder.iterdir()):
        raise UsageError(
            f"{quoted(folder)} holds other files; name a new folder for the {kind.name}"
        )
    write_head(folder, head)
    make_folder(folder / "shards")


def _different(old: Head, new: Head) -> str:
    """Return what of two ways to make a store differs, in a few words; nothing if they are one."""
    were, are = ({"seconds": head.seconds, **head.made} for head in (old, new))
    words = [
        f"{name} was {shown(were.get(name))}, not {shown(are.get(name))}"
        for name in dict.fromkeys([*were, *are])
        if were.get(name) != are.get(name)
    ]
    if (old.film, old.music) != (new.film, new.music):
        words.append("it has other columns, or other versions of them")
    return ", ".join(words)


def _fill(
    kind: Kind[R],
    folder: Path,
    tasks: Sequence[Task[R]],
    make: Make[R],
    workers: int,
    progress: Progress,
) -> Filled:
    written: dict[int, Written[R]] = {}
    waiting: dict[int, list[Task[R]]] = {}
    for number, places in kind.shards(len(tasks)):
        wanted = [tasks[place] for place in places]
        there = kind.read_written(folder, number)
        if there is not None and _is_of(there, wanted):
            written[number] = there
        else:
            waiting[number] = wanted
    before, watch = sum(len(part.rows) for part in written.values()), Stopwatch()
    stage, count = f"Making {kind.name}", len(tasks)
    _tell(kind, folder, written)
    progress(stage, len(written) * kind.shard / count)
    todo = [task for wanted in waiting.values() for task in wanted]
    with closing(_answers(make, todo, workers, kind.name)) as answers:
        for number, asked in waiting.items():
            first = number * kind.shard
            shown = _counted(answers, first, lambda place: progress(stage, place / count))
            content, arrays = _taken(first, asked, shown, watch)
            kind.write_shard(folder, number, content, arrays)
            written[number] = content
            _tell(kind, folder, written)
    made = sum(len(part.rows) for part in written.values())
    skipped = [skip for _, part in sorted(written.items()) for skip in part.skipped]
    if not made:
        why = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise InputError(f"no {kind.one} could be made for {quoted(folder)}{why}")
    return Filled(made, made - before, skipped, watch.seconds)


def _is_of(there: Written[R], wanted: Sequence[Task[R]]) -> bool:
    """Return whether a shard has what is wanted, made of the same and named as now."""
    known = {task.row.number: task.row for task in wanted}
    return there.asked == [task.key for task in wanted] and all(
        (now := known.get(row.number)) is not None and now.becomes(row) for row in there.rows
    )


def _tell(kind: Kind[R], folder: Path, written: Mapping[int, Written[R]]) -> None:
    kind.write_rows(folder, [row for _, part in sorted(written.items()) for row in part.rows])


def _answers(
    make: Make[R], tasks: Sequence[Task[R]], workers: int, name: str
) -> Generator[Answer[R]]:
    """Yield what becomes of each task, in order; one worker is this process itself."""
    if min(workers, len(tasks)) < 2:
        yield from (_answer(make, task) for task in tasks)
        return
    alone = partial(_answer_alone, make)
    with closing(in_order(alone, tasks, workers, workers * AHEAD)) as answers:
        for answer in answers:
            if isinstance(answer, Died):
                raise EmsyncError(
                    f"process after process that made {name} has died; what is written stays "
                    "good, run the same command again with fewer --workers"
                )
            yield answer


def _counted(
    answers: Iterator[Answer[R]], first: int, told: Callable[[int], None]
) -> Iterator[Answer[R]]:
    """Yield the answers of a shard, the first in place ``first``, and tell how many are done."""
    for place, answer in enumerate(answers, first + 1):
        told(place)
        yield answer


def _answer_alone(make: Make[R], task: Task[R]) -> Answer[R]:
    """Return the answer in a process of its own, on one thread."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    return _answer(make, task)


def _answer(make: Make[R], task: Task[R]) -> Answer[R]:
    """Return what is made, or why nothing is, and the processor's seconds by stage."""
    watch = Stopwatch(time.process_time)
    try:
        return make(task, watch), watch.seconds
    except InputError as error:
        return str(error), watch.seconds


def _taken(
    first: int, tasks: Sequence[Task[R]], answers: Iterator[Answer[R]], watch: Stopwatch
) -> tuple[Written[R], dict[int, Columns]]:
    """Return the rows of the next answers, numbered from ``first`` on, and the arrays of each."""
    content: Written[R] = Written([task.key for task in tasks], [], [])
    arrays: dict[int, Columns] = {}
    for task, (made, spent) in zip(tasks, answers, strict=False):
        for stage, seconds in spent.items():
            watch.seconds[stage] = watch.seconds.get(stage, 0.0) + seconds
        if isinstance(made, str):
            content.skipped.append((task.row.name, made))
        else:
            content.rows.append(made.row)
            arrays[made.row.number] = made.arrays
    return content, arrays
