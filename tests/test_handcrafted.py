"""The 1,140 numbers of CBVMR: what they tell of a tone and of noise, of silence, and in blocks."""

import numpy as np
import pytest

from emsync.arrays import Float32s
from emsync.retrieval.handcrafted import BANDS, BLOCK, WIDTH, handcrafted
from emsync.retrieval.heard import RATE, hear

HALF, KINDS = WIDTH // 6, WIDTH // 3  # numbers of a part of the sound; of each kind


def tone(seconds: float, pitch: float = 440.0) -> Float32s:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)


def clicks(seconds: float) -> Float32s:
    sound = np.zeros(round(seconds * RATE), np.float32)
    sound[:: RATE // 5] = 0.9
    return sound


def test_a_tone_is_harmonic_and_clicks_are_percussive() -> None:
    def bands(sound: Float32s) -> tuple[float, float]:
        means = handcrafted(sound, 1.0)[1, :KINDS].astype(np.float64)
        first = means[24 : 24 + BANDS], means[HALF + 24 : HALF + 24 + BANDS]
        return float(first[0].max()), float(first[1].max())

    harmonic, percussive = bands(tone(3))
    assert harmonic > percussive + 10  # decibels
    harmonic, percussive = bands(clicks(3))
    assert percussive > harmonic + 10


def test_a_tone_is_the_strongest_of_its_pitch_classes() -> None:
    row = handcrafted(tone(3), 1.0)[1]
    assert row[:12].argmax() == row[12:24].argmax() == 9  # A
    assert row[0] < row[9] - 10


@pytest.mark.parametrize("samples", [1, RATE + 1])
def test_each_second_has_a_row_of_finite_numbers(samples: int) -> None:
    for sound in (tone(3)[:samples], np.zeros(samples, np.float32)):
        rows = handcrafted(sound, 1.0)
        assert rows.shape == (-(-samples // RATE), WIDTH)
        assert np.isfinite(rows).all()
        mean, variance, greatest = np.split(rows.astype(np.float64), 3, axis=1)
        assert (variance >= 0).all() and (greatest >= mean - 0.1).all()


def test_they_are_heard_where_they_are_asked_for_and_loudness_has_no_part() -> None:
    sound = tone(2) + clicks(2)
    loud, soft = (hear((gain * sound).astype(np.float32), ("handcrafted",)) for gain in (1, 1e-2))
    assert loud.keys() == {"handcrafted", "beats", "strength"}
    for kind in (0, 2):  # means and the largest; variances of what is nearly nought are chance
        one, two = (
            np.split(c["handcrafted"].astype(np.float64), 3, axis=1)[kind] for c in (loud, soft)
        )
        np.testing.assert_allclose(one, two, atol=1.0)
    assert "handcrafted" not in hear(sound)


@pytest.mark.slow
def test_blocks_do_not_show() -> None:
    rng = np.random.default_rng(0)
    sound = (tone(BLOCK + 4) + 0.05 * rng.normal(size=(BLOCK + 4) * RATE)).astype(np.float32)
    whole = handcrafted(sound, 1.0).astype(np.float64)
    begin = handcrafted(sound[: (BLOCK - 1) * RATE], 1.0).astype(np.float64)
    np.testing.assert_allclose(whole[: BLOCK - 3], begin[: BLOCK - 3], atol=0.5)
    usual = np.abs(np.diff(whole[2 : BLOCK - 2, :KINDS], axis=0)).mean()
    across = np.abs(whole[BLOCK] - whole[BLOCK - 1])[:KINDS].mean()
    assert across < 1.5 * usual
