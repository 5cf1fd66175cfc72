"""Notes, rests and the signs between them as elements of MusicXML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from emsync.formats.musicxml.bars import Bars
from emsync.formats.musicxml.items import Item, items_of
from emsync.formats.musicxml.signs import Sign
from emsync.formats.musicxml.spelling import spell
from emsync.formats.musicxml.staves import KIT, Staff
from emsync.formats.musicxml.voices import Chord

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
BRACKETS = {"start": ("start",), "stop": ("stop",), "both": ("start", "stop")}


@dataclass(frozen=True)
class Context:
    """What all notes of a part are written by."""

    part: str  # its id
    bars: Bars
    fifths: Sequence[int]  # of the key signature, by bar
    chord_at: Callable[[int], str]  # the chord at a step, "N" for none
    accented: Callable[[Chord], bool]


def write_bar(
    measure: Element, context: Context, staves: Sequence[Staff], bar: int, signs: Sequence[Sign]
) -> None:
    """Write the signs and the notes of one bar on all staves of a part."""
    line, end = context.bars.lines[bar : bar + 2]
    _say(measure, line, signs, len(staves))
    first = True
    for s, staff in enumerate(staves):
        for v, items in items_of(staff, context.bars, bar):
            if not first:
                _move(measure, "backup", end - line)
            first = False
            place = _Place(s * VOICES + v + 1, s + 1 if len(staves) > 1 else 0)
            for item in items:
                if item.chord is None:
                    _rest(measure, item, place)
                else:
                    _notes(measure, context, staff, item, item.chord, bar, place)


@dataclass(frozen=True)
class _Place:
    """Where notes are written."""

    voice: int  # from 1
    staff: int  # from 1; 0 is the only one


def _rest(measure: Element, item: Item, place: _Place) -> None:
    """Write a rest; a hidden one is left out where no tuplet needs it."""
    if item.hidden and not item.tuplet:
        move = _move(measure, "forward", item.stop - item.start)
        SubElement(move, "voice").text = str(place.voice)
        if place.staff:
            SubElement(move, "staff").text = str(place.staff)
        return
    note = SubElement(measure, "note")
    if item.hidden:
        note.set("print-object", "no")
    rest = SubElement(note, "rest")
    if item.whole:
        rest.set("measure", "yes")
    _value(note, item, place)


def _notes(
    measure: Element,
    context: Context,
    staff: Staff,
    item: Item,
    chord: Chord,
    bar: int,
    place: _Place,
) -> None:
    """Write the notes of a chord for as long as ``item`` lasts."""
    drums = staff.clef == KIT
    ties = ["stop"] * (item.start > chord.start) + ["start"] * (item.stop < chord.stop)
    for i, pitch in enumerate(_drums(chord.pitches) if drums else chord.pitches):
        note = SubElement(measure, "note")
        if i:
            SubElement(note, "chord")
        if drums:
            line, head = DRUM.get(pitch, OTHER)
            unpitched = SubElement(note, "unpitched")
            SubElement(unpitched, "display-step").text = line[0]
            SubElement(unpitched, "display-octave").text = line[1]
            sound = f"{context.part}-I{pitch}"
            _value(note, item, place, ties, sound, head, first=i == 0)
        else:
            _pitch(note, *spell(pitch, context.fifths[bar], context.chord_at(chord.start)))
            _value(note, item, place, ties, first=i == 0)
        if i == 0 and item.start == chord.start:
            _articulations(note, chord.staccato and not drums, context.accented(chord))


def _drums(pitches: Sequence[int]) -> list[int]:
    """Return ``pitches``, of two sounds that look the same, such as bass drums, the first."""
    looks = {DRUM.get(pitch, pitch): pitch for pitch in reversed(pitches)}
    return sorted(looks.values())


def _pitch(note: Element, step: str, alter: int, octave: int) -> None:
    pitch = SubElement(note, "pitch")
    SubElement(pitch, "step").text = step
    if alter:
        SubElement(pitch, "alter").text = str(alter)
    SubElement(pitch, "octave").text = str(octave)


def _value(
    note: Element,
    item: Item,
    place: _Place,
    ties: Sequence[str] = (),
    sound: str = "",
    head: str = "",
    first: bool = True,
) -> None:
    """Write all of a note after its pitch, in the order that MusicXML asks for.

    ``sound`` is that of a drum, ``first`` whether it is the lowest of its chord.
    """
    SubElement(note, "duration").text = str(item.stop - item.start)
    for tie in ties:
        SubElement(note, "tie", type=tie)
    if sound:
        SubElement(note, "instrument", id=sound)
    SubElement(note, "voice").text = str(place.voice)
    if not item.whole:
        kind, dots = item.value
        SubElement(note, "type").text = kind
        for _ in range(dots):
            SubElement(note, "dot")
    if item.tuplet:
        modification = SubElement(note, "time-modification")
        SubElement(modification, "actual-notes").text = "3"
        SubElement(modification, "normal-notes").text = "2"
    if sound:
        SubElement(note, "stem").text = "up"
    if head:
        SubElement(note, "notehead").text = head
    if place.staff:
        SubElement(note, "staff").text = str(place.staff)
    if not first:
        brackets: tuple[str, ...] = ()
    else:
        brackets = BRACKETS.get(item.tuplet, ())
        for level, beam in enumerate(item.beams, 1):
            SubElement(note, "beam", number=str(level)).text = beam
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
