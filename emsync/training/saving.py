"""A save of a run that is there whole or not at all, wherever a kill falls."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from emsync.errors import EmsyncError


@contextmanager
def saved_whole(out: Path) -> Iterator[Path]:
    """Yield a folder to write a save into; at the end of the block its files are those of ``out``.

    EmsyncError where it cannot be written: what was saved before then stays.
    """
    saving = out / "saving"
    try:
        shutil.rmtree(saving, ignore_errors=True)
        saving.mkdir(parents=True)
        yield saving
        saving.replace(out / "saved")  # from here on it counts, wherever a kill falls
        settle(out)
    except (OSError, SafetensorError, EmsyncError) as error:
        shutil.rmtree(saving, ignore_errors=True)  # room for others on a full disk
        raise EmsyncError(f"cannot save to {str(out)!r}: {error}; {kept(out)}") from error


def kept(out: Path) -> str:
    """Return in words what of a run is safe."""
    return "the last save is good" if has_run(out) else "nothing of the run is saved yet"


def has_run(out: Path) -> bool:
    """Return whether ``out`` holds a run that can go on."""
    settle(out)
    return (out / "train.json").is_file()


def settle(out: Path) -> None:
    """Move a complete save to its place; a kill may have left that half done."""
    if (out / "saved").is_dir():
        for path in (out / "saved").iterdir():
            path.replace(out / path.name)
        (out / "saved").rmdir()
