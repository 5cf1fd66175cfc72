"""The film in a bundle: one that browsers play, its pictures encoded anew where they must be."""

from collections.abc import Callable
from pathlib import Path

from emsync.errors import warn
from emsync.limits import shown
from emsync.sound.blocks import Sound
from emsync.sound.mux import copy_film
from emsync.sound.recode import Form, recode, recoded_suffix
from emsync.video.film import Film

COPIED = (".mp4", ".webm")  # the first that holds the pictures, if browsers play those
PLAYED = {  # by browsers: how pictures are coded, and how their pixels lie
    "h264": ("yuv420p", "yuvj420p"),
    "hevc": ("yuv420p", "yuvj420p", "yuv420p10le"),
    "av1": ("yuv420p", "yuv420p10le"),
    "vp8": ("yuv420p",),
    "vp9": ("yuv420p", "yuv420p10le"),
}
PREVIEW = Form(longer=1280)


def preview_suffix(film: Film) -> str:
    """Return the suffix of the preview of ``film``; AssetError where none can be made."""
    return _copied_into(film) or recoded_suffix(film)


def is_encoded(film: Film) -> bool:
    """Return whether the pictures of a preview of ``film`` are not its own."""
    return not _copied_into(film)


def write_preview(
    film: Film, sound: Sound, output: Path, progress: Callable[[float], None]
) -> None:
    """Write ``film`` with ``sound``; a warning tells where the pictures are encoded for it."""
    if _copied_into(film) == output.suffix:
        copy_film(film, sound, output, progress)
        return
    size = recode(film, output, PREVIEW, progress, sound)
    warn(
        f"browsers do not play the {film.codec} pictures ({film.pixels}) of "
        f"{shown(film.path.name)}: the preview in the bundle is encoded anew, {size[0]} x {size[1]}"
    )


def _copied_into(film: Film) -> str:
    """Return the suffix of a film that holds the pictures as they are, for browsers, or ""."""
    suffixes = [s for s in COPIED if s in film.suffixes and not (film.hides and s != ".mp4")]
    if film.codec not in PLAYED or not suffixes or film.timing is None:
        return ""
    return suffixes[0] if film.pixels in PLAYED[film.codec] else ""
