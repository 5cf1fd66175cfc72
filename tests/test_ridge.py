"""Ridge regression: what it minimises, and what happens at either end of the penalty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.ridge import Ridge


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_no_other_weights_cost_less(seed: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(3.0, 1.0, (20, 4)), rng.normal(size=20)

    def cost(model: Ridge) -> float:
        return float(((model.predict(x) - y) ** 2).sum() + penalty * (model.weights**2).sum())

    best = Ridge.fit(x, y, penalty)
    for _ in range(10):
        other = Ridge(best.weights + rng.normal(0, 0.1, 4), best.intercept + rng.normal(0, 0.1))
        assert cost(other) >= cost(best) - 1e-9


def test_it_finds_a_line_and_is_held_back_to_the_mean() -> None:
    x = np.array([[0.0], [1.0], [2.0]])
    line = Ridge.fit(x, 3 * x[:, 0] + 1, 1e-9)
    assert line.weights == pytest.approx([3.0]) and line.intercept == pytest.approx(1.0)
    assert Ridge.fit(x, x[:, 0], 1e9).predict(x) == pytest.approx([1.0] * 3, abs=1e-6)


def test_nothing_to_learn_from_predicts_nothing() -> None:
    nothing = Ridge.fit(np.zeros((0, 2)), np.zeros(0), 1.0)
    assert nothing.predict(np.ones((3, 2))).tolist() == [0.0] * 3
