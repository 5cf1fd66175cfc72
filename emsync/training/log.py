"""The figures of a run, step by step: metrics.csv, and TensorBoard events where it is installed."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from emsync.errors import InputError
from emsync.limits import one_line, read_text

MOST_BYTES = 2**30  # of the table: ten million steps


class Log:
    """Writes the ``columns`` of each step, going on after ``step``."""

    def __init__(self, out: Path, step: int, columns: Sequence[str]) -> None:
        path = out / "metrics.csv"
        rows: list[dict[str, str]] = []
        if step and path.exists():  # what ran after the last save is run again
            rows = _rows(path, step, columns)
        self.file = path.open("w", newline="")
        self.table = csv.DictWriter(self.file, columns, extrasaction="ignore")
        self.table.writeheader()
        self.table.writerows(rows)
        self.board = _board(out / "tensorboard", step)

    def write(self, state: Mapping[str, Any], row: Mapping[str, float]) -> None:
        """Write how far the run has come, ``state`` with its "step", and the figures of it."""
        self.table.writerow({**state, **row})
        self.file.flush()
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, state["step"])

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        if self.board is not None:
            self.board.close()


def _rows(path: Path, step: int, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of metrics.csv up to ``step``."""
    try:
        table = csv.DictReader(StringIO(read_text(path, MOST_BYTES)), columns, restval="")
        next(table, None)  # the names of the columns
        return [{key: row[key] for key in columns} for row in table if int(row["step"]) <= step]
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{str(path)!r} is damaged: {one_line(str(error))}; delete it to go on without"
        ) from error


def _board(folder: Path, step: int) -> Any:
    """Return what writes TensorBoard events to ``folder``, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
