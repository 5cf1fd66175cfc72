"""START HERE: a performance as a score for the conductor, and as a part for each player."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from emsync.files import atomic_write
from emsync.fit.time_map import Fitted
from emsync.formats.labels import NO_LABELS, ScoreLabels, file_name
from emsync.formats.musicxml import signs as say
from emsync.formats.musicxml.bars import Bars
from emsync.formats.musicxml.families import family, place
from emsync.formats.musicxml.grid import STEP
from emsync.formats.musicxml.heading import Desk, write_head
from emsync.formats.musicxml.notes import Context, write_bar
from emsync.formats.musicxml.signs import Sign
from emsync.formats.musicxml.staves import Staff, staves
from emsync.formats.musicxml.voices import Chord
from emsync.music.bars import TICKS
from emsync.music.piece import DRUMS, PIANO
from emsync.music.tonality import estimate_key, fifths_of, pitch_class
from emsync.performance.part import Part
from emsync.performance.performance import Performance
from emsync.performance.player import BAND


@dataclass(frozen=True)
class Page:
    """What all parts of a score have in common."""

    fitted: Fitted
    labels: ScoreLabels
    bars: Bars
    fifths: list[int]  # of the key signature, by bar
    chords: list[tuple[int, str]]  # steps and names, where another begins
    sections: list[int]  # steps at which they begin; first 0
    hits: frozenset[int]  # steps of the cuts that are hit

    @classmethod
    def of(cls, fitted: Fitted, labels: ScoreLabels) -> "Page":
        bars = bars_of(fitted)
        sections = [say.step_of(fitted, section.time) for section in labels.sections]
        hits = [say.step_of(fitted, hit) for hit in fitted.hits]
        return cls(
            fitted,
            labels,
            bars,
            _fifths(fitted, labels, bars),
            say.chord_symbols(fitted, labels, bars),
            sorted({0, *sections}),
            frozenset(hits),
        )

    def chord_at(self, step: int) -> str:
        """Return the chord at a step; "N" before the first."""
        index = bisect_right(self.chords, step, key=lambda chord: chord[0])
        return self.chords[index - 1][1] if index else "N"


def write_musicxml(path: Path, performance: Performance, labels: ScoreLabels = NO_LABELS) -> None:
    """Write the score of ``performance`` to ``path`` as MusicXML, atomically.

    Sections are rehearsal marks, kept cuts small boxes with their timecode, both above the first
    staff; chord symbols stand above the first part that reads them.
    """
    page = Page.of(performance.fitted, labels)
    _write(path, page, _desks(page, performance), labels.title)


def write_parts(
    folder: Path, performance: Performance, labels: ScoreLabels = NO_LABELS
) -> list[Path]:
    """Write a file for each player into ``folder``, which exists, and return them by desk.

    Each has all marks; those who read chords have the symbols, and rests of several bars are one.
    """
    page = Page.of(performance.fitted, labels)
    paths: list[Path] = []
    for desk in _desks(page, performance):
        name = file_name(desk.part.player.name)
        more = (f"{name}-{number}" for number in itertools.count(2))
        paths_of = (folder / f"{one}.musicxml" for one in itertools.chain([name], more))
        path = next(path for path in paths_of if path not in paths)
        _write(path, page, [desk], labels.title, alone=True)
        paths.append(path)
    return paths


def bars_of(fitted: Fitted) -> Bars:
    """Return the bars up to the one in which the video ends.

    A last bar of less than half a beat in which nothing begins is none: what rings into it ends
    before it, for it is too short for a note.
    """
    tempo_map = fitted.tempo_map
    ends = np.array([fitted.duration, fitted.piece.onsets.max(initial=0.0)])
    end, last = tempo_map.ticks(ends).tolist()
    ends_at = max(end - TICKS // 2, last + TICKS // 4)
    lines = [line for line in tempo_map.lines.tolist() if line == 0 or line * TICKS < ends_at]
    after = [*tempo_map.lines.tolist(), len(tempo_map.tempi)][len(lines)]
    return Bars(tuple(line * STEP for line in (*lines, after)))


def _fifths(fitted: Fitted, labels: ScoreLabels, bars: Bars) -> list[int]:
    """Return the key signature of each bar; a section changes it at the bar line it is near to."""
    known = labels.key or estimate_key(fitted.piece) or "C"
    out = [_sharps(known)] * (len(bars.lines) - 1)
    lines = np.array(bars.lines[:-1])
    for section in labels.sections:
        if section.key:
            bar = int(np.abs(lines - say.step_of(fitted, section.time)).argmin())
            out[bar:] = [_sharps(section.key)] * (len(out) - bar)
    return out


def _sharps(key: str) -> int:
    """Return the sharps of one of ``KEYS``, flats being negative."""
    return fifths_of(pitch_class(key.removesuffix("m")), key.endswith("m"))


def _desks(page: Page, performance: Performance) -> list[Desk]:
    """Return the parts in the order of a score; silence is a part, too."""
    parts = performance.parts or (Part.silent(BAND[PIANO]),)
    channels = replace(performance, parts=parts).channels
    pairs = sorted(zip(parts, channels, strict=True), key=lambda pair: place(pair[0].player))
    return [
        Desk(number, part, channel, staves(part, page.fitted.tempo_map, page.bars))
        for number, (part, channel) in enumerate(pairs, 1)
    ]


def _write(path: Path, page: Page, desks: Sequence[Desk], title: str, alone: bool = False) -> None:
    """Write a file of some desks; of one that is ``alone`` it is the part."""
    root = Element("score-partwise", version="4.0")
    write_head(root, desks, title, alone)
    pitched = [desk for desk in desks if desk.part.player.instrument != DRUMS]
    readers = [desk for desk in pitched if family(desk.part.player).chords]
    named = None if alone and not readers else next(iter(readers or pitched or desks))
    for desk in desks:
        part = SubElement(root, "part", id=desk.id)
        _fill(part, page, desk, top=desk is desks[0], named=desk is named, alone=alone)
    ElementTree.indent(root)
    with atomic_write(path) as partial:
        ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)


def _fill(
    element: Element, page: Page, desk: Desk, top: bool, named: bool, alone: bool = False
) -> None:
    """Add the bars of one part."""
    bars, part = page.bars, desk.part
    chords = [chord for staff in desk.staves for voice in staff.voices for chord in voice]
    heard = {bar for chord in chords for bar, _, _ in bars.pieces(chord.start, chord.stop)}
    signs: list[Sign] = []
    if top:
        signs += say.tempi(page.fitted)
        for sign in say.landmarks(page.fitted, page.labels):
            bar = bars.at(sign.step)
            # what is said within a rest of several bars is not shown
            rests = alone and bar not in heard
            signs.append(replace(sign, step=bars.lines[bar]) if rests else sign)
    if named:
        signs += [say.chord_symbol(*symbol) for symbol in page.chords]
    levels = [(chord.start, note.velocity) for chord in chords for note in chord.notes]
    signs += say.dynamics(levels, page.sections)
    signs += say.swells(page.fitted, part, chords, bars.lines[-1])
    by_bar: dict[int, list[Sign]] = {}
    for sign in signs:
        by_bar.setdefault(bars.at(sign.step), []).append(sign)
    steps, struck = np.array(levels, np.int64).reshape(-1, 2).T

    def accented(chord: Chord) -> bool:
        if chord.start not in page.hits:
            return False
        usual = np.median(struck[np.abs(steps - chord.start) <= say.AROUND])
        return bool(max(note.velocity for note in chord.notes) >= usual + say.ACCENT)

    context = Context(desk.id, bars, page.fifths, page.chord_at, accented)
    for bar in range(len(bars.lines) - 1):
        measure = SubElement(element, "measure", number=str(bar + 1))
        attributes = _attributes(page, desk, bar)
        if len(attributes):
            measure.append(attributes)
        write_bar(measure, context, desk.staves, bar, by_bar.get(bar, []))
    if alone:
        _rest_together(element, heard)
    SubElement(SubElement(measure, "barline", location="right"), "bar-style").text = "light-heavy"


def _attributes(page: Page, desk: Desk, bar: int) -> Element:
    """Return what begins with a bar: divisions and clefs with the first, another key or metre."""
    attributes = Element("attributes")
    bars = page.bars
    if bar == 0:
        SubElement(attributes, "divisions").text = str(STEP)
    if bar == 0 or page.fifths[bar] != page.fifths[bar - 1]:
        SubElement(SubElement(attributes, "key"), "fifths").text = str(page.fifths[bar])
    if bar == 0 or bars.size(bar) != bars.size(bar - 1):
        time = SubElement(attributes, "time")
        SubElement(time, "beats").text = str(bars.size(bar))
        SubElement(time, "beat-type").text = "4"
    if bar == 0:
        _clefs(attributes, desk.staves)
    return attributes


def _clefs(attributes: Element, staves: Sequence[Staff]) -> None:
    if len(staves) > 1:
        SubElement(attributes, "staves").text = str(len(staves))
    for number, staff in enumerate(staves, 1):
        clef = SubElement(attributes, "clef", number=str(number))
        SubElement(clef, "sign").text = staff.clef.sign
        if staff.clef.line:
            SubElement(clef, "line").text = str(staff.clef.line)
        if staff.clef.octaves:
            SubElement(clef, "clef-octave-change").text = str(staff.clef.octaves)


def _rest_together(part: Element, heard: set[int]) -> None:
    """Say where several silent bars, with nothing said in them, are one rest."""
    measures = part.findall("measure")
    bar = 0
    while bar < len(measures):
        stop = bar + (bar not in heard)
        while bar < stop < len(measures) and stop not in heard and not _speaks(measures[stop]):
            stop += 1
        if stop - bar > 1:
            attributes = measures[bar].find("attributes")
            if attributes is None:
                attributes = Element("attributes")
                measures[bar].insert(0, attributes)
            style = SubElement(attributes, "measure-style")
            SubElement(style, "multiple-rest").text = str(stop - bar)
        bar = max(stop, bar + 1)


def _speaks(measure: Element) -> bool:
    """Return whether anything but a rest stands in a bar."""
    return any(child.tag in ("attributes", "direction", "harmony") for child in measure)
