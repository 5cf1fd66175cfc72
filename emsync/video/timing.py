"""When each packet of a film is shown and decoded: what all that read its pictures agree on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds, Ticks

if TYPE_CHECKING:
    from av.packet import Packet


@dataclass(frozen=True, eq=False)
class Timing:
    """When the pictures of a film are shown and decoded, in the units of its stream."""

    base: Fraction  # seconds in one unit
    start: int  # when the first picture is shown
    end: int  # when the last picture ends
    decoded: Ticks  # (packets,) when each is decoded, up to the last that is seen
    shown: Ticks  # (packets,) when each is shown, repaired where the file is wrong
    keys: NDArray[np.bool_]  # (packets,) which are decoded without those before
    joins: tuple[Fraction, ...] = ()  # seconds by which what follows each jump was moved
    uncut: bool = False  # whether the file's edit list is left out, since it is wrong too
    lost: frozenset[int] = frozenset()  # numbers of packets left out, as nothing comes of them

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return float((self.end - self.start) * self.base)

    @property
    def times(self) -> Seconds:
        """The (pictures,) seconds at which each is shown, from the first one, ascending."""
        seen = np.sort(self.shown[(self.shown >= self.start) & (self.shown < self.end)])
        return np.asarray((seen - self.start) * float(self.base), np.float64)

    def until(self, seconds: float) -> "Timing":
        """Return the timing of the pictures shown before ``seconds``, which end then."""
        end = self.start + round(seconds / self.base)
        seen = slice(int(np.flatnonzero(self.shown < end)[-1]) + 1)
        columns = {name: getattr(self, name)[seen] for name in ("decoded", "shown", "keys")}
        return replace(self, end=end, **columns)


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
