"""The score on staves: MusicXML that a notation program shows in readable bars.

Notes are rounded to sixteenths of the tempo map, at most two voices a staff. When the music
needs more, the note that has sounded longest stops early; no note is left out. Times are counted
in steps of a sixteenth. The format is MusicXML 4.0, partwise and without a date, so the same music
gives the same bytes.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from emsync.files import atomic_write
from emsync.fit.time_map import Fitted
from emsync.formats.labels import NO_LABELS, ScoreLabels
from emsync.limits import one_line
from emsync.music.bars import TICKS
from emsync.music.chords import QUALITIES
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO
from emsync.music.tonality import estimate_key
from emsync.performance.part import Part
from emsync.performance.performance import Performance
from emsync.performance.player import BAND

STEP = 4  # steps in a quarter note: sixteenths
VOICES = 2  # on a staff
MIDDLE = 60  # the piano's right hand plays from here up
VALUES = {  # steps: the written note, and its dots
    16: ("whole", 0),
    12: ("half", 1),
    8: ("half", 0),
    6: ("quarter", 1),
    4: ("quarter", 0),
    3: ("eighth", 1),
    2: ("eighth", 0),
    1: ("16th", 0),
}
CLEFS = {BASS: ("F", 4, -1), GUITAR: ("G", 2, -1)}  # sign, line, octaves that it transposes
HIGH, LOW = ("G", 2, 0), ("F", 4, 0)
FIFTHS = {  # of a major key; a minor key has those of the major key a minor third above
    **{"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F#": 6},
    **{"F": -1, "Bb": -2, "Eb": -3, "Ab": -4, "Db": -5},
    **{"Am": 0, "Em": 1, "Bm": 2, "F#m": 3, "C#m": 4, "G#m": 5},
    **{"Dm": -1, "Gm": -2, "Cm": -3, "Fm": -4, "Bbm": -5, "Ebm": -6},
}
KIT = {  # General MIDI drum: line or space, and notehead
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
KINDS = dict(zip(
    QUALITIES,
    ("major", "minor", "diminished", "suspended-fourth", "dominant", "major-seventh",
     "minor-seventh"),
    strict=True,
))  # fmt: skip
SIGNS = {"b": -1, "#": 1}


@dataclass
class Chord:
    """Notes of one voice that are struck together."""

    start: int  # steps from the beginning
    stop: int
    pitches: set[int]


@dataclass(frozen=True)
class Staff:
    """One staff of a part."""

    clef: tuple[str, int, int]  # sign, line, octaves
    voices: list[list[Chord]]  # in each, one chord after another


@dataclass(frozen=True)
class Bar:
    """A bar, in steps."""

    start: int
    stop: int
    words: list[tuple[int, Element]] = field(default_factory=list)  # step; tempo, rehearsal mark
    chords: list[tuple[int, Element]] = field(default_factory=list)  # step; chord symbol


def write_musicxml(path: Path, performance: Performance, labels: ScoreLabels = NO_LABELS) -> None:
    """Write ``performance`` to ``path`` as MusicXML, atomically.

    Each kept cut is a rehearsal mark with its timecode, each section one with its letter; chord
    symbols stand above the first part that has pitches.
    """
    fitted = performance.fitted
    root = Element("score-partwise", version="4.0")
    SubElement(SubElement(root, "work"), "work-title").text = one_line(labels.title)
    encoding = SubElement(SubElement(root, "identification"), "encoding")
    SubElement(encoding, "software").text = "emsync"
    listed = SubElement(root, "part-list")
    bars = _bars(fitted)
    for word in _words(fitted, labels):
        _bar_at(bars, word[0]).words.append(word)
    for symbol in labels.chords:
        step = _step(fitted, symbol.time)
        if step < bars[-1].stop:
            _bar_at(bars, step).chords.append((step, _symbol(symbol.text)))
    fifths = FIFTHS.get(labels.key or estimate_key(fitted.piece) or "C", 0)
    if not performance.parts:  # silence is a part, too
        performance = replace(performance, parts=(Part.silent(BAND[PIANO]),))
    playing, channels = performance.parts, performance.channels
    pitched = next((p for p in playing if p.player.instrument != DRUMS), playing[0])
    for number, (one, channel) in enumerate(zip(playing, channels, strict=True), 1):
        _list_part(listed, number, one, channel)
        part = SubElement(root, "part", id=f"P{number}")
        c = one.player.instrument
        _fill(part, number, c, _staves(fitted, one), bars, fifths, named=one is pitched)
    ElementTree.indent(root)
    with atomic_write(path) as partial:
        ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)


def steps(fitted: Fitted, part: Part) -> list[tuple[int, int, int]]:
    """Return the start and stop, in steps, and the pitch of the notes of a part, by start."""
    last = _bars(fitted)[-1].stop
    size = TICKS // STEP
    starts = np.round(fitted.tempo_map.ticks(part.onsets) / size).astype(int)
    stops = np.round(fitted.tempo_map.ticks(part.offsets) / size).astype(int)
    starts = np.minimum(starts, last - 1)
    stops = np.clip(stops, starts + 1, last)
    rows = zip(starts.tolist(), stops.tolist(), part.pitches.tolist(), strict=True)
    return sorted(rows)


def spell(pitch: int, fifths: int) -> tuple[str, int, int]:
    """Return the step, alteration and octave of a MIDI pitch in a key of so many fifths.

    Of the names a pitch class has, the one nearest to the key on the line of fifths.

    >>> spell(61, 0), spell(61, -3), spell(59, 6)
    (('C', 1, 4), ('D', -1, 4), ('B', 0, 3))
    """
    low = fifths - 3  # three flatwards of the tonic, eight sharpwards
    place = low + (7 * pitch - low) % 12
    step, alter = "FCGDAEB"[(place + 1) % 7], (place + 1) // 7
    return step, alter, (pitch - alter) // 12 - 1


def _bars(fitted: Fitted) -> list[Bar]:
    """Return the bars up to the one in which the video ends."""
    tempo_map = fitted.tempo_map
    end = int(tempo_map.ticks(np.array([fitted.duration]))[0])
    edges = [*(tempo_map.lines * STEP).tolist(), len(tempo_map.tempi) * STEP]
    return [
        Bar(start, stop)
        for start, stop in itertools.pairwise(edges)
        if start == 0 or start * TICKS // STEP < end
    ]


def _bar_at(bars: Sequence[Bar], step: int) -> Bar:
    return next(bar for bar in reversed(bars) if bar.start <= step)


def _step(fitted: Fitted, time: float) -> int:
    """Return the step nearest to a moment of the video."""
    return round(int(fitted.tempo_map.ticks(np.array([time]))[0]) * STEP / TICKS)


def _words(fitted: Fitted, labels: ScoreLabels) -> Iterator[tuple[int, Element]]:
    """Yield the tempo where its whole number changes, and marks on the sections and kept cuts."""
    tempo_map, shown = fitted.tempo_map, 0
    for beat in tempo_map.changes.tolist():
        bpm = 60e6 / float(tempo_map.tempi[beat])
        if tempo_map.starts[beat] >= fitted.duration * 1e6:
            break
        direction = Element("direction", placement="above")
        kind = SubElement(direction, "direction-type")
        if round(bpm) != shown:
            shown = round(bpm)
            mark = SubElement(kind, "metronome")
            SubElement(mark, "beat-unit").text = "quarter"
            SubElement(mark, "per-minute").text = str(shown)
        else:
            SubElement(kind, "words")
        SubElement(direction, "sound", tempo=f"{bpm:.3f}")
        yield beat * STEP, direction
    for section in labels.sections:
        direction = Element("direction", placement="above")
        if section.theme:
            mark = SubElement(SubElement(direction, "direction-type"), "rehearsal")
            mark.text = section.theme
        SubElement(SubElement(direction, "direction-type"), "words").text = one_line(section.text)
        yield _step(fitted, section.time), direction
    for number, report in enumerate(fitted.kept, 1):
        time = report.cut.time
        direction = Element("direction", placement="above")
        mark = SubElement(SubElement(direction, "direction-type"), "rehearsal")
        mark.text = f"{number}  {labels.clock(time)}"
        yield _step(fitted, time), direction


def _symbol(name: str) -> Element:
    """Return a chord symbol; "N" is none, whose root is not printed."""
    harmony = Element("harmony", placement="above")
    root = SubElement(harmony, "root")
    if name == "N":
        SubElement(root, "root-step", text="").text = "C"
        SubElement(harmony, "kind", text="N.C.").text = "none"
        return harmony
    sign = name[1:2] if name[1:2] in SIGNS else ""
    quality = name[1 + len(sign) :]
    SubElement(root, "root-step").text = name[0]
    if sign:
        SubElement(root, "root-alter").text = str(SIGNS[sign])
    SubElement(harmony, "kind", text=quality).text = KINDS[quality]
    return harmony


def _list_part(listed: Element, number: int, part: Part, channel: int) -> None:
    """Say what part ``number`` is called and played by."""
    player, drums = part.player, part.player.instrument == DRUMS
    row = SubElement(listed, "score-part", id=f"P{number}")
    SubElement(row, "part-name").text = player.name
    sounds = np.unique(part.pitches).tolist() if drums else [0]
    for pitch in sounds:
        instrument = SubElement(row, "score-instrument", id=f"P{number}-I{pitch}")
        name = f"Drum {pitch}" if drums else player.name
        SubElement(instrument, "instrument-name").text = name
    for pitch in sounds:
        midi = SubElement(row, "midi-instrument", id=f"P{number}-I{pitch}")
        SubElement(midi, "midi-channel").text = str(channel + 1)
        SubElement(midi, "midi-program").text = str(player.program + 1)
        if drums:
            SubElement(midi, "midi-unpitched").text = str(pitch + 1)


def _staves(fitted: Fitted, part: Part) -> list[Staff]:
    """Return the music of a part on its staves: two for the piano, one for the others."""
    notes, c = steps(fitted, part), part.player.instrument
    if c == PIANO:
        hands = [n for n in notes if n[2] >= MIDDLE], [n for n in notes if n[2] < MIDDLE]
        return [Staff(HIGH, _voices(hands[0])), Staff(LOW, _voices(hands[1]))]
    if c == DRUMS:
        return [Staff(("percussion", 0, 0), _voices(_struck(notes), voices=1))]
    high = float(np.median([pitch for _, _, pitch in notes])) >= MIDDLE
    return [Staff(CLEFS.get(c, HIGH if high else LOW), _voices(notes))]


def _struck(notes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return drum notes as they are written: until the next one or the next beat."""
    after = {}
    starts = sorted({start for start, _, _ in notes})
    for start, following in zip(starts, [*starts[1:], starts[-1] + STEP], strict=True):
        after[start] = min(following, (start // STEP + 1) * STEP)
    return [(start, after[start], pitch) for start, _, pitch in notes]


def _voices(notes: Sequence[tuple[int, int, int]], voices: int = VOICES) -> list[list[Chord]]:
    """Return ``notes``, sorted by start, as chords in at most ``voices`` voices.

    A chord goes to the first voice that is silent. Where none is, the voice that has sounded
    longest stops for it; a note that begins together with both joins the nearer in length.
    """
    chords: dict[tuple[int, int], Chord] = {}
    for start, stop, pitch in notes:
        chords.setdefault((start, stop), Chord(start, stop, set())).pitches.add(pitch)
    out: list[list[Chord]] = [[] for _ in range(voices)]
    # the longest of those that begin together first, so that the upper voice holds
    for chord in sorted(chords.values(), key=lambda chord: (chord.start, -chord.stop)):
        free = next((v for v in out if not v or v[-1].stop <= chord.start), None)
        if free is None:
            earlier = [voice for voice in out if voice[-1].start < chord.start]
            if not earlier:
                nearest = min(out, key=lambda voice: abs(voice[-1].stop - chord.stop))
                nearest[-1].pitches |= chord.pitches
                continue
            free = min(earlier, key=lambda voice: voice[-1].start)
            free[-1].stop = chord.start
        free.append(chord)
    return out


def _fill(
    part: Element,
    number: int,
    c: int,
    staves: Sequence[Staff],
    bars: Sequence[Bar],
    fifths: int,
    named: bool,
) -> None:
    """Add the bars of one part, the chord symbols above them where they are ``named``."""
    size = 0
    for count, bar in enumerate(bars, 1):
        measure = SubElement(part, "measure", number=str(count))
        length = bar.stop - bar.start
        if length != size:
            _attributes(measure, staves, fifths, length // STEP, first=count == 1)
            size = length
        _say(measure, bar, (bar.words if number == 1 else []) + (bar.chords if named else []))
        written = 0
        for s, staff in enumerate(staves):
            for v, voice in enumerate(staff.voices):
                inside = [x for x in voice if x.start < bar.stop and x.stop > bar.start]
                if v and not inside:
                    continue
                if written:
                    _move(measure, "backup", length)
                place = _Place(f"P{number}", c, fifths, s * VOICES + v + 1, s + 1, len(staves))
                _voice(measure, place, inside, bar, rests=not v)
                written += 1
    SubElement(SubElement(measure, "barline", location="right"), "bar-style").text = "light-heavy"


def _say(measure: Element, bar: Bar, words: Sequence[tuple[int, Element]]) -> None:
    """Write the words of a bar, each where it belongs (some programs do not read offsets)."""
    now = bar.start
    for step, direction in sorted(words, key=lambda word: word[0]):
        if step > now:
            _move(measure, "forward", step - now)
        measure.append(direction)
        now = step
    if now > bar.start:
        _move(measure, "backup", now - bar.start)


def _attributes(
    measure: Element, staves: Sequence[Staff], fifths: int, beats: int, first: bool
) -> None:
    attributes = SubElement(measure, "attributes")
    if first:
        SubElement(attributes, "divisions").text = str(STEP)
        SubElement(SubElement(attributes, "key"), "fifths").text = str(fifths)
    time = SubElement(attributes, "time")
    SubElement(time, "beats").text = str(beats)
    SubElement(time, "beat-type").text = "4"
    if not first:
        return
    if len(staves) > 1:
        SubElement(attributes, "staves").text = str(len(staves))
    for number, staff in enumerate(staves, 1):
        sign, line, octaves = staff.clef
        clef = SubElement(attributes, "clef", number=str(number))
        SubElement(clef, "sign").text = sign
        if line:
            SubElement(clef, "line").text = str(line)
        if octaves:
            SubElement(clef, "clef-octave-change").text = str(octaves)


@dataclass(frozen=True)
class _Place:
    """Where notes are written."""

    part: str
    instrument: int  # index into CLASSES
    fifths: int
    voice: int
    staff: int
    staves: int


def _voice(measure: Element, place: _Place, chords: Sequence[Chord], bar: Bar, rests: bool) -> None:
    """Write one voice of one bar; the silence of a second voice is not printed."""
    now = bar.start

    def silence(until: int) -> None:
        if now == bar.start and until == bar.stop and rests:
            _note(measure, place, None, until - now, full=True)
        elif until > now and not rests:
            _move(measure, "forward", until - now, place)
        else:
            for a, b in _written(now - bar.start, until - bar.start):
                _note(measure, place, None, b - a)

    for chord in chords:
        start, stop = max(chord.start, bar.start), min(chord.stop, bar.stop)
        silence(start)
        for a, b in _written(start - bar.start, stop - bar.start):
            ties = []
            if bar.start + a > chord.start:
                ties.append("stop")
            if bar.start + b < chord.stop:
                ties.append("start")
            for i, pitch in enumerate(sorted(chord.pitches)):
                _note(measure, place, pitch, b - a, ties, joins=i > 0)
        now = stop
    silence(bar.stop)


def _written(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the notes that write the time from ``start`` to ``stop``, steps in a bar.

    What begins off the beat ends at the beat, so that the eye finds the beats.

    >>> list(_written(3, 12)), list(_written(0, 7))
    ([(3, 4), (4, 12)], [(0, 6), (6, 7)])
    """
    while start < stop:
        room = stop - start
        if start % STEP:
            room = min(room, STEP - start % STEP)
        length = next(value for value in VALUES if value <= room)
        yield start, start + length
        start += length


def _note(
    measure: Element,
    place: _Place,
    pitch: int | None,
    length: int,
    ties: Sequence[str] = (),
    joins: bool = False,
    full: bool = False,
) -> None:
    """Write a note, or a rest where there is no pitch; ``full`` is the rest of a whole bar."""
    note = SubElement(measure, "note")
    head = ""
    if joins:
        SubElement(note, "chord")
    if pitch is None:
        rest = SubElement(note, "rest")
        if full:
            rest.set("measure", "yes")
    elif place.instrument == DRUMS:
        line, head = KIT.get(pitch, OTHER)
        unpitched = SubElement(note, "unpitched")
        SubElement(unpitched, "display-step").text = line[0]
        SubElement(unpitched, "display-octave").text = line[1]
    else:
        step, alter, octave = spell(pitch, place.fifths)
        written = SubElement(note, "pitch")
        SubElement(written, "step").text = step
        if alter:
            SubElement(written, "alter").text = str(alter)
        SubElement(written, "octave").text = str(octave)
    SubElement(note, "duration").text = str(length)
    for tie in ties:
        SubElement(note, "tie", type=tie)
    if pitch is not None and place.instrument == DRUMS:
        SubElement(note, "instrument", id=f"{place.part}-I{pitch}")
    SubElement(note, "voice").text = str(place.voice)
    if not full:
        kind, dots = VALUES[length]
        SubElement(note, "type").text = kind
        for _ in range(dots):
            SubElement(note, "dot")
    if head:
        SubElement(note, "notehead").text = head
    if place.staves > 1:
        SubElement(note, "staff").text = str(place.staff)
    if ties:
        notations = SubElement(note, "notations")
        for tie in ties:
            SubElement(notations, "tied", type=tie)


def _move(measure: Element, way: str, length: int, place: _Place | None = None) -> None:
    """Move back or forward in a bar."""
    move = SubElement(measure, way)
    SubElement(move, "duration").text = str(length)
    if place is not None:
        SubElement(move, "voice").text = str(place.voice)
        if place.staves > 1:
            SubElement(move, "staff").text = str(place.staff)
