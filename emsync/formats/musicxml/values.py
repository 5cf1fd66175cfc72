"""How a length of time is written: note values and rests that keep the beats in sight.

A bar falls into groups of two or three beats. What begins off the beat ends at the beat, but for
the plain syncopation of a quarter note between two eighths; nothing hides the middle of a bar.
"""

from collections.abc import Iterator, Set
from functools import lru_cache

from emsync.formats.musicxml.grid import STEP

BINARY = {  # steps: the written value, and its dots
    **{72: ("whole", 1), 48: ("whole", 0), 36: ("half", 1), 24: ("half", 0)},
    **{18: ("quarter", 1), 12: ("quarter", 0), 9: ("eighth", 1), 6: ("eighth", 0)},
    3: ("16th", 0),
}
THREES = {8: ("quarter", 0), 4: ("eighth", 0), 2: ("16th", 0)}  # three in the time of two
LENGTHS = sorted({**BINARY, **THREES}, reverse=True)


def groups(beats: int) -> list[int]:
    """Return the sizes, in beats, of the groups of a bar.

    >>> groups(4), groups(3), groups(5), groups(6), groups(7)
    ([2, 2], [3], [3, 2], [3, 3], [2, 2, 3])
    """
    if beats % 3 == 0:
        return [3] * (beats // 3)
    if beats % 2 == 0 or beats == 1:
        return [min(2, beats)] * max(1, beats // 2)
    return [3, 2] if beats == 5 else [2] * ((beats - 3) // 2) + [3]


@lru_cache
def edges(beats: int) -> tuple[int, ...]:
    """Return the edges of the groups of a bar, in steps: first 0, last its length."""
    out = [0]
    for size in groups(beats):
        out.append(out[-1] + size * STEP)
    return tuple(out)


def spans(
    start: int, stop: int, beats: int, ternary: Set[int] = frozenset(), rest: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield the notes, or rests, that write the time from ``start`` to ``stop``, steps in a bar.

    ``ternary`` are the beats of the bar that are in threes.

    >>> list(spans(9, 48, 4)), list(spans(6, 18, 4)), list(spans(18, 30, 4))
    ([(9, 12), (12, 48)], [(6, 18)], [(18, 24), (24, 30)])
    >>> list(spans(12, 48, 4, rest=True)), list(spans(4, 24, 4, {0}))
    ([(12, 24), (24, 48)], [(4, 12), (12, 24)])
    """
    while start < stop:
        length = next(
            (n for n in LENGTHS if n <= stop - start and _reads(start, n, beats, ternary, rest)), 1
        )
        yield start, start + length
        start += length


def _reads(start: int, length: int, beats: int, ternary: Set[int], rest: bool) -> bool:
    """Return whether a value of ``length`` may stand at ``start``."""
    beat, off = divmod(start, STEP)
    stop = start + length
    if length < STEP:
        if off + length > STEP or (length in THREES) != (beat in ternary):
            return False
        if beat in ternary:
            return length == 2 or off % 4 == 0
        return not rest or (length < 9 and off % length == 0)
    lines = edges(beats)
    crosses = any(start < line < stop for line in lines)
    if off or length % STEP:  # a syncopation, or a dotted quarter
        plain = stop // STEP not in ternary and not (off and beat in ternary)
        return plain and (off, length) in ((6, 12), (0, 18)) and not rest and not crosses
    if rest:
        return length == STEP or (length == 2 * STEP and start in lines and stop in lines)
    return not crosses or beats == 4 or (start in lines and stop in lines)
