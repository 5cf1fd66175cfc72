"""MusicXML, read back by music21, which knows nothing of how we wrote it."""

import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.fit.hits import fit
from emsync.fit.time_map import Fitted
from emsync.formats.general_midi import DRUM_CHANNEL
from emsync.formats.labels import ScoreLabels, SectionLabel, TimedText
from emsync.formats.musicxml import STEP, spell, steps, write_musicxml
from emsync.music.bars import TICKS
from emsync.music.chords import TONES, parse_chord
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.performance.performance import perform
from emsync.video.cuts import Cut


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


def read(path: Path) -> Any:
    from music21 import converter

    with warnings.catch_warnings():
        # music21 has no instrument for some drums of General MIDI
        warnings.filterwarnings("ignore", message=".*does not map to a valid instrument")
        return converter.parse(path, forceSource=True)


def written(score: Any) -> dict[str, set[tuple[int, int]]]:
    """Return the step and MIDI pitch of each note that is struck, by instrument."""
    found: dict[str, set[tuple[int, int]]] = {}
    for part in score.parts:
        for note in part.flatten().notes:
            for one in note.notes if hasattr(note, "notes") else [note]:
                if one.tie is None or one.tie.type == "start":
                    pitch = one.pitch.midi if hasattr(one, "pitch") else one.displayPitch().midi
                    found.setdefault(part.partName, set()).add((round(note.offset * STEP), pitch))
    return found


def bars_of(fitted: Fitted) -> int:
    end = fitted.tempo_map.ticks(np.array([fitted.duration]))[0]
    return int((fitted.tempo_map.lines * TICKS < end).sum())


def test_music21_reads_the_same_bars_parts_and_pitches(band: Piece, tmp_path: Path) -> None:
    fitted = fit(band, [Cut(4.6)], 12.0)
    write_musicxml(
        tmp_path / "score.musicxml", perform(fitted), ScoreLabels("Two hands", Fraction(25))
    )
    score = read(tmp_path / "score.musicxml")
    assert score.metadata.title == "Two hands"
    names = [part.partName for part in score.parts]
    assert sorted(set(names)) == sorted(name.capitalize() for name in CLASSES)
    assert names.count("Piano") == 2 and len(names) == 6  # two hands
    assert {len(part.getElementsByClass("Measure")) for part in score.parts} == {bars_of(fitted)}
    found = written(score)
    drums, *pitched = perform(fitted).parts
    assert [part.player.instrument for part in pitched] == [BASS, GUITAR, PIANO, STRINGS]
    for part in pitched:
        assert found[part.player.name] == {(at, pitch) for at, _, pitch in steps(fitted, part)}
    struck = {start for start, _, _ in steps(fitted, drums)}
    assert {start for start, _ in found["Drums"]} == struck


def test_every_bar_is_full_in_its_metre(band: Piece, tmp_path: Path) -> None:
    fitted = fit(band, [], 12.0)
    write_musicxml(tmp_path / "score.musicxml", perform(fitted))
    for part in read(tmp_path / "score.musicxml").parts:
        for size, bar in zip(
            fitted.tempo_map.sizes, part.getElementsByClass("Measure"), strict=False
        ):
            assert bar.timeSignature is None or bar.timeSignature.numerator == size
            assert bar.duration.quarterLength == size


def test_tempo_and_cuts_are_written_where_they_are(band: Piece, tmp_path: Path) -> None:
    fitted = fit(band, [Cut(4.6)], 12.0)
    write_musicxml(tmp_path / "score.musicxml", perform(fitted), ScoreLabels(rate=Fraction(25)))
    part = read(tmp_path / "score.musicxml").parts[0].flatten()
    first = part.getElementsByClass("MetronomeMark").first()
    assert first.offset == 0 and first.number == round(60e6 / fitted.tempo_map.tempi[0])
    (mark,) = part.getElementsByClass("RehearsalMark")
    assert mark.content == "1  00:00:04:15"
    beats = fitted.tempo_map.ticks(np.array([4.6]))[0] / TICKS
    assert abs(mark.offset - beats) <= 0.5 / STEP + 1e-9


def test_chord_symbols_and_sections_are_read_as_such(band: Piece, tmp_path: Path) -> None:
    fitted = fit(band, [Cut(4.6)], 12.0)
    names = ("C", "F#m", "Bbdim", "Gsus4", "A7", "Ebmaj7", "Dm7", "N")
    times = [float(fitted.tempo_map.starts[3 * n] / 1e6) for n in range(len(names))]
    chords = tuple(TimedText(*one) for one in zip(times, names, strict=True))
    sections = (SectionLabel(0.0, "joy, C major, piano", "A"), SectionLabel(4.6, "fear", "B"))
    labels = ScoreLabels(rate=Fraction(25), sections=sections, chords=chords)
    write_musicxml(tmp_path / "score.musicxml", perform(fitted), labels)
    parts = read(tmp_path / "score.musicxml").parts
    found = [
        (h.offset, "N" if h.figure == "N.C." else h.root().name.replace("-", "b"),
         frozenset() if h.figure == "N.C." else frozenset(p.midi % 12 for p in h.pitches))
        for h in parts[1].flatten().getElementsByClass("Harmony")
    ]  # fmt: skip
    numbers = [parse_chord(name) for name in names]
    assert found == [
        (3.0 * n, name[:2] if name[1:2] in ("b", "#") else name[:1],
         frozenset() if name == "N" else frozenset(np.flatnonzero(TONES[number]).tolist()))
        for n, (name, number) in enumerate(zip(names, numbers, strict=True))
    ]  # fmt: skip
    assert not parts[0].flatten().getElementsByClass("Harmony")  # the drums
    marks = [mark.content for mark in parts[0].flatten().getElementsByClass("RehearsalMark")]
    assert marks == ["A", "B", "1  00:00:04:15"]
    words = [text.content for text in parts[0].flatten().getElementsByClass("TextExpression")]
    assert words == ["joy, C major, piano", "fear"]


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
