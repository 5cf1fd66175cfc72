"""Timecode numbers each frame of a day once, and drop-frame keeps to the clock."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.errors import UsageError
from emsync.video.timecode import NTSC, RATES, Timecode, can_drop, exact_rate

rates = st.sampled_from(RATES)
DROPPING = [30 * NTSC, 60 * NTSC, 120 * NTSC]


@given(rates, st.integers(0, 24 * 3600 * 23), st.booleans())
def test_a_frame_is_named_and_found_again(rate: Fraction, frame: int, drop: bool) -> None:
    code = Timecode(frame, rate, drop and can_drop(rate))
    assert Timecode.parse(str(code), rate) == code


@pytest.mark.parametrize("rate", DROPPING)
def test_drop_frame_names_rise_through_a_whole_day(rate: Fraction) -> None:
    nominal = round(rate)
    day = 24 * 3600 * nominal - 1296 * 2 * (nominal // 30)
    edges = [m * 60 * nominal + d for m in (*range(61), *range(1430, 1440)) for d in range(-3, 10)]
    frames = sorted({frame % day for frame in edges})
    names = [str(Timecode(frame, rate, drop=True)) for frame in frames]
    assert names == sorted(set(names))
    assert Timecode(day, rate, drop=True).fields == (0, 0, 0, 0)


@given(st.sampled_from(DROPPING), st.integers(0, 24 * 3600 * 29))
def test_drop_frame_stays_by_the_clock_for_a_day(rate: Fraction, n: int) -> None:
    code = Timecode(n, rate, drop=True)
    hours, minutes, seconds, frames = code.fields
    clock = hours * 3600 + minutes * 60 + seconds + Fraction(frames, round(rate))
    assert abs(clock - code.seconds) < Fraction(16, 100)


def test_drop_frame_skips_two_numbers_at_each_minute_but_the_tenth() -> None:
    rate = 30 * NTSC
    assert str(Timecode(1799, rate, True) + 1) == "00:01:00;02"
    assert str(Timecode(17981, rate, True) + 1) == "00:10:00;00"
    assert str(Timecode.parse("00:01:59;59", 2 * rate) + 1) == "00:02:00;04"


@given(rates, st.integers(0, 10**6))
def test_a_time_near_a_frame_gets_that_frame(rate: Fraction, frame: int) -> None:
    for nudge in (-0.4, 0, 0.4):
        time = max(0, float((frame + Fraction(nudge)) / rate))
        assert Timecode.at(time, rate).frame == frame


def test_rates_in_decimals_are_their_exact_fractions() -> None:
    assert exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(Fraction(2997, 100)) == Fraction(30000, 1001)
    assert exact_rate(24.0) == 24
    assert exact_rate(Fraction(25, 2)) == Fraction(25, 2)
    assert [can_drop(rate) for rate in (Fraction(30), Fraction(2997, 100), 24 * NTSC)] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "rate", "words"),
    [
        ("1:2:3", Fraction(25), "not a timecode; write it as"),
        ("00:00:00:25", Fraction(25), "no 25 frames at 25 frames a second.*another frame rate"),
        ("00:61:00:00", Fraction(25), "no 61 minutes"),
        ("24:00:00:00", Fraction(25), "no 24 hours"),
        ("00:00:01;00", Fraction(25), "not at 25"),
        ("00:01:00;01", 30 * NTSC, "skips; the next frame is 02"),
        ("00:00:00:00", Fraction(0), "above 0"),
    ],
)
def test_a_wrong_timecode_is_refused_with_its_reason(text: str, rate: Fraction, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Timecode.parse(text, rate)
