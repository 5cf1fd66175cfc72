"""All films of a folder: compose with and without being told the cuts, fit and not, measure it all.

One table, in Markdown and JSON. The clip is the unit: seeds of one clip are averaged before
intervals are bootstrapped and signs are flipped.
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
from emsync.errors import EmsyncError, InputError
from emsync.evaluation.likelihood import untrained
from emsync.evaluation.measure import (
    RATE,
    SONGS,
    aligned,
    control,
    control_table,
    first_reason,
    grid,
    hear,
    number,
    quality_table,
    read_all,
)
from emsync.files import atomic_write, check_target
from emsync.fit.dynamics import Dynamics
from emsync.fit.ending import Ending
from emsync.fit.hits import fit
from emsync.formats.labels import ScoreLabels
from emsync.formats.midi import write_midi
from emsync.formats.midi_check import check
from emsync.metrics import av_align, cut_hits, quality, rhythm, statistics
from emsync.metrics.events import errors
from emsync.model.composer import Composer, find_checkpoint
from emsync.music.piece import Piece
from emsync.options import Options, Sync
from emsync.pipeline import draw
from emsync.plain import plain
from emsync.progress import Progress, silent
from emsync.sound import audio
from emsync.sound.rhythm import rhythm_of
from emsync.sound.synthesis import synthesize, synthesizer_name
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

FILMS = {".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ogv", ".webm"}
OPTIONS = Options()  # those of ``emsync generate``
SECONDS = 12.0  # of a piece in the sweep of control

# Is the model told the cuts, and is time bent onto them?
CONDITIONS = {
    "told and fitted": (True, True),
    "told": (True, False),
    "fitted": (False, True),
    "neither": (False, False),
}
PRODUCT = "told and fitted"  # what ``emsync generate`` does
ERRORS = {"median_ms": "+.0f", "p95_ms": "+.0f", "p95_absolute_ms": ".0f"}  # and how to print them
PAIRS = (("told", "neither"), ("told and fitted", "fitted"), ("fitted", "neither"))


@dataclass(frozen=True, eq=False)
class Take:
    """What was measured of one clip, one seed and one condition."""

    clip: str
    condition: str
    hits: dict[str, Any]  # of ``cut_hits.evaluate``
    errors: dict[str, list[float]]  # seconds, signed, of each cut, by kind of event
    align: dict[str, dict[str, float]]
    rhythm: float  # CM
    piece: Piece
    contract: tuple[str, ...]  # what breaks the contract of the file


def suite(
    folder: Path,
    checkpoint: str,
    seeds: int = 1,
    out: Path | None = None,
    reference: Path | None = None,
    sweep: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compose for all films of ``folder`` in each of CONDITIONS, and measure it all.

    Returns the report that ``table`` prints; ``out`` keeps the scores, ``suite.md`` and
    ``suite.json``. ``reference`` is a folder of real songs; of these, only those that the
    checkpoint was not trained on are compared with. ``sweep`` pieces test each control.
    """
    files = folder.iterdir() if folder.is_dir() else ()
    clips = sorted(path for path in files if path.suffix.lower() in FILMS)
    if not clips:
        raise InputError(f"there are no films in {str(folder)!r}; give a folder of .mp4, .mkv, …")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        check_target(out / "suite.md")
    composer = Composer.from_pretrained(checkpoint)
    takes: list[Take] = []
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    with ExitStack() as stack:
        scores = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for count, clip in enumerate(clips):

            def tell(share: float, done: int = count) -> None:
                progress("Composing and measuring", (done + share) / len(clips))

            try:
                row, measured = _clip(composer, clip, seeds, scores, tell)
            except EmsyncError as error:
                failed.append({"path": clip.name, "reason": str(error), "code": error.exit_code})
            else:
                rows.append(row)
                takes += measured
    if not takes:
        raise InputError(f"no film in {str(folder)!r} could be read: {failed[0]['reason']}")
    report: dict[str, Any] = {
        "version": emsync.__version__,
        "checkpoint": checkpoint,
        "sampling": asdict(composer.sampling),
        "synthesizer": synthesizer_name(),
        "seeds": seeds,
        "conditions": CONDITIONS,
        "interval": "95 %, percentile bootstrap over clips",
        "clips": rows,
        "failed": failed,
        "cut_hits": _hits(takes),
        "tests": _tests(takes),
        "av_align": _align(takes, rows),
        "cm": {
            **{
                name: asdict(statistics.mean(_means(takes, name, lambda take: take.rhythm)))
                for name in CONDITIONS
            },
            "own sound": asdict(
                statistics.mean([row["own_sound"]["cm"] for row in rows if row["own_sound"]])
            ),
        },
    }
    pieces = [take.piece for take in takes if take.condition == PRODUCT and len(take.piece)]
    if reference is not None:
        report["quality"] = _beside(pieces, reference, find_checkpoint(checkpoint), progress)
    if sweep:
        report["control"] = control(checkpoint, sweep, SECONDS, progress)
    report = plain(report)
    if out is not None:
        _keep(out, report)
    return report


def _clip(
    composer: Composer, clip: Path, seeds: int, scores: Path, tell: Callable[[float], None]
) -> tuple[dict[str, Any], list[Take]]:
    """Compose for one clip and measure it; return its row and its takes."""
    impact = Impact()
    footage = watch(open_film(clip), lambda share: tell(0.1 * share), [impact])
    video = Analysis.of(footage)
    pictures = impact.signal(video.duration)
    exact = Fraction(video.fps) or None
    rate = float(exact or 0)
    ending = Ending.of(OPTIONS.ending, video)
    brief = ending.requested_in(video)
    kept = [cut.time for cut in video.kept]
    motion = av_align.watch(footage.film, lambda share: tell(0.1 + 0.2 * share))
    own = None
    if footage.film.has_audio:
        sound = hear(clip)[: round(video.duration * RATE)]
        if np.abs(sound).max(initial=0.0) > audio.SILENCE:
            own = {
                **aligned(motion, av_align.listen(sound), rate, video.duration),
                "cm": rhythm.cm(rhythm_of(sound).signal, pictures, delays=(0.0,)).score,
            }
    takes = []
    drawn = draw_both(composer, video, range(seeds))
    for i, (condition, (told, fitted)) in enumerate(CONDITIONS.items()):
        for seed, piece in enumerate(drawn[told]):
            tell(0.5 + 0.5 * (i + seed / seeds) / len(CONDITIONS))
            sync: Sync = "beat" if fitted else "off"
            music, played_ending = ending.apply(
                fit(piece, brief.cuts, video.duration, sync, OPTIONS.max_tempo_change, exact)
            )
            path = scores / f"{clip.stem}.{seed}.{condition.replace(' ', '-')}.mid"
            write_midi(path, music, ScoreLabels.of(video), Dynamics.under(video, played_ending))
            played = audio.finish(synthesize(path, rate=RATE), video.duration, fade=0.0)
            heard = played.samples.mean(axis=1)
            events = cut_hits.events(music.piece, video.duration)
            takes.append(Take(
                clip.name, condition,
                cut_hits.evaluate(kept, events, video.duration, rate),
                {kind: errors(kept, times).tolist() for kind, times in events.items()},
                aligned(motion, av_align.listen(heard), rate, video.duration),
                rhythm.cm(rhythm_of(heard).signal, pictures, delays=(0.0,)).score,
                music.piece,
                tuple(check(path, video.duration).errors),
            ))  # fmt: skip
    product = [take for take in takes if take.condition == PRODUCT]
    row = {
        "clip": clip.name,
        "duration": video.duration,
        "fps": video.fps,
        "cuts": len(kept),
        "notes": [len(take.piece) for take in product],
        "instruments": [len(take.piece.instruments) for take in product],
        "broken": [error for take in takes for error in take.contract],
        "own_sound": own,
    }
    return row, takes


def draw_both(composer: Composer, video: Analysis, seeds: Sequence[int]) -> dict[bool, list[Piece]]:
    """Return the unfitted pieces for ``video``, told its cuts and not; all else is the same."""
    brief = Ending.of(OPTIONS.ending, video).requested_in(video)
    told = [brief] * len(seeds) + [replace(brief, cuts=())] * len(seeds)
    drawn = draw(composer, told, [*seeds, *seeds], OPTIONS.max_tempo_change, composer.sampling)
    pieces = [sample.piece for sample in drawn]
    return {True: pieces[: len(seeds)], False: pieces[len(seeds) :]}


# --- the suite's figures --------------------------------------------------------------------------


def _of(takes: Sequence[Take], condition: str) -> dict[str, list[Take]]:
    """Return the takes of one condition, by clip."""
    clips: dict[str, list[Take]] = {}
    for take in takes:
        if take.condition == condition:
            clips.setdefault(take.clip, []).append(take)
    return clips


def _means(takes: Sequence[Take], condition: str, value: Callable[[Take], float]) -> list[float]:
    """Return the mean of a value over the seeds of each clip."""
    return [float(np.mean([value(t) for t in clip])) for clip in _of(takes, condition).values()]


def _tolerances(takes: Sequence[Take]) -> list[str]:
    """Return the names of the tolerances that hold for every clip, whatever its rate."""
    rows = [list(take.hits["events"]["onset"]["within"]) for take in takes]
    return min(rows, key=len)


def _row(take: Take, kind: str, tolerance: str) -> dict[str, Any]:
    row: dict[str, Any] = take.hits["events"][kind]["within"][tolerance]
    return row


def _hits(takes: Sequence[Take]) -> dict[str, Any]:
    """Return {condition: {kind: {tolerance: share and control with intervals}, errors}}."""
    report: dict[str, Any] = {}
    for condition in CONDITIONS:
        clips = _of(takes, condition)
        cuts = [sum(t.hits["cuts"] for t in clip) for clip in clips.values()]
        report[condition] = {}
        for kind in cut_hits.KINDS:
            within = {}
            for name in _tolerances(takes):
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
            report[condition][kind] = {
                "within": within,
                "median_ms": float(np.median(found)) if len(found) else None,
                "p95_ms": float(np.percentile(found, 95)) if len(found) else None,
                "p95_absolute_ms": float(np.percentile(np.abs(found), 95)) if len(found) else None,
                "cuts": sum(cuts),
            }
    return report


def _tests(takes: Sequence[Take]) -> list[dict[str, Any]]:
    """Return the sign-flip tests over clips: conditions against each other and against chance."""
    tests: list[dict[str, Any]] = []
    asked = [take for take in takes if take.hits["cuts"]]
    for kind in cut_hits.KINDS:
        for name in _tolerances(takes):
            shares, chance = (
                {
                    c: np.array(_means(asked, c, lambda t: _row(t, kind, name)[key]))  # noqa: B023
                    for c in CONDITIONS
                }
                for key in ("share", "shuffled")
            )
            compared = [(a, b, shares[a] - shares[b]) for a, b in PAIRS]
            compared += [(c, "shuffled cuts", shares[c] - chance[c]) for c in CONDITIONS]
            tests += [
                {
                    "kind": kind, "tolerance": name, "a": a, "b": b, "clips": len(difference),
                    "difference": asdict(statistics.mean(difference)),
                    "p": statistics.sign_flip(difference),
                }
                for a, b, difference in compared
            ]  # fmt: skip
    return tests


def _align(takes: Sequence[Take], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return {variant: {condition, or "own sound": score and control with intervals}}."""
    report: dict[str, Any] = {}
    for variant in takes[0].align:
        found = {
            condition: [
                {
                    key: float(np.mean([take.align[variant][key] for take in clip]))
                    for key in ("score", "shifted")
                }
                for clip in _of(takes, condition).values()
            ]
            for condition in CONDITIONS
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


def _beside(
    pieces: Sequence[Piece], reference: Path, checkpoint: Path, progress: Progress
) -> dict[str, Any]:
    songs = untrained([reference], checkpoint, SONGS)
    seconds = float(np.median([piece.duration for piece in pieces]))
    real, failed = read_all(songs, progress, "Reading songs", seconds)
    if not real:
        raise InputError(f"no song in {str(reference)!r} could be read" + first_reason(failed))
    progress("Measuring", 0.0)
    table = quality.compare(pieces, real)
    return {"scores": len(pieces), "songs": len(real), "seconds": seconds, "statistics": table}


# --- the suite's table ----------------------------------------------------------------------------


def table(report: Mapping[str, Any]) -> str:
    """Return the report of ``suite`` as Markdown."""
    lines = [
        f"# emsync {report['version']}, {report['checkpoint']}: "
        f"{len(report['clips'])} clips, {report['seeds']} seeds",
        "",
        "*Told*: the model sees the cuts coming. *Fitted*: time is bent onto them. Brackets: "
        f"{report['interval']}. *Shuffled*: the same music, the cuts moved around the video.",
        "",
        "## Cuts hit",
        "",
    ]
    hits = report["cut_hits"]
    total = hits[PRODUCT]["onset"]["cuts"]
    lines += grid(
        [f"{total} cuts", *(f for c in CONDITIONS for f in (c, "shuffled"))],
        [
            [f"{kind}, {name}", *(
                cell for c in CONDITIONS
                for cell in (_share(hits[c][kind]["within"][name]["share"]),
                             _share(hits[c][kind]["within"][name]["shuffled"], False)))]
            for kind in cut_hits.KINDS for name in hits[PRODUCT][kind]["within"]
        ],
    )  # fmt: skip
    lines += ["", "Signed error of the nearest event, ms: median, 95th percentile, of its size", ""]
    lines += grid(
        ["", *CONDITIONS],
        [
            [kind, *(", ".join(number(hits[c][kind][key], how) for key, how in ERRORS.items())
                     for c in CONDITIONS)]
            for kind in cut_hits.KINDS
        ],
    )  # fmt: skip
    lines += ["", "## Tests", "", "Exact sign-flip test over clips with cuts, two-sided", ""]
    versus = list(dict.fromkeys((t["a"], t["b"]) for t in report["tests"]))
    found = {(t["kind"], t["tolerance"], t["a"], t["b"]): t for t in report["tests"]}
    lines += grid(
        ["p", *(f"{a} − {b}" for a, b in versus)],
        [
            [f"{kind}, {name}", *(
                f"{number(t['difference']['value'], '+.2f')}, p {t['p']:.2g}"
                for a, b in versus for t in [found[kind, name, a, b]])]
            for kind in cut_hits.KINDS for name in hits[PRODUCT][kind]["within"]
        ],
    )  # fmt: skip
    lines += ["", "## AV-Align", "", "After the bar: the same with the sound shifted", ""]
    sources = [*CONDITIONS, "own sound"]
    lines += grid(
        ["variant", *sources],
        [
            [variant, *(f"{_real(row[s]['score'])} / {number(row[s]['shifted']['value'], '.3f')}"
                        for s in sources)]
            for variant, row in report["av_align"].items()
        ],
    )  # fmt: skip
    own = report["av_align"]["v2"]["own sound"]["score"]["n"]
    lines += ["", f"Own sound: that of the {own} clips that have any."]
    lines += ["", "## CM, power 5, local, no delay", ""]
    lines += grid(["", *sources], [["CM", *(_real(report["cm"][s]) for s in sources)]])
    if "quality" in report:
        q = report["quality"]
        what = f"{q['scores']} scores beside {q['songs']} songs of {q['seconds']:.0f} s"
        lines += ["", f"## Quality, {what}", ""]
        lines += quality_table(q["statistics"])
    if "control" in report:
        lines += ["", "## Control", "", *control_table(report["control"])]
    lines += ["", "## Clips", ""]
    lines += grid(
        ["clip", "s", "cuts", "notes", "instruments", "files"],
        [
            [row["clip"], f"{row['duration']:.2f}", str(row["cuts"]),
             ", ".join(map(str, row["notes"])), ", ".join(map(str, row["instruments"])),
             "; ".join(row["broken"]) or "ok"]
            for row in report["clips"]
        ],
    )  # fmt: skip
    if report["failed"]:
        lines += ["", "Not read:", ""]
        lines += [f"- {row['path']}: {row['reason']}" for row in report["failed"]]
    return "\n".join(lines) + "\n"


def _share(estimate: Mapping[str, Any], interval: bool = True) -> str:
    if estimate["value"] is None:
        return "–"
    reach = f" [{estimate['low']:.0%}, {estimate['high']:.0%}]" if interval else ""
    return f"{estimate['value']:.0%}{reach}"


def _real(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _keep(out: Path, report: Mapping[str, Any]) -> None:
    with ExitStack() as together:
        page = together.enter_context(atomic_write(out / "suite.md"))
        data = together.enter_context(atomic_write(out / "suite.json"))
        page.write_text(table(report), encoding="utf-8")
        data.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
