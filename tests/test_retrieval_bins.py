"""Rhythm and flow in classes: the values at every edge."""

import numpy as np
import pytest

from emsync.arrays import Float32s
from emsync.matching.matcher import Columns
from emsync.retrieval import bins


def beats(times: object, strength: float = 1.0) -> Columns:
    at = np.asarray(times, np.float32)
    return {"beats": at, "strength": np.full(len(at), strength, np.float32)}


def flowing(*values: float) -> Columns:
    return {"flow": np.repeat(np.array(values, np.float32), bins.QUARTERS)}


def of_flow(value: float) -> int:
    return int(bins.flow({"flow": np.array([value])}, 0, 1)[0, 0])


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (16, 16), (17, 17), (18, 17)])
def test_beats_are_counted_up_to_17(count: int, expected: int) -> None:
    found = bins.rhythm(beats(np.arange(count) * 0.2), 0, 4)
    assert found[0, 0] == expected


@pytest.mark.parametrize(
    ("strength", "expected"),
    [(0, 0), (0.49, 0), (0.5, 1), (1.49, 1), (1.5, 2), (2.5, 3), (47.49, 47), (47.5, 48), (90, 48)],
)
def test_strength_is_rounded(strength: float, expected: int) -> None:
    assert bins.rhythm(beats([1, 2], strength), 0, 4)[0, 1] == expected


@pytest.mark.parametrize("edge", range(64))
def test_intervals_have_64_even_bins(edge: int) -> None:
    inside, below = edge / 16, np.nextafter(np.float32(edge / 16), np.float32(0))
    assert bins.rhythm(beats([0, inside]), 0, 4)[0, 2] == edge
    assert bins.rhythm(beats([0, below]), 0, 4)[0, 2] == max(edge - 1, 0)


@pytest.mark.parametrize("times", [[], [1.0], [5.0, 6.0]])
def test_fewer_than_two_beats_have_no_interval(times: list[float]) -> None:
    assert bins.rhythm(beats(times), 0, 4)[0, 2] == 64


def test_flow_has_bins_even_in_the_logarithm() -> None:
    edges = 0.01 * (801 ** (np.arange(1, 64) / 64) - 1)
    np.testing.assert_allclose(bins.EDGES, edges, rtol=1e-12)
    for index, edge in enumerate(bins.EDGES):
        assert of_flow(edge) == index + 1
        assert of_flow(np.nextafter(edge, 0)) == index
    golden = {
        0.0: 0,
        0.01: 6,
        0.05: 17,
        0.1: 22,
        0.5: 37,
        1.0: 44,
        4.0: 57,
        7.2: 62,
        7.3: 63,
        8: 63,
    }
    assert {value: of_flow(value) for value in golden} == golden
    assert of_flow(100.0) == 63


def test_classes_grow_with_what_they_tell_of() -> None:
    values = np.linspace(0, 9, 500)
    assert (np.diff([of_flow(value) for value in values]) >= 0).all()
    strengths = [bins.rhythm(beats([0, 1], value * 6), 0, 4)[0, 1] for value in values]
    assert (np.diff(strengths) >= 0).all()


def test_each_4_s_is_told_of_by_itself_and_the_last_may_be_short() -> None:
    found = bins.rhythm(beats([0, 1, 2, 3, 4, 6, 8.5, 9.5]), 0, 9)
    np.testing.assert_array_equal(found, [[4, 1, 16], [2, 1, 32], [1, 1, 64]])
    found = bins.flow(flowing(0, 0, 0, 0, 1, 1, 1, 1, 0.1, 8), 0, 9)
    np.testing.assert_array_equal(found, [[0], [44], [22]])


def test_a_stretch_starts_anew() -> None:
    columns = beats([0, 1, 2, 3, 4, 6, 8.5, 9.5])
    np.testing.assert_array_equal(bins.rhythm(columns, 2, 6), [[3, 1, 16]])
    np.testing.assert_array_equal(bins.flow(flowing(0, 0, 1, 1, 1, 1, 0), 2, 6), [[44]])


@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_a_place_in_its_table(seed: int) -> None:
    chance = np.random.default_rng(seed)
    times: Float32s = np.sort(chance.uniform(0, 40, chance.integers(0, 200))).astype(np.float32)
    columns = {"beats": times, "strength": chance.exponential(20, len(times)).astype(np.float32)}
    found = bins.rhythm(columns, 3, 38)
    assert found.shape == (9, 3)
    assert (found >= 0).all()
    assert (found < [bins.COUNTS, bins.STRENGTHS, bins.INTERVALS]).all()
    told = bins.flow({"flow": chance.exponential(3, 160)}, 3, 38)
    assert told.shape == (9, 1)
    assert ((told >= 0) & (told < bins.FLOWS)).all()


def test_past_the_end_nothing_is_told_but_that_there_is_nothing() -> None:
    np.testing.assert_array_equal(bins.rhythm(beats([0, 1]), 4, 8), [[0, 0, 64]])
    np.testing.assert_array_equal(bins.flow(flowing(1, 1), 4, 8), [[0]])
