"""Figures of retrieval: by brute force, by hand, and at the edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emsync.metrics.retrieval import (
    chance,
    figures,
    own,
    percentiles,
    permutation_p,
    ranks,
)

scores = arrays(np.float64, (4, 5), elements=st.integers(-2, 2).map(float))
answers = arrays(np.bool_, (4, 5)).map(lambda right: right | np.eye(4, 5, dtype=np.bool_))


@given(scores, answers)
def test_ranks_are_the_means_over_all_orders_of_equal_candidates(
    values: np.ndarray, right: np.ndarray
) -> None:
    for row, mine, rank in zip(values, right, ranks(values, right), strict=True):
        places = []
        for order in itertools.permutations(range(5)):
            # a sort that keeps the order of equal ones
            best_first = sorted(order, key=lambda candidate: -row[candidate])
            places.append(1 + next(i for i, candidate in enumerate(best_first) if mine[candidate]))
        assert rank == pytest.approx(np.mean(places))


def test_one_right_candidate_takes_the_middle_of_equal_ranks() -> None:
    assert ranks([[3.0, 3.0, 3.0, 1.0]], [[False, True, False, False]]).tolist() == [2.0]
    assert ranks([[3.0, 9.0, 3.0, 1.0]]).tolist() == [2.5]
    assert ranks([[-np.inf, 0.0, -np.inf]]).tolist() == [2.5]
    # that of the best of several right ones
    assert ranks([[1.0, 2.0, 3.0, 4.0]], [[True, False, True, False]]).tolist() == [2.0]


@given(scores)
def test_recall_is_that_by_brute_force(values: np.ndarray) -> None:
    found = figures(values, places=[1, 2, 5])
    for place, recall in found.recall.items():
        hits = 0
        for q, row in enumerate(values):
            above = (row > row[q]).sum() + ((row == row[q]).sum() - 1) / 2
            hits += above + 1 <= place
        assert recall.value == hits / 4
        assert recall.low <= recall.value <= recall.high
    assert found.recall[5].value == 1, "all are found among all"


def test_who_scores_all_alike_wins_nothing() -> None:
    alike = np.zeros((40, 40))
    found = figures(alike)
    assert found.percentile.value == found.percentile.low == 0.5
    assert found.recall[10].value == 0 and found.median.value == 20.5
    assert permutation_p(alike) == 1
    several = np.arange(40) < 4
    assert percentiles(alike, np.tile(several, (40, 1))).mean() == pytest.approx(1 / 5)


def test_perfect_and_worst() -> None:
    perfect = figures(np.eye(30))
    assert perfect.recall[1].value == perfect.median.value == 1 and perfect.percentile.value == 0
    assert permutation_p(np.eye(30)) == 1 / 1000
    worst = figures(-np.eye(30))
    assert worst.percentile.value == 1 and worst.median.value == 30
    assert permutation_p(-np.eye(30)) == 1


def test_random_scores_are_at_chance_within_their_interval() -> None:
    values = np.random.default_rng(4).normal(size=(200, 200))
    found, by_chance = figures(values), chance(values)
    assert by_chance.recall[10] == pytest.approx(0.05)
    assert (by_chance.median, by_chance.percentile) == (100.5, 0.5)
    for place, expected in by_chance.recall.items():
        assert found.recall[place].low <= expected <= found.recall[place].high
    assert found.median.low < by_chance.median < found.median.high
    assert found.percentile.low < 0.5 < found.percentile.high
    # the SD of a mean of 200 even shares is 0.0204
    assert found.percentile.high - found.percentile.low == pytest.approx(4 * 0.0204, rel=0.15)
    assert permutation_p(values, permutations=99) > 0.05


@given(answers)
def test_chance_is_the_mean_over_all_orders(right: np.ndarray) -> None:
    orders = np.array(list(itertools.permutations(range(5))), np.float64)
    found = [
        ranks(orders, np.tile(row, (len(orders), 1))) for row in right
    ]  # of each query in each order
    by_chance = chance(np.zeros((4, 5)), right, places=[1, 2, 9])
    for place, expected in by_chance.recall.items():
        assert expected == pytest.approx(np.mean(np.array(found) <= place))
    assert by_chance.median == np.median(found)
    shares = np.array([rank.mean() - 1 for rank in found]) / np.maximum(1, (~right).sum(axis=1))
    assert by_chance.percentile == pytest.approx(shares.mean())


def test_films_of_one_hand_are_no_independent_witnesses() -> None:
    values = np.random.default_rng(1).normal(size=(60, 60)) + 3 * (np.arange(60) < 30) * np.eye(60)
    alone = figures(values).percentile
    together = figures(values, units=["a"] * 30 + ["b"] * 30).percentile
    assert (alone.n, together.n) == (60, 2)
    assert alone.value == together.value
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert figures(values, seed=3) == figures(values, seed=3)


def test_queries_without_an_own_candidate_are_refused() -> None:
    assert own(np.zeros((2, 3))).tolist() == [[True, False, False], [False, True, False]]
    with pytest.raises(ValueError, match="no right candidate"):
        ranks(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="not a number"):
        ranks([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="are none"):
        ranks(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="do not belong"):
        ranks(np.zeros((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="one of each"):
        figures(np.eye(3), units=["a"])
