"""Does a learned sense of synchrony rank music for real films? The gate that it has to pass.

    python scripts/synchrony_gate.py SHARED CHECKPOINT...         the tables
    python scripts/synchrony_gate.py SHARED CHECKPOINT --blind OUT  two scores a film, to be judged

SHARED holds the folders clips and music, each with a MANIFEST.csv. The films are the clips whose
sound is music, cut into pieces of 8 s; so are all tracks: 16 pieces and 95, as in docs/matching.md.
A piece of a film ranks all pieces of music, and its own music beside the same moved by a little.
The unit of all intervals (95 %, bootstrap) is the film.

With --blind, each clip is composed for; the candidate of the largest SIM and the one that is kept
without it are written as two films in an order drawn by chance. OUT/judgement.csv waits for
judges, who do not look at OUT/key.csv.
"""

import argparse
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matching
import numpy as np
from matching import PIECE, TWINS, Film, Signal, Track, Way
from scipy.stats import binomtest

from emsync.arrays import Float32s, Float64s
from emsync.evaluation.tables import grid
from emsync.matching.rhythm import Cm, Dm
from emsync.options import Options
from emsync.pipeline import generate
from emsync.signals import STEP_RATE
from emsync.sound.decode import read_mono
from emsync.sound.mel import RATE as SAMPLE_RATE
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.seen import RATE, observers, see
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

WAYS = (
    Way("CM, plain", False, Cm(power=1, variant="whole")),
    Way("CM, accents", True, Cm(power=1)),
    Way("DM", True, Dm()),
)
LONGEST_FILM = "tos_battle.webm"  # half of the pieces are of it
STEPS = round(PIECE * STEP_RATE)  # of a piece
MOVES = np.round(np.concatenate([-np.arange(0.4, 2.01, 0.2), np.arange(0.4, 2.01, 0.2)]), 6)
RESAMPLES = 4000
CANDIDATES = 4  # that are drawn of each film to be judged


@dataclass(frozen=True, eq=False)
class Thing:
    """A film or a track: its rhythm, and its rows by each checkpoint."""

    name: str
    signal: Signal
    rows: Mapping[str, Float32s]  # (T, D), RATE a second

    @property
    def starts(self) -> list[float]:
        """The seconds at which its pieces start."""
        return [i * STEPS / STEP_RATE for i in range(self.signal.length // STEPS)]

    def signal_at(self, start: float) -> Signal:
        """Return the rhythm of the piece from ``start`` seconds on."""
        return self.signal.cut(round(start * STEP_RATE), STEPS)

    def rows_at(self, start: float, by: str) -> Float32s:
        """Return the rows of the piece from ``start`` seconds on."""
        first = round(start * RATE)
        return self.rows[by][first : first + round(PIECE * RATE)]


Place = tuple[Thing, float]  # a piece: what it is of, and where it starts
Measure = Callable[[Place, Sequence[Place]], Float64s]  # how well each piece of music meets a film


@dataclass(frozen=True, eq=False)
class Result:
    """What a measure made of the pieces, P of them."""

    films: Sequence[str]  # (P,) which film each is of
    ranks: Float64s  # (P,) of the own music; of equal ones the worst
    above: Float64s  # (P,) share of its moved versions that the own music is better than

    def without(self, film: str) -> "Result":
        """Return the result of all pieces but those of one film."""
        kept = np.array([name != film for name in self.films])
        names = [name for name in self.films if name != film]
        return Result(names, self.ranks[kept], self.above[kept])


def by_rhythm(way: Way) -> Measure:
    """Return the measure of docs/matching.md."""

    def measure(film: Place, music: Sequence[Place]) -> Float64s:
        thing, start = film
        tracks = [Track(f"{k}", one.signal_at(at)) for k, (one, at) in enumerate(music)]
        found = dict(matching.rank(Film("", thing.signal_at(start)), tracks, way))
        return np.array([found[f"{k}"].score for k in range(len(music))])

    return measure


def by_towers(name: str) -> Measure:
    """Return SIM of a checkpoint."""

    def measure(film: Place, music: Sequence[Place]) -> Float64s:
        seen = film[0].rows_at(film[1], name)
        heard = np.stack([one.rows_at(at, name)[: len(seen)] for one, at in music])
        return (heard * seen[: heard.shape[1]]).sum(axis=2).mean(axis=1).astype(np.float64)

    return measure


def gather(shared: Path, towers: Mapping[str, Synchrony]) -> tuple[list[Thing], list[Thing]]:
    """Return the films whose sound is music, and all tracks: their sound, and the recordings."""
    films, tracks = [], []
    for row in matching.rows(shared / "clips"):
        name, path = row["file"], shared / "clips" / row["file"]
        told = row["has_audio"] == "yes" and row["audio_silent"] == "no"
        if told and row["rhythm_suit"] != "0" and name not in TWINS:
            films.append(looked_at(path, towers))
            tracks.append(listened_to(path, towers))
    folder = shared / "music"
    tracks += [listened_to(folder / row["file"], towers) for row in matching.rows(folder)]
    return films, tracks


def looked_at(path: Path, towers: Mapping[str, Synchrony]) -> Thing:
    """Watch a film once."""
    names = sorted({name for one in towers.values() for name in one.sees})
    impact, looking = Impact(), observers(names)
    footage = watch(open_film(path), None, [impact, *looking])
    seen = see(footage, looking)
    rows = {name: one.embed_film(seen) for name, one in towers.items()}
    return Thing(path.name, matching.see(impact, footage.film.duration), rows)


def listened_to(path: Path, towers: Mapping[str, Synchrony]) -> Thing:
    """Hear a track."""
    samples = read_mono(path, SAMPLE_RATE)
    rows = {name: one.embed_sound(samples) for name, one in towers.items()}
    return Thing(path.name, matching.hear(read_mono(path)), rows)


def measured(films: Sequence[Thing], tracks: Sequence[Thing], measure: Measure) -> Result:
    """Return how a measure ranks the own music of each piece, and how it tells it when moved."""
    library = [(track, start) for track in tracks for start in track.starts]
    names, ranks, above = [], [], []
    for film in films:
        own = next(track for track in tracks if track.name == film.name)
        for start in film.starts[: len(own.starts)]:
            moved = [(own, start + by) for by in MOVES
                     if 0 <= start + by <= (own.signal.length - STEPS) / STEP_RATE]  # fmt: skip
            scores = measure((film, start), [(own, start), *library, *moved])
            others = scores[len(library) + 1 :]
            names.append(film.name)
            ranks.append((scores[1 : len(library) + 1] >= scores[0]).sum())
            above.append(((others < scores[0]) + 0.5 * (others == scores[0])).mean())
    return Result(names, np.array(ranks, np.float64), np.array(above))


def interval(result: Result, statistic: Callable[[Float64s], float], values: Float64s) -> str:
    """Return a statistic of the pieces with its interval, as whole films are drawn again."""
    rng, films = np.random.default_rng(0), sorted(set(result.films))
    of = [np.flatnonzero([name == film for name in result.films]) for film in films]
    drawn = [
        statistic(values[np.concatenate([of[k] for k in rng.integers(0, len(of), len(of))])])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{statistic(values):.3g} [{low:.3g}, {high:.3g}]"


def row(name: str, result: Result) -> list[str]:
    """Return the figures of a measure."""
    decided = result.above[result.above != 0.5]
    test = binomtest(int((decided > 0.5).sum()), len(decided)).pvalue if len(decided) else 1.0
    ranks = result.ranks
    return [
        name, interval(result, lambda r: float(np.median(r)), ranks), f"{(ranks == 1).sum():.0f}",
        f"{(ranks <= 10).sum():.0f}", interval(result, lambda a: float(a.mean()), result.above),
        f"{(decided > 0.5).sum()} of {len(decided)}, p = {test:.2g}",
    ]  # fmt: skip


def tables(shared: Path, checkpoints: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the tables, and whether the gate opens."""
    towers = {name: Synchrony.load(name) for name in checkpoints}
    films, tracks = gather(shared, towers)
    measures = {way.name: by_rhythm(way) for way in WAYS}
    measures |= {f"SIM, {name}": by_towers(name) for name in towers}
    results = {name: measured(films, tracks, measure) for name, measure in measures.items()}
    parts = {
        "All pieces": results,
        f"Without {LONGEST_FILM}": {n: r.without(LONGEST_FILM) for n, r in results.items()},
    }
    count = sum(len(track.starts) for track in tracks)
    head = ("measure", f"median rank of {count}", "first", "in the first ten",
            "own above itself moved by 0.4 to 2 s", "pieces for which it mostly is")  # fmt: skip
    for title, part in parts.items():
        first = next(iter(part.values()))
        yield f"\n### {title}: {len(first.ranks)} of {len(set(first.films))} films\n"
        chance = ["chance", f"{(count + 1) / 2:g}", f"{len(first.ranks) / count:.1f}",
                  f"{10 * len(first.ranks) / count:.1f}", "0.5", ""]  # fmt: skip
        yield from grid(head, [*(row(name, result) for name, result in part.items()), chance])
    for name in towers:
        yield f"\nSIM, {name}: the gate {'opens' if opens(parts, f'SIM, {name}') else 'stays shut'}"


def opens(parts: Mapping[str, Mapping[str, Result]], name: str) -> bool:
    """Return whether a measure ranks better than CM, plain, and tells music that is moved."""
    better = [np.median(part[name].ranks) < np.median(part[WAYS[0].name].ranks)
              for part in parts.values()]  # fmt: skip
    above = next(iter(parts.values()))[name].above
    decided = above[above != 0.5]
    wins = int((decided > 0.5).sum())
    tells = len(decided) > 0 and binomtest(wins, len(decided), alternative="greater").pvalue < 0.05
    return all(better) and bool(tells)


def blind(shared: Path, checkpoint: str, out: Path, seed: int = 0) -> Iterator[str]:
    """Write two scores of each clip for judges; yield what was done."""
    towers, rng = {checkpoint: Synchrony.load(checkpoint)}, np.random.default_rng(seed)
    out.mkdir(parents=True)
    judged: list[list[str]] = []
    keys: list[list[str]] = []
    for entry in matching.rows(shared / "clips"):
        if (name := entry["file"]) in TWINS:
            continue
        path = shared / "clips" / name
        film = looked_at(path, towers).rows[checkpoint]
        composed = generate(path, Options(candidates=CANDIDATES, seed=seed))
        duration = composed.analysis.duration
        scores = []
        for one in composed.candidates:
            heard = towers[checkpoint].embed_notes(one.fitted.piece, duration)
            rows = min(len(film), len(heard))
            scores.append(float((film[:rows] * heard[:rows]).sum(axis=1).mean()))
        best = int(np.argmax(scores))
        keys.append([name, *(f"{score:.4f}" for score in scores), str(best)])
        if best == 0:  # both keep the same
            yield f"{name}: the same score is best by both"
            continue
        order = rng.permutation([0, best])
        keys[-1] += ["ab"[int(np.flatnonzero(order == best)[0])]]
        for letter, chosen in zip("ab", order, strict=True):
            kept = replace(composed, best=composed.candidates[chosen], others=())
            kept.write(video=out / f"{path.stem}-{letter}.mp4")
        judged.append([name, f"{path.stem}-a.mp4", f"{path.stem}-b.mp4", "", ""])
        yield f"{name}: two scores"
    write(out / "judgement.csv", ["film", "a", "b", "better", "remark"], judged)
    numbers = [f"sim_{k}" for k in range(CANDIDATES)]
    write(out / "key.csv", ["film", *numbers, "best_by_sim", "which_is_sim"], keys)


def write(path: Path, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *lines])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("checkpoints", nargs="+", help="names or folders of towers")
    parser.add_argument("--blind", type=Path, metavar="OUT", help="write scores to be judged")
    asked = parser.parse_args()
    lines = (
        tables(asked.shared, asked.checkpoints)
        if asked.blind is None
        else blind(asked.shared, asked.checkpoints[0], asked.blind)
    )
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
