"""Dynamics: what is excited is louder, and nothing jumps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.piece import VELOCITY
from emsync.performance.dynamics import RAMP, RANGE, Dynamics

arousals = st.lists(st.floats(-1, 1), min_size=1, max_size=6)


def states(values: list[float]) -> list[tuple[float, float]]:
    return [(5.0 * i, a) for i, a in enumerate(values)]


def test_without_states_every_level_is_the_plain_one() -> None:
    assert Dynamics().at(np.array([0.0, 100.0])).tolist() == [VELOCITY] * 2
    assert Dynamics.of([]) == Dynamics() and Dynamics.of([(0.0, np.nan)]) == Dynamics()


@given(arousals)
def test_each_state_has_its_level_once_the_change_is_over(values: list[float]) -> None:
    dynamics = Dynamics.of(states(values))
    for i, a in enumerate(values):
        inside = np.array([5.0 * i + RAMP, 5.0 * i + 4.99])
        assert dynamics.at(inside) == pytest.approx(VELOCITY + RANGE * a)


@given(arousals)
def test_no_level_jumps_or_leaves_what_midi_has(values: list[float]) -> None:
    dynamics = Dynamics.of(states(values))
    moments = np.arange(0, 5.0 * len(values) + 5, 0.01)
    levels = dynamics.at(moments)
    assert np.abs(np.diff(levels)).max() <= 2 * RANGE / RAMP * 0.01 + 1e-9
