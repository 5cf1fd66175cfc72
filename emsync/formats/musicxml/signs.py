"""What is said above and below the staves: tempo, sections, cuts, chords, dynamics, swells."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from emsync.fit.time_map import Fitted
from emsync.formats.labels import ScoreLabels
from emsync.formats.musicxml.bars import Bars
from emsync.formats.musicxml.grid import STEP, TICKS_IN_STEP
from emsync.formats.musicxml.spelling import SIGNS
from emsync.formats.musicxml.voices import Chord
from emsync.limits import one_line
from emsync.music.chords import QUALITIES
from emsync.music.general_midi import DOWN, EXPRESSION, PEDAL
from emsync.performance.part import Part

TOLD = 0.05  # share by which the tempo differs from the one that is printed before it is again
MARKS = ("pp", "p", "mp", "mf", "f", "ff")
EDGES = (40, 56, 72, 88, 104)  # velocities between them
SWELL = 16  # steps of controller 11 that are a swell on paper
LONGEST_STEP = 1.0  # seconds between two values of one swell
SHORTEST_SWELL = 2 * STEP  # steps
ACCENT = 10  # steps of velocity above the notes around, of the same part, that are an accent
AROUND = 4 * STEP  # steps before and after a hit in which they are counted
KINDS = dict(zip(
    QUALITIES,
    ("major", "minor", "diminished", "suspended-fourth", "dominant", "major-seventh",
     "minor-seventh"),
    strict=True,
))  # fmt: skip


@dataclass(frozen=True)
class Sign:
    """Something that is said at a moment."""

    step: int
    element: Element


def step_of(fitted: Fitted, time: float) -> int:
    """Return the step nearest to a moment of the film."""
    return round(int(fitted.tempo_map.ticks(np.array([time]))[0]) / TICKS_IN_STEP)


def tempi(fitted: Fitted) -> Iterator[Sign]:
    """Yield every tempo, and print those that are heard as another one."""
    tempo_map, shown = fitted.tempo_map, 0.0
    for beat in tempo_map.changes.tolist():
        bpm = 60e6 / float(tempo_map.tempi[beat])
        if tempo_map.starts[beat] >= fitted.duration * 1e6:
            break
        element, kind = _direction("above")
        if abs(bpm - shown) > TOLD * shown:
            shown = bpm
            mark = SubElement(kind, "metronome")
            SubElement(mark, "beat-unit").text = "quarter"
            SubElement(mark, "per-minute").text = str(round(bpm))
        else:
            # words of one space: MuseScore prints a tempo that has none
            SubElement(kind, "words", {"xml:space": "preserve"}).text = " "
        SubElement(element, "sound", tempo=f"{bpm:.3f}")
        yield Sign(beat * STEP, element)


def landmarks(fitted: Fitted, labels: ScoreLabels) -> Iterator[Sign]:
    """Yield in a small box each kept cut, and the letter and the feeling of each section.

    A letter that comes again has a number: "B2". The cuts are first, since above a rest of several
    bars MuseScore shows the first text only.
    """
    for number, report in enumerate(fitted.kept, 1):
        element, kind = _direction("above")
        words = SubElement(kind, "words", {"enclosure": "rectangle", "font-size": "8"})
        words.text = f"{number}  {labels.clock(report.cut.time)}"
        yield Sign(step_of(fitted, report.cut.time), element)
    before, letters = "", Counter[str]()
    for section in labels.sections:
        step, told = step_of(fitted, section.time), section.feeling or section.text
        if section.theme:
            element, kind = _direction("above")
            letters[section.theme] += 1
            again = letters[section.theme]
            SubElement(kind, "rehearsal").text = section.theme + (str(again) if again > 1 else "")
            yield Sign(step, element)
        if told != before:
            element, kind = _direction("above")
            SubElement(kind, "words", {"font-style": "italic"}).text = one_line(told)
            yield Sign(step, element)
        before = told


def chord_symbols(fitted: Fitted, labels: ScoreLabels, bars: Bars) -> list[tuple[int, str]]:
    """Return the step and the name of each chord that is another one, on the beats."""
    found: dict[int, str] = {}
    for symbol in labels.chords:
        step = round(step_of(fitted, symbol.time) / STEP) * STEP
        if step < bars.lines[-1]:
            found[step] = symbol.text
    names = [None, *found.values()]
    return [
        (step, name)
        for (step, name), before in zip(found.items(), names, strict=False)
        if name != before
    ]


def chord_symbol(step: int, name: str) -> Sign:
    """Return a chord symbol; "N" is none, whose root is not printed."""
    harmony = Element("harmony", placement="above")
    root = SubElement(harmony, "root")
    if name == "N":
        SubElement(root, "root-step", text="").text = "C"
        SubElement(harmony, "kind", text="N.C.").text = "none"
        return Sign(step, harmony)
    sign = name[1:2] if name[1:2] in SIGNS else ""
    quality = name[1 + len(sign) :]
    SubElement(root, "root-step").text = name[0]
    if sign:
        SubElement(root, "root-alter").text = str(SIGNS[sign])
    SubElement(harmony, "kind", text=quality).text = KINDS[quality]
    return Sign(step, harmony)


def dynamics(levels: Sequence[tuple[int, int]], sections: Sequence[int]) -> Iterator[Sign]:
    """Yield how loud a part is where a section begins for it, if that is news.

    ``levels`` are the steps and velocities of its notes, ``sections`` the steps of the sections.
    """
    before = ""
    for a, b in pairwise([*sections, 1 << 60]):
        inside = [(step, velocity) for step, velocity in levels if a <= step < b]
        if not inside:
            continue
        level = float(np.median([velocity for _, velocity in inside]))
        mark = MARKS[int(np.searchsorted(EDGES, level, side="right"))]
        if mark != before:
            element, kind = _direction("below")
            SubElement(SubElement(kind, "dynamics"), mark)
            yield Sign(min(inside)[0], element)
        before = mark


def swells(fitted: Fitted, part: Part, chords: Sequence[Chord], last: int) -> Iterator[Sign]:
    """Yield hairpins where what is played swells or sinks, and once that the pedal is used.

    ``chords`` are those of the part, ``last`` is the step at which the bars end.
    """
    rows = sorted((c.time, c.value) for c in part.controls if c.number == EXPRESSION)
    for start, stop, grows in _runs(rows):
        a, b = (min(round(step_of(fitted, t) / STEP) * STEP, last) for t in (start, stop))
        heard = [chord for chord in chords if chord.start < b and chord.stop > a]
        a = max(a, min((chord.start for chord in heard), default=b))
        b = min(b, max((chord.stop for chord in heard), default=a))
        if b - a >= SHORTEST_SWELL:
            for step, kind in ((a, "crescendo" if grows else "diminuendo"), (b, "stop")):
                element, inner = _direction("below")
                SubElement(inner, "wedge", type=kind)
                yield Sign(step, element)
    down = [c.time for c in part.controls if c.number == PEDAL and c.value >= DOWN]
    if down:
        element, inner = _direction("below")
        SubElement(inner, "words", {"font-style": "italic"}).text = "con ped."
        yield Sign(min(step_of(fitted, min(down)), last - STEP), element)


def _runs(rows: Sequence[tuple[float, int]]) -> Iterator[tuple[float, float, bool]]:
    """Yield the start, the end and the direction of each long way up or down of (time, value)."""
    run = list(rows[:1])
    for before, now in pairwise(rows):
        change = now[1] - before[1]
        if change and len(run) > 1 and (change > 0) != (run[-1][1] > run[0][1]):
            yield from _run(run)
            run = [before]
        if now[0] - before[0] > LONGEST_STEP or (not change and len(run) == 1):
            yield from _run(run)  # a value that has stood for long is no part of a swell
            run = [now]
        else:
            run.append(now)
    yield from _run(run)


def _run(run: Sequence[tuple[float, int]]) -> Iterator[tuple[float, float, bool]]:
    if run and abs(run[-1][1] - run[0][1]) >= SWELL:
        yield run[0][0], run[-1][0], run[-1][1] > run[0][1]


def _direction(placement: str) -> tuple[Element, Element]:
    """Return a direction, and what its content goes into."""
    element = Element("direction", placement=placement)
    return element, SubElement(element, "direction-type")
