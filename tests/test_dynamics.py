"""Dynamics: what is excited is louder, and nothing jumps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.fit.dynamics import RAMP, RANGE, Dynamics
from emsync.music.piece import ACCENT, PIANO, VELOCITY, Piece, velocities
from emsync.performance.velocity import struck

arousals = st.lists(st.floats(-1, 1), min_size=1, max_size=6)


def states(values: list[float]) -> list[tuple[float, float]]:
    return [(5.0 * i, a) for i, a in enumerate(values)]


def test_without_states_every_velocity_is_the_plain_one() -> None:
    chord = [(PIANO, p, 1.0, 3.0) for p in (60, 64, 67)]
    piece = Piece.of(np.array([(PIANO, 60, 0.0, 1.0), *chord]), chords=np.array([1.0]))
    assert struck(piece, Dynamics()).tolist() == [VELOCITY] + [ACCENT] * 3
    assert np.array_equal(struck(piece, Dynamics()), velocities(piece))
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
    notes = np.column_stack([np.full(len(moments), PIANO), np.full(len(moments), 60), moments,
                             moments + 0.1])  # fmt: skip
    piece = Piece.of(notes, chords=moments)
    assert 1 <= struck(piece, dynamics).min() <= struck(piece, dynamics).max() <= 127
