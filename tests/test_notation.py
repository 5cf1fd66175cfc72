"""Scores and parts as MusicXML, read back by music21, which knows nothing of how we wrote them."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emsync.fit.hits import fit
from emsync.fit.time_map import Fitted
from emsync.formats.labels import NO_LABELS, ScoreLabels, SectionLabel, TimedText
from emsync.formats.musicxml import write_musicxml, write_parts
from emsync.formats.musicxml.families import FAMILIES, family
from emsync.formats.musicxml.grid import STEP, written
from emsync.formats.musicxml.score import bars_of
from emsync.formats.musicxml.spelling import spell, tones
from emsync.formats.musicxml.values import BINARY, THREES, edges, spans
from emsync.music.bars import TICKS, TempoMap
from emsync.music.chords import QUALITIES, TONES, parse_chord
from emsync.music.general_midi import DRUM_CHANNEL, EXPRESSION, PEDAL
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.performance.part import Control, Part
from emsync.performance.performance import Performance, perform
from emsync.performance.player import BAND, Player
from emsync.video.cuts import Cut

BEAT = 0.5  # seconds
FILM = 12.0  # seconds: 24 beats


@pytest.fixture
def band() -> Piece:
    """Five instruments for eight bars of three beats, with held, repeated and crossing notes."""
    rng = np.random.default_rng(3)
    ranges = {DRUMS: (36, 50), BASS: (30, 45), GUITAR: (45, 70), PIANO: (40, 85), STRINGS: (50, 90)}
    rows = [
        (c, rng.integers(*ranges[c]), start := rng.integers(0, 96) * 0.125, start + length)
        for c in ranges
        for length in rng.choice([0.1, 0.25, 0.5, 1.7, 3.0], 40)
    ]
    return Piece.of(np.array(rows, np.float64), downbeats=np.arange(0, 13, 1.5))


def plain(duration: float = FILM, sizes: Sequence[int] = (4,) * 6) -> Fitted:
    """Return a film of even beats with bars of so many, and no notes of its own."""
    silence = Piece.of(np.zeros((0, 4)), downbeats=np.arange(0, duration, 2.0))
    lines = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    tempo_map = TempoMap(np.full(int(sum(sizes)), int(BEAT * 1e6)), lines)
    return replace(fit(silence, [], duration), tempo_map=tempo_map)


def part_of(
    rows: Sequence[tuple[float, float, int]],
    player: Player = BAND[PIANO],
    controls: Sequence[Control] = (),
    velocity: int = 80,
) -> Part:
    """Return a part of rows of start and stop, in beats, and pitch."""
    columns = np.array(sorted(rows), np.float64).reshape(-1, 3)
    return Part(
        player,
        columns[:, 2].astype(np.uint8),
        columns[:, 0] * BEAT,
        columns[:, 1] * BEAT,
        np.full(len(columns), velocity, np.uint8),
        tuple(controls),
    )


def music(*parts: Part, sizes: Sequence[int] = (4,) * 6) -> Performance:
    return Performance(plain(sizes=sizes), parts)


def xml(folder: Path, performance: Performance, labels: ScoreLabels = NO_LABELS) -> Element:
    write_musicxml(folder / "score.musicxml", performance, labels)
    return ElementTree.parse(folder / "score.musicxml").getroot()


def signs_of(root: Element, bar: int = 0) -> list[str]:
    """Return the values and rests of a bar of the first part in words, as a copyist tells them."""
    names = {"whole": "1", "half": "2", "quarter": "4", "eighth": "8", "16th": "16"}
    told = []
    for note in root.findall("part")[0].findall("measure")[bar].findall("note"):
        if note.find("chord") is None:
            kind = names.get(note.findtext("type") or "", "bar")
            rest = "r" if note.find("rest") is not None else ""
            dot = "." * len(note.findall("dot"))
            three = "t" if note.find("time-modification") is not None else ""
            staccato = "'" if note.find(".//staccato") is not None else ""
            tie = "~" if note.find("tie[@type='start']") is not None else ""
            told.append(f"{rest}{kind}{dot}{three}{staccato}{tie}")
    return told


def read(path: Path) -> Any:
    from music21 import converter

    with warnings.catch_warnings():
        # music21 has no instrument for some drums of General MIDI
        warnings.filterwarnings("ignore", message=".*does not map to a valid instrument")
        return converter.parse(path, forceSource=True)


def found_in(score: Any) -> dict[str, set[tuple[int, int]]]:
    """Return the step and MIDI pitch of each note that is struck, by instrument."""
    found: dict[str, set[tuple[int, int]]] = {}
    for part in score.parts:
        for note in part.flatten().notes:
            for one in note.notes if hasattr(note, "notes") else [note]:
                if one.tie is None or one.tie.type == "start":
                    pitch = one.pitch.midi if hasattr(one, "pitch") else one.displayPitch().midi
                    found.setdefault(part.partName, set()).add((round(note.offset * STEP), pitch))
    return found


def struck(performance: Performance) -> dict[str, set[tuple[int, int]]]:
    """Return the step and pitch of each note on paper, by player."""
    fitted = performance.fitted
    beats = bars_of(fitted).beats
    return {
        part.player.name: {(n.start, n.pitch) for n in written(part, fitted.tempo_map, beats).notes}
        for part in performance.parts
    }


def same(performance: Performance, path: Path) -> None:
    """Check that the file at ``path`` has all notes, and that its bars are full."""
    score, fitted = read(path), performance.fitted
    found, wanted = found_in(score), struck(performance)
    for part in performance.parts:
        name = part.player.name
        if part.player.instrument == DRUMS:
            assert {at for at, _ in found[name]} == {at for at, _ in wanted[name]}
        else:
            assert found[name] == wanted[name]
    lines = bars_of(fitted).lines
    sizes = [(b - a) / STEP for a, b in pairwise(lines)]
    for part in score.parts:
        measures = part.getElementsByClass("Measure")
        assert [bar.duration.quarterLength for bar in measures] == sizes
        assert all(
            bar.timeSignature is None or bar.timeSignature.numerator == size
            for bar, size in zip(measures, sizes, strict=True)
        )


def test_music21_reads_the_same_bars_parts_and_pitches(band: Piece, tmp_path: Path) -> None:
    performance = perform(fit(band, [Cut(4.6)], 12.0))
    labels = ScoreLabels("Two hands", Fraction(25))
    write_musicxml(tmp_path / "score.musicxml", performance, labels)
    same(performance, tmp_path / "score.musicxml")
    score = read(tmp_path / "score.musicxml")
    assert score.metadata.title == "Two hands"
    names = [part.partName for part in score.parts]
    assert sorted(set(names)) == sorted(name.capitalize() for name in CLASSES)
    assert names.count("Piano") == 2  # two hands


players = st.sampled_from([
    *BAND, Player("Harp", STRINGS, 46), Player("Viola", STRINGS, 41), Player("Flute", STRINGS, 73),
    Player("Choir", STRINGS, 52), Player("Double basses", BASS, 43), Player("Horns", STRINGS, 60),
])  # fmt: skip
LINES = st.one_of(  # of beats
    st.integers(0, 23 * 4).map(lambda n: n / 4),
    st.integers(0, 23 * 3).map(lambda n: n / 3),
    st.floats(0, 23.9),
)
LONG = st.sampled_from([0.02, 0.1, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 0.9, 1.0, 1.5, 2.5, 4.0, 9.0, 23.0])


@st.composite
def played(draw: st.DrawFn) -> Performance:
    """Music of one to nine players, in bars of any size, sparse or dense, or silent."""
    parts = []
    for number in range(draw(st.integers(0, 9))):
        player = replace(draw(players), name=f"P{number}")
        starts = draw(st.lists(LINES, min_size=1, max_size=draw(st.sampled_from([1, 4, 30]))))
        rows = [
            (start, start + draw(LONG), draw(st.integers(35, 50) if number % 2 else
             st.integers(24, 100)))
            for start in starts
        ]  # fmt: skip
        parts.append(part_of(rows, player, velocity=draw(st.integers(1, 127))))
    sizes = [draw(st.integers(1, 7))]
    while sum(sizes) < 24:
        sizes.append(draw(st.integers(1, 7)))
    return music(*parts, sizes=sizes)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(performance=played())
def test_any_music_keeps_its_notes_in_full_bars(performance: Performance, tmp_path: Path) -> None:
    write_musicxml(tmp_path / "score.musicxml", performance)
    same(performance, tmp_path / "score.musicxml")
    root = ElementTree.parse(tmp_path / "score.musicxml").getroot()
    for note in root.iter("note"):
        length = int(note.findtext("duration") or 0)
        if note.find("rest[@measure]") is None:
            values = THREES if note.find("time-modification") is not None else BINARY
            assert values[length] == (note.findtext("type"), len(note.findall("dot")))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.data())
def test_spans_fill_the_time_and_show_the_beats(beats: int, data: st.DataObject) -> None:
    ternary = data.draw(st.sets(st.integers(0, beats - 1)))

    def at(line: int) -> int:
        return line if line // STEP in ternary or line == beats * STEP else line // 3 * 3

    places = st.integers(0, beats * STEP // 2).map(lambda n: at(2 * n))
    start, stop = sorted((data.draw(places), data.draw(places)))
    for rest in (False, True):
        found = list(spans(start, stop, beats, ternary, rest))
        assert [a for a, _ in found] == [start, *[b for _, b in found]][: len(found)]
        assert not found or found[-1][1] == stop
        for a, b in found:
            assert b - a in BINARY or b - a in THREES
            crosses = any(a < line < b for line in edges(beats))
            assert not crosses or (a % STEP == 0 and (b - a) % STEP == 0 and not rest)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        # a short note is a staccato eighth, not a sixteenth and three rests
        ([(0, 0.2, 60)], ["8'", "r8", "r4", "r2"]),
        ([(0, 0.9, 60), (1, 1.8, 60), (2, 4, 60)], ["4", "4", "2"]),
        ([(0, 1.45, 60), (1.5, 1.9, 62), (2, 3.9, 60)], ["4.", "8", "2"]),
        # triplets where they are, and a swung pair
        ([(i / 3, i / 3 + 0.3, 60 + i) for i in range(3)], ["8t", "8t", "8t", "r4", "r2"]),
        ([(0, 0.6, 60), (2 / 3, 1, 62), (1, 4, 60)], ["4t", "8t", "2."]),
        # syncopation is read from the beats
        ([(0, 0.5, 60), (0.5, 1.5, 62), (1.5, 2, 60), (2, 4, 60)], ["8", "4", "8", "2"]),
        ([(1.5, 4, 60)], ["r4", "r8", "8~", "2"]),
        # what is played a little early or late is written where it belongs
        ([(0, 1, 60), (0.98, 2, 62), (2.03, 3, 64), (2.98, 4, 65)], ["4", "4", "4", "4"]),
    ],
)
def test_a_copyist_would_write_it_so(
    rows: list[tuple[float, float, int]], told: list[str], tmp_path: Path
) -> None:
    flute = Player("Flute", STRINGS, 73)
    assert signs_of(xml(tmp_path, music(part_of(rows, flute)))) == told


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    notes=st.lists(
        st.tuples(st.integers(0, 95), st.sampled_from([0.05, 0.1, 0.24, 0.3, 0.5, 1.0, 3.0])),
        min_size=1, max_size=40,
    ),
    player=st.sampled_from([Player("Flute", STRINGS, 73), BAND[DRUMS]]),
)  # fmt: skip
def test_no_short_rest_follows_a_note_in_its_beat(
    notes: list[tuple[int, float]], player: Player, tmp_path: Path
) -> None:
    rows = [(start / 4, start / 4 + length, 40) for start, length in notes]
    root = xml(tmp_path, music(part_of(rows, player)))
    for measure in root.iter("measure"):
        now, heard = 0, -1  # and the beat of the last note
        for note in measure.iter("note"):
            length = int(note.findtext("duration") or 0)
            if note.find("chord") is None:
                if note.find("rest") is None:
                    heard = (now + length - 1) // STEP
                elif length < STEP // 2:
                    assert heard != now // STEP
                now += length


def test_a_last_bar_that_is_too_short_for_a_note_is_not_written() -> None:
    def bars(duration: float, *late: tuple[int, int, float, float]) -> int:
        rows = [(PIANO, 60 + k % 5, k / 2, k / 2 + 0.5) for k in range(15)]
        rows += [(PIANO, 72, 6.0, duration), *late]
        piece = Piece.of(np.array(rows), np.arange(0, duration, 2.0))
        return len(bars_of(fit(piece, [], duration)).lines) - 1

    assert bars(8.2) == 4 and bars(8.6) == 5
    assert bars(8.2, (BASS, 36, 8.0, 8.2)) == 5, "something begins in it"


def test_a_silent_bar_is_one_rest_and_a_part_says_how_many(tmp_path: Path) -> None:
    performance = music(part_of([(0, 1, 60), (20, 24, 64)], Player("Flute", STRINGS, 73)))
    root = xml(tmp_path, performance)
    assert [signs_of(root, bar) for bar in range(1, 5)] == [["rbar"]] * 4
    assert root.find(".//multiple-rest") is None
    (path,) = write_parts(tmp_path, performance)
    assert path.name == "flute.musicxml"
    rests = ElementTree.parse(path).findall(".//measure[@number='2']//multiple-rest")
    assert [rest.text for rest in rests] == ["4"]
    same(performance, path)


def test_held_notes_have_a_second_voice_and_others_none(tmp_path: Path) -> None:
    moving = [(n, n + 1.1, 72 + n) for n in range(4)]  # each a little into the next
    violin = Player("Violin", STRINGS, 40)

    def voices(rows: Sequence[tuple[float, float, int]]) -> dict[str, int]:
        notes = xml(tmp_path, music(part_of(rows, violin))).iter("note")
        return Counter(n.findtext("voice") or "" for n in notes if n.find("pitch") is not None)

    assert voices(moving) == {"1": 4}
    assert voices([*moving, (0, 4, 60)]) == {"1": 4, "2": 1}  # the lower one is the second


def test_a_tuplet_has_both_ends_and_beams_join_a_beat(tmp_path: Path) -> None:
    lines = [0, 1 / 3, 2 / 3, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4]
    rows = [(start, stop, 72) for start, stop in pairwise(lines)]
    notes = xml(tmp_path, music(part_of(rows))).findall(".//measure[@number='1']/note")
    notes = [note for note in notes if note.find("pitch") is not None]
    assert [t.get("type") for n in notes for t in n.iter("tuplet")] == ["start", "stop"]
    beams = [[beam.text for beam in note.findall("beam")] for note in notes]
    one = [["begin"], ["continue"], ["end"]]
    two = [["begin"] * 2, ["continue"] * 2, ["continue"] * 2, ["end"] * 2]
    assert beams == [*one, *two, ["begin"], ["continue"], ["continue"], ["end"]]


def test_parts_stand_in_the_order_of_a_score(tmp_path: Path) -> None:
    asked = {"Violins": 40, "Cello": 42, "Flute": 73, "Horns": 60, "Guitar": 25, "Piano": 0}
    parts = [part_of([(0, 1, 60)], Player(name, STRINGS, n)) for name, n in asked.items()]
    root = xml(tmp_path, music(part_of([(0, 1, 38)], BAND[DRUMS]), *parts))
    names = [row.findtext("part-name") for row in root.iter("score-part")]
    assert names == ["Flute", "Horns", "Drums", "Piano", "Guitar", "Violins", "Cello"]
    listed = [child.tag for child in root.findall("part-list/*")]
    assert listed[-4:] == ["part-group", "score-part", "score-part", "part-group"]
    assert listed.count("part-group") == 2  # one pair of strings


def test_players_of_one_name_have_parts_of_their_own(tmp_path: Path) -> None:
    names = ("Flute", "Flute", "Flute 2", "Fl\u00f6te/../x", "\u0444", "flute")
    parts = [part_of([(0, 1, 60)], Player(name, STRINGS, 73)) for name in names]
    paths = write_parts(tmp_path, music(*parts))
    assert [path.stem for path in paths] == [
        "flute", "flute-2", "flute-2-2", "flote-x", "untitled", "flute-3",
    ]  # fmt: skip
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_every_program_has_one_place() -> None:
    programs = [program for family_ in FAMILIES for program in family_.programs]
    assert len(programs) == len(set(programs))
    assert family(BAND[DRUMS]).name == "drums"
    assert [family(player).name for player in BAND[1:]] == [
        "basses", "guitars", "keyboards", "strings",
    ]  # fmt: skip


def test_clefs_follow_the_player_and_the_range(tmp_path: Path) -> None:
    def clefs(player: Player, *pitches: int) -> list[tuple[str | None, ...]]:
        part = part_of([(n, n + 1, pitch) for n, pitch in enumerate(pitches)], player)
        return [
            (clef.findtext("sign"), clef.findtext("clef-octave-change"))
            for clef in xml(tmp_path, music(part)).iter("clef")
        ]

    strings = Player("Strings", STRINGS, 48)
    assert clefs(BAND[PIANO], 40, 76) == [("G", None), ("F", None)]
    assert clefs(BAND[PIANO], 70, 76) == [("G", None)]  # the left hand never plays
    assert clefs(BAND[BASS], 40) == [("F", "-1")] and clefs(BAND[GUITAR], 50) == [("G", "-1")]
    assert clefs(Player("Violas", STRINGS, 41), 60) == [("C", None)]
    assert clefs(strings, 72) == [("G", None)] and clefs(strings, 45) == [("F", None)]
    assert clefs(strings, 40, 45, 72, 80) == [("G", None), ("F", None)]


def test_the_tempo_is_printed_where_it_is_heard_to_change(tmp_path: Path) -> None:
    tempi = np.repeat([500_000, 505_000, 400_000], 8)  # 1 % slower, then a quarter faster
    fitted = replace(plain(), tempo_map=TempoMap(tempi, np.arange(0, 24, 4)))
    root = xml(tmp_path, Performance(fitted, (part_of([(0, 1, 60)]),)))
    assert [e.text for e in root.iter("per-minute")] == ["120", "150"]
    sounding = [float(e.get("tempo", 0)) for e in root.iter("sound")]
    assert sounding == [pytest.approx(60e6 / t, abs=1e-3) for t in (500_000, 505_000, 400_000)]


def test_dynamics_swells_and_the_pedal_are_signs(tmp_path: Path) -> None:
    sections = tuple(SectionLabel(t, "", "") for t in (0.0, 4.0, 8.0))
    swell = [Control(2.0 + t / 10, EXPRESSION, 80 + t) for t in range(40)]
    swell.insert(0, Control(0.0, EXPRESSION, 80))
    part = part_of([(n, n + 1, 60) for n in range(24)], controls=[*swell, Control(0, PEDAL, 127)])
    loud = replace(part, velocities=np.repeat([50, 50, 110], 8).astype(np.uint8))
    root = xml(tmp_path, music(loud), ScoreLabels(sections=sections))
    marks = [mark.tag for dynamics in root.iter("dynamics") for mark in dynamics]
    assert marks == ["p", "ff"]  # the second section is as loud as the first
    wedges = {
        bar.get("number"): [wedge.get("type") for wedge in bar.iter("wedge")]
        for bar in root.iter("measure")
        if bar.find(".//wedge") is not None
    }
    assert wedges == {"2": ["crescendo"], "4": ["stop"]}  # from 2 s to 6 s, as it swells
    assert [e.text for e in root.iter("words") if (e.text or "").strip()] == ["con ped."]


def test_a_louder_note_on_a_hit_has_an_accent(tmp_path: Path) -> None:
    rows = [(PIANO, 60, n / 2, n / 2 + 0.4) for n in range(24)]
    fitted = fit(Piece.of(np.array(rows), np.arange(0, 12, 2.0)), [Cut(4.0)], 12.0)
    (part,) = perform(fitted).parts
    for scene in (60, 100):  # the rest of the film is much softer, or much louder
        levels = np.where(np.abs(part.onsets - 4.0) < 2.5, scene, 80)
        levels += 14 * np.isclose(part.onsets, 4.0, atol=0.02)
        louder = replace(part, velocities=levels.astype(np.uint8))
        root = xml(tmp_path, Performance(fitted, (louder,)))
        assert len(list(root.iter("accent"))) == 1


def test_a_key_changes_at_the_bar_of_its_section(tmp_path: Path) -> None:
    sections = (SectionLabel(0.0, "", key="Am"), SectionLabel(4.1, "", key="A"))
    labels = ScoreLabels(sections=sections, key="Am", chords=(TimedText(0.0, "E7"),))
    root = xml(tmp_path, music(part_of([(0, 1, 68), (8, 9, 68)])), labels)
    keys = {
        measure.get("number"): measure.findtext(".//fifths")
        for measure in root.iter("measure")
        if measure.find(".//fifths") is not None
    }
    assert keys == {"1": "0", "3": "3"}
    assert [e.text for e in root.iter("step")] == ["G", "G"]  # of E7, and of A major


@pytest.mark.parametrize("key", range(-6, 7))
def test_a_chord_is_spelt_in_thirds_from_its_root(key: int) -> None:
    for root in ("C", "Db", "D", "Eb", "E", "F", "F#", "Gb", "G", "Ab", "A", "Bb", "B"):
        for quality in ("", "m", "7", "maj7", "m7", "dim"):
            named = tones(root + quality)
            names = [spell(60 + pc, key, root + quality) for pc in named]
            assert [(step, alter) for step, alter, _ in names] == list(named.values())
            letters = ["CDEFGAB".index(step) for step, _ in named.values()]
            if len(named) == len(QUALITIES[quality]):
                assert {(b - a) % 7 for a, b in pairwise(letters)} == {2}


def test_tempo_and_cuts_are_written_where_they_are(band: Piece, tmp_path: Path) -> None:
    fitted = fit(band, [Cut(4.6)], 12.0)
    write_musicxml(tmp_path / "score.musicxml", perform(fitted), ScoreLabels(rate=Fraction(25)))
    part = read(tmp_path / "score.musicxml").parts[0].flatten()
    first = part.getElementsByClass("MetronomeMark").first()
    assert first.offset == 0 and first.number == round(60e6 / fitted.tempo_map.tempi[0])
    (mark,) = (e for e in part.getElementsByClass("TextExpression") if ":" in e.content)
    assert mark.content == "1  00:00:04:15" and mark.style.enclosure == "rectangle"
    beats = fitted.tempo_map.ticks(np.array([4.6]))[0] / TICKS
    assert abs(mark.offset - beats) <= 0.5 / STEP + 1e-9


def test_chord_symbols_and_sections_are_read_as_such(band: Piece, tmp_path: Path) -> None:
    fitted = fit(band, [Cut(4.6)], 12.0)
    names = ("C", "F#m", "Bbdim", "Gsus4", "A7", "Ebmaj7", "Dm7", "N")
    times = [float(fitted.tempo_map.starts[3 * n] / 1e6) for n in range(len(names))]
    chords = tuple(TimedText(*one) for one in zip(times, names, strict=True))
    chords += (TimedText(times[-1] + 1.0, "N"),)  # nor is a chord
    sections = (
        SectionLabel(0.0, "joy, C major, piano", "A", "joy"),
        SectionLabel(4.6, "fear", "B"),
        SectionLabel(9.0, "fear", "B"),  # what goes on is not said again
    )
    labels = ScoreLabels(rate=Fraction(25), sections=sections, chords=chords)
    write_musicxml(tmp_path / "score.musicxml", perform(fitted), labels)
    drums, named, *others = list(read(tmp_path / "score.musicxml").parts)
    found = [
        (h.offset, "N" if h.figure == "N.C." else h.root().name.replace("-", "b"),
         frozenset() if h.figure == "N.C." else frozenset(p.midi % 12 for p in h.pitches))
        for h in named.flatten().getElementsByClass("Harmony")
    ]  # fmt: skip
    numbers = [parse_chord(name) for name in names]
    assert named.partName == "Piano" and drums.partName == "Drums"
    assert found == [
        (3.0 * n, name[:2] if name[1:2] in ("b", "#") else name[:1],
         frozenset() if name == "N" else frozenset(np.flatnonzero(TONES[number]).tolist()))
        for n, (name, number) in enumerate(zip(names, numbers, strict=True))
    ]  # fmt: skip
    assert not sum(len(p.flatten().getElementsByClass("Harmony")) for p in (drums, *others))
    marks = [mark.content for mark in drums.flatten().getElementsByClass("RehearsalMark")]
    assert marks == ["A", "B", "B2"]
    words = [text.content for text in drums.flatten().getElementsByClass("TextExpression")]
    assert [word for word in words if word.strip()] == ["joy", "1  00:00:04:15", "fear"]


def test_drums_are_on_their_channel_and_sound_their_own_notes(band: Piece, tmp_path: Path) -> None:
    write_musicxml(tmp_path / "score.musicxml", perform(fit(band, [], 12.0)))
    drums = ElementTree.parse(tmp_path / "score.musicxml").find(".//score-part[@id='P1']")
    assert drums is not None
    sounds = {int(e.text or 0) - 1 for e in drums.iter("midi-unpitched")}
    assert sounds == set(band.pitches[band.classes == DRUMS].tolist())
    assert {e.text for e in drums.iter("midi-channel")} == {str(DRUM_CHANNEL + 1)}


def test_a_title_breaks_no_notation(band: Piece, tmp_path: Path) -> None:
    labels = ScoreLabels("a\x1b<&\n\x00\ufffe\udce9 ночь")
    write_musicxml(tmp_path / "score.musicxml", perform(fit(band, [], 12.0)), labels)
    root = ElementTree.parse(tmp_path / "score.musicxml")
    assert root.findtext(".//work-title") == "a <&   \ufffd ночь"


def test_the_same_music_gives_the_same_bytes(band: Piece, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_musicxml(tmp_path / f"{name}.musicxml", perform(fit(band, [Cut(4.6)], 12.0)))
    a, b = ((tmp_path / f"{name}.musicxml").read_bytes() for name in ("a", "b"))
    assert a == b


@settings(max_examples=200, deadline=None)
@given(pitch=st.integers(21, 108), fifths=st.integers(-6, 6))
def test_a_spelt_pitch_sounds_the_same(pitch: int, fifths: int) -> None:
    step, alter, octave = spell(pitch, fifths)
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[step]
    assert 12 * (octave + 1) + natural + alter == pitch


def test_the_scale_of_a_key_is_spelt_with_its_signature() -> None:
    for fifths in range(-6, 7):
        tonic = 60 + 7 * fifths % 12
        scale = [spell(tonic + i, fifths) for i in (0, 2, 4, 5, 7, 9, 11)]
        assert len({step for step, _, _ in scale}) == 7
        assert sum(alter for _, alter, _ in scale) == fifths
