"""Music that does not belong to a film: moved off the beat, in part another's, or silence."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.arrays import Float32s
from emsync.music.piece import PIANO, Piece
from emsync.sound.mel import ROW_RATE, SILENCE
from emsync.synchrony import notes
from emsync.synchrony.negatives import (
    FADE,
    LONGEST,
    NEAR,
    SHORTEST,
    Recording,
    off_the_beat,
    replaced,
    replaced_mel,
    replaced_notes,
    segment,
    shift,
    silence,
)

CLIP = 8 * ROW_RATE
SECONDS = 24
SEEDS = st.integers(0, 9999)
SONGS = 8


@cache
def recording(seed: int, beat: float = 0.5) -> Recording:
    rng = np.random.default_rng(seed)
    onsets = np.sort(rng.uniform(0, SECONDS, 100))
    columns = np.full(100, PIANO), rng.integers(40, 90, 100), onsets, onsets + 0.3
    mel = rng.normal(size=(SECONDS * ROW_RATE, 160)).astype(np.float16)
    return Recording(mel, Piece.of(np.stack(columns, axis=1)), beat)


def noise(seed: int) -> Float32s:
    """Return log magnitudes of a noise of power 1, of bins enough for its mean to be known."""
    draws = np.random.default_rng(seed).normal(size=(50, 30_000, 2))
    return np.log(np.hypot(*np.moveaxis(draws, 2, 0)) / np.sqrt(2)).astype(np.float32)


@given(st.floats(0.2, 2.0), st.integers(0, 16 * ROW_RATE), SEEDS)
def test_a_shift_is_off_the_beat_and_the_half_beat_and_stays_inside(
    beat: float, start: int, seed: int
) -> None:
    total = SECONDS * ROW_RATE
    moved = shift(beat * ROW_RATE, start, CLIP, total, np.random.default_rng(seed))
    assert moved is not None
    assert 0 < abs(moved) < CLIP
    assert 0 <= start + moved <= total - CLIP
    halves = moved / ROW_RATE / (beat / 2)
    assert abs(halves - round(halves)) >= 2 * NEAR - 1e-9


@given(st.floats(0.2, 2.0), SEEDS)
def test_a_shift_goes_to_both_sides(beat: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    moves = [shift(beat * ROW_RATE, CLIP, CLIP, 3 * CLIP, rng) for _ in range(40)]
    assert {move is not None and move > 0 for move in moves} == {False, True}


def test_without_room_or_without_a_beat_there_is_no_shift() -> None:
    rng = np.random.default_rng(0)
    assert shift(40.0, 0, CLIP, CLIP, rng) is None
    assert shift(40.0, 0, CLIP, CLIP + 7, rng) is None  # 0.175 of a beat
    assert shift(40.0, 0, CLIP, CLIP + 8, rng) == 8
    assert shift(40.0, 8, CLIP, CLIP + 8, rng) == -8
    for none in (0.0, -1.0, np.nan, np.inf):
        assert shift(none, CLIP, CLIP, 3 * CLIP, rng) is None


@given(SEEDS)
def test_a_segment_has_its_length_and_keeps_away_from_the_ends(seed: int) -> None:
    found = segment(np.random.default_rng(seed))
    assert SHORTEST <= found.end - found.start <= LONGEST
    assert FADE <= found.start < found.end <= 1 - FADE + 1e-12


@given(SEEDS)
def test_outside_the_segment_and_its_fades_every_bit_stays(seed: int) -> None:
    rng, one = np.random.default_rng(seed), recording(seed % SONGS)
    own, other, passage = (
        one.heard(0, CLIP),
        recording((seed + 1) % SONGS).heard(99, CLIP),
        segment(rng),
    )
    mixed = replaced(own, other, passage)
    for before, inside, after in zip(own, other, mixed, strict=True):
        middles = (np.arange(len(before)) + 0.5) / len(before)
        away = np.maximum(passage.start - middles, middles - passage.end)
        assert (after[away >= FADE] == before[away >= FADE]).all()
        assert (after[away <= 0] == inside[away <= 0]).all()
        assert np.isfinite(after).all()
        assert after.dtype == np.float32


def test_the_power_of_a_crossfade_of_two_noises_is_constant() -> None:
    shares = np.clip(np.linspace(-0.2, 1.2, 50), 0, 1)
    mixed = replaced_mel(noise(0), noise(1), np.sin(np.pi / 2 * shares) ** 2)
    power = 10 * np.log10(np.exp(2 * mixed.astype(np.float64)).mean(axis=1))
    assert np.abs(power).max() < 0.2


def test_notes_in_a_fade_count_in_part_and_their_pitch_is_that_of_what_sounds() -> None:
    own, other = np.zeros((2, 1, notes.COLUMNS), np.float32)
    own[0, notes.SOUNDING] = [0, 1, 0, 3, 0]
    own[0, notes.PITCH] = [0, -1, 0, 0.5, 0]
    other[0, notes.SOUNDING] = [0, 0, 0, 1, 2]
    other[0, notes.PITCH] = [0, 0, 0, -0.5, 1]
    mixed = replaced_notes(own, other, np.array([0.25]))[0]
    assert mixed[notes.SOUNDING].tolist() == [0, 0.75, 0, 2.5, 0.5]
    assert mixed[notes.PITCH] == pytest.approx([0, -1, 0, 0.4, 1])


def test_only_fades_are_mixed_and_as_if_all_rows_were() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(-4, 3, (2, 90, 160)).astype(np.float32)
    shares = np.concatenate([np.zeros(30), np.linspace(0.05, 0.95, 30), np.ones(30)])
    mixed = replaced_mel(own, other, shares)
    assert np.array_equal(mixed[:30], own[:30]) and np.array_equal(mixed[60:], other[60:])
    share = shares[30:60, None]
    powers = (1 - share) * np.exp(2.0 * own[30:60]) + share * np.exp(2.0 * other[30:60])
    np.testing.assert_allclose(mixed[30:60], np.log(powers) / 2, rtol=1e-5, atol=1e-5)


@given(SEEDS)
def test_what_is_moved_is_real_music_of_the_same_recording(seed: int) -> None:
    one, start = recording(seed % SONGS), 5 * ROW_RATE
    by = off_the_beat(one, start, CLIP, np.random.default_rng(seed))
    assert by is not None and by == off_the_beat(one, start, CLIP, np.random.default_rng(seed))
    found = one.heard(start + by, CLIP)
    assert [part.shape for part in found] == [(CLIP, 160), (CLIP // 2, notes.COLUMNS)]


@given(SEEDS)
def test_sound_and_notes_are_moved_by_the_same(seed: int) -> None:
    one = recording(seed % SONGS)
    start = int(np.random.default_rng(seed).integers(0, 16 * ROW_RATE))
    heard = one.heard(start, CLIP)
    assert (heard.notes == notes.rows(one.piece, start / ROW_RATE, CLIP // 2)).all()
    assert (heard.mel == one.mel[start : start + CLIP]).all()


def test_nothing_sounds_in_silence() -> None:
    found = silence(CLIP)
    assert (found.mel == np.float32(SILENCE)).all() and found.mel.shape == (CLIP, 160)
    assert not found.notes.any()
