"""What can go wrong, and the exit code that says so.

EmsyncError            1  something failed while running
├── UsageError         2  an option or a value that cannot be
├── InputError         3  an input that cannot be read or understood
├── AssetError         4  a checkpoint, sound font or plug-in that is missing or broken
└── PartialError       5  some items of a batch failed, the rest is done

A message is one sentence for the person at the keyboard: the value, and the way out.
What goes well, but not as a person may think, is an ``EmsyncWarning``.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar, TextIO


class EmsyncError(Exception):
    """Something failed while running."""

    exit_code: ClassVar[int] = 1


class UsageError(EmsyncError, ValueError):
    """An option, or a value of one, that cannot be."""

    exit_code = 2


class InputError(EmsyncError):
    """An input that cannot be read or understood."""

    exit_code = 3


class AssetError(EmsyncError):
    """A checkpoint, sound font or plug-in that is missing or broken."""

    exit_code = 4


class PartialError(EmsyncError):
    """Some items of a batch failed; the rest is done."""

    exit_code = 5


class EmsyncWarning(UserWarning):
    """Something is done in another way than a person may think, such as a repaired film."""


def warn(message: str) -> None:
    """Tell of what was repaired, guessed or left out, in one sentence.

    In Python it is a warning; the command line prints it to stderr and adds it to ``--json``.
    """
    if (told := _told.get()) is not None:
        told.append(message)
    else:
        warnings.warn(message, EmsyncWarning, stacklevel=3)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Yield a list of what is told in the block, in place of warnings; each thread has its own.

    >>> with noted() as told:
    ...     warn("the film's sound is silent")
    >>> told
    ["the film's sound is silent"]
    """
    told: list[str] = []
    before = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(before)


@contextmanager
def telling(tell: Callable[[str], None]) -> Iterator[None]:
    """Let ``tell`` have each sentence that is told in the block, as it is told, of all threads.

    Other warnings are shown as they were before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", EmsyncWarning)
        others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, EmsyncWarning):
                tell(str(message))
            else:
                others(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


_told: ContextVar[list[str] | None] = ContextVar("told", default=None)
