"""Can a browser play the film as it is; and where it cannot, the film as it can.

What the page shows at a time has to be what emsync saw then. So a film is served as it is only
where every browser decodes it and its file states the very times that emsync goes by; else a proxy
with the same frame times takes its place: small, silent, quick to move about in.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.sound.recode import Form, recode, recoded_suffix
from emsync.video.film import Film
from emsync.video.media import moving_picture, opened, packets, picture_streams

if TYPE_CHECKING:
    from av.container import InputContainer

PLAYED = {  # what browsers decode of a kind of file
    "video/mp4": ("h264", "vp9", "av1"),
    "video/webm": ("vp8", "vp9", "av1"),
}
PIXELS = ("yuv420p", "yuvj420p")
PROXY = Form(longer=854, shorter=480, preset="ultrafast", gap=0.5)
HEAD = 64  # bytes in which a WebM file says that it is one


def playable(film: Film) -> str | None:
    """Return the media type by which browsers play ``film`` as it is, or None."""
    if film.timing is None or film.hides or film.pixels not in PIXELS:
        return None
    with opened(film.path) as container:
        kind = _kind(film.path, container)
        first = picture_streams(container)[0].index
        told = film.codec in PLAYED.get(kind, ()) and film.stream == first
        return kind if told and _states_its_times(film, container) else None


def proxy_name(film: Film) -> str:
    """Return the name of the proxy of ``film``; AssetError where none can be made."""
    return f"proxy{recoded_suffix(film)}"


def write_proxy(film: Film, output: Path, progress: Callable[[float], None]) -> None:
    """Write ``film`` as browsers play it, whole or not at all.

    It has no sound, at most 854 by 480 pixels, and is shown frame by frame when the film is.
    ``progress`` gets the seconds that are written.
    """
    recode(film, output, PROXY, progress)


def _kind(path: Path, container: "InputContainer") -> str:
    """Return the media type of a file that is WebM, MP4 or its elder brother MOV, or ""."""
    names = container.format.name.split(",")
    if "mp4" in names:
        return "video/mp4"
    with path.open("rb") as file:
        return "video/webm" if "webm" in names and b"webm" in file.read(HEAD) else ""


def _states_its_times(film: Film, container: "InputContainer") -> bool:
    """Return whether the file itself says when each picture of ``film`` is shown, from 0 on."""
    timing = film.timing
    if timing is None or timing.start or timing.lost or timing.joins or timing.uncut:
        return False
    stream = moving_picture(film.path, container)
    shown = [packet.pts for packet in packets(container, stream) if packet.size]
    return shown[: len(timing.shown)] == timing.shown.tolist()
