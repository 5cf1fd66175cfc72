"""Fades: one boundary at the middle, and none where there is no scene on the other side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.video.cuts import Cut, fades, with_fades

TIMES = np.arange(0, 20, 0.04)


def film(black: float, length: float, slope: float, light: float = 0.5) -> np.ndarray:
    """Return the brightness of a film that is black for ``length`` seconds from ``black`` on."""
    away = np.maximum(black - TIMES, TIMES - (black + length))
    return light * np.clip(away / slope, 0, 1)


@given(st.floats(3, 14), st.floats(0.2, 1.5), st.floats(0.1, 1.4))
def test_a_fade_is_one_boundary_at_its_middle(black: float, length: float, slope: float) -> None:
    ((start, middle, end),) = fades(TIMES, film(black, length, slope))
    assert middle == pytest.approx(black + length / 2, abs=0.06)
    assert start < middle < end
    ((_, white, _),) = fades(TIMES, 1.0 - film(black, length, slope))
    assert white == pytest.approx(middle, abs=0.04)


def test_a_film_that_begins_or_ends_black_has_no_fade_there() -> None:
    assert fades(TIMES, film(-1.0, 2.0, 0.5)) == []
    assert fades(TIMES, film(18.5, 5.0, 0.5)) == []


def test_a_night_with_flashes_has_no_fades() -> None:
    night = np.full(len(TIMES), 0.005)
    night[::60] = 0.6
    assert fades(TIMES, night) == []


def test_cuts_within_a_fade_belong_to_it() -> None:
    cuts = [Cut(4.0), Cut(8.05), Cut(8.6)]
    merged = with_fades(cuts, TIMES, film(8.0, 0.6, 0.02))
    assert [round(c.time, 1) for c in merged] == [4.0, 8.3]
    assert merged[1].reason == "a fade" and merged[1].strength == 1.0
    assert merged[1].kept
