"""The command line: each subcommand is a thin call of one library function.

Progress and messages go to stderr, results to stdout; with --json stdout has one JSON object.
"""

import atexit
import errno
import gc
import io
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import emsync
from emsync.cli.common import notes, plain_line
from emsync.cli.help import App, answer
from emsync.errors import EmsyncError, UsageError
from emsync.limits import quoted

app = App(
    name="emsync",
    help="Music that follows a video: its mood, its cuts, its last frame.",
    pretty_exceptions_enable=False,
)
pairs_app = App(help="Make pairs of films and music, to learn to match them.")
app.add_typer(pairs_app, name="pairs")
evaluate_app = App(help="Measure a model, its music, or how well music is found.")
app.add_typer(evaluate_app, name="evaluate")

INTERRUPTED = 130
BadCommandLine: Any = typer.BadParameter.__mro__[2]  # click's exception, vendored or not


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code (see ``emsync.errors``)."""
    _occupy_closed_streams()
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        sys.unraisablehook = lambda _: None  # code that cannot raise it need not print it
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants it ignored
        signal.signal(signal.SIGHUP, interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have letters that it cannot encode
            stream.reconfigure(errors="backslashreplace")
    gc.set_threshold(50_000)  # imports make much of which little is garbage, and take a third less
    atexit.register(_leave)
    try:
        with notes():
            code = app(
                args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False
            )
    except EmsyncError as error:
        print(plain_line(f"emsync: {error}"), file=sys.stderr)
        return error.exit_code
    except BadCommandLine as error:
        print(answer(error), file=sys.stderr)
        return UsageError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of stdout has gone; say nothing more
        return 1
    except MemoryError:
        print("emsync: out of memory; try a shorter video or fewer candidates", file=sys.stderr)
        return EmsyncError.exit_code
    except OSError as error:
        print(plain_line(f"emsync: {_in_words(error)}"), file=sys.stderr)
        return EmsyncError.exit_code
    except Exception:
        if not interrupts:
            raise
        code = INTERRUPTED  # it came while Numba compiled, which turns it into another error
    if code == INTERRUPTED:  # typer, too, turns an interrupt into this code
        print("emsync: interrupted; nothing was left half written", file=sys.stderr)
    return int(code or 0)


def _in_words(error: OSError) -> str:
    """Return what the system refused, and where; without a name it is often a temporary file."""
    reason = error.strerror or str(error)
    if error.filename:
        return f"{reason}: {quoted(os.fsdecode(error.filename))}"
    if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None)):
        place = quoted(tempfile.gettempdir())
        return f"{reason}; for temporary files, in {place}, another folder can be named in TMPDIR"
    return reason


def _occupy_closed_streams() -> None:
    """Let no file that is opened get the number of a closed standard stream, and its messages.

    What takes the place can only be used the other way round, so a use still fails.
    """
    if sys.platform == "win32":
        return
    for number, way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # takes the lowest number that is free
    if sys.stderr is None:  # for which print would take the standard output
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _version(requested: bool) -> None:
    if requested:
        print(f"emsync {emsync.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def _leave() -> None:
    """Leave what is left to the end of the process, and look through it for nothing."""
    if "triton" not in sys.modules:  # which tells of all that it finds left
        gc.freeze()
