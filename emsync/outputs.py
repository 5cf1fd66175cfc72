"""The files of a composition: score, sound, film with music, and the folder of all of it."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.errors import AssetError, UsageError
from emsync.files import Together, check_suffix, check_target, together
from emsync.formats.cut_lists import WRITERS, check_writable, write_cuts
from emsync.formats.smf import parse
from emsync.makers import Makes
from emsync.options import LUFS, MOST_CANDIDATES, Options, Outputs, check_lufs
from emsync.performance.palette import file_of
from emsync.planning.plan import Plan
from emsync.progress import Progress, Stopwatch, silent
from emsync.report.bundle import (
    check_bundle,
    files_of,
    play_stems,
    read_record,
    write_bundle,
)
from emsync.report.plots import plot_analysis, plot_plan
from emsync.result import Result
from emsync.sound import audio
from emsync.sound.encode import KINDS, write_audio
from emsync.sound.levelling import level
from emsync.sound.loudness import Loudness
from emsync.sound.mux import check_kept, check_mux, mux, soundtrack
from emsync.sound.preview import is_encoded, preview_suffix, write_preview
from emsync.sound.synthesis import check_soundfont, default_soundfont
from emsync.targets import check_apart, is_special, real_folder, real_target
from emsync.video.film import Film
from emsync.video.footage import Still


@dataclass(frozen=True)
class Written:
    """The files that were written, and the seconds that each stage took."""

    outputs: Outputs
    timings: dict[str, float] = field(default_factory=dict)
    loudness: dict[str, Loudness] = field(default_factory=dict)  # of the music and of the film

    def to_json(self) -> dict[str, Any]:
        """Return the names of the files, and how loud they are, for ``json.dumps``."""
        o = self.outputs
        score = o.score or (None if o.bundle is None else o.bundle / "score.mid")
        files = {"score": score, "video": o.video, "audio": o.audio, "bundle": o.bundle}
        names = {kind: None if path is None else str(path) for kind, path in files.items()}
        levels = {kind: loudness.to_json() for kind, loudness in self.loudness.items()}
        return {**names, **({"loudness": levels} if levels else {})}


def check_targets(
    outputs: Outputs, source: Path, options: Options | None = None, checkpoint: str = ""
) -> None:
    """Refuse files that cannot be written, before the film at ``source`` is opened.

    That is also what is read: the film, the files of ``options``, the checkpoint, the sound font.
    """
    from emsync.checkpoints import files_of_checkpoint

    targets = [p for p in (outputs.score, outputs.video, outputs.audio) if p is not None]
    score = outputs.score or (outputs.bundle and outputs.bundle / "score.mid")
    more = _numbered(score, MOST_CANDIDATES) if score and outputs.keep_all else []
    replaced = files_of(outputs.bundle) if outputs.bundle else []
    inputs: dict[str, Path | Sequence[Path]] = {"the video": source, **files_read(options)}
    inputs["the checkpoint"] = files_of_checkpoint(checkpoint)
    inputs["the sound font"] = outputs.soundfont or _default_font()
    check_apart(targets, inputs)
    check_apart([*(more if outputs.score else []), *replaced], inputs)
    for path in (*targets, *(more if outputs.score else [])):
        check_target(path)
    if more and outputs.score and is_special(real_target(outputs.score)):
        raise UsageError("all candidates need files of their own; name the score's")
    check_suffix(outputs.score, (".mid", ".midi"))
    check_suffix(outputs.audio, KINDS)
    if outputs.bundle is not None:
        for path in targets:
            if real_folder(path).is_relative_to(real_folder(outputs.bundle)):
                raise UsageError(f"{str(path)!r} is in the bundle; choose a name beside it")
    elif not targets:
        raise UsageError("nothing would be written; name a score or a bundle")
    if outputs.soundfont is not None:
        check_soundfont(outputs.soundfont)


def check_makes(makes: Makes, name: str, outputs: Outputs) -> None:
    """Refuse what a checkpoint ``name`` that ``makes`` sound cannot write, as it has no notes."""
    if makes == "score":
        return
    if outputs.score or outputs.bundle or outputs.keep_all:
        raise UsageError(f"{name!r} makes sound, not a score; give --audio or --video")
    if outputs.soundfont:
        raise UsageError(f"{name!r} makes sound, which no sound font plays; leave --soundfont out")


def files_read(options: Options | None) -> dict[str, Path]:
    """Return the files that ``options`` name, by what they are."""
    options = options or Options()
    given = {
        "the analysis": options.analysis,
        "the plan": options.plan,
        "the palette": options.palette and file_of(os.fspath(options.palette)),
        "the theme": options.theme,
        "the style": options.like,
        "the kept score": options.keep,
        "the list of cuts": None if options.cuts in ("auto", "none") else options.cuts,
        "the emotion file": options.emotion_file,
    }
    return {what: Path(path) for what, path in given.items() if isinstance(path, str | os.PathLike)}


def _default_font() -> Path | Sequence[Path]:
    try:
        return default_soundfont()
    except AssetError:  # who plays says so
        return ()


def _numbered(score: Path, count: int) -> list[Path]:
    """Return the names of ``count`` candidates beside the score."""
    return [score.with_name(f"{score.stem}.{number}.mid") for number in range(1, count + 1)]


def check_outputs(outputs: Outputs, film: Film) -> None:
    """Refuse what ``film`` cannot be written as, before any work is done; see ``check_targets``."""
    if outputs.video is not None:
        check_mux(film, outputs.video)
    if outputs.video is not None or outputs.bundle is not None:
        check_kept(film, outputs.keep_audio, outputs.audio_stream)
    if outputs.bundle is not None:
        check_bundle(outputs.bundle, film, outputs.force)


def write_outputs(made: Result[Any], outputs: Outputs, progress: Progress = silent) -> Written:
    """Write ``outputs``, together or not at all; return what was written."""
    film, duration, clock = made.film, made.analysis.duration, Stopwatch()
    font, lufs, loudness = outputs.soundfont, outputs.lufs, dict[str, Loudness]()
    if outputs.audio_stream is None:
        outputs = replace(outputs, audio_stream=made.options.audio_stream)
    if film is None:
        raise ValueError("a composition without a film can be written only by emsync.formats.midi")
    with clock("write"):
        check_makes(made.makes, made.checkpoint, outputs)
        check_targets(outputs, film.path, made.options, made.checkpoint)
        check_outputs(outputs, film)
    with together() as files:
        folder = outputs.bundle and _bundle(files, outputs.bundle)
        score = made if isinstance(made, Composition) else None
        if score:
            with clock("write"):
                _write_scores(score, outputs, files, folder)
        if outputs.audio or outputs.video or folder:
            with clock("render"):
                progress("Playing", 0.0)
                notes = parse(score.midi()) if score and folder else None
                stems = play_stems(notes, duration, font, lufs) if notes else None
                music = stems.mix if stems else level(made.heard(font), lufs, "the music")
                loudness["audio"] = music.loudness
                progress("Playing", 1.0)
                if outputs.audio:
                    write_audio(music, files.file(outputs.audio))
        if outputs.video or folder:
            with clock("mux"):
                kept = outputs.keep_audio
                mixed = soundtrack(film, music, kept, outputs.audio_stream, lufs)
                loudness["video"] = mixed.loudness

                def tell(seconds: float) -> None:
                    progress("Writing the film", seconds / duration)

                if outputs.video:
                    target = files.file(outputs.video)
                    mux(film, mixed, target, tell)
                if folder:
                    preview = folder / f"preview{preview_suffix(film)}"
                    same = outputs.video and outputs.video.suffix.lower() == preview.suffix
                    if same and not is_encoded(film):
                        shutil.copyfile(target, preview)
                    else:
                        write_preview(film, mixed, preview, tell)
        if folder and score and stems:
            with clock("bundle"):
                write_bundle(folder, score, stems, preview.name, loudness)
        with clock("write"):
            files.appear()
    return Written(outputs, clock.seconds, loudness)


def _bundle(files: Together, folder: Path) -> Path:
    """Return a new folder to fill; it takes the place of what an earlier bundle wrote."""
    record = read_record(folder)
    return files.folder(folder, record.files if record else ())


def _write_scores(
    composition: Composition, outputs: Outputs, files: Together, folder: Path | None
) -> None:
    """Write the score to its place and into the bundle, and all candidates beside the first."""
    data = composition.midi()
    places = [p for p in (outputs.score, folder and folder / "score.mid") if p]
    for place in places:
        (place if folder in place.parents else files.file(place)).write_bytes(data)
    if places and outputs.keep_all:
        names = _numbered(places[0], len(composition.candidates))
        for name, candidate in zip(names, composition.candidates, strict=True):
            file = name if folder in name.parents else files.file(name)
            file.write_bytes(composition.midi(candidate))


def play(made: Result[Any], soundfont: Path | None = None, lufs: float = LUFS) -> audio.Audio:
    """Return the music as it sounds at ``lufs``, exactly as long as its film."""
    check_lufs(lufs)
    return audio.whole(level(made.heard(soundfont), lufs, "the music"))


Kind: TypeAlias = Literal["analysis", "plan", "plot", "cuts"]
Targets: TypeAlias = Sequence[tuple[Path, Kind]]


def analysis_targets(
    source: Path, out: Path | None, plot: Path | None, beside: Path, lists: Sequence[str]
) -> Targets:
    """Return the files to write of an analysis; UsageError where one cannot be written.

    ``source`` is the film; ``lists`` are suffixes such as "csv" and "edl" of cut lists that are
    named after ``beside``.
    """
    targets: list[tuple[Path, Kind]] = []
    targets += [(out, "analysis")] if out else []
    targets += [(plot, "plot")] if plot else []
    targets += [(beside.with_name(f"{beside.name}.cuts.{suffix}"), "cuts") for suffix in lists]
    return _checked(targets, {"the video": source})


def plan_targets(source: Path, out: Path | None, plot: Path | None, options: Options) -> Targets:
    """Return the files to write of a plan; UsageError where one cannot be written.

    ``source`` is the film; it and the files that ``options`` name are not replaced.
    """
    targets: list[tuple[Path, Kind]] = []
    targets += [(out, "plan")] if out else []
    targets += [(plot, "plot")] if plot else []
    return _checked(targets, {"the video": source, **files_read(options)})


def _checked(targets: Targets, inputs: Mapping[str, Path]) -> Targets:
    """Return ``targets``; UsageError where one is an input or cannot be written."""
    suffixes: dict[Kind, Sequence[str]] = {"plot": (".png",), "cuts": tuple(WRITERS)}
    check_apart([path for path, _ in targets], inputs)
    for path, kind in targets:
        if kind in suffixes:
            check_suffix(path, suffixes[kind])
        check_target(path)
    return targets


def check_lists(targets: Targets, film: Film) -> None:
    """Refuse cut lists that ``film`` cannot have, before it is watched."""
    for path, kind in targets:
        if kind == "cuts":
            check_writable(path.suffix.lower(), film.fps)


def write_analysis(analysis: Analysis, strip: Sequence[Still], targets: Targets) -> None:
    """Write an analysis, its picture and its cut lists, together or not at all."""
    with together() as files:
        for path, kind in targets:
            file = files.file(path)
            if kind == "analysis":
                analysis.save(file)
            elif kind == "plot":
                plot_analysis(analysis, strip, file)
            else:
                write_cuts(file, analysis)


def write_plan(
    plan: Plan, analysis: Analysis, strip: Sequence[Still], targets: Targets, options: Options
) -> None:
    """Write a plan and its picture, together or not at all; ``strip`` shows the film."""
    with together() as files:
        for path, kind in targets:
            if kind == "plan":
                plan.save(files.file(path))
            else:
                plot_plan(analysis, plan, strip, files.file(path), options)
