"""The files of a take: its sound, its players alone, the film with it, its notes, all of it.

What is heard of a take anywhere is the sum of its players, as ``play_stems`` plays them: so the
sound in the page, each player alone, the mix and the sound of the film are one. Everything is as
long as the film, and appears whole or not at all.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from emsync.composition import Composition
from emsync.errors import warn
from emsync.files import atomic_write, together
from emsync.formats.instruments import sounding
from emsync.formats.musicxml import write_musicxml
from emsync.formats.smf import parse
from emsync.limits import shown
from emsync.music.piece import CLASSES
from emsync.options import LUFS, Outputs
from emsync.outputs import write_outputs
from emsync.progress import Progress, silent
from emsync.report.bundle import Stems, play_stems
from emsync.sound.encode import write_audio
from emsync.sound.loudness import Loudness
from emsync.sound.mux import mux, soundtrack
from emsync.sound.recode import Form, recode
from emsync.video.film import Film

FINE = Form(coarse=18)  # of a film whose pictures cannot be copied
AS_THEY_ARE = Outputs()
QUICK = 1  # of zlib's levels: silence takes no room, and more is hardly gained


@dataclass(frozen=True)
class Stem:
    """A player alone."""

    name: str  # of its file, without the suffix
    title: str
    instrument: str  # its class; "" where the score does not say


def write_sound(data: bytes, duration: float, target: Path, lufs: float = LUFS) -> Loudness:
    """Write the sound of a score, the bytes of a .mid, for exactly ``duration`` seconds.

    ``target`` ends with .flac, .wav or another of ``emsync.sound.encode.KINDS``.
    """
    mix = _played(data, duration, lufs).mix
    write_audio(mix, target)
    return mix.loudness


def write_stems(
    data: bytes, duration: float, folder: Path, lufs: float = LUFS, suffix: str = ".flac"
) -> list[Stem]:
    """Write the sound of each player of a score alone into ``folder``; return who they are.

    They sum to what ``write_sound`` writes.
    """
    with together() as files:
        return _write_stems(data, _played(data, duration, lufs), files.folder(folder), suffix)


def _write_stems(data: bytes, stems: Stems, folder: Path, suffix: str) -> list[Stem]:
    tracks = [track for track in parse(data).tracks if track.notes]
    kinds = sounding(data) or [None] * len(tracks)
    rows = []
    for (name, sound), track, kind in zip(stems.parts.items(), tracks, kinds, strict=True):
        write_audio(sound, folder / f"{name}{suffix}")
        rows.append(Stem(name, track.name, "" if kind is None else CLASSES[kind]))
    return rows


def write_film(
    data: bytes,
    film: Film,
    target: Path,
    wanted: Outputs = AS_THEY_ARE,
    progress: Progress = silent,
) -> Loudness:
    """Write ``film`` with the music of a score as ``target``, which ends with .mp4.

    ``wanted`` says what becomes of the film's own sound, and how loud all of it is. The pictures
    are copied; what an .mp4 cannot hold is encoded anew, and a warning says so.
    """
    progress("Playing", 0.0)
    music = _played(data, film.duration, wanted.lufs).mix
    sound = soundtrack(film, music, wanted.keep_audio, wanted.audio_stream, wanted.lufs)

    def tell(seconds: float) -> None:
        progress("Writing the film", min(1.0, seconds / film.duration))

    if target.suffix in film.suffixes and film.timing is not None:
        mux(film, sound, target, tell)
    else:
        recode(film, target, FINE, tell, sound)
        pictures = f"the {film.codec} pictures of {shown(film.path.name)}"
        warn(f"an {target.suffix} cannot hold {pictures} as they are: they are encoded anew")
    return sound.loudness


def write_stems_zip(data: bytes, duration: float, target: Path, lufs: float = LUFS) -> None:
    """Write the sound of all players, each alone, and their mix as WAV files in one archive."""
    stems = _played(data, duration, lufs)
    with _zipped(target) as folder:
        _write_stems(data, stems, folder, ".wav")
        write_audio(stems.mix, folder / "mix.wav")


def write_notation(composition: Composition, target: Path) -> None:
    """Write the notes of a composition as MusicXML, where they were composed."""
    write_musicxml(target, composition.performance(humanize=0.0), composition.labels_of())


def write_bundle_zip(
    composition: Composition,
    target: Path,
    wanted: Outputs = AS_THEY_ARE,
    progress: Progress = silent,
) -> None:
    """Write the bundle of a composition as one archive, with its analysis and its plan.

    See ``emsync.report.bundle``.

    ``wanted`` says what becomes of the film's own sound, and how loud all of it is.
    """
    with _zipped(target) as folder:
        write_outputs(composition, replace(wanted, bundle=folder), progress)
        composition.analysis.save(folder / "analysis.json")
        composition.plan.save(folder / "plan.json")


def _played(data: bytes, duration: float, lufs: float) -> Stems:
    return play_stems(parse(data), duration, lufs=lufs)


@contextmanager
def _zipped(target: Path) -> Iterator[Path]:
    """Yield a folder to fill; all that is in it then becomes the archive ``target``."""
    with (
        atomic_write(target) as part,
        tempfile.TemporaryDirectory(".part", ".", target.parent) as name,
    ):
        folder = Path(name)
        yield folder
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=QUICK) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(folder))
