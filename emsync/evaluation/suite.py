"""All films of a folder, composed for in four ways and measured: ``emsync evaluate suite``.

An experiment of two factors: whether the model is conditioned on the cuts, and whether the music is
fitted to them; the four combinations are its arms. The clip is the unit: seeds of one clip are
averaged before intervals are bootstrapped and signs are flipped.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import emsync
from emsync.analysis import Analysis
from emsync.checkpoints import files_of_checkpoint, find_checkpoint
from emsync.commission import Commission
from emsync.composing import candidate, draw
from emsync.composition import Composition
from emsync.data.songs import find_songs
from emsync.emotion.estimator import Estimator, choose
from emsync.errors import EmsyncError, InputError
from emsync.evaluation import control
from emsync.evaluation.likelihood import untrained
from emsync.evaluation.quality import SONGS, compared, first_reason, read_all
from emsync.evaluation.sync import RATE, aligned, hear
from emsync.evaluation.tables import suite_table
from emsync.files import check_target, together
from emsync.formats.labels import ScoreLabels
from emsync.formats.midi_check import check
from emsync.limits import shown
from emsync.metrics import av_align, cut_hits, quality, rhythm, statistics
from emsync.metrics.events import errors
from emsync.model.composer import Composer
from emsync.music.piece import Piece
from emsync.options import Options
from emsync.plain import plain
from emsync.planning.casting import casting
from emsync.planning.planner import plan_of
from emsync.progress import Progress, silent
from emsync.sound import audio
from emsync.sound.rhythm import rhythm_of
from emsync.sound.synthesis import synthesize, synthesizer_name
from emsync.targets import check_apart, make_folder
from emsync.video.film import FILMS, open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

OPTIONS = Options()  # those of ``emsync generate``
KEPT = ("suite.md", "suite.json")
SILENCE = 2**-16  # a peak below this is no sound: half a step of 16 bits
SECONDS = 12.0  # of a piece in the sweep of control

# Is the model conditioned on the cuts, and is time bent onto them?
ARMS = {
    "conditioned and fitted": (True, True),
    "conditioned": (True, False),
    "fitted": (False, True),
    "neither": (False, False),
}
PRODUCT = "conditioned and fitted"  # what ``emsync generate`` does
PAIRS = (("conditioned", "neither"), (PRODUCT, "fitted"), ("fitted", "neither"))


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured of one clip, one seed and one arm."""

    clip: str
    arm: str
    hits: dict[str, Any]  # of ``cut_hits.evaluate``
    errors: dict[str, list[float]]  # seconds, signed, of each cut, by kind of event
    align: dict[str, dict[str, float]]
    rhythm: float  # CM
    piece: Piece
    broken: tuple[str, ...]  # what breaks docs/midi-contract.md


def evaluate(
    folder: Path,
    checkpoint: str,
    seeds: int = 1,
    out: Path | None = None,
    reference: Path | None = None,
    sweep: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compose for all films of ``folder`` in each of ARMS, and measure it all.

    Returns the report that ``suite_table`` prints; ``out`` keeps the scores, ``suite.md`` and
    ``suite.json``. ``reference`` is a folder of real songs; of these, only those that the
    checkpoint was not trained on are compared with. ``sweep`` pieces are drawn for each check of
    ``control``.
    """
    clips = find_films(folder)
    songs = [] if reference is None else [path for _, path in find_songs([reference])]
    if reference is not None and not songs:
        raise InputError(f"no .npz, .mid or .midi file in {str(reference)!r}")
    if out is not None:
        make_folder(out)
        kept = [out / name for name in KEPT]
        kept += [_score(out, c, seed, arm) for c in clips for seed in range(seeds) for arm in ARMS]
        read = {"a film": clips, "a song": songs, "the checkpoint": files_of_checkpoint(checkpoint)}
        check_apart(kept, read)
        for path in kept:
            check_target(path)
    real = None if reference is None else _real(reference, find_checkpoint(checkpoint), progress)
    estimator, composer = choose(), Composer.from_pretrained(checkpoint)
    measurements: list[Measurement] = []
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    with ExitStack() as stack:
        scores = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for count, clip in enumerate(clips):

            def note(share: float, done: int = count) -> None:
                progress("Composing and measuring", (done + share) / len(clips))

            try:
                row, measured = _clip(composer, estimator, clip, seeds, scores, note)
            except EmsyncError as error:
                failed.append({"path": clip.name, "reason": str(error), "code": error.exit_code})
            else:
                rows.append(row)
                measurements += measured
    if not measurements:
        raise InputError(f"no film in {str(folder)!r} could be read: {failed[0]['reason']}")
    report: dict[str, Any] = {
        "version": emsync.__version__,
        "checkpoint": checkpoint,
        "sampling": asdict(composer.sampling),
        "synthesizer": synthesizer_name(),
        "seeds": seeds,
        "arms": ARMS,
        "interval": "95 %, percentile bootstrap over clips",
        "clips": rows,
        "failed": failed,
        "cut_hits": _hits(measurements),
        "tests": _tests(measurements),
        "av_align": _align(measurements, rows),
        "cm": {
            **{
                name: asdict(statistics.mean(_means(measurements, name, lambda one: one.rhythm)))
                for name in ARMS
            },
            "own sound": asdict(
                statistics.mean([row["own_sound"]["cm"] for row in rows if row["own_sound"]])
            ),
        },
    }
    pieces = [one.piece for one in measurements if one.arm == PRODUCT and len(one.piece)]
    if real is not None:
        progress("Measuring", 0.0)
        report["quality"] = _beside(pieces, real)
    if sweep:
        report["control"] = control.evaluate(checkpoint, sweep, SECONDS, progress)
    report = plain(report)
    if out is not None:
        _keep(out, report)
    return report


def find_films(folder: Path) -> list[Path]:
    """Return the films of a folder by name; InputError where there are none."""
    files = folder.iterdir() if folder.is_dir() else ()
    films = sorted(path for path in files if path.suffix.lower() in FILMS)
    if not films:
        raise InputError(f"there are no films in {str(folder)!r}; give a folder of .mp4, .mkv, …")
    return films


def _clip(
    composer: Composer,
    estimator: Estimator,
    clip: Path,
    seeds: int,
    scores: Path,
    note: Callable[[float], None],
) -> tuple[dict[str, Any], list[Measurement]]:
    """Compose for one clip and measure it; return its row and its measurements."""
    impact = Impact()
    footage = watch(open_film(clip), lambda share: note(0.1 * share), [impact], estimator.needs)
    video = Analysis.of(footage, estimator, impact=impact.curve(footage.film.duration))
    pictures = impact.signal(video.duration)
    rate = float(Fraction(video.fps))
    kept = [cut.time for cut in video.kept]
    motion = av_align.watch(footage.film, lambda share: note(0.1 + 0.2 * share))
    own = None
    if footage.film.has_audio:
        sound = hear(clip)[: round(video.duration * RATE)]
        if np.abs(sound).max(initial=0.0) > SILENCE:
            own = {
                **aligned(motion, av_align.listen(sound), rate, video.duration),
                "cm": rhythm.cm(rhythm_of(sound).signal, pictures, delays=(0.0,)).score,
            }
    measurements = []
    composed = compose_arms(composer, video, range(seeds))
    for i, arm in enumerate(ARMS):
        for seed, made in enumerate(composed[arm]):
            note(0.5 + 0.5 * (i + seed / seeds) / len(ARMS))
            path = _score(scores, clip, seed, arm)
            path.write_bytes(made.midi())
            played = audio.finish_in_place(synthesize(path, rate=RATE), video.duration, fade=0.0)
            heard = played.samples.mean(axis=1)
            events = cut_hits.events(made.piece, video.duration)
            measurements.append(Measurement(
                clip.name, arm,
                cut_hits.evaluate(kept, events, video.duration, rate),
                {kind: errors(kept, times).tolist() for kind, times in events.items()},
                aligned(motion, av_align.listen(heard), rate, video.duration),
                rhythm.cm(rhythm_of(heard).signal, pictures, delays=(0.0,)).score,
                made.piece,
                tuple(check(path, video.duration).errors),
            ))  # fmt: skip
    product = [one for one in measurements if one.arm == PRODUCT]
    row = {
        "clip": clip.name,
        "duration": video.duration,
        "fps": video.fps,
        "cuts": len(kept),
        "notes": [len(one.piece) for one in product],
        "instruments": [len(one.piece.instruments) for one in product],
        "broken": [error for one in measurements for error in one.broken],
        "own_sound": own,
    }
    return row, measurements


def compose_arms(
    composer: Composer, video: Analysis, seeds: Sequence[int]
) -> dict[str, list[Composition]]:
    """Return what is composed for ``video`` in each arm; in that of PRODUCT as ``generate`` does.

    With and without its cuts all else is the same: the plan of the film and the seed, its tempo and
    bars, which are spotted on the cuts where the music will be fitted to them.
    """
    found: dict[tuple[bool, bool], list[Composition]] = {which: [] for which in ARMS.values()}
    for seed in seeds:
        for fitted in (True, False):
            options = replace(OPTIONS, seed=seed, sync=OPTIONS.sync if fitted else "off")
            plan = plan_of(video, options)
            asked, (brief, ending) = plan.asked(video), plan.brief(video)
            players = casting(plan)
            commission = Commission(
                brief, plan=plan, casting=players, ending=ending, options=options, seeds=[seed],
            )  # fmt: skip
            pair = draw(
                composer, [brief, replace(brief, cuts=())], [seed, seed],
                options.max_tempo_change, composer.sampling,
                sync=options.sync, plan=plan, last_chord=ending.chord,
            )  # fmt: skip
            labels = ScoreLabels.of(asked, plan=plan)
            for conditioned, sample in zip((True, False), pair, strict=True):
                best = candidate(commission, sample, seed)
                made = Composition(
                    best, others=(), analysis=asked, plan=plan, casting=players, labels=labels,
                    options=options,
                )  # fmt: skip
                found[conditioned, fitted].append(made)
    return {arm: found[which] for arm, which in ARMS.items()}


# --- the suite's figures --------------------------------------------------------------------------


def _of(measurements: Sequence[Measurement], arm: str) -> dict[str, list[Measurement]]:
    """Return the measurements of one arm, by clip."""
    clips: dict[str, list[Measurement]] = {}
    for one in measurements:
        if one.arm == arm:
            clips.setdefault(one.clip, []).append(one)
    return clips


def _means(
    measurements: Sequence[Measurement], arm: str, value: Callable[[Measurement], float]
) -> list[float]:
    """Return the mean of a value over the seeds of each clip."""
    return [float(np.mean([value(t) for t in clip])) for clip in _of(measurements, arm).values()]


def _tolerances(measurements: Sequence[Measurement]) -> list[str]:
    """Return the names of the tolerances that hold for every clip, whatever its rate."""
    rows = [list(one.hits["events"]["onset"]["within"]) for one in measurements]
    return min(rows, key=len)


def _row(one: Measurement, kind: str, tolerance: str) -> dict[str, Any]:
    row: dict[str, Any] = one.hits["events"][kind]["within"][tolerance]
    return row


def _hits(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return {arm: {kind: {tolerance: share and control with intervals}, errors}}."""
    report: dict[str, Any] = {}
    for arm in ARMS:
        clips = _of(measurements, arm)
        cuts = [sum(t.hits["cuts"] for t in clip) for clip in clips.values()]
        report[arm] = {}
        for kind in cut_hits.KINDS:
            within = {}
            for name in _tolerances(measurements):
                rows = [[_row(t, kind, name) for t in clip] for clip in clips.values()]
                counts = [sum(r["hits"] for r in row) for row in rows]
                chance = [
                    sum(r["shuffled"] for r in row) * total / len(row)
                    for row, total in zip(rows, cuts, strict=True)
                ]
                within[name] = {
                    "share": asdict(statistics.ratio(counts, cuts)),
                    "shuffled": asdict(statistics.ratio(chance, cuts)),
                }
            found = np.array([e for clip in clips.values() for t in clip for e in t.errors[kind]])
            found = found[np.isfinite(found)] * 1000
            report[arm][kind] = {
                "within": within,
                "median_ms": float(np.median(found)) if len(found) else None,
                "p95_ms": float(np.percentile(found, 95)) if len(found) else None,
                "p95_absolute_ms": float(np.percentile(np.abs(found), 95)) if len(found) else None,
                "cuts": sum(cuts),
            }
    return report


def _tests(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return the sign-flip tests over clips: arms against each other and against chance."""
    tests: list[dict[str, Any]] = []
    with_cuts = [one for one in measurements if one.hits["cuts"]]
    for kind in cut_hits.KINDS:
        for name in _tolerances(measurements):
            shares, chance = (
                {
                    c: np.array(_means(with_cuts, c, lambda t: _row(t, kind, name)[key]))  # noqa: B023
                    for c in ARMS
                }
                for key in ("share", "shuffled")
            )
            compared = [(a, b, shares[a] - shares[b]) for a, b in PAIRS]
            compared += [(c, "shuffled cuts", shares[c] - chance[c]) for c in ARMS]
            tests += [
                {
                    "kind": kind, "tolerance": name, "a": a, "b": b, "clips": len(difference),
                    "difference": asdict(statistics.mean(difference)),
                    "p": statistics.sign_flip(difference),
                }
                for a, b, difference in compared
            ]  # fmt: skip
    return tests


def _align(
    measurements: Sequence[Measurement], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return {variant: {arm, or "own sound": score and control with intervals}}."""
    report: dict[str, Any] = {}
    for variant in measurements[0].align:
        found = {
            arm: [
                {
                    key: float(np.mean([one.align[variant][key] for one in clip]))
                    for key in ("score", "shifted")
                }
                for clip in _of(measurements, arm).values()
            ]
            for arm in ARMS
        }
        found["own sound"] = [row["own_sound"][variant] for row in rows if row["own_sound"]]
        report[variant] = {
            source: {
                key: asdict(statistics.mean([row[key] for row in clips]))
                for key in ("score", "shifted")
            }
            for source, clips in found.items()
        }
    return report


def _real(reference: Path, checkpoint: Path, progress: Progress) -> list[Piece]:
    """Return songs that the checkpoint was not trained on, before an hour's composing."""
    songs = untrained([reference], checkpoint, SONGS)
    if not songs:
        raise InputError(
            f"the checkpoint was trained on all songs of {shown(str(reference))}; give others"
        )
    real, failed = read_all(songs, progress, "Reading songs")
    if not real:
        raise InputError(f"no song in {shown(str(reference))} could be read" + first_reason(failed))
    return real


def _beside(pieces: Sequence[Piece], songs: Sequence[Piece]) -> dict[str, Any]:
    seconds = float(np.median([piece.duration for piece in pieces]))
    excerpts = [piece for song in songs if len(piece := quality.excerpt(song, seconds))]
    return {"scores": len(pieces), "songs": len(excerpts), "seconds": seconds,
            **compared(pieces, excerpts)}  # fmt: skip


def _score(folder: Path, clip: Path, seed: int, arm: str) -> Path:
    """Return where a score is kept; the whole name tells film.mp4 from film.ogv."""
    return folder / f"{clip.name}.{seed}.{arm.replace(' ', '-')}.mid"


def _keep(out: Path, report: Mapping[str, Any]) -> None:
    with together() as outputs:
        page, data = (outputs.file(out / name) for name in KEPT)
        page.write_text(suite_table(report), encoding="utf-8")
        data.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
