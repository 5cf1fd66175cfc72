"""Notes as rows in time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync.synchrony.notes import COLUMNS, ONSETS, PITCH, RATE, SOUNDING, rows


def song(seed: int, notes: int = 60) -> Piece:
    rng = np.random.default_rng(seed)
    onsets = rng.uniform(2, 7, notes)
    columns = (rng.integers(0, 5, notes), rng.integers(21, 109, notes), onsets,
               onsets + rng.uniform(0.01, 1.5, notes))  # fmt: skip
    return Piece.of(np.stack(columns, axis=1))


def test_a_row_tells_what_begins_what_sounds_and_how_high_it_is() -> None:
    piece = Piece.of(np.array([
        (PIANO, 60, 0.1, 0.2), (PIANO, 84, 0.1, 0.15), (DRUMS, 36, 0.0, 0.001), (BASS, 36, -1, 9),
    ]))  # fmt: skip
    found = rows(piece, 0.0, 10)
    assert found.shape == (10, COLUMNS)
    assert found.dtype == np.float32
    onsets, sounding, pitch = (found[:, block] for block in (ONSETS, SOUNDING, PITCH))
    assert onsets[:, PIANO].tolist() == [0, 0, 0, 0, 2, 0, 0, 0, 0, 0]
    assert sounding[:, PIANO].tolist() == [0, 0, 0, 0, 2, 2, 1, 1, 0, 0]
    assert pitch[:, PIANO].tolist() == [0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0]
    assert sounding[:, DRUMS].tolist() == [1] + [0] * 9
    assert onsets[:, BASS].sum() == 0
    assert (sounding[:, BASS] == 1).all()
    assert (pitch[:, BASS] == -1).all()


@given(st.integers(0, 999), st.integers(-15, 15))
def test_a_piece_moved_by_tenths_of_a_second_has_its_rows_moved_by_fours(
    seed: int, tenths: int
) -> None:
    piece, count = song(seed), 10 * RATE
    before = rows(piece, 0.0, count)
    after = rows(piece.retimed(lambda times: times + tenths * 0.1), 0.0, count)
    np.testing.assert_allclose(after, np.roll(before, 4 * tenths, axis=0), atol=1e-6)


@given(st.integers(0, 999), st.integers(0, 300))
def test_rows_from_a_later_start_are_those_of_the_whole_from_there(seed: int, first: int) -> None:
    piece = song(seed)
    whole = rows(piece, 0.0, 10 * RATE)
    part = rows(piece, first / RATE, 100)
    np.testing.assert_allclose(part, whole[first : first + 100], atol=1e-6)


def test_rows_of_silence_are_zeros() -> None:
    assert not rows(Piece.of(np.zeros((0, 4))), 0.0, 8).any()
    assert not rows(song(0), 100.0, 8).any()
    assert not rows(song(0), -100.0, 8).any()
