"""What can go wrong, and the exit code that says so.

EmsyncError            1  something failed while running
├── UsageError         2  an option or a value that cannot be
├── InputError         3  an input that cannot be read or understood
├── AssetError         4  a checkpoint, sound font or plug-in that is missing or broken
└── PartialError       5  some items of a batch failed, the rest is done

A message is one sentence for the person at the keyboard: the value, and the way out.
"""

from typing import ClassVar


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
