"""Motifs: how alike two spans are, and what comes back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.metrics.motifs import (
    Similarity,
    counted,
    motifs,
    returned,
    returns_of,
    rhythms,
    similarity,
    span,
)
from emsync.music.lead_sheet import Passage
from emsync.music.piece import BASS, DRUMS, PIANO, Piece

PLAYERS = st.sampled_from([DRUMS, BASS, PIANO])
NOTES = st.tuples(PLAYERS, st.integers(40, 80), st.integers(0, 63), st.integers(1, 8))


def played(notes: list[tuple[int, int, int, int]]) -> Piece:
    """Return notes of class, pitch, sixteenth and sixteenths, in beats."""
    rows = [(c, p, at / 4, (at + n) / 4) for c, p, at, n in notes]
    return Piece.of(np.array(rows, np.float64).reshape(-1, 4))


LINE = [(PIANO, pitch, 2 * i, 2) for i, pitch in enumerate((60, 64, 67, 72, 71, 67, 64, 62))]


@given(st.lists(NOTES, max_size=30), st.lists(NOTES, max_size=30))
def test_likeness_is_the_same_both_ways_and_from_none_to_all(
    one: list[tuple[int, int, int, int]], other: list[tuple[int, int, int, int]]
) -> None:
    a, b = played(one), played(other)
    there, back = similarity(a, b), similarity(b, a)
    assert there == back
    assert 0 <= there.motifs <= 1 and 0 <= there.rhythms <= 1
    if one:
        assert similarity(a, a).rhythms == pytest.approx(1)


def test_other_intervals_in_one_rhythm_and_one_melody_in_another_rhythm() -> None:
    line = played(LINE)
    other = played([(c, 127 - p, at, n) for c, p, at, n in LINE])
    assert similarity(line, other) == Similarity(0.0, 1.0)
    later = played([(c, p, at + 1, n) for c, p, at, n in LINE])
    assert similarity(line, later) == Similarity(0.0, 0.0)
    assert similarity(line, played([])).both == 0


def test_another_key_other_lengths_and_small_delays_make_no_difference() -> None:
    line = played(LINE)
    other = played([(c, p - 7, at, 1) for c, p, at, n in LINE]).retimed(lambda t: t + 0.04)
    assert similarity(line, other).both == pytest.approx(1)


def test_patterns_are_those_that_one_reads_in_the_notes() -> None:
    piece = played([(PIANO, 60, 0, 4), (PIANO, 76, 0, 4), (PIANO, 65, 4, 4), (PIANO, 67, 8, 1)])
    assert dict(counted(motifs(piece))) == {
        (PIANO, "upper", 0, -11, 2, 4, 4): 1,
        (PIANO, "lower", 0, 5, 2, 4, 4): 1,
    }
    assert dict(counted(rhythms(piece))) == {(PIANO, 0, 0, 4): 1, (PIANO, 1, 0): 1}
    assert not motifs(played([(DRUMS, 36, i, 1) for i in range(9)]))


def test_a_span_counts_from_its_start() -> None:
    piece = span(played(LINE), 1.0, 2.0)
    assert piece.pitches.tolist() == [67, 72]
    assert piece.onsets.tolist() == [0.0, 0.5]


def test_a_theme_that_comes_back_is_told_from_one_that_does_not() -> None:
    other = [(c, p + at // 4, at + at % 4, n) for c, p, at, n in LINE]

    def form(letters: str, *parts: list[tuple[int, int, int, int]]) -> float:
        notes = [(c, p, at + 16 * k, n) for k, part in enumerate(parts) for c, p, at, n in part]
        passages = [Passage(8.0 * k, 8.0 * k + 8, theme=x) for k, x in enumerate(letters)]
        return returned(played([(c, p, 2 * at, n) for c, p, at, n in notes]), passages)

    assert form("ABA", LINE, other, LINE) > 0.5 > 0 > form("ABA", LINE, other, other)
    assert math.isnan(form("AAA", LINE, LINE, LINE)) and math.isnan(form("ABC", LINE, LINE, LINE))


def test_phrases_of_four_bars_are_heard_in_what_returns() -> None:
    rng = np.random.default_rng(0)
    places = [np.sort(rng.choice(16, 6, replace=False)).tolist() for _ in range(16)]
    bars = [[(PIANO, int(rng.integers(50, 80)), at, 2) for at in places[k]] for k in range(16)]

    def returns(order: list[int]) -> float:
        notes = [(c, p, at + 16 * k, n) for k, b in enumerate(order) for c, p, at, n in bars[b]]
        return returns_of(played(notes)).phrases

    assert returns([0, 1, 2, 3] * 4) > 0.4
    assert abs(returns(list(range(16)))) < 0.2
    assert returns([0, 1, 2] * 5) < 0
    assert all(math.isnan(value) for value in vars(returns_of(played(LINE))).values())
