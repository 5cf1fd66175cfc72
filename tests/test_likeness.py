"""Likeness to real songs: what is damaged is less like them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.evaluation.damaged import DAMAGES
from emsync.metrics.likeness import costs, judge, likeness
from emsync.metrics.portrait import beside, portrait, ranges_of, real_songs, songs_like
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, Piece

CHORDS = ((60, 64, 67), (57, 60, 64), (65, 69, 72), (62, 67, 71))
TUNE = (72, 74, 76, 74, 72, 69, 72, 76, 77, 76, 74, 72, 71, 74, 67, 71)


def song(duration: float = 32.0) -> Piece:
    """Chords of two seconds, a bass on their roots, a tune and drums."""
    rows = []
    for i, start in enumerate(np.arange(0, duration, 2.0)):
        chord = CHORDS[i % 4]
        for k, t in enumerate(np.arange(start, start + 2, 0.5)):
            rows += [(PIANO, p, t, t + 0.5) for p in chord]
            rows += [(BASS, chord[k % 3] - 24, t, t + 0.5), (DRUMS, 36, t, t + 0.1)]
            rows += [(GUITAR, TUNE[(4 * i + k) % 16], t, t + 0.4)]
    return Piece.of(np.array(rows), downbeats=np.arange(0, duration, 2.0))


def judged(piece: Piece, seconds: float | None = None) -> float:
    return likeness(portrait(piece, seconds), len(piece.downbeats))


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_song_is_more_like_songs_than_its_damaged_twin(kind: str) -> None:
    twin = DAMAGES[kind](song(), np.random.default_rng(0))
    assert twin is not None
    if kind != "shuffled bars":  # four chords in another order are a song
        assert judged(twin) < judged(song())


def test_silence_counts_by_its_share_and_drums_alone_for_nothing() -> None:
    assert judged(song(), 64.0) < 0.6 * judged(song())
    drums = Piece.of(np.array([(DRUMS, 36, 0.0, 0.1)]), np.arange(0.0, 4.0, 2.0))
    assert judged(drums, 4.0) == judged(Piece.of(np.zeros((0, 4))), 4.0) == 0.0


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(21, 108), st.floats(0, 19), st.floats(0.05, 3)),
        max_size=30,
    ),
    st.floats(0.1, 30),
)
def test_any_piece_has_a_portrait_and_a_likeness_from_0_to_1(
    notes: list[tuple[int, int, float, float]], duration: float
) -> None:
    rows = [(c, p, t, t + long) for c, p, t, long in notes]
    found = portrait(Piece.of(np.array(rows, np.float64).reshape(-1, 4)), duration)
    assert set(found) <= set(songs_like(8))
    assert 0.0 <= likeness(found, duration / 2) <= 1.0


def test_what_costs_is_named_dearest_first() -> None:
    rows = song().rows
    rows[rows[:, 0] == GUITAR, 1] = 72
    found = portrait(Piece.of(rows, song().downbeats))
    told = costs(found, 16)
    assert next(iter(told)) == "texture.stuck" and set(told) == set(judge()[0])
    assert list(told.values()) == sorted(told.values(), reverse=True)


def test_pieces_are_put_beside_songs_measure_by_measure() -> None:
    found = [portrait(song(length)) for length in (16.0, 32.0)]
    rows = beside(found, [ranges_of([found[1]]), {}])
    assert rows["register.bass"]["inside"] == 1 and rows["texture.drums"]["median"] == 2
    assert rows["bass.roots"]["n"] == 2 and rows["cadence.tones"]["low"] == 3
    assert np.isnan(rows["register.strings"]["median"]) and rows["register.strings"]["n"] == 0
    assert set(real_songs()) == {4, 8, 16, 32}
    assert songs_like(40) is real_songs()[32] and songs_like(0.5) is real_songs()[4]


def test_real_songs_are_like_songs(shared: Path) -> None:
    from emsync.data.songs import read_song

    files = sorted((shared / "corpus" / "lpd-samples").rglob("*.npz"))
    assert np.median([judged(piece) for piece in map(read_song, files)]) > 0.6
