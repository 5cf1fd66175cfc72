"""Chords that come again quickly: held, broken or struck, as the palette has it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.piece import GUITAR, STRINGS, Piece
from emsync.performance.palette import Palette, names
from emsync.performance.player import PLAIN, Casting, Player
from emsync.performance.repeats import settled

STEP = 0.125  # seconds, a sixteenth
BAR = 2.0  # seconds
HELD: Casting = [(0.0, [Player("Violins", STRINGS, 48, repeats="held")])]
BROKEN: Casting = [(0.0, [Player("Harp", GUITAR, 46, repeats="broken")])]


def strummed(instrument: int, chords: Sequence[tuple[int, ...]], step: float = STEP) -> Piece:
    rows = [
        (instrument, pitch, k * step, k * step + 0.8 * step)
        for k, chord in enumerate(chords)
        for pitch in chord
    ]
    return Piece.of(np.array(rows, np.float64), np.arange(0, 16, BAR))


def notes(piece: Piece) -> list[tuple[int, float, float]]:
    columns = (piece.pitches.tolist(), piece.onsets.tolist(), piece.offsets.round(4).tolist())
    return sorted(zip(*columns, strict=True))


def test_who_holds_ties_a_strummed_chord_to_the_bar_line_and_moves_with_the_melody() -> None:
    piece = strummed(STRINGS, [(60, 64, 72)] * 8 + [(60, 64, 74)] * 8 + [(60, 64, 74)] * 2)
    assert notes(settled(piece, HELD)) == [
        (60, 0.0, 1.975), (60, 2.0, 2.225), (64, 0.0, 1.975), (64, 2.0, 2.225),
        (72, 0.0, 0.975), (74, 1.0, 1.975), (74, 2.0, 2.225),
    ]  # fmt: skip


def test_who_breaks_plays_the_tones_in_turn_and_all_of_them_on_bar_lines() -> None:
    piece = strummed(GUITAR, [(60, 64, 67)] * 18)
    broken = settled(piece, BROKEN)
    struck = [broken.pitches[broken.onsets == k * STEP].tolist() for k in range(18)]
    assert struck[:7] == [[60, 64, 67], [60], [64], [67], [60], [64], [67]]
    assert struck[16:] == [[60, 64, 67], [60]], "a bar begins with the whole chord"


def test_a_tone_that_comes_again_too_fast_for_a_tune_is_held() -> None:
    assert notes(settled(strummed(STRINGS, [(60,)] * 6 + [(62,)]), HELD)) == [
        (60, 0.0, 0.725), (62, 0.75, 0.85),
    ]  # fmt: skip


def test_a_tune_that_repeats_its_tone_and_slow_chords_are_struck() -> None:
    for piece in (
        strummed(STRINGS, [(60,)] * 12, step=0.2),
        strummed(STRINGS, [(60, 64, 67)] * 12, step=0.5),
        strummed(STRINGS, [(60, 64), (62, 65)] * 6),
    ):
        assert notes(settled(piece, HELD)) == notes(piece)


def test_hits_boundary_chords_and_changes_of_players_are_struck() -> None:
    piece = strummed(STRINGS, [(60, 64, 67)] * 16)
    hit = settled(piece, HELD, [0.5])
    chord = settled(replace(piece, chords=np.array([0.75])), HELD)
    change = settled(piece, [HELD[0], (1.0, HELD[0][1])])
    for found, time in ((hit, 0.5), (chord, 0.75), (change, 1.0)):
        assert np.unique(found.onsets).tolist() == [0.0, time]
        assert np.count_nonzero(found.onsets == time) == 3


chords = st.lists(
    st.sets(st.sampled_from([55, 60, 64, 67, 72]), min_size=1, max_size=4).map(tuple),
    min_size=1, max_size=40,
)  # fmt: skip


@given(chords)
def test_a_chord_that_is_held_sounds_whenever_it_was_composed(drawn: list[tuple[int, ...]]) -> None:
    piece = strummed(STRINGS, drawn)
    held = settled(piece, HELD)
    for pitch in np.unique(piece.pitches):
        for onset, offset in zip(
            piece.onsets[piece.pitches == pitch], piece.offsets[piece.pitches == pitch], strict=True
        ):
            mine = held.pitches == pitch
            assert (mine & (held.onsets <= onset) & (held.offsets >= offset)).any()
        mine = held.pitches == pitch
        assert (held.onsets[mine][1:] >= held.offsets[mine][:-1]).all(), "no tone sounds twice"


@given(chords)
def test_a_broken_chord_keeps_its_rhythm_and_its_tones(drawn: list[tuple[int, ...]]) -> None:
    piece = strummed(GUITAR, drawn)
    broken = settled(piece, BROKEN)
    assert np.unique(broken.onsets).tolist() == np.unique(piece.onsets).tolist()
    assert set(broken.pitches.tolist()) == set(piece.pitches.tolist())
    assert set(notes(broken)) <= set(notes(piece))


@pytest.mark.parametrize("casting", [PLAIN, [(0.0, Palette.named("plain").players)]])
def test_the_plain_band_strikes_what_is_composed(casting: Casting) -> None:
    piece = strummed(STRINGS, [(60, 64, 67)] * 16)
    assert notes(settled(piece, casting)) == notes(piece)


@pytest.mark.parametrize("name", names())
def test_strings_of_the_shipped_palettes_hold_but_for_a_trailer(name: str) -> None:
    piece = strummed(STRINGS, [(60, 64, 67)] * 16)
    found = settled(piece, [(0.0, Palette.named(name).players)])
    assert (len(found) == 3) == (name not in ("hybrid", "plain"))
