"""Rests: songs in which instruments fall silent from bar lines to bar lines."""

import numpy as np
from numpy.typing import NDArray

from emsync.data.rests import playing, silenced, with_rests
from emsync.music.piece import BASS, GUITAR, PIANO, Piece
from emsync_tokenizers.events import Events

BARS = np.arange(0, 48, 2.0)


def song() -> Piece:
    """Piano and bass in every beat, the piano in chords; a guitar that holds each note for long."""
    beats = np.arange(0, 48, 0.5)
    notes = [(PIANO, 60 + k, t, t + 0.4) for t in beats for k in (0, 4, 7)]
    notes += [(BASS, 40, t, t + 0.4) for t in beats]
    notes += [(GUITAR, 50 + i % 5, t, t + 6.0) for i, t in enumerate(np.arange(0, 48, 2.0))]
    return Piece.of(np.array(notes), BARS, np.arange(0, 48, 4.0))


def masked(*resting: tuple[int, int]) -> NDArray[np.bool_]:
    rests = np.zeros((4, 5), np.bool_)
    for span, instrument in resting:
        rests[span, instrument] = True
    return rests


EDGES = np.array([8.0, 16.0, 20.0])


def test_who_rests_begins_no_note_and_holds_none() -> None:
    piece = song()
    left = silenced(piece, EDGES, masked((1, PIANO), (2, PIANO), (3, GUITAR)))
    for instrument, first, last in ((PIANO, 8, 20), (GUITAR, 20, 48)):
        mine = left.classes == instrument
        assert not (mine & (left.onsets < last) & (left.offsets > first)).any()
    assert left.offsets[left.classes == GUITAR].max() == 20.0
    untouched = left.where(left.classes == BASS)
    assert np.array_equal(untouched.rows, piece.where(piece.classes == BASS).rows)
    assert np.array_equal(left.downbeats, piece.downbeats)
    before = left.where(left.onsets < 8.0)
    assert np.array_equal(before.rows, piece.where(piece.onsets < 8.0).rows)


def test_a_boundary_chord_rests_with_its_notes() -> None:
    left = silenced(song(), EDGES, masked((1, PIANO), (1, GUITAR)))
    assert left.chords.tolist() == [t for t in np.arange(0, 48, 4.0) if not 8 <= t < 16]


def test_nobody_rests_where_no_one_is_told_to() -> None:
    piece = song()
    left = silenced(piece, EDGES, masked())
    assert np.array_equal(left.rows, piece.rows) and np.array_equal(left.chords, piece.chords)


def test_of_those_who_play_one_goes_on_and_about_a_third_rests() -> None:
    tokenizer, piece = Events(), song()
    ids, quiet = tokenizer.encode(piece), []
    for seed in range(60):
        out = with_rests(ids, tokenizer, np.random.default_rng(seed))
        again = with_rests(ids, tokenizer, np.random.default_rng(seed))
        left = tokenizer.decode(out)
        assert np.array_equal(out, again) and np.array_equal(left.downbeats, piece.downbeats)
        plays = playing(left, BARS[1:])
        assert plays.any(axis=1).all()
        quiet.append(1 - plays[:, BASS].mean())
    assert 0.2 < np.mean(quiet) < 0.4


def test_a_song_of_few_bars_stays_as_it_is() -> None:
    tokenizer = Events()
    ids = tokenizer.encode(song().until(14.0))
    assert with_rests(ids, tokenizer, np.random.default_rng(0)) is ids
