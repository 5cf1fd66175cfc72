"""Bars as MusicXML: notes, rests, ties, tuplets, beams, and the signs where they belong."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement

from emsync.formats.musicxml.grid import STEP
from emsync.formats.musicxml.signs import Sign
from emsync.formats.musicxml.spelling import spell
from emsync.formats.musicxml.staves import KIT, Staff
from emsync.formats.musicxml.values import BINARY, THREES, edges
from emsync.formats.musicxml.voices import Bars, Chord, Voice

VOICES = 2  # on a staff
DRUM = {  # General MIDI drum: line or space, and notehead
    **dict.fromkeys((35, 36), ("F4", "")),  # bass drums
    **dict.fromkeys((38, 40), ("C5", "")),  # snares
    **dict.fromkeys((37, 39), ("C5", "x")),  # side stick, clap
    **dict.fromkeys((42, 46), ("G5", "x")),  # hi-hat
    44: ("D4", "x"),  # hi-hat by foot
    **dict.fromkeys((51, 53, 59), ("F5", "x")),  # ride
    **dict.fromkeys((49, 52, 55, 57), ("A5", "x")),  # crash
    **{41: ("G4", ""), 43: ("A4", ""), 45: ("B4", "")},  # toms, from the lowest up
    **{47: ("D5", ""), 48: ("E5", ""), 50: ("F5", "")},
}
OTHER = ("B4", "diamond")
FLAGS = {"eighth": 1, "16th": 2}  # and beams


@dataclass(frozen=True)
class Context:
    """What all notes of a part are written by."""

    part: str  # its id
    bars: Bars
    fifths: Sequence[int]  # of the key signature, by bar
    chord_at: Callable[[int], str]  # the chord at a step, "N" for none
    accented: Callable[[Chord], bool]


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


def write_bar(
    measure: Element, context: Context, staves: Sequence[Staff], bar: int, signs: Sequence[Sign]
) -> None:
    """Write the signs and the notes of one bar on all staves of a part."""
    line, end = context.bars.lines[bar : bar + 2]
    _say(measure, line, signs, len(staves))
    for s, staff in enumerate(staves):
        inside = [[c for c in v if c.start < end and c.stop > line] for v in staff.voices]
        busy = [v for v, voice in enumerate(inside) if voice] or [0]
        for v in busy:
            if s or v != busy[0]:
                _move(measure, "backup", end - line)
            chords = inside[v] if inside else []
            others = [c for w in busy if w != v for c in inside[w]]
            items = list(_items(chords, staff, context.bars, bar))
            for item in items:
                outside = chords and not chords[0].start < item.start < chords[-1].start
                item.hidden = item.chord is None and (
                    v != busy[0] or bool(outside and _covered(item, others))
                )
            _beam(items, line, (end - line) // STEP)
            for item in items:
                _write(measure, context, staff, item, bar, (s, v, len(staves)))


def _covered(item: Item, chords: Voice) -> bool:
    """Return whether there is sound of another voice in all of the time of a rest."""
    return item.stop - item.start <= sum(
        max(0, min(c.stop, item.stop) - max(c.start, item.start)) for c in chords
    )


def _items(chords: Voice, staff: Staff, bars: Bars, bar: int) -> Iterator[Item]:
    """Yield what is written in one bar of a voice."""
    line, end = bars.lines[bar : bar + 2]
    now = line
    stretches: list[tuple[int, int, Chord | None]] = []
    for chord in chords:
        start, stop = max(chord.start, line), min(chord.stop, end)
        if start > now:
            stretches.append((now, start, None))
        stretches.append((start, stop, chord))
        now = stop
    if now < end:
        stretches.append((now, end, None))
    found: list[Item] = []
    for start, stop, content in stretches:
        rest = content is None
        for a, b in bars.written(start, stop, staff.ternary, rest):
            whole = rest and (a, b) == (line, end)
            found.append(Item(a, b, content, whole))
    for beat in {item.start // STEP for item in found} & staff.ternary:
        three = [i for i in found if i.start // STEP == beat and i.stop - i.start < STEP]
        for item in three:
            item.tuplet = "in"
        if three:
            three[0].tuplet, three[-1].tuplet = "start", "stop" if len(three) > 1 else "both"
    yield from found


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


def _write(
    measure: Element,
    context: Context,
    staff: Staff,
    item: Item,
    bar: int,
    where: tuple[int, int, int],
) -> None:
    """Write one item; ``where`` is the staff, the voice on it, and how many staves there are."""
    s, v, staves = where
    chord = item.chord
    if chord is None:
        if item.hidden and not item.tuplet:
            move = _move(measure, "forward", item.stop - item.start)
            SubElement(move, "voice").text = str(s * VOICES + v + 1)
            if staves > 1:
                SubElement(move, "staff").text = str(s + 1)
            return
        note = SubElement(measure, "note")
        if item.hidden:
            note.set("print-object", "no")
        rest = SubElement(note, "rest")
        if item.whole:
            rest.set("measure", "yes")
        _value(note, item, (), "", where)
        return
    drums = staff.clef == KIT
    ties = [
        *(["stop"] if item.start > chord.start else []),
        *(["start"] if item.stop < chord.stop else []),
    ]
    written: list[tuple[str, str, int]] = []
    for pitch in chord.pitches:
        place, head = DRUM.get(pitch, OTHER) if drums else ("", "")
        if drums and any(place == other for other, _, _ in written):
            continue  # two sounds of one line and head look like one
        written.append((place, head, pitch))
    for i, (place, head, pitch) in enumerate(written):
        note = SubElement(measure, "note")
        if i:
            SubElement(note, "chord")
        if drums:
            unpitched = SubElement(note, "unpitched")
            SubElement(unpitched, "display-step").text = place[0]
            SubElement(unpitched, "display-octave").text = place[1]
        else:
            name = spell(pitch, context.fifths[bar], context.chord_at(chord.start))
            _pitch(note, *name)
        instrument = f"{context.part}-I{pitch}" if drums else ""
        _value(note, item, ties, instrument, where, head, first=i == 0)
        if i == 0 and item.start == chord.start:
            _articulations(note, chord.staccato and not drums, context.accented(chord))


def _pitch(note: Element, step: str, alter: int, octave: int) -> None:
    pitch = SubElement(note, "pitch")
    SubElement(pitch, "step").text = step
    if alter:
        SubElement(pitch, "alter").text = str(alter)
    SubElement(pitch, "octave").text = str(octave)


def _value(
    note: Element,
    item: Item,
    ties: Sequence[str],
    instrument: str,
    where: tuple[int, int, int],
    head: str = "",
    first: bool = True,
) -> None:
    """Write all of a note after its pitch, in the order that MusicXML asks for."""
    s, v, staves = where
    SubElement(note, "duration").text = str(item.stop - item.start)
    for tie in ties:
        SubElement(note, "tie", type=tie)
    if instrument:
        SubElement(note, "instrument", id=instrument)
    SubElement(note, "voice").text = str(s * VOICES + v + 1)
    if not item.whole:
        kind, dots = item.value
        SubElement(note, "type").text = kind
        for _ in range(dots):
            SubElement(note, "dot")
        if item.tuplet:
            modification = SubElement(note, "time-modification")
            SubElement(modification, "actual-notes").text = "3"
            SubElement(modification, "normal-notes").text = "2"
    if instrument:
        SubElement(note, "stem").text = "up"
    if head:
        SubElement(note, "notehead").text = head
    if staves > 1:
        SubElement(note, "staff").text = str(s + 1)
    if first:
        for level, beam in enumerate(item.beams, 1):
            SubElement(note, "beam", number=str(level)).text = beam
    ends = {"start": ("start",), "stop": ("stop",), "both": ("start", "stop")}
    brackets = ends.get(item.tuplet, ()) if first else ()
    if ties or brackets:
        notations = SubElement(note, "notations")
        for tie in ties:
            SubElement(notations, "tied", type=tie)
        for end in brackets:
            SubElement(notations, "tuplet", type=end)


def _articulations(note: Element, staccato: bool, accent: bool) -> None:
    if not (staccato or accent):
        return
    notations = note.find("notations")
    if notations is None:
        notations = SubElement(note, "notations")
    articulations = SubElement(notations, "articulations")
    if accent:
        SubElement(articulations, "accent")
    if staccato:
        SubElement(articulations, "staccato")


def _say(measure: Element, line: int, signs: Sequence[Sign], staves: int) -> None:
    """Write the signs of a bar, each where it belongs (some programs do not read offsets)."""
    now = line
    for sign in sorted(signs, key=lambda sign: sign.step):
        if sign.step > now:
            _move(measure, "forward", sign.step - now)
        measure.append(sign.element)
        if staves > 1:
            staff = Element("staff")
            staff.text = "1"
            sound = sign.element.find("sound")  # which comes last
            sign.element.insert(len(sign.element) - (sound is not None), staff)
        now = sign.step
    if now > line:
        _move(measure, "backup", now - line)


def _move(measure: Element, way: str, length: int) -> Element:
    """Move back or forward in a bar."""
    move = SubElement(measure, way)
    SubElement(move, "duration").text = str(length)
    return move
