"""What the estimator ``pictures`` goes by, against the judged shots of the fitting half.

    python scripts/fit_pictures.py FOLDER... [--judged docs/judgement.csv]

prints the numbers of ``emsync/emotion/pictures.py``; Spearman's rho of each cue; and for each cue
and each pair of them what is left when every film in turn is left out of the fit: rho, the share of
right signs and the root of the mean squared error. Each clip weighs the same. (A cue that knows
nothing has a rho far below 0 there: leaving a calm film out makes the rest more excited.)
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from emotions import Judged, read  # the script beside this one
from scipy.stats import rankdata

from emsync.arrays import Float64s
from emsync.emotion.pictures import LEAST, Measures, means, measure
from emsync.emotion.things import STILLS, look
from emsync.encoders import lite0
from emsync.video.film import open_film
from emsync.video.footage import Needs
from emsync.video.watch import watch

SATURATION = 0.22  # of an SD of valence for one of saturation, by Valdez & Mehrabian 1994
COMPONENTS, RIDGE = 8, 0.3  # of what the 1280 features alone may say


@dataclass(frozen=True, eq=False)
class Rows:
    """The judged shots; R rows."""

    films: Float64s  # (R,) numbers of the films
    weights: Float64s  # (R,) summing to 1, each clip the same
    truth: Mapping[str, Float64s]  # valence and arousal, (R,) each
    cues: Mapping[str, Float64s]  # (R,) each
    things: Float64s  # (R, 2) valence and arousal of the things that are seen
    features: Float64s  # (R, 1280)


def gathered(judged: Sequence[Judged], folders: Sequence[Path]) -> Rows:
    """Watch the clips of the judged shots."""
    found = {path.name: path for folder in folders for path in folder.iterdir()}
    columns: list[Measures] = []
    things, features = [], []
    for file, shots in itertools.groupby(judged, key=lambda shot: shot.file):
        footage = watch(open_film(found[file]), needs=Needs(STILLS))
        spans = [shot.span for shot in shots]
        columns.append(measure(footage, spans))
        looks = look(footage)
        things.append(np.stack([means(looks.times, axis, spans) for axis in looks.feeling.T], 1))
        seen = lite0.features([still.pixels for still in footage.stills]).astype(np.float64)
        at = np.array([still.time for still in footage.stills])
        features.append(np.stack([means(at, channel, spans) for channel in seen.T], axis=1))

    def column(name: str) -> Float64s:
        return np.concatenate([getattr(measures, name) for measures in columns])

    files = [shot.file for shot in judged]
    weights = np.array([1 / files.count(file) for file in files])
    names = sorted({shot.film for shot in judged})
    return Rows(
        np.array([names.index(shot.film) for shot in judged], np.float64),
        weights / weights.sum(),
        {axis: np.array([s.point[axis] for s in judged]) for axis in ("valence", "arousal")},
        {
            "light": column("brightness"),
            "saturation": column("saturation"),
            "motion": np.log10(column("motion") + LEAST),
            "change": np.log10(column("change") + LEAST),
        },
        np.concatenate(things),
        np.concatenate(features),
    )


def rank_correlation(one: Float64s, other: Float64s, weights: Float64s) -> float:
    """Return Spearman's rho, weighted; NaN where one of them is everywhere the same."""
    spreads = np.cov(rankdata(one), rankdata(other), aweights=weights)
    ordered = spreads[0, 0] * spreads[1, 1]
    return float(spreads[0, 1] / np.sqrt(ordered)) if ordered > 0 else np.nan


def spread(values: Float64s, weights: Float64s) -> tuple[float, float]:
    """Return the weighted mean and standard deviation."""
    mean = float(np.average(values, weights=weights))
    return mean, float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))


def fitted(
    x: Float64s, y: Float64s, weights: Float64s, gain: float | None = None
) -> tuple[float, float]:
    """Return the line through weighted points: its middle and its gain, if that is not given."""
    (mx, sx), (my, _) = spread(x, weights), spread(y, weights)
    if gain is None:
        gain = float(np.average((x - mx) * (y - my), weights=weights)) / sx**2 if sx > 0 else 0.0
    return my - gain * mx, gain


def left_out(
    rows: Rows, axis: str, x: Float64s, things: Float64s | float = 0.0, gain: float | None = None
) -> Float64s:
    """Return the estimate of each shot by what was fitted to the other films."""
    truth, told = rows.truth[axis], np.zeros(len(x))
    for film in np.unique(rows.films):
        out = rows.films == film
        middle, slope = fitted(x[~out], (truth - things)[~out], rows.weights[~out], gain)
        told[out] = (middle + slope * x + things)[out]
    return np.clip(told, -1, 1)


def by_features(rows: Rows, axis: str) -> Float64s:
    """Return the estimate of each shot by a ridge regression on the other films' features."""
    truth, told = rows.truth[axis], np.zeros(len(rows.films))
    for film in np.unique(rows.films):
        out = rows.films == film
        seen, weights = rows.features[~out], rows.weights[~out]
        middle, level = seen.mean(axis=0), np.average(truth[~out], weights=weights)
        _, spread, axes = np.linalg.svd(seen - middle, full_matrices=False)
        whiten = (axes[:COMPONENTS] / spread[:COMPONENTS, None]).T * np.sqrt(len(seen))
        x = (seen - middle) @ whiten
        square = x.T @ (weights[:, None] * x) + RIDGE * np.eye(COMPONENTS)
        gains = np.linalg.solve(square, x.T @ (weights * (truth[~out] - level)))
        told[out] = level + (rows.features[out] - middle) @ whiten @ gains
    return np.clip(told, -1, 1)


def quality(told: Float64s, truth: Float64s, weights: Float64s) -> str:
    """Return Spearman's rho, the share of right signs and the error, weighted, as cells."""
    rho = rank_correlation(told, truth, weights)
    off = weights * (truth != 0)
    sign = float(off @ (np.sign(told.round(3)) == np.sign(truth))) / off.sum()
    return f"{rho:+.2f} | {sign:.2f} | {np.sqrt(weights @ (told - truth) ** 2):.2f}"


def main(folders: Sequence[Path], judged: Path) -> None:
    rows = gathered(read(judged, "fitting"), folders)
    z = {}
    for name, values in rows.cues.items():
        mean, sd = spread(values, rows.weights)
        z[name] = (values - mean) / sd
        print(f"{name}: mean {mean:.2f}, SD {sd:.2f}")
    movement = (z["motion"] + z["change"]) / 2
    things = dict(zip(rows.truth, rows.things.T, strict=True))
    pleasing = SATURATION * spread(rows.truth["valence"], rows.weights)[1]
    for axis, x, gain in (("valence", z["saturation"], pleasing), ("arousal", movement, None)):
        truth = rows.truth[axis]
        middle, slope = fitted(x, truth - things[axis], rows.weights, gain)
        told = left_out(rows, axis, x, things[axis], gain)
        stretch = spread(truth, rows.weights)[1] / spread(told, rows.weights)[1]
        told = np.clip(spread(told, rows.weights)[0] * (1 - stretch) + stretch * told, -1, 1)
        middle = middle * stretch + (1 - stretch) * spread(truth, rows.weights)[0]
        error = np.sqrt(rows.weights @ (told - truth) ** 2)
        alone = {**z, "movement": movement, "things": things[axis]}
        rho = {name: rank_correlation(x, truth, rows.weights) for name, x in alone.items()}
        print(f"\n{axis}: rho of " + ", ".join(f"{name} {r:+.2f}" for name, r in rho.items()))
        print(f"{axis}: middle {middle:.3f}, gain {slope * stretch:.3f}, of things {stretch:.3f}, "
              f"error {error:.3f}")  # fmt: skip
        print("\n| cue | rho | signs | error |\n|---|---|---|---|")
        none = np.zeros(len(x))
        table = {
            "nothing": left_out(rows, axis, none),
            "things": left_out(rows, axis, none, things[axis]),
        }
        table |= {name: left_out(rows, axis, values) for name, values in z.items()}
        for name, values in z.items():
            table[f"{name}, things"] = left_out(rows, axis, values, things[axis])
        for one, two in itertools.combinations(z, 2):
            table[f"{one}, {two}"] = left_out(rows, axis, (z[one] + z[two]) / 2)
        table |= {"features": by_features(rows, axis), "as it is": told}
        for name, values in table.items():
            print(f"| {name} | {quality(values, truth, rows.weights)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--judged", type=Path, default=Path("docs/judgement.csv"))
    given = parser.parse_args()
    main(given.folders, given.judged)
