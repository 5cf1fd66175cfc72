"""When pictures are shown whose timestamps do not say it: in the order that the decoder gives.

AVI stores when a picture is decoded, a raw stream nothing at all, and some programs write that
moment for the other. The decoder knows the order of the pictures; the times are sorted into it.
Shapes: P packets, F frames that come of them.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from emsync.arrays import Float64s, Int64s, Ticks

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

UNKNOWN = -(2**63)  # FFmpeg's number for a time that a packet does not state
TRIAL = 64  # frames; where so many come in the order of their timestamps, these are right


def is_doubtful(shown: Ticks, delayed: bool, format_name: str) -> bool:
    """Return whether a decoder must tell if packets are shown at the (P,) times ``shown``.

    ``delayed`` is whether the decoder reorders pictures. Timestamps that ascend in the order of
    decoding then are doubtful, and all that FFmpeg guesses for AVI.
    """
    if (shown == UNKNOWN).any():
        return True
    return delayed and (format_name == "avi" or bool((np.diff(shown) > 0).all()))


def decoded_order(
    packets: Iterable["Packet[Any]"],
    decode: Callable[["Packet[Any]"], list["VideoFrame"]],
    shown: Ticks,
) -> Int64s | None:
    """Return the (F,) packets in the order in which they are shown; None where ``shown`` is right.

    ``packets`` are all of the stream, and their timestamps are used up.
    """
    order: list[int] = []
    number = 0
    for packet in packets:
        if packet.size:
            packet.pts = number  # a decoder hands it on to the frame
            number += 1
        order += [f.pts for f in decode(packet) if f.pts is not None and 0 <= f.pts < len(shown)]
        if len(order) >= TRIAL and _ascend(shown[order]):
            return None
    found = np.asarray(order, np.int64)
    return None if _ascend(shown[found]) else found


def _ascend(times: Ticks) -> bool:
    return bool((times != UNKNOWN).all() and (np.diff(times) > 0).all())


def shown_in_order(shown: Ticks, order: Int64s, step: int) -> Ticks:
    """Return ``shown`` with its times sorted into ``order``, those unknown filled in.

    ``step`` is the ticks of a usual frame. What never becomes a frame keeps its time, or has that
    of the packet before.

    >>> shown_in_order(np.array([10, 20, 30, 40]), np.array([0, 2, 1, 3]), 10).tolist()
    [10, 30, 20, 40]
    >>> shown_in_order(np.array([UNKNOWN, UNKNOWN, 35]), np.array([0, 2, 1]), 10).tolist()
    [25, 45, 35]
    """
    result = shown.copy()
    result[order] = _filled(shown[order], step)
    for k in np.flatnonzero(result == UNKNOWN):
        result[k] = result[k - 1] if k else result[order[0]]
    return result


def _filled(times: Ticks, step: int) -> Ticks:
    """Return (F,) times ascending, those unknown spread evenly between their neighbours."""
    places = np.arange(len(times))
    known = np.flatnonzero(times != UNKNOWN)
    if not len(known):
        return places * step
    values = np.sort(times[known])
    filled: Float64s = np.interp(places, known, values)
    first, last = known[0], known[-1]
    filled[:first] = values[0] - step * (first - places[:first])
    filled[last + 1 :] = values[-1] + step * (places[last + 1 :] - last)
    return np.round(filled).astype(np.int64)


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
    times = np.concatenate([before, order[: len(order) - delay]])
    steps = np.arange(len(times))  # strictly ascending, where pictures are shown at one time
    return np.minimum.accumulate((times - steps)[::-1])[::-1] + steps
