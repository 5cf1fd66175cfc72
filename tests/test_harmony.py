"""How harmony moves, and how it follows a plan."""

import math

import numpy as np
import pytest

from emsync.metrics.harmony import followed, movement, movement_of, on_chord, real_songs
from emsync.music import chords as ch
from emsync.music.chords import NONE, Harmony, half_bars
from emsync.music.piece import BASS, DRUMS, PIANO, Piece

C, F, G, G7, AM = (ch.parse_chord(name) for name in ("C", "F", "G", "G7", "Am"))


def played(chords: list[int], seconds: float = 1.0) -> Piece:
    """Return block chords, each of half a bar."""
    rows = []
    for i, number in enumerate(chords):
        quality, root = divmod(number, 12)
        time = (i * seconds, (i + 1) * seconds)
        rows.append((BASS, 36 + root, *time))
        steps = list(ch.QUALITIES.values())[quality]
        rows += [(PIANO, 60 + root + step, *time) for step in steps]
    return Piece.of(np.array(rows, np.float64), np.arange(len(chords) // 2 + 1.0) * 2 * seconds)


def test_movement_counts_what_it_says() -> None:
    chords = np.array([C, C, F, F, G, G7, C, C])
    moves = movement(chords, np.arange(9.0), tonic=0)
    assert moves.distinct == 3  # G and G7 are one
    assert moves.changes == pytest.approx(2 * 3 / 7)
    assert moves.commonest == 0.5
    assert moves.drone == 2.0
    assert moves.cadences == 1.0
    assert math.isnan(moves.on_chord)


def test_what_is_distinct_does_not_grow_with_time() -> None:
    once = [C, F, G, AM] * 15
    long = np.array(once * 3)
    assert movement(long, np.arange(len(long) + 1.0), 0).distinct == 4


def test_silence_is_no_chord_and_ends_a_drone() -> None:
    moves = movement(np.array([C, NONE, C, C, NONE]), np.arange(6.0), 0)
    assert (moves.distinct, moves.commonest, moves.drone, moves.changes) == (1, 1, 2, 0)
    assert math.isnan(moves.cadences)
    nothing = movement(np.array([NONE]), np.arange(2.0), 0)
    assert all(math.isnan(value) for value in vars(nothing).values())


def test_a_piece_is_measured_by_what_is_heard_in_it() -> None:
    chords = [C, C, AM, AM, F, F, G, G] * 3
    moves = movement_of(played(chords))
    assert moves.on_chord == pytest.approx(1.0)
    assert moves.distinct == 4
    assert moves.drone == 2.0
    drums = Piece.of(np.array([(DRUMS, 36, 0.0, 1.0)]), np.array([0.0, 2.0]))
    for piece in (drums, Piece.of(np.zeros((0, 4)))):
        assert all(math.isnan(value) for value in vars(movement_of(piece)).values())


def test_a_piece_follows_its_own_chords_and_no_others() -> None:
    chords = [C, AM, F, G7]
    piece = played(chords)
    edges = half_bars(piece.downbeats)
    own = followed(Harmony(edges[:-1], np.array(chords)), piece, edges)
    assert (own.root, own.chord, own.half_bars) == (1, 1, 4)
    assert own.on_chord == pytest.approx(1)
    other = [C, ch.parse_chord("A"), F, G]
    near = followed(Harmony(edges[:-1], np.array(other)), piece, edges)
    assert (near.root, near.chord, near.half_bars) == (1, 0.5, 4)
    assert near.on_chord < 1
    moved = followed(Harmony(edges[:-1], np.roll(chords, 1)), piece, edges)
    assert (moved.root, moved.chord) == (0, 0)


def test_half_bars_without_sound_or_plan_say_nothing() -> None:
    piece = played([C, AM, F, G]).until(2.0)
    edges = np.arange(5.0)
    result = followed(Harmony(np.array([1.0]), np.array([AM])), piece, edges)
    assert (result.root, result.half_bars) == (1, 1)
    none = followed(Harmony(np.zeros(0), np.zeros(0, np.intp)), piece, edges)
    assert math.isnan(none.root) and none.half_bars == 0


def test_time_on_chord_is_weighed_by_sound() -> None:
    rows = np.array([(PIANO, 60, 0.0, 1.0), (PIANO, 62, 0.0, 0.5), (DRUMS, 38, 0.0, 1.0)])
    share = on_chord(Piece.of(rows), np.array([C]), np.array([0.0, 1.0]))
    assert share == pytest.approx(2 / 3)


def test_real_songs_have_a_range_for_every_measure() -> None:
    ranges = real_songs()
    assert set(ranges) == set(vars(movement(np.array([C]), np.arange(2.0), 0)))
    assert all(r.low <= r.median <= r.high and r.median in r for r in ranges.values())
