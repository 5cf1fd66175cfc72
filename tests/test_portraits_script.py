"""The script that teaches the judge of likeness."""

from types import ModuleType

import numpy as np
import pytest
from scripts_loaded import load_script

from emsync.music.piece import PIANO, Piece


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("portraits")


def test_excerpts_are_whole_bars_from_within_and_the_last_ones(script: ModuleType) -> None:
    rows = [(PIANO, 60 + k % 12, 0.5 * k, 0.5 * k + 0.5) for k in range(48)]
    song = Piece.of(np.array(rows), downbeats=np.arange(0.0, 25.0, 2.0))
    start, within = script.excerpt(song, 4, ends=False)
    assert (start, within.duration, len(within)) == (8.0, 8.0, 16)
    start, last = script.excerpt(song, 4, ends=True)
    assert (start, last.duration, len(last)) == (16.0, 8.0, 16)
    assert script.excerpt(song, 16, ends=False) is None


def test_a_measure_that_tells_damage_gets_weight_and_one_that_does_not_none(
    script: ModuleType,
) -> None:
    rng = np.random.default_rng(0)
    telling, other, misleading = rng.random(200), rng.normal(size=200), -rng.random(200)
    apart = np.stack([telling, other, misleading], axis=1)
    contest = script.Contest(apart, np.array(["a", "b"] * 100), np.full(200, 8))
    weights = script.fit(contest)
    assert weights[0] > 1 and weights[2] == 0
    assert contest.won(weights) > 0.9
    assert contest.won(np.zeros(3)) == 0.5
