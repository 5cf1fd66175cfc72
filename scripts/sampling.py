"""Measure settings of the sampler against held-out songs, an arm at a time.

    python scripts/sampling.py CHECKPOINT STORE OUT.json [--measure chords quality planned control]
        [--pieces 16] [--seconds 16] [--temperature 1.0 ...] [--top-p 0.98 ...] [--guidance 1.5 ...]
        [--unguided chords,instruments ...] [--rules-off harmony,instruments ...]

An arm is a measure with a setting: every combination of what is named, else of the checkpoint's own
settings. Each is written to OUT.json as soon as it is measured, and what is there already is not
measured again: stop it when the machine is needed, and call it again. The held-out songs are those
of STORE, as ``emsync.data.split`` divides it.

chords     pieces that are told a loop of four triads, a song's players and its onsets a second:
           half bars with the root, with root and quality; sounding time on the chord; half bars
           without pitched sound; players asked that play, not asked that rest; onsets, notes, and
           the notes of each class of the song, as a share of the song's. Onsets are counted at the
           nearest sixteenth or triplet, where the sampler has them all: real songs, whose hands are
           no machines, begin a quarter more of them
quality    pieces of random feelings with a boundary every few seconds, beside the songs: the mean
           overlapped area of Yang & Lerch over the statistics of ``emsync.metrics.quality``; over
           those alone in which most songs differ; and what half of the songs reach by these
planned    the same of pieces that follow a plan of their own, as ``emsync generate`` does
control    ``emsync evaluate control``, of one thing requested at a time
"""

import argparse
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emsync.analysis import Analysis, Cut
from emsync.conditioning import Floats, check_conditions
from emsync.data.split import split
from emsync.data.store import Store
from emsync.evaluation import control
from emsync.evaluation.drawing import draw_all
from emsync.evaluation.following import with_plan
from emsync.files import together
from emsync.metrics import quality, statistics
from emsync.metrics.lead_sheet import chords_followed, players
from emsync.model.composer import Composer
from emsync.music.chords import NONE, Harmony, heard, parse_chord, transposed
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BEATS, CLASSES, DRUMS, Piece
from emsync.music.tonality import TONICS
from emsync.options import Sampling
from emsync.plain import plain
from emsync.tokens import check_rules

LOOPS = ("C G Am F", "Am F C G", "Dm G C Am", "Em C D G")  # a chord a bar, in all keys in turn
ALIKE = 1e-9  # the median distance of statistics in which most songs are alike
MOMENTS = (0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1)  # beats at which a note may begin
TOLD = ("chords", "instruments")  # conditions that read the lead sheet
NAMES = ("unguided", "rules_off")  # settings that are names


@dataclass(frozen=True)
class Task:
    """What all arms of a file have in common."""

    checkpoint: str
    pieces: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=["chords"])
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=16.0)
    for name in ("temperature", "top_p", "guidance"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, nargs="+")
    for name in NAMES:
        parser.add_argument(f"--{name.replace('_', '-')}", nargs="+", help='"" for none')
    args = parser.parse_args()
    task = Task(args.checkpoint, args.pieces, args.seconds)
    composer = Composer.from_pretrained(task.checkpoint)
    arms = arms_of(args.measure, grid(vars(args)))
    for _, setting in arms.values():  # before anything is measured
        check(composer, replace(composer.sampling, **setting))
    report = started(args.out, task)
    songs = excerpts(Store.open(args.store), task.pieces, task.seconds)
    for name, (measure, setting) in arms.items():
        if name not in report["arms"]:
            asked = replace(composer, sampling=replace(composer.sampling, **setting))
            found = MEASURES[measure](asked, songs, task.seconds)
            row = {"measure": measure, "sampling": asdict(asked.sampling), **found}
            report["arms"][name] = plain(row)
            with together() as outputs:
                outputs.file(args.out).write_text(json.dumps(report, indent=1) + "\n")
        print(name, *(f"{k} {v:.3f}" for k, v in figures(report["arms"][name])), flush=True)


def check(composer: Composer, sampling: Sampling) -> None:
    """Refuse the name of a condition or a rule that ``composer`` does not have."""
    check_conditions(composer.model.conditioners, sampling.unguided)
    check_rules(composer.tokenizer, sampling.rules_off)


def grid(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every combination of the settings that are named."""
    values: dict[str, list[Any]] = {
        name: options[name]
        for name in ("temperature", "top_p", "guidance", *NAMES)
        if options[name] is not None
    }
    for name in NAMES:
        if name in values:
            values[name] = [tuple(filter(None, one.split(","))) for one in values[name]]
    return [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]


def arms_of(
    measures: Sequence[str], settings: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return {name: (measure, setting)}."""

    def words(value: Any) -> str:
        return ",".join(value) if isinstance(value, tuple) else f"{value:g}"

    return {
        " ".join([measure, *(f"{name}={words(value)}" for name, value in setting.items())]): (
            measure, setting,
        )
        for setting in settings
        for measure in measures
    }  # fmt: skip


def started(out: Path, task: Task) -> dict[str, Any]:
    """Return the report that is there already, or an empty one."""
    fresh = {**asdict(task), "arms": {}}
    if not out.exists():
        return fresh
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    other = [name for name, value in asdict(task).items() if report[name] != value]
    if other:
        raise SystemExit(f"{out} was measured with another {' and '.join(other)}; name a new file")
    return report


def figures(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the names and values of the figures of an arm that are not in a table of their own."""
    found = []
    for name, value in row.items():
        if isinstance(value, Mapping):
            value = value.get("value", value.get("rho", value.get("hit")))
        if isinstance(value, float):
            found.append((name, value))
    return found


def excerpts(store: Store, count: int, seconds: float) -> list[Piece]:
    """Return ``seconds`` of ``count`` held-out songs, from a bar line, in which something pitched
    sounds; spread evenly over the store.
    """
    _, held = split(store, 0.05)
    long = [song for song in held if song.seconds > 2 * seconds]
    found: list[Piece] = []
    for song in long[:: max(1, len(long) // (2 * count))]:  # twice as many: some are drums alone
        piece = quality.excerpt(store.tokenizer.decode(store.ids(song)), seconds)
        if (piece.classes != DRUMS).any() and len(found) < count:
            found.append(piece)
    return found


def chords(composer: Composer, songs: Sequence[Piece], seconds: float) -> dict[str, Any]:
    """Return how told loops, players and densities are heard."""
    if composer.tempo is None:
        raise SystemExit("loops need a checkpoint of one tempo")
    half = BEATS * 30 / composer.tempo  # seconds of half a bar
    edges = np.arange(0, seconds + half / 2, half)
    sheets = [loop(i, song, seconds, 2 * half) for i, song in enumerate(songs)]
    targets = [
        told(composer, sheet, song, seconds) for sheet, song in zip(sheets, songs, strict=True)
    ]
    pieces = draw_all(composer, targets, seconds, sheets=sheets)
    both = list(zip(sheets, pieces, strict=True))
    followed = [chords_followed(sheet, piece, edges) for sheet, piece in both]
    halves = [one.half_bars for one in followed]
    played = [players(sheet, piece, edges) for sheet, piece in both]
    silent = [int((heard(piece, edges) == NONE).sum()) for piece in pieces]

    def share(parts: Sequence[float], wholes: Sequence[float]) -> dict[str, Any]:
        return asdict(statistics.ratio(parts, wholes))

    def counts(name: str) -> list[float]:
        return [getattr(one, name) * n if n else 0.0
                for one, n in zip(followed, halves, strict=True)]  # fmt: skip

    def notes(c: int) -> dict[str, Any]:
        return share(*([int((p.classes == c).sum()) for p in some] for some in (pieces, songs)))

    return {
        **{name: share(counts(name), halves) for name in ("root", "chord", "on_chord")},
        "silent": share(silent, [len(edges) - 1] * len(pieces)),
        "play": share([one.played for one in played], [one.asked for one in played]),
        "rest": share([one.rested for one in played], [one.unasked for one in played]),
        "onsets": share(*([onsets(p, half / 2) for p in some] for some in (pieces, songs))),
        "notes": share(*([len(p) for p in some] for some in (pieces, songs))),
        "classes": {name: notes(c) for c, name in enumerate(CLASSES)},
    }


def onsets(piece: Piece, beat: float) -> int:
    """Return at how many sixteenths and triplets a note begins, the nearest ones of each onset."""
    beats, part = np.divmod(piece.onsets / beat, 1.0)
    nearest = np.abs(part[:, None] - MOMENTS).argmin(axis=1)
    return len(np.unique(beats + np.array(MOMENTS)[nearest]))


def loop(index: int, song: Piece, seconds: float, bar: float) -> LeadSheet:
    """Return a lead sheet with one of LOOPS, in one of the keys, and the players of a song."""
    names = LOOPS[index % len(LOOPS)].split()
    starts = np.arange(0, seconds, bar)
    numbers = [transposed(parse_chord(names[k % len(names)]), index) for k in range(len(starts))]
    passage = Passage(0.0, seconds, tuple(np.unique(song.classes).tolist()))
    harmony = Harmony(starts, np.array(numbers, np.intp))
    return LeadSheet(harmony, (passage,), index % 12)


def told(composer: Composer, sheet: LeadSheet, song: Piece, seconds: float) -> dict[str, Floats]:
    """Return targets of a sheet's chords and players and of a song's onsets alone."""
    film = composer.partial_analysis(seconds, sheet=sheet)
    targets = composer.null_targets(seconds)
    for c in composer.model.conditioners:
        if c.name in TOLD:
            targets[c.name] = c.from_video(film)
        elif c.name == "onset_density":
            targets[c.name] = c.from_music(song)
    return targets


def likeness(composer: Composer, songs: Sequence[Piece], seconds: float) -> dict[str, Any]:
    """Return how like the songs pieces of random feelings are."""
    targets = [composer.targets(film) for film in films(composer, len(songs), seconds)]
    return compared(draw_all(composer, targets, seconds), songs)


def planned(composer: Composer, songs: Sequence[Piece], seconds: float) -> dict[str, Any]:
    """Return how like the songs pieces are that follow a plan for such films."""
    asked = [with_plan(film, i) for i, film in enumerate(films(composer, len(songs), seconds))]
    targets = [composer.targets(film) for film in asked]
    sheets = [film.sheet for film in asked if film.sheet is not None]
    return compared(draw_all(composer, targets, seconds, sheets=sheets), songs)


def films(composer: Composer, count: int, seconds: float) -> list[Analysis]:
    """Return films of random feelings, with a boundary every four seconds or more."""
    rng = np.random.default_rng(0)
    found = []
    for tonic in itertools.islice(itertools.cycle(TONICS), count):
        valence, arousal = rng.uniform(-0.7, 0.7, 2).tolist()
        times = np.cumsum(rng.uniform(4, 8, int(seconds / 6))).tolist()
        cuts = tuple(Cut(time) for time in times if time < seconds)
        film = composer.partial_analysis(
            seconds, valence=valence, arousal=arousal, tonic=tonic, cuts=cuts
        )
        found.append(film)
    return found


def compared(pieces: Sequence[Piece], songs: Sequence[Piece]) -> dict[str, Any]:
    table = quality.compare(pieces, songs)
    varied = [row for row in table.values() if row["reference_distance"] > ALIKE]

    def area(rows: Iterable[Mapping[str, float]], key: str) -> float:
        return float(np.nanmean([row[key] for row in rows]))

    return {
        "area": area(table.values(), "overlapped_area"),
        "varied_area": area(varied, "overlapped_area"),
        "songs_varied_area": area(varied, "real_overlapped_area"),
        "statistics": table,
    }


def controlled(composer: Composer, songs: Sequence[Piece], seconds: float) -> dict[str, Any]:
    found = control.sweeps(composer, len(songs), seconds)
    return {**found, **found.pop("valence")}


MEASURES: Mapping[str, Callable[[Composer, Sequence[Piece], float], dict[str, Any]]] = {
    "chords": chords,
    "quality": likeness,
    "planned": planned,
    "control": controlled,
}

if __name__ == "__main__":
    main()
