"""Laws of the regimes of a film's flow: the cheapest division, by exact dynamic programming."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.arrays import Float64s
from emsync.retrieval.regimes import EPSILON, Stretch, places, regimes


def cost(signal: Float64s, start: int, stop: int) -> float:
    """The law of the paper, slowly."""
    covariance = np.atleast_2d(np.cov(signal[start:stop].T, bias=True))
    return float(
        (stop - start) * np.linalg.slogdet(covariance + EPSILON * np.eye(len(covariance)))[1]
    )


def total(signal: Float64s, stretches: list[Stretch]) -> float:
    return sum(cost(signal, *stretch) for stretch in stretches)


def cheapest(signal: Float64s, count: int, least: int) -> float:
    """The least cost of any division, each of them tried."""
    ways = (
        list(pairwise((0, *cut, len(signal))))
        for cut in combinations(range(1, len(signal)), count - 1)
    )
    fit = (way for way in ways if count == 1 or min(b - a for a, b in way) >= least)
    return min(total(signal, way) for way in fit)


@st.composite
def signals(draw: st.DrawFn) -> Float64s:
    length, channels = draw(st.integers(2, 16)), draw(st.integers(1, 3))
    scale = draw(st.sampled_from([0.01, 1.0, 30.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    signal = scale * rng.gamma(1, 1, (length, channels))
    signal[: draw(st.integers(0, length))] *= 3
    return signal


@given(signals(), st.integers(1, 5), st.integers(2, 5))
def test_no_division_is_cheaper(signal: Float64s, most: int, least: int) -> None:
    found = regimes(signal, most, least)
    count = max(1, min(most, len(signal) // least))
    assert total(signal, found) == pytest.approx(cheapest(signal, count, least), rel=1e-6, abs=1e-6)


@given(signals(), st.integers(1, 5), st.integers(1, 5))
def test_regimes_tile_the_film_and_none_is_too_short(
    signal: Float64s, most: int, least: int
) -> None:
    found = regimes(signal, most, least)
    assert (found[0][0], found[-1][1]) == (0, len(signal))
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert len(found) == max(1, min(most, len(signal) // least))
    assert len(found) == 1 or min(stop - start for start, stop in found) >= least


@given(signals(), st.floats(-100, 100))
def test_a_constant_changes_nothing(signal: Float64s, more: float) -> None:
    found, moved = regimes(signal, 3, 2), regimes(signal + more, 3, 2)
    assert total(signal, moved) == pytest.approx(total(signal, found), rel=1e-4, abs=1e-4)


def test_slow_fast_slow_is_cut_where_it_changes() -> None:
    rng = np.random.default_rng(0)
    speeds = np.repeat([0.1, 0.8, 0.1], [17, 22, 21])
    signal = (speeds * rng.normal(1, 0.2, 60))[:, None]
    found = regimes(signal, 3, 10)
    assert np.abs(np.array([start for start, _ in found]) - [0, 17, 39]).max() <= 1


def test_a_change_of_variance_alone_is_a_change() -> None:
    rng = np.random.default_rng(0)
    signal = 1 + np.repeat([0.01, 0.5], 30)[:, None] * rng.normal(0, 1, (60, 1))
    assert abs(regimes(signal, 2, 10)[0][1] - 30) <= 1


def test_a_short_or_a_still_film_has_regimes_too() -> None:
    assert regimes(np.ones((1, 1)), 10, 10) == [(0, 1)]
    assert regimes(np.arange(19.0)[:, None], 10, 10) == [(0, 19)]
    assert [stop - start for start, stop in regimes(np.zeros((30, 1)), 10, 10)] == [10, 10, 10]


@pytest.mark.parametrize(("length", "channels"), [(60, 1), (120, 1), (90, 2)])
@pytest.mark.filterwarnings("ignore:New behaviour:UserWarning")
def test_ruptures_finds_the_same(length: int, channels: int) -> None:
    ruptures = pytest.importorskip("ruptures")
    signal = np.random.default_rng(length).gamma(1, 1, (length, channels))
    signal[: length // 3] *= 4
    twin = ruptures.Dynp(model="normal", min_size=10, jump=1).fit(signal).predict(n_bkps=3)
    assert [stop for _, stop in regimes(signal, 4, 10)] == twin


def test_places_are_a_permutation_with_the_earlier_of_equals_first() -> None:
    assert places([0.1, 0.7, 0.7, 0.3]).tolist() == [3, 0, 1, 2]
    assert places([0.0, 0.0, 0.0]).tolist() == [0, 1, 2]
    found = places(np.random.default_rng(0).random(50).tolist())
    assert sorted(found) == list(range(50))
