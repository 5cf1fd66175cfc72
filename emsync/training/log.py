"""The figures of a run, step by step: metrics.csv, and TensorBoard events where it is installed."""

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emsync.training.resume import RunState

COLUMNS = ("step", "tokens", "seconds", "loss", "norm", "rate", "validation")


class Log:
    """Writes the figures of each step, going on after ``step``."""

    def __init__(self, out: Path, step: int) -> None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / "metrics.csv"
        rows: list[dict[str, str]] = []
        if step and path.exists():  # what ran after the last save is run again
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self.file = path.open("w", newline="")
        self.table = csv.DictWriter(self.file, COLUMNS)
        self.table.writeheader()
        self.table.writerows(rows)
        self.board = _board(out / "tensorboard", step)

    def write(self, state: RunState, row: Mapping[str, float]) -> None:
        """Write the figures of one step."""
        self.table.writerow({**asdict(state), **row})
        self.file.flush()
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, state.step)

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        if self.board is not None:
            self.board.close()


def _board(folder: Path, step: int) -> Any:
    """Return what writes TensorBoard events to ``folder``, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
