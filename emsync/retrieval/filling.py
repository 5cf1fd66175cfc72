"""Fill a store of pairs in several processes, shard by shard; what is there already is kept."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from emsync.errors import EmsyncError, InputError, UsageError
from emsync.limits import quoted, shown
from emsync.locks import locked
from emsync.matching.matcher import Columns
from emsync.processes import processes
from emsync.progress import Progress, Stopwatch, silent
from emsync.retrieval.pairs import (
    SHARD,
    Head,
    Pair,
    Written,
    read_head,
    read_written,
    shards,
    write_head,
    write_rows,
    write_shard,
)
from emsync.targets import make_folder


@dataclass(frozen=True)
class Task:
    """A pair that is to be made."""

    key: str  # tells it from others of the store: of another key it is made anew
    pair: Pair  # as far as it is known
    path: Path  # of the song, or of the clip


@dataclass(frozen=True)
class Made:
    """A pair that is made."""

    pair: Pair
    film: Columns
    music: Columns


AHEAD = 8  # pairs for each process that are made before the one that is waited for
Answer: TypeAlias = tuple[Made | str, dict[str, float]]
Make: TypeAlias = Callable[[Task, Stopwatch], Made]  # runs in a worker; InputError skips the pair


@dataclass(frozen=True)
class Filled:
    """What is in a store now."""

    pairs: int
    made: int  # of them, those that were not there before
    skipped: Sequence[tuple[str, str]]  # name and reason
    seconds: Mapping[str, float] = field(default_factory=dict)  # of the processor, by stage


def fill(
    folder: Path,
    head: Head,
    tasks: Sequence[Task],
    make: Make,
    workers: int | None = None,
    progress: Progress = silent,
) -> Filled:
    """Make the pairs that the store in ``folder`` does not have yet.

    The same pairs have the same bytes, whatever the number of processes, and however often it was
    interrupted.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; choose 1 or more")
    try:
        make_folder(folder)
        with locked(folder, "making the pairs of"):
            _begin(folder, head)
            return _fill(folder, tasks, make, workers or os.cpu_count() or 1, progress)
    except OSError as error:
        raise EmsyncError(
            f"cannot write the store {quoted(folder)}: {error.strerror}; what is written stays "
            "good, run the same command again once there is room"
        ) from error


def _begin(folder: Path, head: Head) -> None:
    """Say how the store is made; refuse a folder that holds something else."""
    if (folder / "store.json").exists():
        if differs := _different(read_head(folder), head):
            raise UsageError(
                f"the store {quoted(folder)} was made in another way: {differs}; name a new "
                "folder, or the options it was made with"
            )
    elif any(path.name not in (".lock", "films") for path in folder.iterdir()):
        raise UsageError(f"{quoted(folder)} holds other files; name a new folder for the pairs")
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
    folder: Path, tasks: Sequence[Task], make: Make, workers: int, progress: Progress
) -> Filled:
    written: dict[int, Written] = {}
    waiting: dict[int, list[Task]] = {}
    for number, places in shards(len(tasks)):
        wanted = [tasks[place] for place in places]
        there = read_written(folder, number)
        if there is not None and _is_of(there, wanted):
            written[number] = there
        else:
            waiting[number] = wanted
    before, watch = sum(len(part.pairs) for part in written.values()), Stopwatch()
    _tell(folder, written)
    progress("Making pairs", len(written) * SHARD / len(tasks))
    todo = [task for wanted in waiting.values() for task in wanted]
    with closing(_answers(make, todo, workers)) as answers:
        for number, asked in waiting.items():
            shown = _counted(answers, number * SHARD, len(tasks), progress)
            written[number] = _write(folder, number, asked, shown, watch)
            _tell(folder, written)
    pairs = sum(len(part.pairs) for part in written.values())
    skipped = [skip for _, part in sorted(written.items()) for skip in part.skipped]
    if not pairs:
        why = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise InputError(f"no pair could be made for {quoted(folder)}{why}")
    return Filled(pairs, pairs - before, skipped, watch.seconds)


def _is_of(there: Written, wanted: Sequence[Task]) -> bool:
    """Return whether a shard has what is wanted, made of the same and named as now.

    What a pair was tagged with when it was made is not known before.
    """
    known = {task.pair.number: task.pair for task in wanted}
    return there.asked == [task.key for task in wanted] and all(
        (now := known.get(pair.number)) and replace(now, tags=now.tags or pair.tags) == pair
        for pair in there.pairs
    )


def _tell(folder: Path, written: Mapping[int, Written]) -> None:
    write_rows(folder, [pair for _, part in sorted(written.items()) for pair in part.pairs])


def _answers(make: Make, tasks: Sequence[Task], workers: int) -> Generator[Answer]:
    """Yield what becomes of each task, in order; one worker is this process itself."""
    if min(workers, len(tasks)) < 2:
        yield from (_answer(make, task) for task in tasks)
        return
    pool, left = processes(min(workers, len(tasks))), iter(tasks)
    try:
        first = islice(left, workers * AHEAD)
        waiting = deque(pool.submit(_answer_alone, make, task) for task in first)
        while waiting:
            yield waiting.popleft().result()
            waiting += [pool.submit(_answer_alone, make, task) for task in islice(left, 1)]
    except BrokenProcessPool as error:
        raise EmsyncError(
            "a process that made pairs has died; what is written stays good, run the same command "
            "again"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _counted(
    answers: Iterator[Answer], first: int, count: int, progress: Progress
) -> Iterator[Answer]:
    """Yield the answers of a shard, and tell how far all is; ``first`` is its first pair."""
    for place, answer in enumerate(answers, first + 1):
        progress("Making pairs", place / count)
        yield answer


def _answer_alone(make: Make, task: Task) -> Answer:
    """Return the answer in a process of its own, on one thread."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    return _answer(make, task)


def _answer(make: Make, task: Task) -> Answer:
    """Return the pair, or why there is none, and the processor's seconds by stage."""
    watch = Stopwatch(time.process_time)
    try:
        return make(task, watch), watch.seconds
    except InputError as error:
        return str(error), watch.seconds


def _write(
    folder: Path,
    number: int,
    tasks: Sequence[Task],
    answers: Iterator[Answer],
    watch: Stopwatch,
) -> Written:
    """Write the shard of the next answers; return its rows."""
    content, columns = Written([task.key for task in tasks], [], []), {}
    for place, task in enumerate(tasks, number * SHARD):
        made, spent = next(answers)
        for stage, seconds in spent.items():
            watch.seconds[stage] = watch.seconds.get(stage, 0.0) + seconds
        if isinstance(made, str):
            content.skipped.append((task.pair.name, made))
        else:
            content.pairs.append(replace(made.pair, number=place))
            columns[place] = (made.film, made.music)
    write_shard(folder, number, content, columns)
    return content
