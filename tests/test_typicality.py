"""Likeness to real songs: what is never heard in one counts less."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, Piece
from emsync.music.typicality import TYPICAL, typicality

CHORDS = ((60, 64, 67), (57, 60, 64), (65, 69, 72), (62, 67, 71))


def song(chords: tuple[tuple[int, ...], ...] = CHORDS, duration: float = 16.0) -> Piece:
    """Chords of two seconds in two hands, a bass that walks through them, and a drum."""
    rows = []
    for i, start in enumerate(np.arange(0, duration, 2.0)):
        chord = chords[i % len(chords)]
        for k, t in enumerate(np.arange(start, start + 2, 0.5)):
            rows += [(PIANO, p, t, t + 0.5) for p in chord]
            rows += [(BASS, chord[k % 3] - 24, t, t + 0.5), (DRUMS, 36, t, t + 0.1)]
            rows += [(GUITAR, chord[k % 3] + 12, t, t + 0.25)]
    return Piece.of(np.array(rows))


def test_a_song_of_four_chords_is_typical_and_one_tone_is_not() -> None:
    assert typicality(song(), 16.0) > 0.8
    still = song(((60, 64, 67),))
    drone = Piece.of(np.array([(PIANO, 59, t, t + 0.4) for t in np.arange(0, 16, 0.5)]))
    assert typicality(drone, 16.0) < 0.2 < typicality(still, 16.0) < typicality(song(), 16.0)


def test_silence_counts_by_its_share_and_drums_alone_for_nothing() -> None:
    assert typicality(song(), 32.0) == pytest.approx(typicality(song(), 16.0) / 2)
    assert typicality(Piece.of(np.array([(DRUMS, 36, 0.0, 0.1)])), 4.0) == 0.0
    assert typicality(Piece.of(np.zeros((0, 4))), 4.0) == 0.0


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(21, 108), st.floats(0, 19), st.floats(0.05, 3)),
        max_size=30,
    ),
    st.floats(0.1, 30),
)
def test_any_piece_has_a_likeness_from_0_to_1(
    notes: list[tuple[int, int, float, float]], duration: float
) -> None:
    rows = [(c, p, t, t + long) for c, p, t, long in notes]
    assert 0.0 <= typicality(Piece.of(np.array(rows, np.float64).reshape(-1, 4)), duration) <= 1.0


def test_real_songs_are_typical(shared: Path) -> None:
    from emsync.data.songs import read_song

    files = sorted((shared / "corpus" / "lpd-samples").rglob("*.npz"))
    told = [typicality(song, song.duration) for song in map(read_song, files)]
    assert np.median(told) > 0.8
    assert all(low < high for low, high in TYPICAL.values())
