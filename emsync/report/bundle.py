"""A folder with all that a composer needs to go on: score, stems, markers, cuts, notation, report.

The folder appears complete or not at all. An earlier bundle is replaced at the end; a folder that
holds anything else is never touched.
"""

import json
import platform
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import emsync
from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.errors import EmsyncError, UsageError, warn
from emsync.files import check_target
from emsync.formats.cut_lists import check_writable, write_cuts
from emsync.formats.labels import ScoreLabels
from emsync.formats.markers import write_markers
from emsync.formats.musicxml import write_musicxml
from emsync.music.piece import Score
from emsync.report.page import write_html
from emsync.report.picture import write_png
from emsync.sound import audio
from emsync.sound.audio import Audio
from emsync.sound.synthesis import synthesize, synthesizer_name
from emsync.video.film import Film

FILES = (
    "score*.mid",  # with every candidate there are more than one
    "score.json",
    "score.musicxml",
    "markers.csv",
    "cuts.edl",
    "cuts.json",
    "stems/*.wav",
    "mix.wav",
    "preview.mp4",
    "preview.webm",
    "preview.mkv",
    "report.html",
    "report.png",
)
MARKS = ("score.json", "report.html")  # a folder without these is no bundle
PREVIEWS = (".mp4", ".webm", ".mkv")  # the first that can hold the film's pictures
LIBRARIES = ("av", "matplotlib", "mido", "numpy", "scenedetect-headless", "symusic", "torch")


@dataclass(frozen=True, eq=False)
class Stems:
    """The sound of each instrument at one common level: their sum is the mix."""

    parts: Mapping[str, Audio]  # by the name of the instrument, all equally long
    mix: Audio


def play_stems(score: Score, duration: float, soundfont: Path | None = None) -> Stems:
    """Play each track of a score alone, for exactly ``duration`` seconds.

    One gain brings the peak of the mix to -3 dB; it is less where a stem would clip otherwise.
    """
    parts: dict[str, Audio] = {}
    for track in score.tracks:
        if track.notes:
            alone = score.copy()
            alone.tracks = type(score.tracks)([track])
            parts[track.name.lower()] = audio.fit(synthesize(alone, soundfont), duration)
    total = audio.fit(Audio(np.zeros((0, 2), np.float32), audio.OUTPUT_RATE), duration).samples
    for part in parts.values():
        total += part.samples
    peak = _peak(total)
    if peak < audio.SILENCE:
        return Stems(parts, Audio(total, audio.OUTPUT_RATE))
    loudest = max(_peak(part.samples) for part in parts.values())
    gain = np.float32(min(audio.PEAK / peak, 1 / loudest))
    quiet = {name: Audio(part.samples * gain, part.rate) for name, part in parts.items()}
    return Stems(quiet, Audio(total * gain, audio.OUTPUT_RATE))


def check_bundle(folder: Path, film: Film) -> None:
    """Refuse a folder that cannot become a bundle, before any work is done for it.

    Raises UsageError where it holds something else, where it cannot be written, or where no
    preview can hold the pictures of ``film``.
    """
    folder = folder.resolve()
    if folder.is_dir():
        ours = {path for pattern in FILES for path in folder.glob(pattern)} | {folder / "stems"}
        found = set(folder.rglob("*"))
        foreign = sorted(found - ours)
        if not foreign and found and not all((folder / mark).is_file() for mark in MARKS):
            foreign = sorted(found)
        if foreign:
            raise UsageError(
                f"{str(folder)!r} holds {foreign[0].name!r}, which is of no earlier bundle; "
                "choose a new folder"
            )
        if film.path.resolve().is_relative_to(folder):
            raise UsageError(f"the video is in {str(folder)!r}, which will be replaced; move it")
    elif folder.exists():
        raise UsageError(f"{str(folder)!r} is a file; choose a new folder")
    check_target(folder.with_name(f"{folder.name}.part"))
    preview_suffix(film)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it takes the place of ``folder`` on success, or is removed.

    What was in ``folder`` stays until then; see ``check_bundle``.
    """
    folder = folder.resolve()
    mark = secrets.token_hex(4)
    partial = folder.with_name(f".{folder.name[:64]}.{mark}.part")
    old = folder.with_name(f".{folder.name[:64]}.{mark}.old")
    try:
        partial.mkdir()
        yield partial
        if folder.exists():
            folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        if error.errno is None:
            raise
        raise EmsyncError(f"cannot write {str(folder)!r}: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def preview_suffix(film: Film) -> str:
    """Return the suffix of the first kind of film that can hold the pictures of ``film``."""
    for suffix in PREVIEWS:
        if suffix in film.suffixes and not (film.hides and suffix != ".mp4"):
            return suffix
    raise UsageError(
        f"{str(film.path)!r} has {film.codec} pictures, which no preview can hold; convert it "
        "to H.264 first"
    )


def write_bundle(folder: Path, composition: Composition, stems: Stems, preview: str) -> None:
    """Fill ``folder``, which holds score.mid and the film ``preview``, with the other files."""
    video, labels = composition.analysis, composition.labels
    names = {"score": "score.mid", "audio": "mix.wav", "video": preview}
    _write_json(folder / "score.json", {**composition.to_json(), **names})
    write_markers(folder / "markers.csv", video, labels)
    write_cut_list(folder, video, labels)
    write_musicxml(folder / "score.musicxml", composition.fitted, labels)
    (folder / "stems").mkdir()
    for name, part in stems.parts.items():
        audio.write_wav(part, folder / "stems" / f"{name}.wav")
    audio.write_wav(stems.mix, folder / "mix.wav")
    write_html(folder / "report.html", composition)
    write_png(folder / "report.png", composition)


def write_cut_list(folder: Path, video: Analysis, labels: ScoreLabels) -> None:
    """Write the kept cuts as an EDL, or as JSON where an EDL cannot number the frames."""
    name = "cuts.edl"
    try:
        check_writable(".edl", labels.rate or Fraction(0))
    except UsageError as error:
        name = "cuts.json"
        warn(f"the bundle has no cuts.edl but cuts.json: {error}")
    write_cuts(folder / name, video, labels.start)


def versions() -> dict[str, str]:
    """Return the versions of what the music depends on."""
    return {
        "emsync": emsync.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "synthesizer": synthesizer_name(),
    }


def _write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write what was composed, and with which versions."""
    text = json.dumps({"versions": versions(), **facts}, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _peak(samples: Any) -> float:
    return float(np.abs(samples).max(initial=0.0))
