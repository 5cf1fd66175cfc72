"""The bars of a score, and how a stretch of time is written across them."""

from bisect import bisect_right
from collections.abc import Iterator, Set
from dataclasses import dataclass

from emsync.formats.musicxml.grid import STEP
from emsync.formats.musicxml.values import spans


@dataclass(frozen=True)
class Bars:
    """The bars of a score."""

    lines: tuple[int, ...]  # steps at which each begins, and the last one ends

    @property
    def beats(self) -> int:
        """The beats of all bars."""
        return self.lines[-1] // STEP

    def size(self, bar: int) -> int:
        """Return the beats of a bar."""
        return (self.lines[bar + 1] - self.lines[bar]) // STEP

    def at(self, step: int) -> int:
        """Return the index of the bar in which ``step`` is; the last goes on."""
        return min(bisect_right(self.lines, step) - 1, len(self.lines) - 2)

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield the bars that a stretch touches, and the start and stop of it in each."""
        bar = self.at(start)
        while start < stop:
            until = min(stop, self.lines[bar + 1])
            yield bar, start, until
            start, bar = until, bar + 1

    def written(
        self, start: int, stop: int, ternary: Set[int] = frozenset(), rest: bool = False
    ) -> Iterator[tuple[int, int]]:
        """Yield the notes or rests that write a stretch over all its bars, in steps."""
        for bar, a, b in self.pieces(start, stop):
            line, beats = self.lines[bar], self.size(bar)
            if rest and b - a == beats * STEP:
                yield a, b
                continue
            first, last = line // STEP, -(-b // STEP)
            threes = {beat - first for beat in range(first, last) if beat in ternary}
            for x, y in spans(a - line, b - line, beats, threes, rest):
                yield line + x, line + y
