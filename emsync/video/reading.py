"""The packets of a film: when they say they are shown, and when they are.

Shapes: P packets, empty ones left out.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Ticks
from emsync.errors import warn
from emsync.limits import quoted
from emsync.video.complete import (
    SLACK,
    check_complete,
    declared_duration,
    declares_pictures,
)
from emsync.video.discontinuities import confirmed
from emsync.video.media import (
    continued,
    continuity,
    decode,
    moving_picture,
    nothing_decodes,
    opened,
    packets,
    until_broken,
)
from emsync.video.order import UNKNOWN, decoded_order, decoding_times, is_doubtful, shown_in_order
from emsync.video.timing import Timing

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MOST_DELAYED = 16  # pictures that a decoder holds back at most, to put them in order
ROUNDED = 0.005  # seconds by which the length of a track may be rounded
UNSEEN = {"skip_loop_filter": "all"}  # of a decoder: of its pictures only the order counts


@dataclass(frozen=True, eq=False)
class Reading:
    """What one pass over the packets of a film says. P packets, empty ones left out."""

    shown: Ticks  # (P,) or UNKNOWN
    decoded: Ticks  # (P,) or UNKNOWN
    lengths: Ticks  # (P,) 0 where unknown
    hidden: NDArray[np.bool_]  # (P,) as an edit list may say
    keys: NDArray[np.bool_]  # (P,) which are decoded without those before
    first: "VideoFrame"
    joins: tuple[Fraction, ...] = ()
    uncut: bool = False
    lost: frozenset[int] = frozenset()


def read_packets(path: Path, container: "InputContainer", stream: "VideoStream") -> Reading:
    """Read all packets of ``stream``, with their timestamps repaired where they are wrong.

    A warning says what was repaired. InputError says why, where too little can be read.
    """
    read = _read(path, container, stream)
    if any(join < 0 for join in read.joins) and container.streams.audio:
        joins = confirmed(read.joins, _joins_of_sound(path))
        read = read if len(joins) == len(read.joins) else _again(path, joins)
    if is_doubtful(read.shown, stream.codec_context.has_b_frames, container.format.name):
        rate = stream.average_rate or stream.guessed_rate or 25
        usual = max(1, round(1 / (rate * Fraction(stream.time_base or 1))))  # ticks of a frame
        read = _in_decoded_order(path, read, usual)
    else:
        read = _from_first_picture(path, read)
    _check_length(path, container, stream, read)
    if read.joins:
        many = f"jump {len(read.joins)} times" if len(read.joins) > 1 else "jump once"
        warn(f"the timestamps of {quoted(path)} {many}; the film goes on there without a gap")
    return read


def _read(
    path: Path,
    container: "InputContainer",
    stream: "VideoStream",
    joins: Sequence[Fraction] | None = None,
    uncut: bool = False,
) -> Reading:
    """Read all packets of ``stream``, and decode until the first frame."""
    first: VideoFrame | None = None
    rows = array("q")  # of each packet: when it is shown and decoded, how long, hidden or a key
    moved = continuity(container, stream, joins)
    for packet in continued(packets(container, stream), moved):
        if first is None:
            first = next(iter(decode(packet)), None)
        if packet.size:
            shown, decoded = (UNKNOWN if t is None else t for t in (packet.pts, packet.dts))
            length, kinds = packet.duration or 0, (packet.is_discard, packet.is_keyframe)
            rows.extend((shown, decoded, length, *kinds))
    shown, decoded, lengths, hidden, keys = np.ascontiguousarray(
        np.asarray(rows, np.int64).reshape(-1, 5).T
    )
    if first is None:
        raise nothing_decodes(path)
    found = tuple(moved.joins) if moved else ()
    marks = hidden.astype(bool), keys.astype(bool)
    return Reading(shown, decoded, lengths, *marks, first, found, uncut)


def _again(path: Path, joins: Sequence[Fraction] | None = None, uncut: bool = False) -> Reading:
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


def _in_decoded_order(path: Path, read: Reading, usual: int) -> Reading:
    """Return ``read`` with the times of its pictures in the order in which they are decoded.

    It comes back as it is where that is the order of its timestamps. An edit list that hides no
    more than a decoder delays was made of the same wrong timestamps.
    """
    uncut = 0 < int(read.hidden.sum()) <= MOST_DELAYED
    again = _again(path, uncut=True) if uncut else read
    with opened(path, uncut) as container:
        stream = moving_picture(path, container)
        stream.codec_context.options = UNSEEN
        order = decoded_order(packets(container, stream), decode, again.shown)
    if order is None or not len(order):
        return read
    if (read.shown == UNKNOWN).all():
        warn(f"{quoted(path)} does not say when its pictures are shown; they are counted")
    elif (read.shown == UNKNOWN).any():
        warn(f"{quoted(path)} does not say when some pictures are shown; they follow each other")
    else:
        warn(
            f"the timestamps of {quoted(path)} are of decoding, not of showing; its pictures "
            "are put in their order"
        )
    unknown = np.full(len(again.shown), UNKNOWN)
    shown = shown_in_order(again.shown, order, usual)
    return replace(again, shown=shown, decoded=unknown)


def _from_first_picture(path: Path, read: Reading) -> Reading:
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
    warn(f"the first pictures of {quoted(path)} cannot be decoded and are left out")
    names = ("shown", "decoded", "lengths", "hidden", "keys")
    kept = {name: getattr(read, name)[~lost] for name in names}
    return replace(read, **kept, lost=frozenset(np.flatnonzero(lost).tolist()))


def _check_length(
    path: Path, container: "InputContainer", stream: "VideoStream", read: Reading
) -> None:
    """Refuse a film that is cut off, and tell of a small loss; see ``check_complete``."""
    declared = declared_duration(path, container, stream)
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
            for packet in until_broken(container.demux())
            if packet.pts is not None
        ]
    return max(ends, default=0.0)


def timing_of_packets(
    read: Reading, container: "InputContainer", stream: "VideoStream"
) -> Timing | None:
    """Return when the pictures of ``stream`` are seen, or None where a time is missing."""
    base = Fraction(stream.time_base or 1)
    track = stream.duration if "mov" in container.format.name.split(",") else None  # in ticks
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
    over = last + length - start - track if track and not read.uncut else 0
    if over * base > ROUNDED and order[-1] != visible[-1]:
        # The length is of decoding, and so of another picture than the last that is shown.
        length = max(1, length - over)
    until = visible[-1] + 1
    decoded, shown = read.decoded[:until], read.shown[:until]
    if (decoded == UNKNOWN).any() or (np.diff(decoded) <= 0).any():
        decoded = decoding_times(shown)
    times = start, last + length, decoded, shown, read.keys[:until]
    return Timing(base, *times, read.joins, read.uncut, read.lost)
