"""The Fréchet distance: closed forms, SciPy's root of a matrix, and few vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from emsync.arrays import Float64s
from emsync.metrics.frechet import distance

sizes = st.integers(1, 12)


def vectors(seed: int, rows: int, columns: int) -> Float64s:
    rng = np.random.default_rng(seed)
    drawn: Float64s = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns)) + 1
    return drawn


@given(st.integers(0, 99), sizes, sizes, sizes)
def test_it_is_nought_for_the_same_finite_and_alike_both_ways(
    seed: int, rows: int, others: int, columns: int
) -> None:
    one, two = vectors(seed, rows, columns), vectors(seed + 1, others, columns)
    assert distance(one, one) == pytest.approx(0, abs=1e-6)
    assert distance(one, one[::-1]) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(distance(one, two)) and distance(one, two) >= 0
    assert distance(one, two) == pytest.approx(distance(two, one))
    assert distance(3 * one, 3 * two) == pytest.approx(9 * distance(one, two))


def test_it_is_that_by_scipys_root() -> None:
    one, two = vectors(0, 200, 8), vectors(1, 150, 8)
    a, b = np.cov(one.T), np.cov(two.T)
    between = np.square(one.mean(axis=0) - two.mean(axis=0)).sum()
    expected = between + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert distance(one, two) == pytest.approx(expected)


def test_it_is_the_closed_form_for_independent_numbers() -> None:
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)  # covariance 1
    one, two = corners * [1, 2] + [0, 5], corners * [4, 3] + [2, 5]
    assert distance(one, two) == pytest.approx(2**2 + (4 - 1) ** 2 + (3 - 2) ** 2)
    assert distance(one, one + 1) == pytest.approx(2)


def test_what_is_no_set_of_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        distance(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="no set of vectors"):
        distance(np.zeros((0, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="not a finite number"):
        distance([[np.inf]], [[0.0]])
