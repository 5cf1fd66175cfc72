"""The files of a composition: score, sound, film with music, and the folder of all of it."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.errors import UsageError
from emsync.files import atomic_write, check_suffix, check_target
from emsync.formats.cut_lists import WRITERS, check_writable, write_cuts
from emsync.formats.midi import midi_bytes
from emsync.formats.smf import parse
from emsync.music.piece import Score
from emsync.options import Outputs
from emsync.progress import Progress, Stopwatch, silent
from emsync.ranking import Candidate
from emsync.report.bundle import (
    atomic_folder,
    check_bundle,
    play_stems,
    preview_suffix,
    write_bundle,
)
from emsync.report.plots import plot_analysis
from emsync.sound import audio
from emsync.sound.audio import Audio
from emsync.sound.mux import check_mux, mux, soundtrack
from emsync.sound.synthesis import check_soundfont, synthesize
from emsync.video.film import Film
from emsync.video.footage import Still


@dataclass(frozen=True)
class Written:
    """The files that were written, and the seconds that each stage took."""

    outputs: Outputs
    timings: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the names of the files, for ``json.dumps``."""
        o = self.outputs
        score = o.score or (None if o.bundle is None else o.bundle / "score.mid")
        files = {"score": score, "video": o.video, "audio": o.audio, "bundle": o.bundle}
        return {kind: None if path is None else str(path) for kind, path in files.items()}


def check_targets(outputs: Outputs, source: Path) -> None:
    """Refuse files that cannot be written, before the film at ``source`` is opened."""
    targets = [p for p in (outputs.score, outputs.video, outputs.audio) if p is not None]
    for path in targets:
        check_target(path)
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(f"{str(path)!r} is the video itself; choose another name")
    if len({path.absolute() for path in targets}) < len(targets):
        raise UsageError(f"two outputs have the same name: {', '.join(map(str, targets))}")
    check_suffix(outputs.score, (".mid", ".midi"))
    check_suffix(outputs.audio, (".wav",))
    if outputs.bundle is not None:
        for path in targets:
            if path.resolve().is_relative_to(outputs.bundle.resolve()):
                raise UsageError(f"{str(path)!r} is in the bundle; choose a name beside it")
    elif not targets:
        raise UsageError("nothing would be written; name a score or a bundle")
    if outputs.soundfont is not None:
        check_soundfont(outputs.soundfont)


def check_outputs(outputs: Outputs, film: Film) -> None:
    """Refuse what ``film`` cannot be written as, before any work is done; see ``check_targets``."""
    if outputs.video is not None:
        check_mux(film, outputs.video)
    if outputs.bundle is not None:
        check_bundle(outputs.bundle, film)


def write_outputs(
    composition: Composition, outputs: Outputs, progress: Progress = silent
) -> Written:
    """Write ``outputs``, together or not at all; return what was written."""
    film, duration, clock = composition.film, composition.analysis.duration, Stopwatch()
    if film is None:
        raise ValueError("a composition without a film can be written only by emsync.formats.midi")
    check_targets(outputs, film.path)
    check_outputs(outputs, film)
    with ExitStack() as together:
        folder = outputs.bundle and together.enter_context(atomic_folder(outputs.bundle))
        with clock("write"):
            data = _midi(composition, composition.best)
            place = outputs.score or (folder and folder / "score.mid")
            if place:
                together.enter_context(atomic_write(place)).write_bytes(data)
            if place and outputs.keep_all:
                for number, candidate in enumerate(composition.candidates, 1):
                    name = place.with_name(f"{place.stem}.{number}.mid")
                    file = together.enter_context(atomic_write(name))
                    file.write_bytes(_midi(composition, candidate))
        if not (outputs.audio or outputs.video or folder):
            return Written(outputs, clock.seconds)
        with clock("render"):
            progress("Playing", 0.0)
            stems = play_stems(parse(data), duration, outputs.soundfont) if folder else None
            sound = stems.mix if stems else _played(parse(data), duration, outputs.soundfont)
            progress("Playing", 1.0)
            if outputs.audio:
                audio.write_wav(sound, together.enter_context(atomic_write(outputs.audio)))
        if outputs.video or folder:
            with clock("mux"):
                mixed = soundtrack(film, sound, outputs.keep_audio)

                def tell(seconds: float) -> None:
                    progress("Writing the film", seconds / duration)

                if outputs.video:
                    target = together.enter_context(atomic_write(outputs.video))
                    mux(film, mixed, target, tell)
                if folder:
                    preview = folder / f"preview{preview_suffix(film)}"
                    if outputs.video and outputs.video.suffix.lower() == preview.suffix:
                        shutil.copyfile(target, preview)
                    else:
                        mux(film, mixed, preview, tell)
        if folder and stems:
            with clock("bundle"):
                if not (folder / "score.mid").exists():
                    (folder / "score.mid").write_bytes(data)
                write_bundle(folder, composition, stems, preview.name)
    return Written(outputs, clock.seconds)


def play(composition: Composition, soundfont: Path | None = None) -> Audio:
    """Return the sound of a composition, exactly as long as its film, its peak at -3 dB."""
    data = _midi(composition, composition.best)
    return _played(parse(data), composition.analysis.duration, soundfont)


def _played(score: Score, duration: float, soundfont: Path | None) -> Audio:
    # without a fade: the score has its own
    return audio.finish(synthesize(score, soundfont), duration, fade=0.0)


def _midi(composition: Composition, candidate: Candidate) -> bytes:
    return midi_bytes(candidate.fitted, composition.labels, composition.dynamics(candidate))


Targets: TypeAlias = Sequence[tuple[Path, Literal["analysis", "plot", "cuts"]]]


def analysis_targets(
    out: Path | None, plot: Path | None, beside: Path, lists: Sequence[str]
) -> Targets:
    """Return the files to write of an analysis; UsageError where one cannot be written.

    ``lists`` are suffixes such as "csv" and "edl" of cut lists that are named after ``beside``.
    """
    targets: list[tuple[Path, Literal["analysis", "plot", "cuts"]]] = []
    targets += [(out, "analysis")] if out else []
    targets += [(plot, "plot")] if plot else []
    targets += [(beside.with_name(f"{beside.name}.cuts.{suffix}"), "cuts") for suffix in lists]
    for path, kind in targets:
        if kind != "analysis":
            check_suffix(path, (".png",) if kind == "plot" else tuple(WRITERS))
        check_target(path)
    return targets


def check_lists(targets: Targets, film: Film) -> None:
    """Refuse cut lists that ``film`` cannot have, before it is watched."""
    for path, kind in targets:
        if kind == "cuts":
            check_writable(path.suffix.lower(), film.fps)


def write_analysis(analysis: Analysis, strip: Sequence[Still], targets: Targets) -> None:
    """Write an analysis, its picture and its cut lists, together or not at all."""
    with ExitStack() as together:
        for path, kind in targets:
            file = together.enter_context(atomic_write(path))
            if kind == "analysis":
                analysis.save(file)
            elif kind == "plot":
                plot_analysis(analysis, strip, file)
            else:
                write_cuts(file, analysis)
