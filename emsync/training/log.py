"""The figures of a run, step by step: metrics.csv, and TensorBoard events where it is installed."""

import csv
from collections.abc import Mapping
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from emsync.errors import InputError
from emsync.limits import one_line, read_text
from emsync.training.resume import RunState

COLUMNS = ("step", "tokens", "seconds", "loss", "norm", "rate", "validation")
MOST_BYTES = 2**30  # of the table: ten million steps


class Log:
    """Writes the figures of each step, going on after ``step``."""

    def __init__(self, out: Path, step: int) -> None:
        path = out / "metrics.csv"
        rows: list[dict[str, str]] = []
        if step and path.exists():  # what ran after the last save is run again
            rows = _rows(path, step)
        self.file = path.open("w", newline="")
        self.table = csv.DictWriter(self.file, COLUMNS)
        self.table.writeheader()
        self.table.writerows(rows)
        self.board = _board(out / "tensorboard", step)

    def write(self, state: RunState, row: Mapping[str, float]) -> None:
        """Write the figures of one step."""
        known = {**asdict(state), **row}
        self.table.writerow({name: known[name] for name in COLUMNS if name in known})
        self.file.flush()
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, state.step)

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        if self.board is not None:
            self.board.close()


def _rows(path: Path, step: int) -> list[dict[str, str]]:
    """Return the rows of metrics.csv up to ``step``."""
    try:
        table = csv.DictReader(StringIO(read_text(path, MOST_BYTES)), COLUMNS, restval="")
        next(table, None)  # the names of the columns
        return [{key: row[key] for key in COLUMNS} for row in table if int(row["step"]) <= step]
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
