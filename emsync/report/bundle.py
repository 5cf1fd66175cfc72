"""A folder with all that a composer needs to go on: score, parts, stems, markers, cuts, report.

The folder appears complete or not at all. score.json names the film and the files; in the folder
of an earlier bundle of the same film, these are replaced at the end, and nothing else is touched.
"""

import hashlib
import json
import math
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import emsync
from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.errors import InputError, UsageError, warn
from emsync.files import check_target
from emsync.formats.cut_lists import check_writable, write_cuts
from emsync.formats.labels import ScoreLabels, file_name
from emsync.formats.markers import write_markers
from emsync.formats.musicxml import write_musicxml, write_parts
from emsync.limits import quoted, read_json, shown
from emsync.music.piece import CLASSES, Score
from emsync.options import LUFS
from emsync.report.page import write_html
from emsync.report.picture import write_png
from emsync.sound import audio
from emsync.sound.blocks import Kept, Made, Sound, peak, summed
from emsync.sound.levelling import Levelled, level, multiplied, steady
from emsync.sound.loudness import Loudness
from emsync.sound.preview import preview_suffix
from emsync.sound.synthesis import played, synthesizer_name
from emsync.targets import real_folder
from emsync.video.film import Film
from emsync.video.timecode import Timecode

OURS = re.compile(  # names of all files that a bundle may have, and of no others
    r"score(\.\d+)?\.mid|score\.(json|musicxml)|markers\.csv|cuts\.(edl|json)|mix\.wav"
    rf"|stems/(\d\d-[a-z0-9-]+|{'|'.join(CLASSES)})\.wav|preview\.\w+|report\.(html|png)"
    r"|parts/[a-z0-9-]{1,64}\.musicxml"
)
FOLDERS = ("stems", "parts")  # inside a bundle
PIECES = 64  # of a film that tell it from others, spread evenly over its file
PIECE = 2**16  # bytes
LIBRARIES = ("av", "matplotlib", "mido", "numpy", "scenedetect-headless", "symusic", "torch")


@dataclass(frozen=True, eq=False)
class Stems:
    """The sound of each player at one common level: their sum is the mix."""

    parts: Mapping[str, Sound]  # by the names of their files, all equally long
    mix: Levelled


def play_stems(
    score: Score, duration: float, soundfont: Path | None = None, lufs: float = LUFS
) -> Stems:
    """Play each track alone, for exactly ``duration`` seconds, named as in "03-violins".

    A player is what a mixer moves, mutes and brightens; groups are summed from them in no time,
    and cannot be taken apart. The gain that brings the mix to ``lufs``, its limiter's with it, is
    that of each stem. It is less where a stem would clip otherwise.
    """
    length = round(duration * audio.OUTPUT_RATE)
    parts: dict[str, Kept] = {}
    for number, track in enumerate((t for t in score.tracks if t.notes), 1):
        alone = score.copy()
        alone.tracks = type(score.tracks)([track])
        sound = Made(audio.OUTPUT_RATE, length, played(alone, soundfont).make)
        parts[f"{number:02d}-{file_name(track.name)}"] = Kept(sound)
    mix = level(summed(list(parts.values()), audio.OUTPUT_RATE, length), lufs, "the music")
    gain = Kept(mix.gain) if mix.is_limited else mix.gain
    quiet = {name: multiplied(part, gain) for name, part in parts.items()}
    loudest = max((peak(part) for part in quiet.values()), default=0.0)
    if loudest > 1:
        lower = steady(mix, -20 * math.log10(loudest))
        quiet = {name: multiplied(part, lower) for name, part in quiet.items()}
        gain = multiplied(gain, lower)
        mix = replace(mix, loudness=mix.loudness.amplified(-20 * math.log10(loudest)))
    return Stems(quiet, replace(mix, gain=gain))


@dataclass(frozen=True)
class Record:
    """What the score.json of a bundle says of the film and of the bundle's files."""

    film: str  # the film's name
    fingerprint: str
    files: tuple[str, ...]  # relative to the folder


def check_bundle(folder: Path, film: Film, force: bool = False) -> None:
    """Refuse a folder that cannot become a bundle, before any work is done for it.

    Raises UsageError where it cannot be written; and, but for ``force``, where it holds something
    and is no bundle, is one of another film, or has a file of a bundle's name that no bundle wrote.
    AssetError where no preview of ``film`` can be made.
    """
    name, place = quoted(folder), real_folder(folder)
    if place.is_dir():
        if not os.access(place, os.W_OK | os.X_OK):
            raise UsageError(f"the folder {name} is not writable; choose a new folder")
        if not force and (reason := _strange(place, film)):
            raise UsageError(f"{name} {reason}; choose a new folder, or --force to write into it")
        inside = [place / name for name in FOLDERS]
        for path in (*inside, *files_of(place)):
            if path.exists() and path.is_dir() != (path in inside):
                raise UsageError(f"{name} has an {path.name!r} that cannot be replaced; move it")
    elif place.exists():
        raise UsageError(f"{name} is a file; choose a new folder")
    else:
        check_target(place)
    preview_suffix(film)


def _strange(folder: Path, film: Film) -> str:
    """Return what ``folder`` holds that is not an earlier bundle of ``film``, or nothing."""
    names = (path.name for path in folder.iterdir())
    if not (held := sorted(name for name in names if not name.startswith("."))):
        return ""
    record = read_record(folder)
    if record is None:
        return f"holds {shown(held[0])}, which is of no earlier bundle"
    if record.fingerprint != fingerprint(film.path):
        return f"is the bundle of {shown(record.film)}, which is another film"
    for path in files_of(folder):
        if (ours := path.relative_to(folder).as_posix()) not in record.files:
            return f"holds {ours!r}, which is of no earlier bundle, and would be replaced"
    return ""


def files_of(folder: Path) -> list[Path]:
    """Return what in ``folder`` has the name of a file of a bundle."""
    inside = [*folder.glob("*"), *(p for name in FOLDERS for p in folder.glob(f"{name}/*"))]
    return sorted(p for p in inside if OURS.fullmatch(p.relative_to(folder).as_posix()))


def read_record(folder: Path) -> Record | None:
    """Return what a bundle says of itself; None where ``folder`` holds none."""
    try:
        facts = read_json(folder / "score.json")
        film, files = facts["film"], facts["files"]
        names = tuple(name for name in files if OURS.fullmatch(name))
        return Record(str(film["name"]), str(film["fingerprint"]), names)
    except (InputError, KeyError, TypeError):
        return None


def fingerprint(film: Path) -> str:
    """Return what tells a film from others, wherever it lies: of its size and PIECES of it."""
    size = film.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with film.open("rb") as file:
        for number in range(PIECES):
            file.seek(max(0, size - PIECE) * number // (PIECES - 1))
            digest.update(file.read(PIECE))
    return digest.hexdigest()


def write_bundle(
    folder: Path,
    composition: Composition,
    stems: Stems,
    preview: str,
    loudness: Mapping[str, Loudness],
) -> None:
    """Fill ``folder``, which holds score.mid and the film ``preview``, with the other files.

    ``loudness`` is that of the sound, by the kind of file.
    """
    video, labels = composition.analysis, composition.labels_of()
    names = {"score": "score.mid", "audio": "mix.wav", "video": preview}
    levels = {"loudness": {kind: loud.to_json() for kind, loud in loudness.items()}}
    write_markers(folder / "markers.csv", video, labels)
    write_cut_list(folder, video, labels)
    for name in FOLDERS:
        (folder / name).mkdir()
    # on paper the notes are where they were composed, however freely they are played
    notated = composition.performance(humanize=0.0)
    write_musicxml(folder / "score.musicxml", notated, labels)
    write_parts(folder / "parts", notated, labels)
    for name, part in stems.parts.items():
        audio.write_wav(part, folder / "stems" / f"{name}.wav")
    audio.write_wav(stems.mix, folder / "mix.wav")
    write_png(folder / "report.png", composition, loudness)
    inside = [path for path in folder.rglob("*") if path.is_file()]
    files = sorted(["score.json", *(path.relative_to(folder).as_posix() for path in inside)])
    write_html(folder / "report.html", composition, preview, "mix.wav", loudness, files)
    files = sorted([*files, "report.html"])
    record: dict[str, Any] = {"files": files}
    if composition.film is not None:
        name, print_ = video.source, fingerprint(composition.film.path)
        record["film"] = {"name": name, "fingerprint": print_}
    _write_json(folder / "score.json", {**composition.to_json(), **names, **levels, **record})


def write_cut_list(folder: Path, video: Analysis, labels: ScoreLabels) -> None:
    """Write the kept cuts as an EDL, or as JSON where an EDL cannot number the frames.

    It counts from the same start as the markers and the score.
    """
    name = "cuts.edl"
    try:
        check_writable(".edl", labels.rate or Fraction(0))
    except UsageError as error:
        name = "cuts.json"
        warn(f"the bundle has no cuts.edl but cuts.json: {error}")
    zero = Timecode.at(0.0, labels.rate) if labels.rate else None
    write_cuts(folder / name, video, labels.start or zero)


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
