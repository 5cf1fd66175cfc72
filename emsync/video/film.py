"""A film, opened once: its facts, when its pictures are shown, and the containers that hold them.

``open_film`` reads the packets' timestamps, repairs them where they contradict themselves, and
decodes one frame. ``Timing`` then tells when each packet is shown; whoever reads the pictures again
opens the film by ``reopened`` and passes its packets through ``timed``, so that all see the same
times. Times are seconds from the first frame, by presentation timestamps, so a variable frame rate
is safe.
"""

import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from emsync.arrays import Seconds
from emsync.errors import InputError, warn
from emsync.limits import quoted
from emsync.video.hdr import IPT
from emsync.video.media import (
    decode,
    moving_picture,
    only_a_picture,
    opened,
    packets,
    stated,
)
from emsync.video.rates import nominal_rate
from emsync.video.reading import read_packets, timing_of_packets
from emsync.video.timing import Timing, timed

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    Decode: TypeAlias = Callable[[Packet[Any]], list[VideoFrame]]

Threads: TypeAlias = Literal["AUTO", "SLICE"]  # which of a decoder's run beside each other

DOLBY = ("dvh1", "dvhe")  # tags of pictures that make sense to Dolby Vision alone
MOMENT = 1e-6  # seconds; less is a rounded number
FILMS = {".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ogv", ".webm"}  # in a folder
FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names
SAME_FILM = (0.5, 0.02)  # seconds, and a share: how far the durations of one film may differ
RAW_IN_MOV = ("rgb24", "uyvy422", "yuyv422")  # pixels that are read again as they were written


def same_length(given: float, duration: float) -> bool:
    """Return whether what lasts ``given`` seconds may be of a film of ``duration`` seconds."""
    return abs(given - duration) <= SAME_FILM[0] + SAME_FILM[1] * duration


@dataclass(frozen=True)
class Film:
    """A video file: what its music must fit."""

    path: Path
    duration: float  # seconds the picture lasts, whatever the sound or the container says
    fps: Fraction  # frames a second, as a camera counts them: see ``nominal_rate``
    width: int  # pixels as displayed: turned upright, made square
    height: int
    rotation: int  # degrees counter-clockwise that turn the stored picture upright: 0, 90, 180, 270
    has_audio: bool
    frames: int
    stream: int  # index of the picture among the file's streams
    codec: str = field(default="", compare=False)  # FFmpeg's name of how the pictures are coded
    pixels: str = field(default="", compare=False)  # and of how their pixels lie
    suffixes: tuple[str, ...] = field(default=(), compare=False)  # of FORMATS that hold them
    hides: bool = field(default=False, compare=False)  # whether an edit list hides the beginning
    timing: Timing | None = field(default=None, compare=False, repr=False)  # None: unknown
    timecode: str = ""  # of the first picture, as the file states it


def open_film(path: str | os.PathLike[str]) -> Film:
    """Read the facts of the film at ``path`` from its packets, decoding only the first frame.

    Where its timestamps contradict themselves they are repaired, and a warning says so. InputError
    says why, when the file holds no moving picture, or too little of the one that it declares.
    """
    path = Path(path)
    with opened(path) as container:
        stream = moving_picture(path, container)
        read = read_packets(path, container, stream)
        count = int((~read.hidden).sum())
        _refuse_picture(path, container, count)
        timing = timing_of_packets(read, container, stream)
        declared = stream.average_rate or stream.guessed_rate
        if timing is None:  # nothing says when its pictures are shown
            duration = count / float(declared or 25)
            times: Seconds = np.arange(count, dtype=np.float64) * (duration / count)
        else:
            duration, times = timing.duration, timing.times
        if read.first.colorspace == IPT or stream.codec_context.codec_tag in DOLBY:
            colours = "Dolby Vision's colours, which are not read: its mood is a guess"
            warn(f"{quoted(path)} has {colours}")
        return Film(
            path,
            duration,
            nominal_rate(declared, times, duration),
            *_displayed(read.first, stream),
            has_audio=bool(container.streams.audio),
            frames=count,
            stream=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            pixels=str(stream.pix_fmt),
            suffixes=tuple(suffix for suffix in FORMATS if _holds(suffix, stream)),
            hides=bool(read.hidden[0]),
            timing=timing,
            timecode=stated(container, "timecode"),
        )


def frames(film: Film, device: str | None = None) -> Iterator[tuple[float, float, "VideoFrame"]]:
    """Yield each frame with the seconds between which it is shown, ascending from 0.

    ``device`` decodes as far as it can, see ``device_for``; the processor goes on from there.
    """
    import av

    yielded, time = 0, 0.0
    threads: Threads = "SLICE" if device else "AUTO"
    try:
        for time, end, frame in _frames(film, threads, lambda packet: packet.decode(), device):
            yield time, end, frame
            yielded += 1
        whole = film.timing is None or time >= film.timing.times[-1] - MOMENT
    except av.FFmpegError:
        whole = False
    if not whole:  # damaged, of which several threads lose more, and not always the same
        yield from itertools.islice(_frames(film, "SLICE", decode), yielded, None)


def _frames(
    film: Film, threads: Threads, decode: "Decode", device: str | None = None
) -> Iterator[tuple[float, float, "VideoFrame"]]:
    timing = film.timing
    with reopened(film, device) as container:
        stream = moving_picture(film.path, container)
        stream.thread_type = threads
        base = Fraction(stream.time_base or 1)
        usual = max(1, round(1 / (film.fps * base)))  # ticks of a frame without a duration
        limit = timing.end - timing.start if timing else sys.maxsize
        start: int | None = None
        now = -usual
        for packet in timed(packets(container, stream), timing):
            for frame in decode(packet):
                pts = frame.pts
                if start is None:
                    start = pts or 0
                # A missing or broken timestamp: the frame is shown after the last one.
                now = pts - start if pts is not None and pts - start > now else now + usual
                end = min(now + (frame.duration or usual), limit)
                if now < limit:
                    yield float(now * base), float(end * base), frame


def until(film: Film, seconds: float, count: int) -> Film:
    """Return ``film`` as its first ``count`` frames, which end after ``seconds``."""
    timing = film.timing.until(seconds) if film.timing else None
    return replace(film, duration=seconds, frames=count, timing=timing)


def reopened(film: Film, device: str | None = None) -> AbstractContextManager["InputContainer"]:
    """Open a film again as ``open_film`` has read it, to be decoded by ``device``."""
    return opened(film.path, film.timing is not None and film.timing.uncut, device)


def timing_of(film: Film) -> Timing:
    """Return when the pictures of ``film`` are shown; InputError where they are unknown."""
    if film.timing is None:
        raise InputError(f"{str(film.path)!r} does not say when its pictures are shown; convert it")
    return film.timing


def copy_stream(
    out: "OutputContainer", pictures: "VideoStream", rate: Fraction | None = None
) -> "VideoStream":
    """Add a stream to ``out`` that takes the packets of ``pictures`` as they are.

    ``rate`` is the frames a second by which its timecode counts.
    """
    copy = out.add_stream_from_template(pictures, opaque=True)
    # Matroska keeps these two beside the stream, where the template is not looked up
    if pictures.sample_aspect_ratio:
        copy.codec_context.sample_aspect_ratio = pictures.sample_aspect_ratio
    if rate:
        copy.codec_context.framerate = rate
    return copy


def _holds(suffix: str, pictures: "VideoStream") -> bool:
    """Return whether a container takes these pictures: it says so when its header is written."""
    import av

    raw = pictures.codec_context.name == "rawvideo"
    if raw and suffix == ".mov" and pictures.codec_context.pix_fmt not in RAW_IN_MOV:
        return False  # though FFmpeg writes it: nothing could read it
    try:
        with av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as trial:
            copy_stream(trial, pictures)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):  # PyAV knows some of it, FFmpeg the rest
        return False
    return True


def _displayed(frame: "VideoFrame", stream: "VideoStream") -> tuple[int, int, int]:
    """Return width, height and rotation: the picture with square pixels, turned upright."""
    shape = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    width, height = max(1, round(frame.width * shape)), frame.height
    rotation = round(frame.rotation / 90) * 90 % 360
    return (height, width, rotation) if rotation % 180 else (width, height, rotation)


def _refuse_picture(path: Path, container: "InputContainer", count: int) -> None:
    """Refuse a file that shows one picture, or whose format is an image's."""
    name = container.format.name
    if count == 1 or name.endswith("_pipe") or name == "image2":
        raise only_a_picture(path)
