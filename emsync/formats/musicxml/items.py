"""What stands in one bar of a voice: notes and rests with their values, tuplets and beams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from emsync.formats.musicxml.bars import Bars
from emsync.formats.musicxml.grid import STEP
from emsync.formats.musicxml.staves import Staff
from emsync.formats.musicxml.values import BINARY, THREES, edges
from emsync.formats.musicxml.voices import Chord, Voice

FLAGS = {"eighth": 1, "16th": 2}  # and beams


@dataclass
class Item:
    """A note, chord or rest with one written value."""

    start: int  # steps from the beginning
    stop: int
    chord: Chord | None  # none is a rest
    whole: bool = False  # the rest of a whole bar
    hidden: bool = False
    tuplet: str = ""  # "start", "stop" or "both" ends of one, "in" inside
    beams: tuple[str, ...] = ()  # by level

    @property
    def value(self) -> tuple[str, int]:
        """The note value and its dots."""
        length = self.stop - self.start
        return THREES[length] if self.tuplet else BINARY[length]


def items_of(staff: Staff, bars: Bars, bar: int) -> list[tuple[int, list[Item]]]:
    """Return the voices that play in a bar, or the first one, by number with what they write.

    Hidden are the rests of a second voice, and those around the notes of the first one where the
    second fills them.
    """
    line, end = bars.lines[bar : bar + 2]
    inside = [[c for c in v if c.start < end and c.stop > line] for v in staff.voices]
    busy = [v for v, voice in enumerate(inside) if voice] or [0]
    found = []
    for v in busy:
        chords = inside[v] if inside else []
        others = [chord for w in busy if w != v for chord in inside[w]]
        items = _written(chords, staff, bars, bar)
        for item in items:
            outer = bool(chords) and not chords[0].start < item.start < chords[-1].start
            item.hidden = item.chord is None and (
                v != busy[0] or (outer and _covered(item, others))
            )
        _beam(items, line, (end - line) // STEP)
        found.append((v, items))
    return found


def _covered(item: Item, chords: Voice) -> bool:
    """Return whether there is sound of another voice in all of the time of a rest."""
    return item.stop - item.start <= sum(
        max(0, min(c.stop, item.stop) - max(c.start, item.start)) for c in chords
    )


def _written(chords: Voice, staff: Staff, bars: Bars, bar: int) -> list[Item]:
    """Return what writes the chords in one bar of a voice, and the rests around them."""
    line, end = bars.lines[bar : bar + 2]
    found: list[Item] = []
    for start, stop, chord in _filled(chords, line, end):
        for a, b in bars.written(start, stop, staff.ternary, rest=chord is None):
            found.append(Item(a, b, chord, whole=chord is None and (a, b) == (line, end)))
    for beat in {item.start // STEP for item in found} & staff.ternary:
        three = [i for i in found if i.start // STEP == beat and i.stop - i.start < STEP]
        for item in three:
            item.tuplet = "in"
        if three:
            three[0].tuplet, three[-1].tuplet = "start", "stop" if len(three) > 1 else "both"
    return found


def _filled(chords: Voice, start: int, stop: int) -> Iterator[tuple[int, int, Chord | None]]:
    """Yield the stretches from ``start`` to ``stop`` with their chords; None is silence."""
    now = start
    for chord in chords:
        if chord.start > now:
            yield now, chord.start, None
        yield max(chord.start, start), min(chord.stop, stop), chord
        now = min(chord.stop, stop)
    if now < stop:
        yield now, stop, None


def _beam(items: Sequence[Item], line: int, beats: int) -> None:
    """Join the flags of each beat, or of the eighths of two beats that are nothing else."""
    flags = {
        id(item): 0 if item.chord is None or item.whole else FLAGS.get(item.value[0], 0)
        for item in items
    }
    lines = edges(beats)

    def group(item: Item) -> int:
        at = item.start - line
        a, b = next((a, b) for a, b in pairwise(lines) if a <= at < b)
        inside = [i for i in items if a <= i.start - line < b]
        plain = all(flags[id(i)] == 1 and i.stop - i.start == STEP // 2 for i in inside)
        return a if plain and b - a == 2 * STEP else at // STEP * STEP

    run: list[Item] = []
    for item in [*items, None]:
        joins = item is not None and flags[id(item)] > 0
        if run and (not joins or item is None or group(item) != group(run[0])):
            _join([flags[id(i)] for i in run], run)
            run = []
        if joins and item is not None:
            run.append(item)


def _join(levels: Sequence[int], run: Sequence[Item]) -> None:
    """Give the beams of a run of notes, if it is more than one."""
    if len(run) < 2:
        return
    for i, item in enumerate(run):
        beams = []
        for level in range(1, levels[i] + 1):
            before = i > 0 and levels[i - 1] >= level
            after = i + 1 < len(run) and levels[i + 1] >= level
            hook = "forward hook" if i == 0 else "backward hook"
            beams.append({
                (True, True): "continue", (True, False): "end", (False, True): "begin",
            }.get((before, after), hook))  # fmt: skip
        item.beams = tuple(beams)
