"""Films that are longer than what the network reads at once: windows that share some of the music.

Each window but the first begins with what was drawn last, a third of the most that is read, as its
context. What is new begins at a cut, where there is one within 3 s, and is shared out evenly.

Times are latents, ten a second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from emsync.muvi.conditions import RATE

SHARED = 1 / 3  # of a window is context: of 30 s 10 s
REACH = 3 * RATE  # latents around the end of a window in which a cut is looked for


@dataclass(frozen=True)
class Window:
    """Latents that are drawn at once."""

    start: int
    stop: int
    given: int  # of its first latents are there already


def most_given(longest: int) -> int:
    """Return how many latents of a window may be context."""
    return int(longest * SHARED)


def windows(
    count: int, longest: int, cuts: Sequence[int] = (), prompt: int = 0
) -> tuple[Window, ...]:
    """Return the windows over ``count`` latents, of ``longest`` at most, in their order.

    The first ``prompt`` latents, no more than ``most_given``, are there already.

    >>> windows(50, 30)
    (Window(start=0, stop=30, given=0), Window(start=20, stop=50, given=10))
    """
    found: list[Window] = []
    there, shared = prompt, most_given(longest)  # latents that are there
    while there < count or not found:
        start = max(0, there - shared)
        stop = _end(there, start + longest, count, longest - shared, cuts)
        found.append(Window(start, stop, there - start))
        there = stop
    return tuple(found)


def _end(there: int, most: int, count: int, new: int, cuts: Sequence[int]) -> int:
    """Return where a window ends that may go on to ``most``; those after it have ``new`` latents.

    All are to have as many, so that the context is never most of a window.
    """
    if most >= count:
        return count
    after = math.ceil((count - most) / new)  # windows
    even = max(there + math.ceil((count - there) / (after + 1)), count - after * new)
    reach = min(REACH, new // 4)
    near = [cut for cut in cuts if abs(cut - even) <= reach and cut <= most]
    return min(near, key=lambda cut: abs(cut - even), default=even)
