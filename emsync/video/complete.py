"""Whether a film is as long as its file says, or was cut off on its way."""

import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import InputError, warn
from emsync.limits import quoted

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

ENOUGH = 0.9  # the share of a film that is still the film
SLACK = 0.25  # seconds by which a declared duration may be longer than the pictures

# FFmpeg's names of formats that state how long they are; it guesses for others, or reads the end
_STATING = {"mov", "matroska", "flv", "asf", "mxf"}
_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the name of ASF's object
_HEAD = 2**16  # bytes at a file's beginning in which it lies


def declared_duration(
    path: Path, container: "InputContainer", stream: "VideoStream"
) -> float | None:
    """Return the seconds that the file says ``stream`` lasts, at least; None if it says nothing."""
    if container.format.name == "avi":  # of one cut off, FFmpeg's duration is of what is left
        return float(stream.frames * Fraction(stream.time_base or 1)) or None
    if container.format.name == "asf" and not container.duration:  # likewise
        return _declared_by_asf(path)
    if not _STATING & set(container.format.name.split(",")):
        return None
    stated = []
    if container.duration:
        stated.append(container.duration / 1e6)
    if stream.duration:
        stated.append(float(stream.duration * Fraction(stream.time_base or 1)))
    if match := _TAG.match(stream.metadata.get("DURATION", "")):  # Matroska's, of each track
        stated.append(int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]))
    return min(stated, default=None)


def _declared_by_asf(path: Path) -> float | None:
    """Return the seconds that an ASF file (.wmv) states in its header, or None."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    at = head.find(_PROPERTIES)
    if at < 0 or at + 92 > len(head):
        return None
    plays, _, waits, flags = struct.unpack_from("<QQQI", head, at + 64)  # 100 ns; milliseconds
    return None if flags & 1 else plays / 1e7 - waits / 1e3  # 1: it is a broadcast


def declares_pictures(container: "InputContainer", stream: "VideoStream") -> bool:
    """Return whether the file states the length of the pictures, not only of the whole."""
    tracks = {"mov", "avi", "mxf"} & set(container.format.name.split(","))
    return bool(tracks or _TAG.match(stream.metadata.get("DURATION", "")))


def check_complete(path: Path, readable: float, declared: float, what: str = "read") -> None:
    """Refuse a film of which less than ENOUGH is ``readable`` (seconds), and tell of any loss."""
    if declared - readable <= SLACK:
        return
    if readable < ENOUGH * declared:
        raise InputError(
            f"{quoted(path)} is cut off or damaged: it declares {declared:.1f} s, and only "
            f"{readable:.1f} s can be {what}; fetch it again"
        )
    warn(
        f"{quoted(path)} declares {declared:.1f} s, of which the first {readable:.1f} s can be "
        f"{what}; the music is for these"
    )
