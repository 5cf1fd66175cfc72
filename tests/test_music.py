"""A piece keeps its notes together, whatever is chosen of it and however its time runs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.arrays import Seconds
from emsync.fit.time_map import TimeMap
from emsync.music.piece import Piece

times = st.floats(0, 60, allow_subnormal=False)
notes = st.tuples(st.integers(0, 4), st.integers(21, 108), times, st.floats(0.01, 9)).map(
    lambda note: (*note[:3], note[2] + note[3])
)
pieces = st.builds(
    lambda rows, bars, chords: Piece.of(
        np.array(rows, np.float64), np.array(bars), np.array(chords), {"valence": 0.5}
    ),
    st.lists(notes, max_size=20),
    st.lists(times, max_size=6),
    st.lists(times, max_size=6),
)
rising = st.sampled_from(
    [
        lambda t: t,
        lambda t: 1.5 * t + 0.25,
        lambda t: t**2 / 60,
        lambda t: np.minimum(t, 20.0),
        np.floor,
        TimeMap(np.array([0.0, 10.0, 60.0]), np.array([0.0, 12.0, 55.0])).apply,
    ]
)


def plain(piece: Piece) -> tuple[list[tuple[float, ...]], list[float], list[float], Any]:
    """Return a piece as values that compare."""
    rows = [tuple(row) for row in piece.rows.tolist()]
    return rows, piece.downbeats.tolist(), piece.chords.tolist(), dict(piece.labels)


@given(pieces, st.data())
def test_the_notes_that_are_marked_stay_whole_and_in_order(
    piece: Piece, data: st.DataObject
) -> None:
    marks = st.lists(st.booleans(), min_size=len(piece), max_size=len(piece))
    first, second = (np.array(data.draw(marks), bool) for _ in range(2))
    rows, *rest = plain(piece)
    kept, *others = plain(piece.where(first))
    assert kept == [row for row, marked in zip(rows, first, strict=True) if marked]
    assert others == rest
    assert plain(piece.where(first).where(second[first])) == plain(piece.where(first & second))
    assert piece.where(first).classes.dtype == piece.classes.dtype


def test_a_mask_of_another_length_is_refused(piece: Piece) -> None:
    with pytest.raises(IndexError, match="boolean index did not match"):
        piece.where(np.ones(len(piece) + 1, bool))


@given(pieces, rising, rising)
def test_every_time_of_a_piece_moves_and_nothing_else(
    piece: Piece, f: Callable[[Seconds], Seconds], g: Callable[[Seconds], Seconds]
) -> None:
    moved = piece.retimed(f)
    assert moved.onsets.tolist() == [f(np.array([t]))[0] for t in piece.onsets]
    assert moved.offsets.tolist() == [f(np.array([t]))[0] for t in piece.offsets]
    assert moved.downbeats.tolist() == [f(np.array([t]))[0] for t in piece.downbeats]
    assert moved.chords.tolist() == [f(np.array([t]))[0] for t in piece.chords]
    assert np.array_equal(moved.classes, piece.classes)
    assert np.array_equal(moved.pitches, piece.pitches) and moved.labels == piece.labels
    assert (np.diff(moved.onsets) >= 0).all() and (moved.offsets >= moved.onsets).all()
    assert plain(moved.retimed(g)) == plain(piece.retimed(lambda times: g(f(times))))


@given(pieces, rising, st.data())
def test_it_is_one_whether_notes_are_chosen_or_moved_first(
    piece: Piece, f: Callable[[Seconds], Seconds], data: st.DataObject
) -> None:
    marks = data.draw(st.lists(st.booleans(), min_size=len(piece), max_size=len(piece)))
    mask = np.array(marks, bool)
    assert plain(piece.where(mask).retimed(f)) == plain(piece.retimed(f).where(mask))


@given(pieces, times)
def test_a_piece_until_a_moment_and_since_it_is_what_begins_before_and_after(
    piece: Piece, at: float
) -> None:
    rows, bars, chords, labels = plain(piece)
    assert plain(piece.until(at)) == (
        [(c, p, on, min(off, at)) for c, p, on, off in rows if on < at],
        [t for t in bars if t < at],
        [t for t in chords if t < at],
        labels,
    )
    assert plain(piece.since(at)) == (
        [(c, p, on - at, off - at) for c, p, on, off in rows if on >= at],
        [t - at for t in bars if t >= at],
        [t - at for t in chords if t >= at],
        labels,
    )


@given(pieces)
def test_rows_build_the_piece_that_they_are_of(piece: Piece) -> None:
    again = Piece.of(piece.rows, piece.downbeats, piece.chords, piece.labels)
    assert plain(again) == plain(piece)
