"""Repeat the experiment of Mikheev & Makarov (2025): is a film's own soundtrack ranked first?

    python scripts/matching.py SHARED            the tables of docs/matching.md
    python scripts/matching.py SHARED --scale N  index N tracks of three minutes and ask once

SHARED holds the folders clips and music, each with a MANIFEST.csv.
"""

import argparse
import csv
import tempfile
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.matching.library import listen_to
from emsync.matching.matcher import Columns, Match, Matcher, Shelf
from emsync.matching.rhythm import Cm, Dm
from emsync.metrics.statistics import spearman
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.decode import read_mono
from emsync.sound.rhythm import Rhythm, beats, rhythm_of
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

TWINS = {"lego_small.ogv"}  # the same film as another clip
PIECE = 8.0  # seconds
DRAWN = 15.0  # seconds of each drawn clip
ROWS: list[tuple[str, Matcher]] = [
    *((f"CM, power {p}", Cm(p)) for p in range(1, 7)),
    *((f"CM local, power {p}", Cm(p, "local")) for p in range(1, 7)),
    ("DM", Dm()),
]


@dataclass(frozen=True, eq=False)
class Film:
    """A film's rhythm, and the name of the track that belongs to it."""

    own: str
    pictures: Rhythm
    music: bool  # whether its sound is music
    start: float = 0.0  # seconds of the track at which the film starts


@dataclass(frozen=True, eq=False)
class Track:
    """A track's rhythm."""

    name: str
    rhythm: Rhythm


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "MANIFEST.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def visible_impact(path: Path) -> NDArray[np.float64]:
    """Watch a film; return its visible impact."""
    impact = Impact()
    return impact.signal(watch(open_film(path), None, [impact]).film.duration)


def pictures_of(signal: NDArray[np.float64]) -> Rhythm:
    return Rhythm(signal, beats(signal))


def seen(pictures: Rhythm) -> Columns:
    """Return the columns of a film for CM and DM."""
    return {"impact": pictures.signal, "beats": pictures.beats}


def rank(film: Film, tracks: Sequence[Track], matcher: Matcher) -> list[tuple[str, Match]]:
    """Return the names of all tracks and how they meet a film, best first."""
    shelf = Shelf.of({
        track.name: (
            len(track.rhythm.signal) / STEP_RATE,
            {"onsets": track.rhythm.signal, "beats": track.rhythm.beats},
        )
        for track in tracks
    })  # fmt: skip
    found = matcher.rank(seen(film.pictures), shelf, len(tracks))
    return [(shelf.names[match.track], match) for match in found]


def cut(rhythm: Rhythm, first: int, length: int) -> Rhythm:
    """Return ``length`` steps of a rhythm from ``first`` on."""
    inside = (rhythm.beats >= first) & (rhythm.beats < first + length)
    return Rhythm(rhythm.signal[first : first + length], rhythm.beats[inside] - first)


def gather(shared: Path) -> tuple[list[Film], list[Track]]:
    """Watch every clip that has a sound, and hear its sound and the music."""
    films, tracks = [], []
    for row in rows(shared / "clips"):
        name, path = row["file"], shared / "clips" / row["file"]
        if row["has_audio"] == "yes" and row["audio_silent"] == "no" and name not in TWINS:
            signal = visible_impact(path)
            films.append(Film(name, pictures_of(signal), row["rhythm_suit"] != "0"))
            tracks.append(Track(name, rhythm_of(read_mono(path))))
    for row in rows(shared / "music"):
        path = shared / "music" / row["file"]
        tracks.append(Track(row["file"], rhythm_of(read_mono(path))))
    return films, tracks


def shortened(tracks: Sequence[Track], film: Film) -> list[Track]:
    """Return the beginnings of the tracks, as long as the film."""
    length = len(film.pictures.signal)
    return [replace(track, rhythm=cut(track.rhythm, 0, length)) for track in tracks]


def places(films: Sequence[Film], tracks: Sequence[Track], matcher: Matcher,
           shorten: bool = False) -> list[int]:  # fmt: skip
    """Return the rank of each film's own track; of equal ones the worst.

    With ``shorten`` every track is cut to the film, so that it has one offset.
    """
    ranks = []
    for film in films:
        choice = shortened(tracks, film) if shorten else tracks
        scores = {name: m.score for name, m in rank(film, choice, matcher)}
        ranks.append(sum(score >= scores[film.own] for score in scores.values()))
    return ranks


def difference(films: Sequence[Film], tracks: Sequence[Track], matcher: Matcher) -> str:
    """Return by how much own tracks score above others, all cut to the film (Table 1)."""
    own: list[float] = []
    others: list[float] = []
    for film in films:
        for name, m in rank(film, shortened(tracks, film), matcher):
            (own if name == film.own else others).append(m.score)
    return f"{np.mean(own) / np.mean(others) - 1:+.0%}"


def table(title: str, columns: Mapping[str, Callable[[Matcher], list[int]]],
          chance: int) -> Iterator[str]:  # fmt: skip
    """Yield the lines of a Markdown table: top-1 and median rank in each column."""
    yield f"\n### {title}\n"
    yield "| metric | " + " | ".join(f"{c}: first | median rank" for c in columns) + " |"
    yield "|---|" + "---|---|" * len(columns)
    for name, matcher in ROWS:
        cells = []
        for ranks in (column(matcher) for column in columns.values()):
            cells += [f"{ranks.count(1)} of {len(ranks)}", f"{np.median(ranks):g}"]
        yield f"| {name} | " + " | ".join(cells) + " |"
    cells = [f"{1 / chance:.0%}", f"{(chance + 1) / 2:g}"] * len(columns)
    yield "| chance | " + " | ".join(cells) + " |"


def pieces(films: Sequence[Film], tracks: Sequence[Track]) -> tuple[list[Film], list[Track]]:
    """Cut films and tracks into pieces of one length; what is left at the end is dropped."""
    n = round(PIECE * STEP_RATE)
    parts = [
        Track(f"{t.name} {i}", cut(t.rhythm, i * n, n))
        for t in tracks
        for i in range(len(t.rhythm.signal) // n)
    ]
    known = {t.name for t in parts}
    clips = [
        replace(f, own=f"{f.own} {i}", pictures=cut(f.pictures, i * n, n))
        for f in films
        for i in range(len(f.pictures.signal) // n)
        if f"{f.own} {i}" in known
    ]
    return clips, parts


def drawn(tracks: Sequence[Track], rng: np.random.Generator) -> list[Film]:
    """Return films in which a disc jumps at every beat of a passage of each track, two of each."""
    films = []
    for track in [*tracks, *tracks]:
        start = rng.uniform(0, len(track.rhythm.signal) / STEP_RATE - DRAWN)
        impact = Impact()
        hits = list(track.rhythm.beats / STEP_RATE - start)
        for at, grey in _jumping([hit for hit in hits if hit >= 0], rng):
            impact.see(at, grey)
        films.append(Film(track.name, pictures_of(impact.signal(DRAWN)), True, start))
    return films


def _jumping(hits: list[float], rng: np.random.Generator) -> Iterator[tuple[float, Any]]:
    """Yield frames, 25 a second, of a disc that glides to another place at each of ``hits``."""
    import cv2

    noise = cv2.GaussianBlur(rng.uniform(0, 255, (90, 160)).astype(np.uint8), (0, 0), 3)
    ground = cv2.normalize(noise, np.zeros_like(noise), 0, 120, cv2.NORM_MINMAX)
    at, angle = np.array([80.0, 45.0]), 0.0
    goal = at
    for frame in range(round(DRAWN * 25)):
        while hits and hits[0] <= frame / 25:
            hits.pop(0)
            angle += 2.4  # radians: each jump is as long as the one before
            goal = np.array([80 + 20 * np.cos(angle), 45 + 15 * np.sin(angle)])
        at = at + (goal - at) * 0.35
        place = (round(at[0] * 16), round(at[1] * 16))
        yield frame / 25, cv2.circle(ground.copy(), place, 12 * 16, 230.0, -1, cv2.LINE_AA, 4)


def found(films: Sequence[Film], tracks: Sequence[Track], matcher: Matcher) -> int:
    """Return how many films are offered their own track within 0.1 s of where they start."""
    hits = 0
    for film in films:
        offsets = {name: m.offset for name, m in rank(film, tracks, matcher)}
        hits += abs(offsets[film.own] - film.start) <= 0.1
    return hits


def confounded(films: Sequence[Film], tracks: Sequence[Track], matcher: Matcher) -> str:
    """Return Spearman's rho of a track's length and its score, the mean over the films.

    Only tracks that are longer than the film and not its own count.
    """
    values = []
    for film in films:
        lengths = {t.name: len(t.rhythm.signal) for t in tracks}
        least = len(film.pictures.signal)
        scored = [
            (lengths[name], m.score)
            for name, m in rank(film, tracks, matcher)
            if name != film.own and lengths[name] > least
        ]
        if len(scored) >= 5:
            values.append(spearman(*zip(*scored, strict=True)).rho)
    return f"{np.nanmean(values):+.2f}"


def experiment(shared: Path) -> Iterator[str]:
    """Yield the lines of all tables."""
    films, tracks = gather(shared)
    musical = [film for film in films if film.music]
    fitting = [t for t in tracks if not any(f.own == t.name and not f.music for f in films)]
    for title, some, library in (
        ("Clips whose sound is music", musical, fitting),
        ("All clips that have a sound: speech, noises, music", films, tracks),
    ):
        yield from table(
            f"{title}: {len(some)} films × {len(library)} tracks",
            {
                "any offset": partial(places, some, library),
                "cut to the film": partial(places, some, library, shorten=True),
            },
            len(library),
        )
    clips, parts = pieces(musical, fitting)
    title = f"Pieces of {PIECE:g} s of the clips whose sound is music: {len(clips)} × {len(parts)}"
    yield from table(title, {"equal lengths": partial(places, clips, parts)}, len(parts))
    long = [t for t in fitting if len(t.rhythm.signal) > 1.4 * DRAWN * STEP_RATE
            and not any(f.own == t.name for f in films)]  # fmt: skip
    jumps = drawn(long, np.random.default_rng(0))
    title = f"Control, clips drawn to the beats of a passage: {len(jumps)} × {len(long)}"
    yield from table(title, {"any offset": partial(places, jumps, long)}, len(long))
    yield "\n### Beside the ranks\n"
    yield ("| metric | control: offset found within 0.1 s | clips with music: own above others | "
           "all clips: rho of length and score |")  # fmt: skip
    yield "|---|---|---|---|"
    for name, matcher in ROWS:
        yield (f"| {name} | {found(jumps, long, matcher)} of {len(jumps)} | "
               f"{difference(musical, fitting, matcher)} | "
               f"{confounded(films, tracks, matcher)} |")  # fmt: skip


def scale(shared: Path, count: int) -> Iterator[str]:
    """Index ``count`` tracks of three minutes made of the music at other speeds; ask once."""
    sources = [read_mono(shared / "music" / row["file"]) for row in rows(shared / "music")]
    with tempfile.TemporaryDirectory() as temporary:
        folder, index = Path(temporary) / "library", Path(temporary) / "index"
        folder.mkdir()
        for i in range(count):
            write_track(folder / f"{i:05}.wav", sources[i % len(sources)], 0.8 + 0.4 * i / count)
        start = perf_counter()
        heard = listen_to(Cm(), folder, index)
        indexed = perf_counter() - start
        start = perf_counter()
        again = listen_to(Cm(), folder, index)
        loaded = perf_counter() - start
        signal = visible_impact(shared / "clips" / "chrome_ad.webm")
        film = seen(pictures_of(signal))
        size = sum(path.stat().st_size for path in index.iterdir())
        yield f"tracks: {len(heard.shelf)}; a film of {len(signal) / STEP_RATE:.0f} s"
        yield f"index: {indexed:.1f} s, {size / 1e6:.1f} MB"
        yield f"index read and files checked: {loaded:.2f} s, {again.heard} heard again"
        for matcher in (Cm(), Dm()):
            start = perf_counter()
            matcher.rank(film, again.shelf, 10)
            yield f"query, {matcher.name}: {perf_counter() - start:.2f} s"


def write_track(path: Path, samples: NDArray[np.float32], speed: float) -> None:
    """Write three minutes of ``samples``, repeated, as 16-bit sound of another speed and pitch."""
    rate = round(SAMPLE_RATE * speed)
    whole = np.resize(samples, 180 * rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(whole, -1, 1) * 32767).astype("<i2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--scale", type=int, metavar="N", help="index so many tracks instead")
    args = parser.parse_args()
    for line in scale(args.shared, args.scale) if args.scale else experiment(args.shared):
        print(line, flush=True)


if __name__ == "__main__":
    main()
