"""Draw the curve of a training run: python scripts/curve.py RUN/metrics.csv OUT.png"""

import csv
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

SMOOTH = 50  # steps averaged


def main(metrics: str, out: str) -> None:
    with Path(metrics).open(newline="") as file:
        rows = list(csv.DictReader(file))
    millions = np.array([float(row["tokens"]) for row in rows]) / 1e6
    loss = np.array([float(row["loss"]) for row in rows])
    rate = np.array([float(row["rate"]) for row in rows])
    held = [
        (m, float(r["validation"])) for m, r in zip(millions, rows, strict=True) if r["validation"]
    ]
    smooth = np.convolve(loss, np.ones(SMOOTH) / SMOOTH, mode="valid")

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(millions[SMOOTH - 1 :], smooth, color="#3b6ea5", label="training, weighted")
    axes.plot(*zip(*held, strict=True), "o-", color="#c8485c", label="held out, no conditions")
    highest = max(smooth.max(), *(nats for _, nats in held)) + 0.02
    axes.set(xlabel="million tokens", ylabel="nats a token", ylim=(None, min(5.0, highest)))
    axes.grid(alpha=0.3)
    schedule = axes.twinx()
    schedule.fill_between(millions, rate, color="#888888", alpha=0.12, lw=0)
    schedule.set(ylim=(0, 3), yticks=[0, 1], ylabel="learning rate")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    schedule.spines[["top"]].set_visible(False)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
