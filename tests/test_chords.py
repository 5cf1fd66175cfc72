"""Chords by name, and as they are heard in notes."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.errors import UsageError
from emsync.music import chords as ch
from emsync.music.piece import BASS, DRUMS, PIANO, Piece

TABLE = Path(__file__).with_name("chords_by_hand.csv")
ALL = range(len(ch.TONES))


def block(number: int, start: float, bass: bool = True) -> list[tuple[int, int, float, float]]:
    quality, root = divmod(number, 12)
    steps = list(ch.QUALITIES.values())[quality]
    low = [(BASS, 36 + root, start, start + 1)] if bass else []
    return low + [(PIANO, 60 + root + step, start, start + 1) for step in steps]


@pytest.mark.parametrize("bass", [True, False])
def test_block_chords_are_heard_as_what_they_are(bass: bool) -> None:
    rows = [row for number in ALL for row in block(number, float(number), bass)]
    heard = ch.heard(Piece.of(np.array(rows)), np.arange(len(ALL) + 1.0))
    assert heard.tolist() == list(ALL)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=8), st.integers(0, 11))
def test_what_is_transposed_is_heard_transposed(numbers: list[int], semitones: int) -> None:
    rows = [row for i, number in enumerate(numbers) for row in block(number, float(i))]
    piece, edges = Piece.of(np.array(rows)), np.arange(len(numbers) + 1.0)
    higher = Piece.of(piece.rows + np.array([0, semitones, 0, 0]))
    wanted = [ch.transposed(number, semitones) for number in ch.heard(piece, edges)]
    assert ch.heard(higher, edges).tolist() == wanted


def test_silence_and_drums_are_no_chord() -> None:
    piece = Piece.of(np.array([(DRUMS, 36, 0.0, 1.0), *block(0, 1.0)]))
    assert ch.heard(piece, np.arange(4.0)).tolist() == [ch.NONE, 0, ch.NONE]


def test_a_sixth_over_its_root_is_no_seventh_turned_round() -> None:
    rows = [(BASS, 36, 0.0, 1.0), *((PIANO, pitch, 0.0, 1.0) for pitch in (64, 67, 69, 72))]
    assert ch.heard(Piece.of(np.array(rows)), np.array([0.0, 1.0])) == ch.parse_chord("C")


def test_a_bare_fifth_turned_round_is_no_suspended_fourth() -> None:
    rows = [(BASS, 43, 0.0, 1.0), *((PIANO, pitch, 0.0, 1.0) for pitch in (60, 67, 72))]
    assert ch.heard(Piece.of(np.array(rows)), np.array([0.0, 1.0])) == ch.parse_chord("C")


def test_low_notes_of_a_piano_are_a_bass() -> None:
    rows = [(PIANO, pitch, 0.0, 1.0) for pitch in (41, 60, 65, 69, 74)]  # F, and F6 above
    assert ch.heard(Piece.of(np.array(rows)), np.array([0.0, 1.0])) == ch.parse_chord("F")


@given(st.sampled_from([ch.NONE, *ALL]))
def test_the_name_of_a_chord_names_it(number: int) -> None:
    assert ch.parse_chord(ch.chord_name(number)) == number


@pytest.mark.parametrize("name", ["", "H", "Cmaj9", "c#x", "C "])
def test_what_is_no_chord_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="Cmaj7"):
        ch.parse_chord(name)


def test_half_bars_divide_bars() -> None:
    assert ch.half_bars(np.array([0.0, 2.0, 5.0])).tolist() == [0, 1, 2, 3.5, 5]


def test_the_table_made_by_hand_can_be_read() -> None:
    rows = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))
    assert len(rows) >= 10
    for row in rows:
        bars = [bar.split() for bar in row["chords"].split("|")]
        assert len(bars) == 8 and all(len(bar) == 2 for bar in bars)
        assert all(ch.chord_name(ch.parse_chord(name)) == name for bar in bars for name in bar)
