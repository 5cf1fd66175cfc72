"""All films of a folder, given sound and measured: ``emsync evaluate suite`` of a maker of sound.

Two arms: the maker is told the cuts, or it is not; it sees the film in both. A film's own sound,
where there is any, is measured beside them. The clip is the unit: seeds of one are averaged.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import emsync
from emsync.analysis import Analysis
from emsync.arrays import Float32s, Float64s
from emsync.checkpoints import files_of_checkpoint
from emsync.commission import Commission
from emsync.emotion.estimator import Estimator, choose
from emsync.errors import EmsyncError, InputError
from emsync.evaluation import sim
from emsync.evaluation.suite import KEPT, SILENCE, find_films
from emsync.evaluation.sync import RATE, hear
from emsync.evaluation.tables import soundtracks_table
from emsync.files import check_target, together
from emsync.makers import SoundMaker
from emsync.metrics import av_align, beats, cut_hits, rhythm, statistics
from emsync.options import Options
from emsync.plain import plain
from emsync.planning.casting import casting
from emsync.planning.planner import plan_of
from emsync.progress import Progress, silent
from emsync.sound.audio import Audio, whole
from emsync.sound.blocks import Sound
from emsync.sound.encode import write_audio
from emsync.sound.levelling import level
from emsync.sound.resampling import at_rate
from emsync.sound.rhythm import rhythm_of
from emsync.synchrony import seen
from emsync.targets import check_apart, make_folder
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

if TYPE_CHECKING:
    from emsync.synchrony.checkpoint import Synchrony

ARMS = {"told the cuts": True, "not told": False}
TOLD, UNTOLD = ARMS
OWN = "own sound"
OPTIONS = Options()  # those of ``emsync generate``


@dataclass(frozen=True, eq=False)
class Film:
    """A film as it was seen: what sound is measured against."""

    name: str
    video: Analysis
    pictures: Float64s  # (N,) impact, a signal
    rows: Float32s | None  # (T, D) of the towers, where there are any
    own: Float32s | None  # (N,) the film's own sound, if it is heard

    @property
    def cuts(self) -> list[float]:
        """The seconds of the kept cuts."""
        return [cut.time for cut in self.video.kept]


def evaluate(
    folder: Path,
    maker: SoundMaker,
    checkpoint: str,
    seeds: int = 1,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make sound for all films of ``folder`` in each of ARMS, and measure it.

    Returns the report that ``soundtracks_table`` prints; ``out`` keeps the sound, ``suite.md`` and
    ``suite.json``.
    """
    clips = find_films(folder)
    if out is not None:
        make_folder(out)
        kept = [out / name for name in KEPT]
        kept += [_place(out, c.name, seed, arm) for c in clips for seed in range(seeds)
                 for arm in ARMS]  # fmt: skip
        check_apart(kept, {"a film": clips, "the checkpoint": files_of_checkpoint(checkpoint)})
        for path in kept:
            check_target(path)
    towers, estimator = sim.opened(None), choose()
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for count, clip in enumerate(clips):

        def note(share: float, done: int = count) -> None:
            progress("Making and measuring", (done + share) / len(clips))

        try:
            rows.append(_clip(maker, estimator, towers, clip, seeds, out, note))
        except EmsyncError as error:
            failed.append({"path": clip.name, "reason": str(error), "code": error.exit_code})
    if not rows:
        raise InputError(f"no film in {str(folder)!r} could be read: {failed[0]['reason']}")
    report = plain({
        "version": emsync.__version__,
        "checkpoint": checkpoint,
        "makes": "sound",
        "sampling": dict(maker.settings(OPTIONS)),
        "seeds": seeds,
        "interval": "95 %, percentile bootstrap over clips",
        "clips": rows,
        "failed": failed,
        "figures": _figures(rows),
        "tests": _tests(rows),
    })  # fmt: skip
    if out is not None:
        with together() as files:
            page, data = (files.file(out / name) for name in KEPT)
            page.write_text(soundtracks_table(report), encoding="utf-8")
            data.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return report


def _clip(
    maker: SoundMaker,
    estimator: Estimator,
    towers: "Synchrony | None",
    clip: Path,
    seeds: int,
    out: Path | None,
    note: Callable[[float], None],
) -> dict[str, Any]:
    """Make sound for one clip in each arm; return its row, with the means over the seeds."""
    opened, impact = open_film(clip), Impact()
    looks = [] if towers is None else seen.observers(towers.sees)
    own = maker.observers(opened)
    footage = watch(
        opened, lambda share: note(0.3 * share), [impact, *looks, *own], estimator.needs
    )
    video = Analysis.of(footage, estimator)
    sound = hear(clip)[: round(video.duration * RATE)] if footage.film.has_audio else None
    heard = sound is not None and np.abs(sound).max(initial=0.0) > SILENCE
    film = Film(
        clip.name,
        video,
        impact.signal(video.duration),
        None if towers is None else towers.embed_film(seen.see(footage, looks)),
        sound if heard else None,
    )
    plan = plan_of(video, OPTIONS)
    brief, ending = plan.brief(video)
    asked = Commission(
        brief, plan, casting(plan), ending, OPTIONS, range(seeds), footage=footage, seen=own,
        waited_for=True,
    )  # fmt: skip
    figures: dict[str, list[dict[str, float]]] = {}
    for number, (arm, told) in enumerate(ARMS.items()):

        def tell(share: float, start: float = 0.3 + 0.7 * number / len(ARMS)) -> None:
            note(start + 0.7 / len(ARMS) * share)

        which = asked if told else replace(asked, brief=replace(brief, cuts=()))
        figures[arm] = []
        for made in maker.make(which, tell):
            if out is not None:
                levelled = level(made.sound, name="the music")
                write_audio(levelled, _place(out, clip.name, made.seed, arm))
            figures[arm].append(measured(film, made.sound, towers))
    if film.own is not None:
        stereo = np.repeat(film.own[:, None], 2, axis=1)
        figures[OWN] = [measured(replace(film, own=None), Audio(stereo, RATE), towers)]
    means = {
        arm: {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        for arm, found in figures.items()
    }
    return {
        "clip": clip.name, "duration": video.duration, "fps": video.fps, "cuts": len(film.cuts),
        "figures": means,
    }  # fmt: skip


def measured(film: Film, sound: Sound, towers: "Synchrony | None") -> dict[str, float]:
    """Return all that can be said of ``sound`` under ``film``, by name.

    "hits" are kept cuts with an onset within a frame, "by chance" those of the same cuts moved
    around; without cuts there are none of both. "sim" needs towers, the beats an own sound.
    """
    mono = _mono(sound, RATE)
    duration, rate = film.video.duration, float(Fraction(film.video.fps))
    found = {"cm": rhythm.cm(rhythm_of(mono).signal, film.pictures, delays=(0.0,)).score}
    if film.cuts:
        events = {"beat": beats.track(mono), "onset": av_align.listen(mono).onsets}
        rows = cut_hits.evaluate(film.cuts, events, duration, rate)["events"]
        for kind, row in rows.items():
            near = next(iter(row["within"].values()))
            found[f"{kind} hits"] = near["share"]
            found[f"{kind} hits by chance"] = near["shuffled"]
    if towers is not None and film.rows is not None:
        from emsync.sound.mel import RATE as SAMPLES

        rows = sim.evaluate(film.rows, towers.embed_sound(_mono(sound, SAMPLES)))
        found["sim"], found["sim shifted"] = rows["score"], rows["shifted"]
    if film.own is not None:
        score = beats.evaluate(film.own, mono, duration)["muvi"]
        found["beats covered"], found["beats hit"] = score["cover"], score["hit"]
    return found


def _mono(sound: Sound, rate: int) -> Float32s:
    return whole(at_rate(sound, rate)).samples.mean(axis=1)


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return {figure: {arm or own sound: its mean over clips}}."""
    arms = (*ARMS, OWN)
    found = [row["figures"] for row in rows]
    names = dict.fromkeys(name for one in found for arm in one.values() for name in arm)
    return {
        name: {
            arm: asdict(statistics.mean([one[arm][name] for one in found
                                         if name in one.get(arm, {})]))
            for arm in arms
        }
        for name in names
    }  # fmt: skip


def _tests(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sign-flip tests over clips with cuts: being told, and chance."""
    found = [row["figures"] for row in rows if row["cuts"]]
    tests = []
    for kind in ("onset", "beat"):
        told, chance, untold = (
            np.array([one[arm][f"{kind} hits{which}"] for one in found])
            for arm, which in ((TOLD, ""), (TOLD, " by chance"), (UNTOLD, ""))
        )
        for other, values in ((UNTOLD, untold), ("by chance", chance)):
            tests.append({
                "kind": kind, "a": TOLD, "b": other, "clips": len(found),
                "difference": asdict(statistics.mean(told - values)),
                "p": statistics.sign_flip(told - values),
            })  # fmt: skip
    return tests


def _place(folder: Path, clip: str, seed: int, arm: str) -> Path:
    """Return where a sound is kept; the whole name tells film.mp4 from film.ogv."""
    return folder / f"{clip}.{seed}.{arm.replace(' ', '-')}.flac"
