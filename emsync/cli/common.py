"""What the commands share: their arguments, progress on stderr, results on stdout."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from emsync.errors import UsageError, telling
from emsync.limits import one_line
from emsync.progress import clock
from emsync.targets import STDOUT, descriptor_of, real_target

SILENCE = 10.0  # seconds between two lines of progress where there is no terminal

VideoPath = Annotated[Path, typer.Argument(metavar="VIDEO", help="the video file")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object, and nothing else")]
Checkpoint = Annotated[
    str, typer.Option(help="a shipped checkpoint's name, a folder, or hub:user/name")
]
Lufs = Annotated[
    float, typer.Option(help="how loud the sound is, in LUFS: -16 for the web, -23 for television")
]
SoundFont = Annotated[Path | None, typer.Option(help="an .sf2 or .sf3 file to play with")]


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Yield what shows the share done of each stage: bars on a terminal, a line now and then else.

    What follows a comma in the name of a stage may change, as a loss does.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        with _lines() as show:
            yield show
        return
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(max(6, min(40, console.width - 74))),  # what training tells takes 60
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, share: float) -> None:
            name, stage = stage.partition(",")[0], escape(stage)
            if name not in tasks:
                tasks[name] = bars.add_task(stage, total=1.0)
            bars.update(tasks[name], description=stage, completed=min(1.0, max(0.0, share)))

        yield show


@contextmanager
def _lines() -> Iterator[Callable[[str, float], None]]:
    """Yield what notes how far work is; every SILENCE seconds a line on stderr tells it.

    A thread of its own prints, since work may be long between two notes.
    """
    begun, now, done = time.monotonic(), ("Starting", 0.0), threading.Event()

    def show(stage: str, share: float) -> None:
        nonlocal now
        now = (stage, share)

    def tell() -> None:
        while not done.wait(SILENCE):
            (stage, share), passed = now, int(time.monotonic() - begun)
            said = f"emsync: {stage}, {min(1.0, max(0.0, share)):.0%} after {clock(passed)}"
            print(said, file=sys.stderr, flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield show
    finally:
        done.set()
        teller.join()


_notes: list[str] = []  # the warnings of this command, in order
_is_taken = False  # whether a file of this command goes to the standard output


@contextmanager
def notes() -> Iterator[None]:
    """Print each EmsyncWarning once, as a line on stderr; ``print_report`` adds them to JSON."""
    global _is_taken
    _is_taken = False
    _notes.clear()

    def tell(text: str) -> None:
        if text not in _notes:
            _notes.append(text)
            print(f"emsync: note: {plain_line(text)}", file=sys.stderr, flush=True)

    with telling(tell):
        yield


def plain_line(text: str) -> str:
    """Return ``text`` as one line without what a terminal obeys; names of files may have it."""
    return one_line(text, len(text))


def standard_output(
    as_json: bool, *targets: Path | None, folders: Sequence[Path | None] = ()
) -> tuple[Path | None, ...]:
    """Return ``targets`` with ``-`` as the standard output, which then has nothing else on it.

    Of ``folders``, none can be ``-``.
    """
    if Path("-") in folders:
        raise UsageError("a folder cannot go to the standard output; name a folder")
    named = tuple(STDOUT if path == Path("-") else path for path in targets)
    global _is_taken
    _is_taken = any(path is not None and _leads_to_stdout(path) for path in named)
    if _is_taken and as_json:
        raise UsageError("the standard output is taken by a file; leave out --json, or name a file")
    return named


def _leads_to_stdout(path: Path) -> bool:
    try:
        return descriptor_of(real_target(path)) == 1
    except (OSError, ValueError):  # no such target: who writes it says so
        return False


def print_report(report: dict[str, Any], as_json: bool, words: str) -> None:
    """Print the report as JSON, with the notes if there are any, or the words for a person."""
    if as_json:
        report = {**report, "notes": _notes} if _notes else report
        print(json.dumps(report, allow_nan=False))
    else:
        text = "\n".join(map(plain_line, words.split("\n")))
        print(text, file=sys.stderr if _is_taken else sys.stdout)


def exit_code(skipped: Sequence[dict[str, Any]]) -> int:
    """Tell what could not be read; return the exit code."""
    from emsync.errors import PartialError

    for item in skipped:
        print(plain_line(f"emsync: skipped {item['path']}: {item['reason']}"), file=sys.stderr)
    return PartialError.exit_code if skipped else 0
