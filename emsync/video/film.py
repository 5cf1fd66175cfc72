"""A film, opened once: its facts, when its pictures are shown, and the containers that hold them.

``open_film`` reads the packets' timestamps and decodes one frame. Whoever needs the file again
(to watch it, to hear it, to copy its pictures) opens it with ``opened``, the one place where a
stranger's media file is given to FFmpeg. Times are seconds from the first frame, by presentation
timestamps, so a variable frame rate is safe.
"""

import io
import itertools
import os
import stat
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds, Ticks
from emsync.errors import InputError, warn
from emsync.video.complete import (
    SLACK,
    check_complete,
    declared_duration,
    declares_pictures,
    named,
)
from emsync.video.discontinuities import Continuity, confirmed
from emsync.video.hdr import IPT
from emsync.video.order import (
    UNKNOWN,
    decoded_order,
    decoding_times,
    is_doubtful,
    shown_in_order,
)
from emsync.video.rates import nominal_rate

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    Decode: TypeAlias = Callable[[Packet[Any]], list[VideoFrame]]

DISCONTINUOUS = 0x200  # FFmpeg's flag of formats whose timestamps may jump (AVFMT_TS_DISCONT)
DOLBY = ("dvh1", "dvhe")  # tags of pictures that make sense to Dolby Vision alone
MOST_DELAYED = 16  # pictures that a decoder holds back at most, to put them in order
MOMENT = 1e-6  # seconds; less is a rounded number
ROUNDED = 0.005  # seconds by which the length of a track may be rounded
FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names


@dataclass(frozen=True, eq=False)
class Timing:
    """When the pictures of a film are shown and decoded, in the units of its stream."""

    base: Fraction  # seconds in one unit
    start: int  # when the first picture is shown
    end: int  # when the last picture ends
    decoded: Ticks  # (packets,) when each is decoded, up to the last that is seen
    shown: Ticks  # (packets,) when each is shown, repaired where the file is wrong
    joins: tuple[Fraction, ...] = ()  # seconds by which what follows each jump was moved
    uncut: bool = False  # whether the file's edit list is left out, since it is wrong too
    lost: frozenset[int] = frozenset()  # numbers of packets left out, as nothing comes of them

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return float((self.end - self.start) * self.base)

    @property
    def last(self) -> float:
        """Seconds from the first picture to the beginning of the last."""
        seen = self.shown[(self.shown >= self.start) & (self.shown < self.end)]
        return float((int(seen.max()) - self.start) * self.base)

    def until(self, seconds: float) -> "Timing":
        """Return the timing of the pictures shown before ``seconds``, which end then."""
        end = self.start + round(seconds / self.base)
        count = int(np.flatnonzero(self.shown < end)[-1]) + 1
        return replace(self, end=end, decoded=self.decoded[:count], shown=self.shown[:count])


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
        read = _read(path, container, stream)
        if any(join < 0 for join in read.joins) and container.streams.audio:
            joins = confirmed(read.joins, _joins_of_sound(path))
            read = read if len(joins) == len(read.joins) else _read_again(path, joins)
        base, name = Fraction(stream.time_base or 1), container.format.name
        declared = stream.average_rate or stream.guessed_rate
        usual = max(1, round(1 / ((declared or 25) * base)))  # ticks of a frame
        if is_doubtful(read.shown, stream.codec_context.has_b_frames, name):
            read = _reordered(path, read, usual)
        else:
            read = _from_first_picture(path, read)
        _check_length(path, container, stream, read)
        count = int((~read.hidden).sum())
        _refuse_picture(path, container, count)
        limit = stream.duration if "mov" in name.split(",") and not read.uncut else None
        timing = _timing(base, read, limit)
        if timing is None:  # nothing says when its pictures are shown
            duration = count / float(declared or 25)
            times: Seconds = np.arange(count, dtype=np.float64) * (duration / count)
        else:
            duration, times = timing.duration, read.times(base)
        if read.first.colorspace == IPT or stream.codec_context.codec_tag in DOLBY:
            warn(
                f"{named(path)} has Dolby Vision's colours, which are not read: its mood is a guess"
            )
        if read.joins:
            many = f"jump {len(read.joins)} times" if len(read.joins) > 1 else "jump once"
            warn(f"the timestamps of {named(path)} {many}; the film goes on there without a gap")
        return Film(
            path,
            duration,
            nominal_rate(declared, times, duration),
            *_displayed(read.first, stream),
            has_audio=bool(container.streams.audio),
            frames=count,
            stream=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            suffixes=tuple(suffix for suffix in FORMATS if _holds(suffix, stream)),
            hides=bool(read.hidden[0]),
            timing=timing,
            timecode=stated(container, "timecode"),
        )


@dataclass(frozen=True, eq=False)
class _Read:
    """What one pass over the packets of a film says. P packets, empty ones left out."""

    shown: Ticks  # (P,) or UNKNOWN
    decoded: Ticks  # (P,) or UNKNOWN
    lengths: Ticks  # (P,) 0 where unknown
    hidden: NDArray[np.bool_]  # (P,) as an edit list may say
    first: "VideoFrame"
    joins: tuple[Fraction, ...] = ()
    uncut: bool = False
    lost: frozenset[int] = frozenset()

    def times(self, base: Fraction) -> Seconds:
        """Return the (F,) seconds at which pictures are shown, from the first one."""
        times = np.sort(self.shown[~self.hidden])
        return np.asarray((times - times[0]) * float(base), np.float64)


def _read(
    path: Path,
    container: "InputContainer",
    stream: "VideoStream",
    joins: Sequence[Fraction] | None = None,
    uncut: bool = False,
) -> _Read:
    """Read all packets of ``stream``, and decode until the first frame."""
    first: VideoFrame | None = None
    rows = array("q")  # of each packet: when it is shown and decoded, how long, whether hidden
    moved = continuity(container, stream, joins)
    for packet in continued(packets(container, stream), moved):
        if first is None:
            first = next(iter(decode(packet)), None)
        if packet.size:
            shown, decoded = (UNKNOWN if t is None else t for t in (packet.pts, packet.dts))
            rows.extend((shown, decoded, packet.duration or 0, packet.is_discard))
    shown, decoded, lengths, hidden = np.ascontiguousarray(
        np.asarray(rows, np.int64).reshape(-1, 4).T
    )
    if first is None:
        raise nothing_decodes(path)
    found = tuple(moved.joins) if moved else ()
    return _Read(shown, decoded, lengths, hidden.astype(bool), first, found, uncut)


def _read_again(path: Path, joins: Sequence[Fraction] | None = None, uncut: bool = False) -> _Read:
    with opened(path, uncut) as container:
        return _read(path, container, moving_picture(path, container), joins, uncut)


def _joins_of_sound(path: Path) -> list[Fraction]:
    """Return the seconds by which the sound of a recording is to be moved, on its own."""
    with opened(path) as container:
        stream = container.streams.audio[0]
        if moved := continuity(container, stream):
            for _ in continued(packets(container, stream), moved):
                pass
        return moved.joins if moved else []


def _reordered(path: Path, read: _Read, usual: int) -> _Read:
    """Return ``read`` with the times of its pictures in the order in which they are decoded.

    It comes back as it is where that is the order of its timestamps. An edit list that hides no
    more than a decoder delays was made of the same wrong timestamps.
    """
    uncut = 0 < int(read.hidden.sum()) <= MOST_DELAYED
    again = _read_again(path, uncut=True) if uncut else read
    with opened(path, uncut) as container:
        stream = moving_picture(path, container)
        order = decoded_order(packets(container, stream), decode, again.shown)
    if order is None or not len(order):
        return read
    if (read.shown == UNKNOWN).all():
        warn(f"{named(path)} does not say when its pictures are shown; they are counted")
    elif (read.shown == UNKNOWN).any():
        warn(f"{named(path)} does not say when some pictures are shown; they follow each other")
    else:
        warn(
            f"the timestamps of {named(path)} are of decoding, not of showing; its pictures "
            "are put in their order"
        )
    unknown = np.full(len(again.shown), UNKNOWN)
    shown = shown_in_order(again.shown, order, usual)
    return replace(again, shown=shown, decoded=unknown)


def _from_first_picture(path: Path, read: _Read) -> _Read:
    """Return ``read`` without the packets before the first picture that can be decoded.

    A broadcast is recorded from anywhere; what refers to pictures before that is lost.
    """
    start = read.first.pts
    (at,) = np.nonzero(read.shown == start)
    if start is None or not len(at) or read.hidden.any():
        return read
    lost = (read.shown < start) | (np.arange(len(read.shown)) < at[0])
    if not lost.any():
        return read
    warn(f"the first pictures of {named(path)} cannot be decoded and are left out")
    columns = (read.shown, read.decoded, read.lengths, read.hidden)
    shown, decoded, lengths, hidden = (column[~lost] for column in columns)
    numbers = frozenset(np.flatnonzero(lost).tolist())
    return replace(read, shown=shown, decoded=decoded, lengths=lengths, hidden=hidden, lost=numbers)


def _check_length(
    path: Path, container: "InputContainer", stream: "VideoStream", read: _Read
) -> None:
    """Refuse a film that is cut off, and tell of a small loss; see ``check_complete``."""
    declared = declared_duration(container, stream)
    known = read.shown != UNKNOWN
    if declared is None or not known.any():
        return
    ends = (read.shown + read.lengths)[known]
    readable = float(int(max(ends.max(), np.ptp(ends))) * Fraction(stream.time_base or 1))
    if declared - readable > SLACK and not declares_pictures(container, stream):
        readable = max(readable, _furthest(path))  # the sound may be longer
    check_complete(path, readable, declared)


def _furthest(path: Path) -> float:
    """Return the second at which the last packet of any stream in the file ends."""
    with opened(path) as container:
        ends = [
            float((packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in _packets(container.demux())
            if packet.pts is not None
        ]
    return max(ends, default=0.0)


def frames(film: Film) -> Iterator[tuple[float, float, "VideoFrame"]]:
    """Yield each frame with the seconds between which it is shown, ascending from 0."""
    import av

    yielded, time = 0, 0.0
    try:
        for time, end, frame in _frames(film, "AUTO", lambda packet: packet.decode()):
            yield time, end, frame
            yielded += 1
        whole = film.timing is None or time >= film.timing.last - MOMENT
    except av.FFmpegError:
        whole = False
    if not whole:  # damaged, of which several threads lose more, and not always the same
        yield from itertools.islice(_frames(film, "SLICE", decode), yielded, None)


def _frames(
    film: Film, threads: Literal["AUTO", "SLICE"], decode: "Decode"
) -> Iterator[tuple[float, float, "VideoFrame"]]:
    timing = film.timing
    with reopened(film) as container:
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


def reopened(film: Film) -> AbstractContextManager["InputContainer"]:
    """Open a film again as ``open_film`` has read it."""
    return opened(film.path, film.timing is not None and film.timing.uncut)


@contextmanager
def opened(path: Path, uncut: bool = False) -> Iterator["InputContainer"]:
    """Open a media file as a file: neither its name nor its content can open anything else.

    ``uncut`` leaves out the edit list of an MP4.
    """
    import av

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
    return _packets(container.demux(stream))


def _packets(found: Iterator["Packet[Any]"]) -> Iterator["Packet[Any]"]:
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


def timed(found: Iterable["Packet[Any]"], timing: Timing | None) -> Iterator["Packet[Any]"]:
    """Yield the packets of a film's pictures with the true times of their showing and decoding."""
    if timing is None:
        yield from found
        return
    times = zip(timing.shown.tolist(), timing.decoded.tolist(), strict=True)
    number = 0
    for packet in found:
        if packet.size:
            number += 1
            if number - 1 in timing.lost:
                continue
            if (moment := next(times, None)) is not None:
                packet.pts, packet.dts = moment
                packet.duration = max(0, min(packet.duration or 0, timing.end - moment[0]))
        yield packet


def decode(packet: "Packet[Any]") -> list["VideoFrame"]:
    """Return the frames that ``packet`` completes; a damaged one costs its own, as in a player."""
    import av

    try:
        frames: list[VideoFrame] = packet.decode()
    except av.FFmpegError:
        return []
    return frames


def stated(container: "InputContainer", tag: str) -> str:
    """Return the first value that the file, or a stream of it, states for ``tag``, or ""."""
    places = [container.metadata, *(stream.metadata for stream in container.streams)]
    return next((v for tags in places for k, v in tags.items() if k.lower() == tag and v), "")


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


def _timing(base: Fraction, read: _Read, limit: int | None) -> Timing | None:
    """Return when pictures are seen, or None where a time is missing.

    ``limit`` is the ticks of the whole track, where it is known.
    """
    visible = np.flatnonzero(~read.hidden)
    if (read.shown == UNKNOWN).any() or not len(visible):
        return None
    order = visible[np.argsort(read.shown[visible], kind="stable")]
    start, last, length = (
        int(read.shown[order[0]]),
        int(read.shown[order[-1]]),
        int(read.lengths[order[-1]]),
    )
    if not length and len(order) > 1:  # a container without durations: as the step before
        length = last - int(read.shown[order[-2]])
    if limit and order[-1] != visible[-1] and (last + length - start - limit) * base > ROUNDED:
        # The length is of decoding, and so of another picture than the last that is shown.
        length = max(1, start + limit - last)
    until = visible[-1] + 1
    decoded, shown = read.decoded[:until], read.shown[:until]
    if (decoded == UNKNOWN).any() or (np.diff(decoded) <= 0).any():
        decoded = decoding_times(shown)
    return Timing(base, start, last + length, decoded, shown, read.joins, read.uncut, read.lost)


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
