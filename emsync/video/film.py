"""A film, opened once: its facts, when its pictures are shown, and the containers that hold them.

``open_film`` reads the packets' timestamps and decodes one frame. Whoever needs the file again
(to watch it, to hear it, to copy its pictures) opens it with ``opened``, the one place where a
stranger's media file is given to FFmpeg. Times are seconds from the first frame, by presentation
timestamps, so a variable frame rate is safe.
"""

import io
import os
import stat
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emsync.arrays import Int64s, Ticks
from emsync.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

UNKNOWN = -(2**63)  # FFmpeg's number for a time that a packet does not state
FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names


@dataclass(frozen=True, eq=False)
class Timing:
    """When the pictures of a film are shown and decoded, in the units of its stream."""

    base: Fraction  # seconds in one unit
    start: int  # when the first picture is shown
    end: int  # when the last picture ends
    decoded: Ticks  # (packets,) when each is decoded, up to the last that is seen

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return float((self.end - self.start) * self.base)


@dataclass(frozen=True)
class Film:
    """A video file: what its music must fit."""

    path: Path
    duration: float  # seconds the picture lasts, whatever the sound or the container says
    fps: Fraction  # frames a second, on average
    width: int  # pixels as displayed: turned upright, made square
    height: int
    rotation: int  # degrees counter-clockwise that turn the stored picture upright: 0, 90, 180, 270
    has_audio: bool
    frames: int
    stream: int  # index of the picture among the file's streams
    codec: str = field(default="", compare=False)  # FFmpeg's name of how the pictures are coded
    suffixes: tuple[str, ...] = field(default=(), compare=False)  # of FORMATS that hold them
    hides: bool = field(default=False, compare=False)  # whether an edit list hides the beginning
    timing: Timing | None = field(default=None, compare=False, repr=False)  # None: unknown


def open_film(path: str | os.PathLike[str]) -> Film:
    """Read the facts of the film at ``path`` from its packets, decoding only the first frame.

    InputError says why, when the file holds no moving picture.
    """
    path = Path(path)
    with opened(path) as container:
        stream = moving_picture(path, container)
        base = Fraction(stream.time_base or 1)
        first: VideoFrame | None = None
        rows = array("q")  # of each packet: when it is shown and decoded, how long, whether hidden
        for packet in packets(container, stream):
            if first is None:
                first = next(iter(decode(packet)), None)
            if packet.size:
                shown, decoded = (UNKNOWN if t is None else t for t in (packet.pts, packet.dts))
                rows.extend((shown, decoded, packet.duration or 0, packet.is_discard))
        if first is None:
            raise nothing_decodes(path)
        table = np.asarray(rows, np.int64).reshape(-1, 4)
        hidden = table[:, 3].astype(bool)  # as an edit list may say
        count = int((~hidden).sum())
        _refuse_picture(path, container, count)
        timed = table[~hidden & (table[:, 0] != UNKNOWN)]
        declared = stream.average_rate or stream.guessed_rate
        ticks = int((timed[:, 0] + timed[:, 2]).max() - timed[:, 0].min()) if len(timed) else 0
        span = float(ticks * base)
        duration = span or count / float(declared or 25)  # a raw stream has no timestamps
        return Film(
            path,
            duration,
            average_rate(declared, count, duration),
            *_displayed(first, stream),
            has_audio=bool(container.streams.audio),
            frames=count,
            stream=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            suffixes=tuple(suffix for suffix in FORMATS if _holds(suffix, stream)),
            hides=bool(hidden[0]),
            timing=_timing(base, table),
        )


def frames(film: Film) -> Iterator[tuple[float, float, "VideoFrame"]]:
    """Yield each frame with the seconds between which it is shown, ascending from 0."""
    with opened(film.path) as container:
        stream = moving_picture(film.path, container)
        base = Fraction(stream.time_base or 1)
        usual = max(1, round(1 / (film.fps * base)))  # ticks of a frame without a duration
        start: int | None = None
        now = -usual
        for packet in packets(container, stream):
            for frame in decode(packet):
                pts = frame.pts
                if start is None:
                    start = pts or 0
                # A missing or broken timestamp: the frame is shown after the last one.
                now = pts - start if pts is not None and pts - start > now else now + usual
                yield float(now * base), float((now + (frame.duration or usual)) * base), frame


@contextmanager
def opened(path: Path) -> Iterator["InputContainer"]:
    """Open a media file as a file: neither its name nor its content can open anything else."""
    import av

    with _file(path) as file:
        try:
            # The name stays hidden, no protocol is allowed, and what the file points at (a
            # playlist, a reference to another film) is not opened.
            container = av.open(
                file,
                mode="r",
                options={"fflags": "+genpts"},
                metadata_errors="replace",  # tags are in any encoding, and no part of the film
                container_options={"protocol_whitelist": ","},
                io_open=_refuse,
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


def packets(container: "InputContainer", stream: "VideoStream") -> Iterator["Packet[Any]"]:
    """Yield the packets of ``stream`` up to the file's end, or to where it is broken."""
    import av

    found = container.demux(stream)
    while True:
        try:
            packet = next(found, None)
        except av.FFmpegError:
            return  # what was readable is the film; open_film and watch refuse nothing at all
        if packet is None:
            return
        yield packet


def decode(packet: "Packet[Any]") -> list["VideoFrame"]:
    """Return the frames that ``packet`` completes; a damaged one costs its own, as in a player."""
    import av

    try:
        frames: list[VideoFrame] = packet.decode()
    except av.FFmpegError:
        return []
    return frames


def timing_of(film: Film) -> Timing:
    """Return when the pictures of ``film`` are shown; InputError where they are unknown."""
    if film.timing is None:
        raise InputError(f"{str(film.path)!r} does not say when its pictures are shown; convert it")
    return film.timing


def copy_stream(out: "OutputContainer", pictures: "VideoStream") -> "VideoStream":
    """Add a stream to ``out`` that takes the packets of ``pictures`` as they are."""
    copy = out.add_stream_from_template(pictures, opaque=True)
    # Matroska keeps these two beside the stream, where the template is not looked up
    if pictures.sample_aspect_ratio:
        copy.codec_context.sample_aspect_ratio = pictures.sample_aspect_ratio
    if pictures.average_rate:
        copy.codec_context.framerate = pictures.average_rate
    return copy


def average_rate(declared: Fraction | None, frames: int, duration: float) -> Fraction:
    """Return the average frame rate: the declared one where the frames bear it out."""
    measured = frames / duration
    if declared and abs(float(declared) / measured - 1) < max(0.01, 1.5 / frames):
        return Fraction(declared)
    return Fraction(measured).limit_denominator(1001)


def only_a_picture(path: Path) -> InputError:
    """Return the error for a file that holds a single frame."""
    return InputError(f"{str(path)!r} is a picture, not a video: it holds a single frame")


def nothing_decodes(path: Path) -> InputError:
    """Return the error for a file of which no frame can be decoded."""
    return InputError(f"{str(path)!r} holds no frame that can be decoded; is the file complete?")


def _holds(suffix: str, pictures: "VideoStream") -> bool:
    """Return whether a container takes these pictures: it says so when its header is written."""
    import av

    try:
        with av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as trial:
            copy_stream(trial, pictures)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):  # PyAV knows some of it, FFmpeg the rest
        return False
    return True


def _timing(base: Fraction, table: Int64s) -> Timing | None:
    """Return when the pictures of (packets, 4) rows are seen, or None where a time is missing."""
    shown, decoded, lengths, hidden = np.ascontiguousarray(table.T)
    visible = np.flatnonzero(hidden == 0)
    if (shown == UNKNOWN).any() or not len(visible):
        return None
    order = visible[np.argsort(shown[visible], kind="stable")]
    start, last, length = int(shown[order[0]]), int(shown[order[-1]]), int(lengths[order[-1]])
    if not length and len(order) > 1:  # a container without durations: as the step before
        length = last - int(shown[order[-2]])
    until = visible[-1] + 1
    known = decoded[:until]
    if (known == UNKNOWN).any():
        known = decoding_times(shown[:until])
    return Timing(base, start, last + length, known)


def decoding_times(shown: Ticks) -> Ticks:
    """Return ascending times of decoding, none later than ``shown``, for those in that order.

    Matroska stores when a picture is shown, not when it is decoded.

    >>> decoding_times(np.array([0, 30, 10, 20, 40])).tolist()
    [-10, 0, 10, 20, 30]
    """
    order = np.sort(shown)
    delay = int((np.arange(len(shown)) - np.searchsorted(order, shown, side="right") + 1).max())
    step = max(1, int(order[-1] - order[0]) // max(1, len(order) - 1))
    before = order[0] - step * np.arange(delay, 0, -1)
    return np.concatenate([before, order[: len(order) - delay]])


def _displayed(frame: "VideoFrame", stream: "VideoStream") -> tuple[int, int, int]:
    """Return width, height and rotation: the picture with square pixels, turned upright."""
    shape = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    width, height = max(1, round(frame.width * shape)), frame.height
    rotation = round(frame.rotation / 90) * 90 % 360
    return (height, width, rotation) if rotation % 180 else (width, height, rotation)


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


def _refuse_picture(path: Path, container: "InputContainer", count: int) -> None:
    """Refuse a file that shows one picture, or whose format is an image's."""
    name = container.format.name
    if count == 1 or name.endswith("_pipe") or name == "image2":
        raise only_a_picture(path)
