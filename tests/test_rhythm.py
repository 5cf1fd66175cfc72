"""Laws of the rhythm that pictures and music share, and of the film's visible impact."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from av import VideoFrame
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from emsync.errors import InputError
from emsync.metrics.rhythm import EPSILON, Variant, cm, continuous, discrete, distances, slide
from emsync.signals import AROUND, STEP_RATE, accents, bells, directions, flux
from emsync.video.impact import BINS, Impact, check_moves
from emsync.video.observers import Frame

values = st.floats(0, 10, allow_subnormal=False).map(lambda x: round(x, 3))
signals = st.lists(values, min_size=1, max_size=40)


def slow_cm(music: Sequence[float], pictures: Sequence[float], power: float, delay: int,
            variant: Variant) -> float:  # fmt: skip
    """Equation 6 at one delay, term by term; music is silent before and after."""
    top, seen = max(music, default=0) or 1.0, max(pictures) or 1.0
    total = energy = sight = 0.0
    for i, picture in enumerate(pictures):
        place = i + delay
        sound = (music[place] / top) ** power if 0 <= place < len(music) else 0.0
        total += sound * (picture / seen) ** power
        energy += sound**2
        sight += (picture / seen) ** (2 * power)
    if variant == "whole":
        energy = sum((x / top) ** (2 * power) for x in music)
    return total / math.sqrt(energy * sight) if energy > 1e-9 and sight > 0 else 0.0


def slow_dm(music: Sequence[float], pictures: Sequence[float], delay: float) -> float:
    """Equation 7 at one delay, by a double loop."""
    return 1 / (sum(min(abs(a - b - delay) for a in music) for b in pictures) + EPSILON)


def test_flux_is_the_sum_of_what_grows() -> None:
    rows = [[1.0, 5.0, 2.0], [3.0, 1.0, 2.5], [0.0, 0.0, 0.0], [0.0, 7.0, 1.0]]
    assert flux(rows).tolist() == [0.0, 2.5, 0.0, 8.0]
    assert flux(np.zeros((0, 3))).tolist() == []


def test_directions_gather_movement_around_each_angle() -> None:
    angles = np.radians([[359.0, 1.0], [89.0, 181.0]])
    assert directions([[1.0, 2.0], [4.0, 8.0]], angles, 4).tolist() == [3.0, 4.0, 8.0, 0.0]


def test_a_bell_is_as_high_as_its_value_and_stands_at_its_time() -> None:
    signal = bells([10 / STEP_RATE, 30.5 / STEP_RATE, 99 / STEP_RATE], [2.0, 1.0, 5.0], 60)
    assert signal[10] == pytest.approx(2.0)
    assert signal[11] == pytest.approx(2 * math.exp(-0.5))
    assert signal[30] == signal[31] == pytest.approx(math.exp(-0.125))
    assert signal[40:].max() == 0.0, "what comes after the end is left out"


def test_accents_stand_out_of_what_is_around_them() -> None:
    even = np.full(60, 0.1)
    assert accents(even).tolist() == [0.0] * 60, "what goes on is no accent"
    even[30] = 0.2
    told = accents(even)
    assert np.flatnonzero(told).tolist() == [30]
    assert told[30] == pytest.approx(0.1 * (1 - 1 / AROUND))
    edge = accents([0.2] + [0.1] * 59)
    assert edge[0] == pytest.approx(0.1 * (1 - 1 / (AROUND // 2 + 1))), "the mean of what is there"
    assert accents([]).tolist() == [] and accents([1.0]).tolist() == [0.0]


def test_few_strong_values_do_not_decide_and_rare_ones_are_kept() -> None:
    moves = np.zeros(430)
    moves[20::30] = 1.0
    cut = moves.copy()
    cut[215] = 40.0
    told = accents(cut)
    assert told[215] == told.max() < 4 * told[20], "a cut counts little more than a move"
    alone = np.zeros(430)
    alone[100] = 7.0
    assert np.flatnonzero(accents(alone)).tolist() == [100], "one that is all there is, is kept"


@given(signals, st.floats(0.01, 100))
def test_accents_are_no_more_than_the_signal_and_have_its_scale(
    shape: list[float], gain: float
) -> None:
    values = np.array(shape)
    told = accents(values)
    assert (told >= 0).all() and (told <= values).all()
    assert accents(values * gain) == pytest.approx(told * gain, rel=1e-6, abs=1e-7 * gain)


def test_cm_by_hand() -> None:
    music, pictures = [0, 0, 4, 0, 2, 0, 0, 0], [2, 0, 1]
    best = cm(music, pictures, power=1, variant="local")
    assert best.score == pytest.approx(1.0)
    assert best.delay == pytest.approx(2 / STEP_RATE)
    assert cm(music, pictures, power=1, variant="whole").score == pytest.approx(1.0)
    # at delay 0 only the 4 meets the 1: whole (1 * 0.5) / (sqrt(1.25) * sqrt(1.25))
    assert cm(music, pictures, 1, (0.0,), "whole").score == pytest.approx(0.4)
    assert cm(music, pictures, 1, (0.0,), "local").score == pytest.approx(0.5 / math.sqrt(1.25))
    # of power 5: 1 * 2**-5 over 1 + 2**-10
    assert cm(music, pictures, 5, (0.0,), "whole").score == pytest.approx(2**-5 / (1 + 2**-10))


@given(signals, signals, st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from(["whole", "local"]))
def test_cm_is_its_slow_twin(
    music: list[float], pictures: list[float], power: float, variant: Variant
) -> None:
    tried = range(-3, len(music) + 2)
    fast = [cm(music, pictures, power, [d / STEP_RATE], variant).score for d in tried]
    slow = [slow_cm(music, pictures, power, d, variant) for d in tried]
    top = max(music) or 1.0
    for f, s, d in zip(fast, slow, tried, strict=True):
        under = [x for x in music[max(0, d) : max(0, d + len(pictures))] if x]
        if variant == "whole" or not under or max(under) > 0.2 * top:  # or it counts as silence
            assert f == pytest.approx(s, abs=1e-6)
    best = cm(music, pictures, power, np.array(list(tried)) / STEP_RATE, variant)
    assert best.score == pytest.approx(max(fast))


@given(signals, st.integers(1, 10))
def test_sliding_by_fourier_is_sliding_by_hand(row: list[float], m: int) -> None:
    template = np.linspace(1, 2, min(m, len(row)))
    slow = np.correlate(np.asarray(row), template, "valid")
    assert slide(np.array([row, row]), template) == pytest.approx(np.array([slow, slow]), abs=1e-9)


@given(signals, st.integers(0, 20), st.floats(0.01, 100))
def test_music_that_begins_later_is_found_later_and_loudness_does_not_count(
    shape: list[float], late: int, gain: float
) -> None:
    pictures = np.array([*shape, 11.0])  # one strongest place, so that one delay is the best
    music = np.concatenate([np.zeros(late), pictures * gain, np.zeros(5)])
    best = cm(music, pictures)
    assert best.score == pytest.approx(1.0)
    assert best.delay == pytest.approx(late / STEP_RATE)


def test_many_pieces_at_once_are_each_alone() -> None:
    rng = np.random.default_rng(0)
    music, pictures = rng.uniform(0, 1, (5, 90)), rng.uniform(0, 1, 30)
    for variant in ("whole", "local"):
        curves = continuous(music, pictures, 1.0, variant)
        best = [cm(row, pictures, variant=variant).score for row in music]
        assert curves.max(axis=-1) == pytest.approx(np.array(best))
    steps = np.sort(rng.choice(90, 12, replace=False))
    comb = np.bincount([3, 9, 9, 22], minlength=30).astype(float)
    nearness = distances(steps / STEP_RATE, np.arange(90) / STEP_RATE)
    heard, sights = (steps / STEP_RATE).tolist(), [at / STEP_RATE for at in (3, 9, 9, 22)]
    slow = [slow_dm(heard, sights, delay / STEP_RATE) for delay in range(61)]
    assert discrete(nearness, comb) == pytest.approx(np.array(slow))


def test_degenerate_signals_have_defined_scores() -> None:
    assert cm([0, 0, 0], [1, 2]).score == 0.0, "silent music"
    assert cm([1, 2, 3], [0, 0]).score == 0.0, "still pictures"
    assert cm([], [1.0]).score == cm([1.0], []).score == cm([1.0], [1.0], delays=()).score == 0.0
    assert cm([1.0], [1.0]).score == 1.0, "one frame"
    assert cm([3.0], [0, 0, 3.0]).score == 0.0, "shorter music is followed by silence"
    assert cm([2.0] * 9, [5.0] * 4, variant="local").score == pytest.approx(1.0), "constant both"
    assert cm([1.0, *[1e-4] * 9], [1.0] * 3, 5, [4 / STEP_RATE], "local").score == 0.0, "too quiet"


def test_what_is_no_signal_is_refused() -> None:
    for wrong in ([-1.0], [np.nan], [[1.0]], [np.inf]):
        with pytest.raises(ValueError, match="signal of the music"):
            cm(wrong, [1.0])
    with pytest.raises(ValueError, match="the power is 0"):
        cm([1.0], [1.0], power=0)
    with pytest.raises(ValueError, match="variant 'local"):
        cm([1.0], [1.0], variant="locally")  # type: ignore[arg-type]


# --- the film -------------------------------------------------------------------------------------


def textured(seed: int = 1) -> NDArray[np.uint8]:
    import cv2

    noise = np.random.default_rng(seed).uniform(0, 255, (90, 400)).astype(np.float32)
    smooth: Any = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(
        cv2.normalize(smooth, np.zeros_like(smooth), 0, 255, cv2.NORM_MINMAX), np.uint8
    )


def moving(speeds: Sequence[float], fps: float = 25.0) -> Impact:
    """Return the impact of a picture that moves to the left by so many pixels each frame."""
    ground, impact, place = textured(), Impact(), 0.0
    for i, speed in enumerate([0, *speeds]):
        place += speed
        grey = np.ascontiguousarray(ground[:, round(place) : round(place) + 160])
        impact(Frame(i / fps, grey, grey, VideoFrame()))
    return impact


def test_movement_hits_where_it_begins_and_not_where_it_ends() -> None:
    signal = moving([0] * 10 + [3] * 10 + [0] * 10).envelope(31 / 25)
    assert signal.argmax() == pytest.approx(11 / 25 * STEP_RATE, abs=1)
    after = signal[round(15 / 25 * STEP_RATE) :]
    assert after.max() < 0.1 * signal.max(), "neither going on nor stopping is an impact"


def test_a_turn_hits_as_much_as_a_start() -> None:
    signal = moving([3] * 10 + [-3] * 10).envelope(21 / 25)
    assert signal[5:].argmax() + 5 == pytest.approx(11 / 25 * STEP_RATE, abs=1)


def test_what_wavers_within_one_side_is_no_impact_and_a_turn_is() -> None:
    for turned, expected in ((2, 0.0), (9, 1.0)):  # to the right in bin 0, then that many bins on
        impact = Impact()
        impact.times = [0.04, 0.08]
        impact.directogram = [np.roll(np.eye(BINS)[0], by) for by in (0, turned)]
        assert impact.strengths.tolist() == [0.0, expected]


def test_the_directogram_holds_speed_by_direction_in_picture_heights() -> None:
    rows = np.array(moving([3] * 5).directogram)
    assert rows.shape == (5, BINS)
    assert (rows.argmax(axis=1) == BINS // 2).all(), "to the left is 180 degrees"
    assert rows.sum(axis=1) == pytest.approx(3 / 90 * 25, rel=0.15)


def test_frames_closer_than_a_thirtieth_of_a_second_are_passed_over() -> None:
    assert len(moving([1.5] * 60, fps=60).times) == 30


def test_a_still_film_is_refused_and_a_moving_one_is_not(tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"nothing moves in .*still\.mp4"):
        check_moves(moving([0] * 9), tmp_path / "still.mp4")
    check_moves(moving([0, 0, 2, 2]), tmp_path / "moving.mp4")
    with pytest.raises(InputError, match="nothing moves"):
        check_moves(Impact(), tmp_path / "empty.mp4")
