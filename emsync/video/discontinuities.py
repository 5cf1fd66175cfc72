"""Timestamps that jump in the middle of a recording, continued as players do.

Joined transport streams begin to count again, or an hour later. In formats that allow this, a step
back, or one of more than AHEAD seconds, continues where the packet before it ends. Sound follows
the pictures, so that both stay together: it is moved by what they were moved.

Three things are no jumps: two packets that have changed places; the first packets of a recording
that begins in the middle, whose times are guessed; and pictures shown for long, as those of a slide
show are like each other in length, and sound goes on under them.
"""

from collections.abc import Sequence
from fractions import Fraction

AHEAD = 10  # seconds, as in FFmpeg and players; a longer gap is a jump, a shorter one a still
FIRST = 16  # packets; a decoder holds back no more
LONGER = 3  # times the longest step before it, that a jump is at least
NEAR = 2  # seconds within which the pictures and the sound of a recording are joined


class Continuity:
    """Repairs the timestamps of one stream, packet by packet.

    >>> moved = Continuity(Fraction(1, 10))
    >>> [at + moved(at, 1) for at in (*range(14, 34), 0, 1, 900)][-5:]
    [32, 33, 34, 35, 36]
    >>> [float(join) for join in moved.joins]
    [3.4, -89.8]
    """

    def __init__(self, base: Fraction, known: Sequence[Fraction] | None = None) -> None:
        self.base = base  # seconds in a tick
        self.known = known  # seconds of the true jumps, such as those of the pictures for sound
        self.joins: list[Fraction] = []  # seconds that each jump was moved by
        self._shift = 0  # ticks
        self._count = 0  # packets
        self._last: tuple[int, int] | None = None  # the packet before: its time and its end
        self._earlier: int | None = None  # the time of the one before that
        self._longest = 0  # ticks from one packet to the next; nothing is a jump before the first

    def __call__(self, at: int | None, length: int) -> int:
        """Return the ticks to add to the times of the next packet, decoded ``at``."""
        if at is None:
            return self._shift
        self._count += 1
        if self._last is not None:
            before, follows = self._last
            far = self._longest and at - before > LONGER * self._longest
            back = at < before if self._earlier is None else at < min(before, self._earlier)
            ahead = far and (at - follows) * self.base > AHEAD
            if (back or ahead) and self._count > FIRST:
                self._join(follows - at)
                before = at  # what came before it counts no longer
            else:
                self._longest = max(self._longest, at - before)
            self._earlier = before
        self._last = (at, at + length)
        return self._shift

    def _join(self, ticks: int) -> None:
        moved = ticks * self.base
        if self.known is not None:
            nearest = min(self.known, key=lambda join: abs(join - moved), default=None)
            if nearest is not None and abs(nearest - moved) <= NEAR:
                moved = nearest
            elif moved <= NEAR:  # the other stream goes on: a long still, silence, or an overlap
                return
        self._shift += round(moved / self.base)
        self.joins.append(moved)


def confirmed(joins: Sequence[Fraction], heard: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the ``joins`` of pictures that the joins of their sound bear out.

    Only a jump ahead needs this: where sound goes on, it is a picture that is shown for long.
    """
    return tuple(
        join for join in joins if join > 0 or any(abs(join - other) <= NEAR for other in heard)
    )
