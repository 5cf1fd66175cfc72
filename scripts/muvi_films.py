"""Give films music in several ways, and measure it as sound and with the pictures.

    python scripts/muvi_films.py make FILMS LIBRARY OUT [--model MODEL] [--guidance 1 2 4 7]
    python scripts/muvi_films.py measure FILMS SONGS OUT [--judge CHECKPOINT ...]

`make` writes OUT/WAY/FILM.wav: sound by MODEL at each guidance, a score by the usual composer,
played, the place in LIBRARY that `emsync match` finds, and any place of it. The seconds of the
processor that each film took, watching included, are in OUT/seconds.json. `measure` prints two
tables with a row for each way: beside SONGS, by what musicnn hears, and with the pictures: the
kept cuts with an onset near them, as a share and by chance, and SIM less that of the same music
moved around the film, by each judge. Intervals are 95 %, by a bootstrap of films.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from emsync.arrays import Float32s, Seconds
from emsync.errors import EmsyncError
from emsync.evaluation import sim, sound
from emsync.evaluation.suite import find_films
from emsync.evaluation.sync import hear
from emsync.evaluation.tables import grid, ranged
from emsync.makers import Maker
from emsync.matching.library import sounds_of
from emsync.matching.match import match
from emsync.metrics import av_align
from emsync.metrics.cut_hits import hits
from emsync.metrics.events import covered
from emsync.metrics.statistics import mean, ratio
from emsync.options import CHECKPOINT, CUT_DISTANCE, Options
from emsync.pipeline import generate, opened
from emsync.progress import silent
from emsync.sound.audio import finish
from emsync.sound.decode import read_stereo
from emsync.sound.encode import write_audio
from emsync.sound.levelling import level
from emsync.sound.mel import RATE as SAMPLE_RATE
from emsync.synchrony import seen
from emsync.synchrony.checkpoint import Synchrony
from emsync.targets import make_folder
from emsync.video.cuts import thinned
from emsync.video.film import open_film
from emsync.video.watch import watch

NEAR = 0.1  # seconds: what a maker is told ten times a second can hardly be nearer
LONGEST = 60.0  # seconds of a track that are sure to be there; any place is drawn among these

HEARD = {  # columns, by msd and mtt
    "distance": "distance",
    "KL to any": "kl_others",
    "inception score": "inception",
}

Way = Callable[[Path, Path], None]  # writes the music for a film


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    making, measuring = commands.add_parser("make"), commands.add_parser("measure")
    for command, music in ((making, "library"), (measuring, "songs")):
        for name in ("films", music, "out"):
            command.add_argument(name, type=Path)
    making.add_argument("--model", default="muvi-small")
    making.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0, 4.0, 7.0])
    making.set_defaults(run=lambda a: make(a.films, ways(a.library, a.model, a.guidance), a.out))
    measuring.add_argument("--judge", nargs="+", default=["small"])
    measuring.set_defaults(run=lambda a: tell(measured(a.films, a.songs, a.out, a.judge)))
    given = parser.parse_args()
    try:
        given.run(given)
    except (EmsyncError, OSError) as error:
        sys.exit(f"muvi_films: {error}")


def ways(library: Path, model: str, guidances: Sequence[float]) -> dict[str, Way]:
    """Return who gives films music, by the names of their folders."""
    maker, composer = opened(model, "cpu")[0], opened(CHECKPOINT, "cpu")[0]
    told = {
        f"{Path(model).name}-{guidance:g}": partial(_made, maker, Options(guidance=guidance))
        for guidance in guidances
    }
    found = {"found": partial(_found, library), "any": partial(_any, sounds_of(library))}
    return {**told, CHECKPOINT: partial(_made, composer, Options()), **found}


def make(films: Path, ways: Mapping[str, Way], out: Path) -> None:
    """Write the music of all films in all ways, and how long each took."""
    seconds: dict[str, dict[str, float]] = {}
    for way, act in ways.items():
        make_folder(out / way)
        seconds[way] = {}
        for film in find_films(films):
            began = time.process_time()
            act(film, out / way / f"{film.stem}.wav")
            seconds[way][film.stem] = round(time.process_time() - began, 2)
            print(f"{way}: {film.name}, {seconds[way][film.stem]} s", file=sys.stderr)
            (out / "seconds.json").write_text(json.dumps(seconds, indent=1) + "\n")


def _made(maker: Maker, options: Options, film: Path, out: Path) -> None:
    generate(film, options, checkpoint=maker).save(out)


def _found(library: Path, film: Path, out: Path) -> None:
    best = match(film, library, index=out.parent.with_suffix(".index"), top=1).matches[0]
    _cut(best.path, best.offset, film, out)


def _any(tracks: Sequence[Path], film: Path, out: Path) -> None:
    rng = np.random.default_rng(list(film.stem.encode()))
    longest = max(0.0, LONGEST - open_film(film).duration)
    _cut(tracks[int(rng.integers(len(tracks)))], rng.uniform(0.0, longest), film, out)


def _cut(track: Path, start: float, film: Path, out: Path) -> None:
    duration = open_film(film).duration
    write_audio(level(finish(read_stereo(track, start, duration), duration), name="music"), out)


@dataclass(frozen=True, eq=False)
class Seen:
    """A film, as music is measured against it."""

    cuts: Sequence[float]  # seconds of those that are kept
    duration: float  # seconds
    rate: float  # frames a second
    rows: Sequence[Float32s]  # (T, D) of each judge


def measured(films: Path, songs: Path, out: Path, judges: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the tables."""
    seconds = json.loads((out / "seconds.json").read_text())
    towers = [Synchrony.load(name) for name in judges]
    seen_films = {film.stem: look(film, towers) for film in find_films(films)}
    real = sound.hear_all(sound.find(songs), sound.TAGGERS, 0, silent)[0]
    beside, along = [], []
    for way, took in seconds.items():
        files = sound.find(out / way)
        made = sound.hear_all(files, sound.TAGGERS, 0, silent)[0]
        heard = [sound.measured(_by(tagger, made), _by(tagger, real)) for tagger in sound.TAGGERS]
        beside.append(
            [
                way,
                str(heard[0]["patches"]),
                *("; ".join(ranged(one[key], ".3g") for one in heard) for key in HEARD.values()),
                f"{np.median(list(took.values())):.1f}",
            ]
        )
        along.append([way, *with_pictures(seen_films, files, towers)])
        print(f"{way}: measured", file=sys.stderr)
    floor = (ranged(one["own"]["distance"], ".3g") for one in heard)
    score = (ranged(one["inception_reference"], ".3g") for one in heard)
    patches = str(heard[0]["own"]["patches"])
    beside.append(["halves of SONGS", patches, "; ".join(floor), "–", "; ".join(score), "–"])
    yield from grid(["", "patches", *HEARD, "seconds a film"], beside)
    cuts = sum(len(film.cuts) for film in seen_films.values())
    yield from ("", f"{len(seen_films)} films, {cuts} cuts", "")
    columns = (f"SIM, {Path(name).name}" for name in judges)
    yield from grid(["", "within a frame", f"within {NEAR:g} s", *columns], along)


def _by(tagger: str, side: Mapping[str, Mapping[str, sound.Heard]]) -> dict[str, sound.Heard]:
    return {name: heard[tagger] for name, heard in side.items()}


def look(path: Path, judges: Sequence[Synchrony]) -> Seen:
    """Return a film as the judges see it."""
    looks = seen.observers()
    footage = watch(open_film(path), None, looks)
    film, columns = footage.film, seen.see(footage, looks)
    kept = [c.time for c in thinned(footage.cuts, film.duration, CUT_DISTANCE) if c.kept]
    rows = [judge.embed_film(columns) for judge in judges]
    return Seen(kept, film.duration, float(film.fps), rows)


def with_pictures(
    films: Mapping[str, Seen], files: Mapping[str, Path], judges: Sequence[Synchrony]
) -> list[str]:
    """Return the cells that tell how music goes with films, each with its own."""
    pairs = [(film, files[name]) for name, film in films.items()]
    onsets = [av_align.listen(hear(path)).onsets for _, path in pairs]
    cells = []
    for near in (None, NEAR):
        rows = [near_cuts(film, times, near or 1 / film.rate)
                for (film, _), times in zip(pairs, onsets, strict=True)]  # fmt: skip
        found, chance, cuts = zip(*rows, strict=True)
        share, expected = ratio(found, cuts), ratio(chance, cuts)
        cells.append(f"{ranged(asdict(share), '.3g')}, {expected.value:.2f} by chance")
    for number, judge in enumerate(judges):
        scores = [
            sim.evaluate(film.rows[number], judge.embed_sound(hear(path, SAMPLE_RATE)))
            for film, path in pairs
        ]
        more = mean([one["score"] - one["shifted"] for one in scores])
        cells.append(ranged(asdict(more), ".3g"))
    return cells


def near_cuts(film: Seen, onsets: Seconds, near: float) -> tuple[float, float, int]:
    """Return how many cuts have an onset as near as that, how many by chance, and of how many."""
    count = len(film.cuts)
    return hits(film.cuts, onsets, near), count * covered(onsets, near, film.duration), count


def tell(lines: Iterable[str]) -> None:
    """Print lines."""
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
