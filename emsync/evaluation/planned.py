"""Does the music do what its plan says: all films of a folder, composed for as ``generate`` does.

Each film is watched once and composed for in each arm: with all that holds the music to its lead
sheet ("planned"); where the network has learned chords or instruments, without telling it these
("rules alone"); without the rule of harmony; and without any such rule, by what the network is told
alone ("rules off").

Conventions: the clip is the unit, seeds of one clip are summed; figures have 95 % intervals by a
bootstrap over clips. Each clip has seeds of its own, or all would have the same chords. Figures are
those of the candidate that is kept, notes those of all candidates. Half bars are those of the
fitted tempo map; half bars without pitched sound, and sections of less than two bars, do not count.

root, chord      half bars in which the planned root is heard; root and quality. Chance: the plans
                 of the other films, brought to the same tonic
on_chord         sounding time on tones of the planned chord
moves            how the heard chords move (``metrics.harmony``), of clips of LEAST half bars or
                 more, beside the middle 80 % of real songs
rest, play       of the classes that a section does not ask for, those that begin no note in it; of
                 those that it asks for, those that begin one
portrait         all measures of ``metrics.portrait``, and how differently the notes are struck,
                 beside the songs of each clip's length that ``portrait.json`` holds
returned         how much more alike the passages of one theme are than those of two
                 (``metrics.motifs``), of clips in which a theme returns beside another
onsets           moments at which a note begins, as a share of those that the plan's densities ask
                 for, until the last chord; of clips whose plan has densities. These are real
                 songs', which off the grid of sixteenths and triplets begin a quarter more
notes            notes of each class, as a share of those without the rule of harmony
cuts             cuts to be hit that have a boundary chord within a frame
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import emsync
from emsync.analysis import Analysis
from emsync.arrays import Float64s, Seconds
from emsync.composition import Composition
from emsync.conditioning import Floats, null_targets
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.evaluation.suite import find_films
from emsync.limits import shown
from emsync.metrics import cut_hits, statistics
from emsync.metrics.harmony import Followed, Movement, movement_of, real_songs
from emsync.metrics.lead_sheet import Players, chords_followed, onsets_asked, players
from emsync.metrics.motifs import returned
from emsync.metrics.portrait import beside, portrait, songs_like
from emsync.metrics.velocity import velocity_of
from emsync.model.composer import Composer
from emsync.music.chords import transposed
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import CLASSES, Piece
from emsync.options import Options
from emsync.pipeline import analyze, generate
from emsync.plain import plain
from emsync.progress import Progress, silent

PLANNED, UNTOLD, FREE = "planned", "rules alone", "rules off"  # arms
HARMONY = "harmony"  # the rule that holds the pitches to the chords
TOLD = ("chords", "instruments")  # conditions that tell what rules hold the music to
LEAST = 16  # half bars of a clip whose chords' movement is measured
MOVES = ("distinct", "changes", "commonest", "drone", "on_chord", "cadences")


@dataclass(frozen=True)
class Arm:
    """What is left out of an arm."""

    rules_off: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()  # conditions


@dataclass(frozen=True, eq=False)
class Reticent(Composer):
    """A composer that does not tell its network some of the conditions."""

    untold: tuple[str, ...] = ()

    def targets(self, video: Analysis) -> dict[str, Floats]:
        targets = super().targets(video)
        told = [name for name in targets if name not in self.untold]
        return null_targets(self.model.conditioners, targets, told)


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured of one clip, one seed and one arm."""

    clip: str
    seed: int
    arm: str
    seconds: float  # of the film
    sheet: LeadSheet
    piece: Piece
    edges: Seconds  # (W + 1,) of the half bars
    followed: Followed
    moves: Movement  # of the chords that are heard
    players: Players
    portrait: Mapping[str, float]  # of ``metrics.portrait``
    returned: float  # NaN where no theme returns
    onsets: int  # moments at which a note begins, until the last chord
    onsets_asked: float  # by the plan; NaN where it asks for no density
    notes: Float64s  # (classes,) notes of all candidates
    cuts: int  # to be hit
    hits: int  # by a chord, within a frame
    candidates: tuple[Mapping[str, float], ...]  # the seed and the parts of the score of each

    def row(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "clip": self.clip,
            "seed": self.seed,
            "arm": self.arm,
            "seconds": self.seconds,
            "followed": asdict(self.followed),
            "moves": asdict(self.moves),
            "players": asdict(self.players),
            "portrait": dict(self.portrait),
            "returned": self.returned,
            "onsets": self.onsets,
            "onsets_asked": self.onsets_asked,
            "notes": dict(zip(CLASSES, self.notes.tolist(), strict=True)),
            "cuts": self.cuts,
            "hits": self.hits,
            "candidates": list(self.candidates),
        }


def evaluate(
    folder: Path,
    checkpoint: str,
    seeds: int = 1,
    candidates: int = Options().candidates,
    progress: Progress = silent,
    arms: Sequence[str] = (),
) -> dict[str, Any]:
    """Compose for all films of ``folder`` in each arm, and measure it all; plain values for JSON.

    ``candidates`` are drawn for each piece, as ``generate`` does. ``arms`` are those that are
    composed for, or all. UsageError names an arm that the checkpoint does not have.
    """
    films = find_films(folder)
    composer = Composer.from_pretrained(checkpoint)
    chosen = arms_of(composer)
    for name in arms:
        if name not in chosen:
            raise UsageError(f"no arm {shown(name)}; {checkpoint} has {', '.join(chosen)}")
    chosen = {name: arm for name, arm in chosen.items() if not arms or name in arms}
    measured: list[Measurement] = []
    failed: list[dict[str, Any]] = []
    for count, film in enumerate(films):

        def note(share: float, done: int = count) -> None:
            progress("Composing and measuring", (done + share) / len(films))

        try:
            own = range(count, seeds * len(films), len(films))
            measured += _film(composer, film, chosen, own, candidates, note)
        except EmsyncError as error:
            failed.append({"path": film.name, "reason": str(error), "code": error.exit_code})
    if not measured:
        raise InputError(f"no film in {str(folder)!r} could be read: {failed[0]['reason']}")
    return plain({
        "version": emsync.__version__,
        "checkpoint": checkpoint,
        "seeds": seeds,
        "candidates": candidates,
        "clips": len({one.clip for one in measured}),
        "arms": {arm: summary([one for one in measured if one.arm == arm]) for arm in chosen},
        "base": base_of(list(chosen)),
        "notes": notes(measured),
        "real": {name: asdict(found) for name, found in real_songs().items()},
        "rows": [one.row() for one in measured],
        "failed": failed,
    })  # fmt: skip


def arms_of(composer: Composer) -> dict[str, Arm]:
    """Return by their names the arms that make a difference to a checkpoint."""
    rules = tuple(composer.tokenizer.followers(()))
    untold = tuple(c.name for c in composer.model.conditioners if c.name in TOLD)
    arms = {PLANNED: Arm()}
    if untold:
        arms[UNTOLD] = Arm(untold=untold)
    if HARMONY in rules:
        arms[f"{HARMONY} off"] = Arm((HARMONY,))
    return {**arms, FREE: Arm(rules)} if rules else arms


def base_of(arms: Sequence[str]) -> str:
    """Return the arm whose notes are compared with: without the rule of harmony, or the last."""
    return next((arm for arm in arms if arm.startswith(HARMONY)), arms[-1])


def _film(
    composer: Composer,
    film: Path,
    arms: Mapping[str, Arm],
    seeds: Sequence[int],
    candidates: int,
    note: Callable[[float], None],
) -> list[Measurement]:
    """Watch a film once, compose for it with each seed in each arm, and measure that."""
    analysis = analyze(film, progress=lambda _, share: note(0.1 * share))
    found: list[Measurement] = []
    for seed in seeds:
        for name, arm in arms.items():
            note(0.1 + 0.9 * len(found) / (len(seeds) * len(arms)))
            off = (*composer.sampling.rules_off, *arm.rules_off)
            options = Options(analysis=analysis, seed=seed, candidates=candidates, rules_off=off)
            reticent = Reticent(**vars(composer), untold=arm.untold)
            found.append(measure(film.name, name, generate(film, options, checkpoint=reticent)))
    return found


def measure(clip: str, arm: str, made: Composition) -> Measurement:
    """Measure what was composed for a clip in an arm."""
    if made.sheet is None:
        raise ValueError("what has no lead sheet has none to follow")
    duration, rate = made.analysis.duration, float(made.rate or 0)
    edges = made.fitted.tempo_map.half_bars(duration)
    cuts = [report.cut.time for report in made.cuts] if rate else []
    chords = cut_hits.events(made.piece, duration)["chord"]
    beats = made.fitted.tempo_map.beats
    end = duration if made.ending.chord is None else made.ending.chord
    drawn = np.concatenate([candidate.fitted.piece.classes for candidate in made.candidates])
    return Measurement(
        clip,
        made.options.seed,
        arm,
        duration,
        made.sheet,
        made.piece,
        edges,
        chords_followed(made.sheet, made.piece, edges),
        movement_of(made.piece, edges, made.sheet.tonic),
        players(made.sheet, made.piece, edges),
        drawn_from(made, edges),
        returned(made.piece.retimed(beats), made.sheet.retimed(beats).passages),
        len(np.unique(made.piece.onsets[made.piece.onsets < end])),
        onsets_asked(made.sheet.retimed(beats), float(beats(np.array([end]))[0])),
        np.bincount(drawn, minlength=len(CLASSES)).astype(np.float64),
        len(cuts),
        cut_hits.hits(cuts, chords, 1 / rate) if cuts else 0,
        tuple(candidate.to_json() for candidate in made.candidates),
    )


def drawn_from(made: Composition, edges: Seconds) -> dict[str, float]:
    """Return the portrait of a composition, and how differently its notes are struck."""
    beats = made.fitted.tempo_map.beats
    found = portrait(made.piece, made.analysis.duration, edges=edges, beats=beats, sheet=made.sheet)
    parts = made.performance().parts
    struck = velocity_of(
        np.concatenate([part.velocities for part in parts]),
        np.concatenate([np.full(len(part.onsets), k, np.uint8) for k, part in enumerate(parts)]),
        beats(np.concatenate([part.onsets for part in parts])),
    )
    return found | {f"velocity.{name}": value for name, value in asdict(struck).items()}


def summary(measured: Sequence[Measurement]) -> dict[str, Any]:
    """Return the figures of one arm, each with its interval."""
    halves = [one.followed.half_bars for one in measured]
    parts = {name: [getattr(one.followed, name) for one in measured]
             for name in ("root", "chord", "on_chord")}  # fmt: skip
    by_chance = [chance(one, measured) for one in measured]
    told = [one.players for one in measured]
    clips = [one.clip for one in measured]

    def share(values: Iterable[float], wholes: Iterable[float]) -> dict[str, Any]:
        return asdict(_ratio(clips, np.array([*values]), np.array([*wholes])))

    long = [one.moves for one in measured if one.followed.half_bars >= LEAST]
    return {
        **{name: share(_counts(values, halves), halves) for name, values in parts.items()},
        "chance": {
            name: share(
                [getattr(one, name) for one in by_chance], [one.half_bars for one in by_chance]
            )
            for name in ("root", "chord")
        },
        "moves": {
            name: {
                **asdict(statistics.mean([getattr(one, name) for one in long])),
                "inside": _inside(name, [getattr(one, name) for one in long]),
            }
            for name in MOVES
        },
        "portrait": beside(
            [one.portrait for one in measured],
            [songs_like(one.followed.half_bars / 2) for one in measured],
        ),
        "rest": share([one.rested for one in told], [one.unasked for one in told]),
        "play": share([one.played for one in told], [one.asked for one in told]),
        "returned": asdict(statistics.mean([one.returned for one in measured])),
        "onsets": share([one.onsets for one in measured], [one.onsets_asked for one in measured]),
        "cuts": share([one.hits for one in measured], [one.cuts for one in measured]),
    }


def chance(one: Measurement, measured: Sequence[Measurement]) -> Followed:
    """Return in how many half bars the plans of the other films are heard: counts, not shares."""
    others = [
        chords_followed(_on_tonic(other.sheet, one.sheet.tonic), one.piece, one.edges)
        for other in measured
        if other.clip != one.clip
    ]
    halves = [other.half_bars for other in others]
    return Followed(
        root=sum(_counts([other.root for other in others], halves)),
        chord=sum(_counts([other.chord for other in others], halves)),
        on_chord=math.nan,
        half_bars=sum(halves),
    )


def _on_tonic(sheet: LeadSheet, tonic: int) -> LeadSheet:
    """Return the sheet with its chords moved to another tonic."""
    up = tonic - sheet.tonic
    moved = np.array([transposed(int(c), up) for c in sheet.harmony.chords], np.intp)
    return replace(sheet, harmony=replace(sheet.harmony, chords=moved), tonic=tonic)


def notes(measured: Sequence[Measurement]) -> dict[str, dict[str, Any]]:
    """Return {arm: {class: notes as a share of those of the arm ``base_of``}}."""
    arms = list(dict.fromkeys(one.arm for one in measured))
    base = base_of(arms)
    counts = {arm: np.array([one.notes for one in measured if one.arm == arm]) for arm in arms}
    counts = {arm: np.column_stack([found, found.sum(1)]) for arm, found in counts.items()}
    clips = [one.clip for one in measured if one.arm == base]
    return {
        arm: {
            name: asdict(_ratio(clips, counts[arm][:, k], counts[base][:, k]))
            for k, name in enumerate([*CLASSES, "all"])
        }
        for arm in arms
    }


def _counts(shares: Iterable[float], halves: Iterable[int]) -> list[float]:
    return [share * half if half else 0.0 for share, half in zip(shares, halves, strict=True)]


def _ratio(clips: Sequence[str], parts: Float64s, wholes: Float64s) -> statistics.Estimate:
    """Return sum(parts) / sum(wholes), the seeds of each clip summed before."""
    _, at = np.unique(clips, return_inverse=True)
    return statistics.ratio(np.bincount(at, parts), np.bincount(at, wholes))


def _inside(name: str, values: Sequence[float]) -> float:
    """Return the share of clips inside the middle 80 % of real songs."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean([v in real_songs()[name] for v in known])) if known else math.nan
