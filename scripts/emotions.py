"""How the film's feeling agrees with two judges, shot by shot: each cue, each pair, all of them.

    python scripts/emotions.py FOLDER... [--half "held out"] [--judged docs/judgement.csv]

prints tables in Markdown of the judged films that are in the folders. Intervals are of 95 %, by a
bootstrap over films.
"""

import argparse
import csv
import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy.stats import rankdata

from emsync.arrays import Float64s
from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Span, choose, together
from emsync.emotion.plane import NEUTRAL, mixture_mean, named
from emsync.options import ESTIMATOR
from emsync.video.film import open_film
from emsync.video.watch import watch

RESAMPLES = 2000
JUDGES = (1, 2)
AXES = ("valence", "arousal")


@dataclass(frozen=True)
class Judged:
    """A shot as two judges saw it, each without the other."""

    file: str
    film: str  # several files may be of one film
    span: Span
    point: Mapping[str, float]  # mean of the judges on each axis
    each: Mapping[str, tuple[float, float]]  # what each of them said
    names: tuple[str, str]
    seen: str

    @property
    def name(self) -> str:
        """What both of them call it, or nothing."""
        return self.names[0] if self.names[0] == self.names[1] else ""


@dataclass(frozen=True, eq=False)
class Shots:
    """Judged shots beside what was believed of them; rows are shots."""

    judged: Sequence[Judged]
    felt: Sequence[Belief]

    def axis(self, name: str) -> tuple[Float64s, Float64s]:
        """Return what was felt and what was judged."""
        felt = np.array([getattr(belief, name) for belief in self.felt])
        return felt, np.array([shot.point[name] for shot in self.judged])

    def drawn(self, rows: Sequence[int]) -> "Shots":
        """Return some of the shots, some of them several times."""
        return Shots([self.judged[i] for i in rows], [self.felt[i] for i in rows])

    def by_clip(self) -> "Shots":
        """Return one row a file: the mean of its shots, each second weighing the same."""
        files = list(dict.fromkeys(shot.file for shot in self.judged))
        return Shots(*zip(*(self._clip(file) for file in files), strict=True))

    def _clip(self, file: str) -> tuple[Judged, Belief]:
        rows = [i for i, shot in enumerate(self.judged) if shot.file == file]
        spans = [self.judged[i].span for i in rows]
        weights = np.array([end - start for start, end in spans])
        weights /= weights.sum()
        judged, felt = (
            {axis: float(self.axis(axis)[k][rows] @ weights) for axis in AXES} for k in (1, 0)
        )
        names = {self.judged[i].name for i in rows}
        name = names.pop() if len(names) == 1 else ""
        first = self.judged[rows[0]]
        whole = Judged(file, first.film, (spans[0][0], spans[-1][1]), judged, {},
                       (name, name), first.seen)  # fmt: skip
        return whole, Belief(felt["valence"], felt["arousal"])


def read(path: Path, half: str) -> list[Judged]:
    """Read the judged shots of a half, or of both."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if half in ("both", row["half"])]
    judged = []
    for row in rows:
        first, second = ({axis: float(row[f"{axis}_{j}"]) for axis in AXES} for j in JUDGES)
        judged.append(
            Judged(
                row["file"],
                row["film"],
                (float(row["start"]), float(row["end"])),
                {axis: (first[axis] + second[axis]) / 2 for axis in AXES},
                {axis: (first[axis], second[axis]) for axis in AXES},
                (row["emotion_1"], row["emotion_2"]),
                row["seen"],
            )
        )
    return judged


def same_sign(axis: str) -> Callable[[Shots], float]:
    """Return the measure: the share of shots judged off the middle that are felt on its side."""

    def measure(these: Shots) -> float:
        felt, judged = these.axis(axis)
        told = judged != 0
        return float((np.sign(felt) == np.sign(judged))[told].mean()) if told.any() else np.nan

    return measure


def rank_correlation(axis: str) -> Callable[[Shots], float]:
    """Return the measure: Spearman's rho."""

    def measure(these: Shots) -> float:
        felt, judged = (rankdata(values) for values in these.axis(axis))
        if felt.std() == 0 or judged.std() == 0:
            return np.nan
        return float(np.corrcoef(felt, judged)[0, 1])

    return measure


def error(axis: str) -> Callable[[Shots], float]:
    """Return the measure: the root of the mean squared error."""

    def measure(these: Shots) -> float:
        felt, judged = these.axis(axis)
        return float(np.sqrt(np.mean((felt - judged) ** 2)))

    return measure


def names_right(these: Shots) -> float:
    """Return the share of shots that both judges named alike, and that are named so."""
    rows = [(shot.name, belief) for shot, belief in zip(these.judged, these.felt, strict=True)]
    told = [named(b.valence, b.arousal) == name for name, b in rows if name]
    return fmean(told) if told else np.nan


MEASURES: Mapping[str, Callable[[Shots], float]] = {
    "sign of valence": same_sign("valence"),
    "of arousal": same_sign("arousal"),
    "named": names_right,
    "Spearman, valence": rank_correlation("valence"),
    "arousal": rank_correlation("arousal"),
    "error, valence": error("valence"),
    "arousal ": error("arousal"),
}


def with_interval(these: Shots, measure: Callable[[Shots], float]) -> str:
    """Return a measure with its interval over films, in words."""
    films = sorted({shot.film for shot in these.judged})
    rows = {film: [i for i, s in enumerate(these.judged) if s.film == film] for film in films}
    rng, draws = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        picks = rng.integers(len(films), size=len(films))
        draws.append(measure(these.drawn([i for k in picks for i in rows[films[k]]])))
    value = measure(these)
    if np.isnan(value):
        return "–"
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def compare(rows: Mapping[str, Shots]) -> str:
    """Return a table of what several feel of the same shots."""
    lines = ["| | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    for name, these in rows.items():
        cells = [with_interval(these, measure) for measure in MEASURES.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def always(judged: Sequence[Judged], emotion: str) -> Shots:
    """Return what one feels who always says the same."""
    point = mixture_mean({emotion: 1.0})
    return Shots(judged, [Belief(point.valence, point.arousal)] * len(judged))


def judges(judged: Sequence[Judged]) -> str:
    """Return how far the two judges agree."""
    lines = []
    for axis in AXES:
        one, two = np.array([shot.each[axis] for shot in judged]).T
        rho = np.corrcoef(rankdata(one), rankdata(two))[0, 1]
        apart = np.sqrt(np.mean((one - two) ** 2))
        lines.append(f"{axis}: Spearman {rho:+.2f}, {apart:.2f} apart")
    alike = sum(bool(shot.name) for shot in judged)
    return f"The judges agree: {'; '.join(lines)}; {alike} of {len(judged)} names alike."


def subsets(says: Mapping[str, Sequence[Belief]]) -> dict[str, list[Belief]]:
    """Return what each cue, each pair, ... and all of them together feel."""
    return {
        " + ".join(names): together({name: says[name] for name in names})
        for size in range(1, len(says) + 1)
        for names in itertools.combinations(says, size)
    }


def main(given: argparse.Namespace) -> None:
    found = {p.name: p for folder in given.folders for p in folder.iterdir()}
    judged = read(given.judged, given.half)
    estimator, files = choose(given.estimator), list(dict.fromkeys(s.file for s in judged))
    says: dict[str, list[Belief]] = {}
    rows: list[Judged] = []
    watching = feeling = length = 0.0
    for file in files:
        if file not in found:
            print(f"{file} is in none of the folders and left out", file=sys.stderr)
            continue
        these = [shot for shot in judged if shot.file == file]
        start = time.perf_counter()
        footage = watch(open_film(found[file]), needs=estimator.needs)
        looked = time.perf_counter()
        for name, beliefs in estimator.says(footage, [shot.span for shot in these]).items():
            says.setdefault(name, []).extend(beliefs)
        watching, feeling = watching + looked - start, feeling + time.perf_counter() - looked
        length += footage.film.duration
        rows += these
    felt = subsets(says)
    print_shots(rows, says, together(says))
    print(f"\n{judges(rows)}\n")
    everyone = {name: Shots(rows, beliefs) for name, beliefs in felt.items()}
    everyone |= {f"always {n}": always(rows, n) for n in ("joy", NEUTRAL)}
    films = len({shot.film for shot in rows})
    print(f"{len(rows)} shots of {films} films:\n\n{compare(everyone)}\n")
    clips = {name: these.by_clip() for name, these in everyone.items()}
    print(f"{len(clips['always joy'].judged)} clips as wholes:\n\n{compare(clips)}\n")
    print(f"{length / (watching + feeling):.1f} x real time: {1000 * watching / length:.1f} ms a "
          f"second of film to watch it, {1000 * feeling / length:.1f} ms to feel it.")  # fmt: skip


def print_shots(
    rows: Sequence[Judged], says: Mapping[str, Sequence[Belief]], felt: Sequence[Belief]
) -> None:
    """Print a line for each shot: what the judges say, and what each cue."""
    names = list(says)
    print("| shot | what is seen | name | V | A | felt | V | A | " + " | ".join(names) + " |")
    print("|---" * (8 + len(names)) + "|")
    for i, (shot, belief) in enumerate(zip(rows, felt, strict=True)):
        cues = " | ".join(_cue(says[name][i]) for name in names)
        called = "/".join(sorted(set(shot.names)))
        print(
            f"| {shot.file} {shot.span[0]:.1f} | {shot.seen} | {called} "
            f"| {shot.point['valence']:+.2f} | {shot.point['arousal']:+.2f} "
            f"| {named(belief.valence, belief.arousal)} | {belief.valence:+.2f} "
            f"| {belief.arousal:+.2f} | {cues} |"
        )


def _cue(belief: Belief) -> str:
    """Return what a cue says in a cell: its words, and each mean with its width."""
    said = [
        f"{letter} {getattr(belief, axis):+.2f}±{getattr(belief, f'{axis}_sd'):.2f}"
        for letter, axis in (("V", "valence"), ("A", "arousal"))
        if np.isfinite(getattr(belief, f"{axis}_sd"))
    ]
    return "; ".join([belief.words, *said])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--judged", type=Path, default=Path("docs/judgement.csv"))
    parser.add_argument("--half", default="held out", choices=("held out", "fitting", "both"))
    parser.add_argument("--estimator", default=ESTIMATOR)
    main(parser.parse_args())
