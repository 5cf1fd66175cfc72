"""Repeat the experiment of Mikheev & Makarov (2025): is a film's own soundtrack ranked first?

    python scripts/matching.py SHARED            the tables of docs/matching.md, and its figures
    python scripts/matching.py SHARED --scale N  index N tracks of three minutes and ask once

SHARED holds the folders clips and music, each with a MANIFEST.csv, and corpus/multitrack with songs
in MIDI files. Every rhythm is taken in two readings: the paper's, and the accents of it.
"""

import argparse
import csv
import tempfile
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import dances
import numpy as np
import visible_beat
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s
from emsync.matching.library import listen_to
from emsync.matching.matcher import Match, Matcher, Shelf
from emsync.matching.rhythm import Cm, Dm
from emsync.metrics.statistics import spearman
from emsync.signals import SAMPLE_RATE, STEP_RATE, accents, bells, flux
from emsync.sound.decode import read_mono
from emsync.sound.rhythm import Rhythm, beats, envelope
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

IMAGES = Path(__file__).parents[1] / "docs" / "images"
TWINS = {"lego_small.ogv"}  # the same film as another clip
PIECE = 8.0  # seconds
DRAWN = 15.0  # seconds of each drawn clip
PASSAGE = 20.0  # seconds of the recordings that films are drawn to
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SEEDS = (1, 2)  # of drawn dances and songs; what was chosen was chosen on 0
TESTED = (0, 3, 6, 10, 13, 16, 19, 23, 26, 29)  # of 30 tracks, those that films are drawn to


class Way(NamedTuple):
    """A way to match: which reading of the signals, and by what."""

    name: str
    accented: bool
    matcher: Matcher


WAYS = [
    *(Way(f"CM, power {p}", True, Cm(power=p)) for p in range(1, 7)),
    Way("CM whole, power 1", True, Cm(power=1, variant="whole")),
    Way("DM", True, Dm()),
    *(Way(f"paper: CM whole, power {p}", False, Cm(power=p, variant="whole")) for p in range(1, 7)),
    *(Way(f"paper: CM local, power {p}", False, Cm(power=p, variant="local")) for p in (1, 5)),
    Way("paper: DM", False, Dm()),
]


@dataclass(frozen=True, eq=False)
class Signal:
    """The rhythm of a film or a track in both readings."""

    paper: Rhythm
    accents: Rhythm

    @property
    def length(self) -> int:
        """Steps."""
        return len(self.paper.signal)

    def cut(self, first: int, length: int) -> "Signal":
        """Return ``length`` steps from ``first`` on."""
        return Signal(*(
            Rhythm(
                rhythm.signal[first : first + length],
                rhythm.beats[(rhythm.beats >= first) & (rhythm.beats < first + length)] - first,
            )
            for rhythm in (self.paper, self.accents)
        ))  # fmt: skip


class Track(NamedTuple):
    """A track and its name."""

    name: str
    signal: Signal


@dataclass(frozen=True, eq=False)
class Film:
    """A film's rhythm, and the name of the track that belongs to it."""

    own: str
    pictures: Signal
    music: bool = True  # whether its sound is music
    start: float = 0.0  # seconds of the track at which the film starts


def signal_of(paper: Float64s, standing: Float64s) -> Signal:
    return Signal(Rhythm(paper, beats(paper)), Rhythm(standing, beats(standing)))


def hear(samples: Float32s) -> Signal:
    """Return what is heard, in half precision, as an index has it."""
    raw = envelope(samples)
    raw = (raw / (raw.max(initial=0.0) or 1.0)).astype(np.float16).astype(np.float64)
    return signal_of(raw, accents(raw))


def see(impact: Impact, seconds: float) -> Signal:
    """Return what was seen; the paper's impact is that of all directions, not of four sides."""
    signal = impact.signal(seconds)
    return signal_of(bells(impact.times, flux(impact.directogram), len(signal)), signal)


def watched(path: Path) -> Signal:
    """Watch a film; return what is seen of it."""
    impact = Impact()
    return see(impact, watch(open_film(path), None, [impact]).film.duration)


def looked_at(frames: dances.Frames) -> Signal:
    """Return what is seen of a drawn film."""
    impact = Impact()
    for at, grey in frames:
        impact.see(at, grey)
    return see(impact, DRAWN)


def rank(film: Film, tracks: Sequence[Track], way: Way) -> list[tuple[str, Match]]:
    """Return the names of all tracks and how they meet a film, best first."""

    def reading(signal: Signal) -> Rhythm:
        return signal.accents if way.accented else signal.paper

    heard = {}
    for track in tracks:
        rhythm = reading(track.signal)
        columns = {"onsets": rhythm.signal, "beats": rhythm.beats}
        heard[track.name] = (track.signal.length / STEP_RATE, columns)
    shelf, pictures = Shelf.of(heard), reading(film.pictures)
    seen = {"impact": pictures.signal, "beats": pictures.beats}
    found = way.matcher.rank(seen, shelf, len(tracks))
    return [(shelf.names[match.track], match) for match in found]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "MANIFEST.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def recordings(shared: Path) -> Iterator[tuple[str, Float32s]]:
    """Yield the name and the samples of each recording."""
    for row in rows(shared / "music"):
        yield row["file"], read_mono(shared / "music" / row["file"])


def gather(shared: Path) -> tuple[list[Film], list[Track]]:
    """Watch every clip that has a sound, and hear its sound and the music."""
    films, tracks = [], []
    for row in rows(shared / "clips"):
        name, path = row["file"], shared / "clips" / row["file"]
        if row["has_audio"] == "yes" and row["audio_silent"] == "no" and name not in TWINS:
            films.append(Film(name, watched(path), row["rhythm_suit"] != "0"))
            tracks.append(Track(name, hear(read_mono(path))))
    for name, samples in recordings(shared):
        tracks.append(Track(name, hear(samples)))
    return films, tracks


def from_there(tracks: Sequence[Track], film: Film) -> list[Track]:
    """Return of each track what lies under the film: all have one offset, the right one."""
    first = round(film.start * STEP_RATE)
    return [Track(t.name, t.signal.cut(first, film.pictures.length)) for t in tracks]


def places(films: Sequence[Film], tracks: Sequence[Track], way: Way,
           at_once: bool = False) -> list[int]:  # fmt: skip
    """Return the rank of each film's own track; of equal ones the worst.

    With ``at_once`` the only offset is the right one, of all tracks.
    """
    ranks = []
    for film in films:
        choice = from_there(tracks, film) if at_once else tracks
        scores = {name: m.score for name, m in rank(film, choice, way)}
        ranks.append(sum(score >= scores[film.own] for score in scores.values()))
    return ranks


def difference(films: Sequence[Film], tracks: Sequence[Track], way: Way) -> str:
    """Return by how much own tracks score above others, all cut to the film (Table 1)."""
    own: list[float] = []
    others: list[float] = []
    for film in films:
        for name, m in rank(film, from_there(tracks, film), way):
            (own if name == film.own else others).append(m.score)
    return f"{np.mean(own) / np.mean(others) - 1:+.0%}"


def table(title: str, columns: Mapping[str, Callable[[Way], list[int]]],
          chance: int) -> Iterator[str]:  # fmt: skip
    """Yield the lines of a Markdown table: top-1 and median rank in each column."""
    yield f"\n### {title}\n"
    yield "| metric | " + " | ".join(f"{c}: first | median rank" for c in columns) + " |"
    yield "|---|" + "---|---|" * len(columns)
    for way in WAYS:
        cells = []
        for ranks in (column(way) for column in columns.values()):
            cells += [f"{ranks.count(1)} of {len(ranks)}", f"{np.median(ranks):g}"]
        yield f"| {way.name} | " + " | ".join(cells) + " |"
    cells = [f"{1 / chance:.0%}", f"{(chance + 1) / 2:g}"] * len(columns)
    yield "| chance | " + " | ".join(cells) + " |"


def pieces(films: Sequence[Film], tracks: Sequence[Track]) -> tuple[list[Film], list[Track]]:
    """Cut films and tracks into pieces of one length; what is left at the end is dropped."""
    n = round(PIECE * STEP_RATE)
    parts = [
        Track(f"{t.name} {i}", t.signal.cut(i * n, n))
        for t in tracks
        for i in range(t.signal.length // n)
    ]
    known = {t.name for t in parts}
    clips = [
        replace(f, own=f"{f.own} {i}", pictures=f.pictures.cut(i * n, n))
        for f in films
        for i in range(f.pictures.length // n)
        if f"{f.own} {i}" in known
    ]
    return clips, parts


def jumping(tracks: Sequence[Track], rng: np.random.Generator) -> list[Film]:
    """Return films in which a disc jumps at every beat of a passage of each track, two of each."""
    films = []
    for track in [*tracks, *tracks]:
        start = rng.uniform(0, track.signal.length / STEP_RATE - DRAWN)
        hits = track.signal.paper.beats / STEP_RATE - start
        frames = dances.jumps(hits[hits >= 0].tolist(), DRAWN, rng)
        films.append(Film(track.name, looked_at(frames), start=start))
    return films


def dancing(tracks: Sequence[Track], pulses: Sequence[NDArray[np.float64]], strength: float,
            seed: int) -> list[Film]:  # fmt: skip
    """Return dances to passages of ten of the tracks, whose beats are ``pulses`` in seconds."""
    films = []
    for number in TESTED:
        rng = np.random.default_rng([seed, round(100 * strength), number])
        track, pulse = tracks[number], pulses[number]
        start = rng.uniform(0, track.signal.length / STEP_RATE - DRAWN)
        met = pulse[(pulse >= start) & (pulse < start + DRAWN)] - start
        frames = dances.dance(met.tolist(), DRAWN, strength, rng)
        films.append(Film(track.name, looked_at(frames), start=start))
    return films


def bouncing(tracks: Sequence[Track], pulses: Sequence[NDArray[np.float64]]) -> list[Film]:
    """Return films of a ball that bounces on the beats of ten of the tracks."""
    films = []
    for number in TESTED:
        rng = np.random.default_rng([number])
        start = rng.uniform(3, tracks[number].signal.length / STEP_RATE - DRAWN - 3)
        frames = dances.ball((pulses[number] - start).tolist(), DRAWN, rng)
        films.append(Film(tracks[number].name, looked_at(frames), start=start))
    return films


class Stage(NamedTuple):
    """Thirty tracks, their beats in seconds, and dances to ten of them of each strength."""

    tracks: list[Track]
    pulses: list[NDArray[np.float64]]
    films: dict[float, list[Film]]


def stage(tracks: list[Track], pulses: list[NDArray[np.float64]], seed: int) -> Stage:
    with ProcessPoolExecutor() as pool:
        jobs = {k: pool.submit(dancing, tracks, pulses, k, seed) for k in STRENGTHS}
        return Stage(tracks, pulses, {k: job.result() for k, job in jobs.items()})


def sung(shared: Path, seed: int) -> Stage:
    """Return dances to 30 rendered songs at tempi from 60 to 180 BPM."""
    songs = list(dances.songs(shared / "corpus" / "multitrack", np.random.default_rng(seed)))
    return stage([Track(s.name, hear(s.samples)) for s in songs], [s.beats for s in songs], seed)


def recorded(shared: Path) -> Stage:
    """Return dances to 30 passages of the recordings, by the beats that librosa hears."""
    size = round(PASSAGE * SAMPLE_RATE)
    tracks = [
        Track(f"{name} {at // size}", hear(samples[at : at + size]))
        for name, samples in recordings(shared)
        for at in range(0, len(samples) - size + 1, size)
    ][: dances.TEMPI.size]
    return stage(tracks, [track.signal.paper.beats / STEP_RATE for track in tracks], 0)


def strengths(songs: Sequence[Stage], passages: Stage) -> Iterator[str]:
    """Yield the tables of the dances and of the balls, and draw their figure."""
    shares: dict[str, dict[str, list[float]]] = {}
    for title, stages, at_once in (
        ("songs, any offset", songs, False),
        ("songs, the right offset", songs, True),
        ("recordings, any offset", [passages], False),
    ):
        count = len(TESTED) * len(stages)
        yield f"\n### Dances to {title}: {count} films × {len(stages[0].tracks)} tracks\n"
        yield "| metric | " + " | ".join(f"{k:g}" for k in STRENGTHS) + " |"
        yield "|---|" + "---|" * len(STRENGTHS)
        shares[title] = {}
        for way in WAYS:
            ranks = [
                [rank for one in stages for rank in places(one.films[k], one.tracks, way, at_once)]
                for k in STRENGTHS
            ]
            cells = [f"{r.count(1)} ({np.median(r):g})" for r in ranks]
            yield f"| {way.name} | " + " | ".join(cells) + " |"
            shares[title][way.name] = [r.count(1) / len(r) for r in ranks]
        yield f"| chance | {' | '.join([f'{count / 30:.1f} (15.5)'] * len(STRENGTHS))} |"
    draw_strengths(shares, IMAGES / "matching.png")
    balls = [(bouncing(one.tracks, one.pulses), one.tracks) for one in songs]
    yield "\n### A ball that bounces on the beat: ten tempi × 30 tracks\n"
    yield "| metric | " + " | ".join(f"seed {seed}: first | worst rank" for seed in SEEDS) + " |"
    yield "|---|" + "---|---|" * len(SEEDS)
    for way in WAYS:
        found_at = [places(films, tracks, way) for films, tracks in balls]
        cells = [f"{r.count(1)} of {len(r)} | {max(r)}" for r in found_at]
        yield f"| {way.name} | " + " | ".join(cells) + " |"


def beats_to_be_seen(shared: Path, songs: Stage) -> Iterator[str]:
    """Yield a table of the clips: how likely their pulse is chance."""
    rng = np.random.default_rng(0)
    yield "\n### Is there a beat to be seen? How often chance shows as much\n"
    yield "| clip | any tempo | the tempo of its sound | in time with its sound |"
    yield "|---|---|---|---|"
    for row in rows(shared / "clips"):
        name, path = row["file"], shared / "clips" / row["file"]
        if name in TWINS:
            continue
        heard = np.zeros(0, np.int32)
        if row["has_audio"] == "yes" and row["audio_silent"] == "no":
            heard = hear(read_mono(path)).accents.beats
        told = [f"{chance:.3f}" for chance in chances(watched(path).accents, heard, rng)]
        music = ", music" if row["rhythm_suit"] != "0" else ""
        yield f"| {name}{music} | {' | '.join([*told, '', ''][:3])} |"
    for k, films in songs.films.items():
        values = []
        for film in films:
            track = next(t for t in songs.tracks if t.name == film.own)
            under = from_there([track], film)[0].signal.accents.beats
            values.append(chances(film.pictures.accents, under, rng))
        hits = (np.array(values) <= 0.05).sum(axis=0)
        told = [f"{hit} of {len(values)} below 0.05" for hit in hits]
        yield f"| *ten dances of strength {k:g}* | {' | '.join(told)} |"


def chances(seen: Rhythm, heard: NDArray[np.int32], rng: np.random.Generator) -> list[float]:
    """Return how often chance has such a pulse; with beats, at their tempo; and in time with them.

    Three beats and fewer have no tempo.
    """
    measures: list[Callable[[Float64s], float]] = [visible_beat.pulse]
    if len(heard) > 3:
        measures += [
            partial(visible_beat.pulse, lags=visible_beat.around(heard)),
            partial(visible_beat.met, beats=heard),
        ]
    signal = np.asarray(seen.signal, np.float64)
    return [visible_beat.by_chance(signal, measure, rng) for measure in measures]


def draw_strengths(shares: Mapping[str, Mapping[str, Sequence[float]]], out: Path) -> None:
    """Draw how often the right track is first, by how much a dance keeps to the beat."""
    lines = {
        "CM, power 1": ("#3b6ea5", "-"),
        "DM": ("#c8485c", "-"),
        "paper: CM local, power 1": ("#3b6ea5", "--"),
        "paper: CM whole, power 5": ("#888888", "--"),
        "paper: DM": ("#c8485c", "--"),
    }
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, len(shares), sharey=True)
    for axes, (title, rows_) in zip(panels, shares.items(), strict=True):
        for name, (colour, style) in lines.items():
            axes.plot(STRENGTHS, rows_[name], style, color=colour, label=name)
        axes.axhline(1 / dances.TEMPI.size, color="#bbbbbb", lw=0.8)
        axes.set(title=title, xlabel="strength: moves on the beat", ylim=(0, 1))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("right track first of 30")
    panels[0].legend(frameon=False, fontsize=7)
    figure.savefig(out, dpi=110)


def draw_signals(shared: Path, songs: Stage, out: Path) -> None:
    """Draw both signals over one another, of a drawn dance and of a clip with a dancer."""
    film = songs.films[1.0][5]
    own = next(t for t in songs.tracks if t.name == film.own)
    path = shared / "clips" / "aichoreo_dance_1.mp4"
    pairs = {
        "a drawn dance of strength 1": (from_there([own], film)[0].signal, film.pictures),
        "a clip with a dancer": (hear(read_mono(path)), watched(path)),
    }
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    panels = figure.subplots(4, 1)
    for i, (title, (heard, seen)) in enumerate(pairs.items()):
        for j, name in enumerate(("paper", "accents")):
            axes = panels[2 * i + j]
            music, sight = getattr(heard, name), getattr(seen, name).signal
            seconds = np.arange(min(len(sight), round(12 * STEP_RATE))) / STEP_RATE
            for values, sign, colour in ((music.signal, 1, "#3b6ea5"), (sight, -1, "#c8485c")):
                part = np.asarray(values[: len(seconds)], np.float64)
                axes.fill_between(seconds[: len(part)], sign * part / part.max(), color=colour)
            for beat in music.beats[music.beats < len(seconds)] / STEP_RATE:
                axes.axvline(beat, color="#888888", lw=0.5)
            axes.set(ylim=(-1, 1), yticks=[], xlim=(0, 12), title=f"{title}: {name}")
            axes.title.set_fontsize(9)
            axes.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel("seconds; up: onset strength, down: visible impact, lines: beats heard")
    figure.savefig(out, dpi=110)


def found(films: Sequence[Film], tracks: Sequence[Track], way: Way) -> int:
    """Return how many films are offered their own track within 0.1 s of where they start."""
    hits = 0
    for film in films:
        offsets = {name: m.offset for name, m in rank(film, tracks, way)}
        hits += abs(offsets[film.own] - film.start) <= 0.1
    return hits


def confounded(films: Sequence[Film], tracks: Sequence[Track], way: Way) -> str:
    """Return Spearman's rho of a track's length and its score, the mean over the films.

    Only tracks that are longer than the film and not its own count.
    """
    values = []
    for film in films:
        lengths = {t.name: t.signal.length for t in tracks}
        least = film.pictures.length
        scored = [
            (lengths[name], m.score)
            for name, m in rank(film, tracks, way)
            if name != film.own and lengths[name] > least
        ]
        if len(scored) >= 5:
            values.append(spearman(*zip(*scored, strict=True)).rho)
    return f"{np.nanmean(values):+.2f}"


def drawn(shared: Path) -> Iterator[str]:
    """Yield the tables of drawn films, and of whether clips show a beat; draw the figures."""
    songs = [sung(shared, seed) for seed in SEEDS]
    draw_signals(shared, songs[0], IMAGES / "matching-signals.png")
    yield from beats_to_be_seen(shared, songs[0])
    yield from strengths(songs, recorded(shared))


def clips(shared: Path) -> Iterator[str]:
    """Yield the tables of the clips that have a sound."""
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
                "cut to the film": partial(places, some, library, at_once=True),
            },
            len(library),
        )
    some, parts = pieces(musical, fitting)
    title = f"Pieces of {PIECE:g} s of the clips whose sound is music: {len(some)} × {len(parts)}"
    yield from table(title, {"equal lengths": partial(places, some, parts)}, len(parts))
    long = [t for t in fitting if t.signal.length > 1.4 * DRAWN * STEP_RATE
            and not any(f.own == t.name for f in films)]  # fmt: skip
    jumps = jumping(long, np.random.default_rng(0))
    title = f"Control, clips drawn to the beats of a passage: {len(jumps)} × {len(long)}"
    yield from table(title, {"any offset": partial(places, jumps, long)}, len(long))
    yield "\n### Beside the ranks\n"
    yield ("| metric | control: offset found within 0.1 s | clips with music: own above others | "
           "all clips: rho of length and score |")  # fmt: skip
    yield "|---|---|---|---|"
    for way in WAYS:
        yield (f"| {way.name} | {found(jumps, long, way)} of {len(jumps)} | "
               f"{difference(musical, fitting, way)} | "
               f"{confounded(films, tracks, way)} |")  # fmt: skip


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
        pictures = watched(shared / "clips" / "chrome_ad.webm").accents
        film = {"impact": pictures.signal, "beats": pictures.beats}
        size = sum(path.stat().st_size for path in index.iterdir())
        yield f"tracks: {len(heard.shelf)}; a film of {len(pictures.signal) / STEP_RATE:.0f} s"
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


PARTS = {"drawn": drawn, "clips": clips}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--part", choices=PARTS, help="only these tables")
    parser.add_argument("--scale", type=int, metavar="N", help="index so many tracks instead")
    args = parser.parse_args()
    asked = (
        [partial(scale, count=args.scale)]
        if args.scale
        else [PARTS[args.part]]
        if args.part
        else [*PARTS.values()]
    )
    for part in asked:
        for line in part(args.shared):
            print(line, flush=True)


if __name__ == "__main__":
    main()
