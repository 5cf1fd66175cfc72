"""Strangers' media files: opened safely, their packets and frames.

``opened`` is the one place where such a file is given to FFmpeg. Neither its name nor its content
can open anything else, and its tags may be in any encoding.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsync.errors import InputError
from emsync.video.discontinuities import Continuity

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

DISCONTINUOUS = 0x200  # FFmpeg's flag of formats whose timestamps may jump (AVFMT_TS_DISCONT)


@contextmanager
def opened(
    path: Path, uncut: bool = False, device: str | None = None
) -> Iterator["InputContainer"]:
    """Open a media file as a file: neither its name nor its content can open anything else.

    ``uncut`` leaves out the edit list of an MP4. ``device`` is FFmpeg's name of the hardware that
    decodes, and nothing else does; None is the processor.
    """
    import av
    from av.codec.hwaccel import HWAccel

    with _file(path) as file:
        try:
            # The name stays hidden, no protocol is allowed, and what the file points at (a
            # playlist, a reference to another film) is not opened.
            container = av.open(
                file,
                mode="r",
                options={"fflags": "+genpts"} | ({"ignore_editlist": "1"} if uncut else {}),
                metadata_errors="replace",  # tags are in any encoding, and no part of the film
                container_options={"protocol_whitelist": ","},
                io_open=_refuse,
                hwaccel=HWAccel(device, allow_software_fallback=False) if device else None,
            )
        except (av.FFmpegError, OSError, _ElsewhereError) as error:
            raise InputError(
                f"cannot read {str(path)!r}: no known format, empty or incomplete"
            ) from error
        with container:
            yield container


class _ElsewhereError(Exception):
    """A file points at another one."""


def _refuse(url: str, _flags: int, _options: object) -> Any:
    raise _ElsewhereError(url)


def moving_picture(path: Path, container: "InputContainer") -> "VideoStream":
    """Return the video stream that a player shows; the picture on a record's sleeve is none."""
    streams = picture_streams(container)
    if not streams:
        what = "sound but no video" if container.streams.audio else "no video"
        raise InputError(f"{str(path)!r} holds {what}; emsync needs a moving picture")
    from av.stream import Disposition

    stream = max(streams, key=lambda s: bool(s.disposition & Disposition.default))
    if stream.codec_context is None:
        raise InputError(f"{str(path)!r} holds a video that no installed decoder reads")
    stream.thread_type = "AUTO"
    return stream


def picture_streams(container: "InputContainer") -> list["VideoStream"]:
    """Return the streams of moving pictures."""
    from av.stream import Disposition

    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def packets(
    container: "InputContainer", stream: "Stream | Sequence[Stream]"
) -> Iterator["Packet[Any]"]:
    """Yield the packets of ``stream`` up to the file's end, or to where it is broken."""
    return until_broken(container.demux(stream))


def until_broken(found: Iterator["Packet[Any]"]) -> Iterator["Packet[Any]"]:
    """Yield the packets of a demuxer up to where it fails."""
    import av

    while True:
        try:
            packet = next(found, None)
        except av.FFmpegError:
            return  # what was readable is the film, where that is enough: see ``check_complete``
        if packet is None:
            return
        yield packet


def continuity(
    container: "InputContainer", stream: "Stream", joins: Sequence[Fraction] | None = None
) -> Continuity | None:
    """Return what repairs the timestamps of ``stream``, or None for a format that never jumps.

    ``joins`` are those of the pictures, for the sound of the same film.
    """
    if not container.format.flags & DISCONTINUOUS:
        return None
    return Continuity(Fraction(stream.time_base or 1), joins)


def continued(found: Iterable["Packet[Any]"], moved: Continuity | None) -> Iterator["Packet[Any]"]:
    """Yield packets with their timestamps repaired by ``moved``."""
    for packet in found:
        if moved and packet.size and (shift := moved(packet.dts, packet.duration or 0)):
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        yield packet


def decode(packet: "Packet[Any]") -> list["VideoFrame"]:
    """Return the frames that ``packet`` completes; a damaged one costs its own, as in a player."""
    import av

    try:
        frames: list[VideoFrame] = packet.decode()
    except av.FFmpegError:
        return []
    return frames


def decode_rest(stream: "VideoStream") -> list["VideoFrame"]:
    """Return the frames that a decoder still holds; it may go on at another key frame then."""
    import av

    try:
        frames = stream.codec_context.decode(None)
    except av.FFmpegError:
        frames = []
    stream.codec_context.flush_buffers()
    return frames


def stated(container: "InputContainer", tag: str) -> str:
    """Return the first value that the file, or a stream of it, states for ``tag``, or ""."""
    places = [container.metadata, *(stream.metadata for stream in container.streams)]
    return next((v for tags in places for k, v in tags.items() if k.lower() == tag and v), "")


def only_a_picture(path: Path) -> InputError:
    """Return the error for a file that holds a single frame."""
    return InputError(f"{str(path)!r} is a picture, not a video: it holds a single frame")


def nothing_decodes(path: Path) -> InputError:
    """Return the error for a file of which no frame can be decoded."""
    return InputError(
        f"{str(path)!r} holds no frame that can be decoded; is the file complete? "
        "If it plays elsewhere, convert it to H.264"
    )


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    """Open an ordinary file for reading; InputError says why it cannot be."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{str(path)!r} is a folder, not a media file")
        if not stat.S_ISREG(mode):
            raise InputError(f"{str(path)!r} is not an ordinary file; copy the video into one")
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {str(path)!r}") from error
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {str(path)!r}: {reason}") from error
    with os.fdopen(descriptor, "rb") as file:
        yield file
