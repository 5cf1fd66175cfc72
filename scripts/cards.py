"""What scripts have in common that make a run of small networks ready to ship: its card."""

import argparse
import csv
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from emsync.errors import EmsyncError

SMOOTH = 25  # steps averaged
WIDTH = 110  # letters of a line

Steps = Sequence[Mapping[str, str]]  # the rows of metrics.csv


def ship_by(ship: Callable[..., None], words: str, **options: Mapping[str, Any]) -> None:
    """Run a script: ``ship`` gets the settings and the folder that are named, and its ``options``.

    ``words`` begin with what the script does.
    """
    parser = argparse.ArgumentParser(description=words.partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    for name, how in options.items():
        parser.add_argument(f"--{name}", **how)
    asked = parser.parse_args()
    try:
        ship(asked.config, asked.out, *(getattr(asked, name) for name in options))
    except (EmsyncError, OSError) as error:
        sys.exit(f"{Path(parser.prog).stem}: {error}")
    for path in sorted(asked.out.iterdir()):
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")


def take(run: Path, settings: Path, out: Path) -> Steps:
    """Copy the settings of a run, and the keys of what it saw, to ``out``; return its steps."""
    shutil.copy(run / "trained.npy", out)
    shutil.copy(settings, out / "train.toml")
    return steps_of(run)


def steps_of(run: Path) -> Steps:
    """Return the steps of a run."""
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def wrapped(lines: Sequence[str]) -> str:
    """Return the text of a card: tables and commands as they are, all else in lines of WIDTH."""
    return "\n".join(
        line if "|" in line or line.startswith(" ") else fill(line, WIDTH) for line in lines
    )


def draw_curve(
    steps: Steps,
    out: Path,
    held: Mapping[str, tuple[str, str]],
    label: str,
    limits: tuple[float, float],
) -> None:
    """Draw the loss of a run; beside it what was ``held`` out, of which 0.5 is chance.

    ``held`` are columns and colours by what they are called; ``label`` and ``limits`` are those of
    their axis.
    """
    at = np.array([int(row["step"]) for row in steps])
    loss = np.array([float(row["loss"]) for row in steps])
    width = min(SMOOTH, len(loss))
    smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    lines = axes.plot(at[width - 1 :], smooth, color="#3b6ea5", label="loss")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.grid(alpha=0.3)
    beside = axes.twinx()
    for name, (column, colour) in held.items():
        found = [(int(row["step"]), float(row[column])) for row in steps if row.get(column)]
        if found:
            lines += beside.plot(*zip(*found, strict=True), "o-", ms=4, color=colour, label=name)
    beside.axhline(0.5, color="#c8485c", lw=1, ls=":")
    beside.set(ylabel=label, ylim=limits)
    axes.legend(lines, [str(line.get_label()) for line in lines], frameon=False, loc="lower left")
    figure.savefig(out, dpi=110)
