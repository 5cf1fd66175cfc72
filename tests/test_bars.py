"""Bars are counted as a musician would, and their tempo map keeps to the microsecond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.bars import JITTER, LONGEST_BEAT, SHORTEST_BEAT, TICKS, find_bars, fit_tempo_map
from emsync.music.piece import PIANO, Piece


def played(onsets: np.ndarray, downbeats: np.ndarray) -> Piece:
    rows = [(PIANO, 60, onset, onset + 0.1) for onset in onsets]
    return Piece.of(np.array(rows), downbeats)


def steps(times: np.ndarray) -> np.ndarray:
    return np.round(times / 0.008) * 0.008


@pytest.mark.parametrize("metre", [3, 4])
@given(bpm=st.floats(60, 180), lead=st.integers(0, 5))
def test_even_bars_are_divided_into_their_beats(metre: int, bpm: float, lead: int) -> None:
    beat = 60 / bpm
    onsets = steps(np.arange(16 * metre) * beat)
    bars = find_bars(played(onsets, onsets[lead::metre]), onsets[-1])
    assert bars.regular and not bars.note
    inner = len(onsets) - metre  # after the last bar line there is only the tempo to go by
    assert np.abs(bars.beats[:inner] - onsets[:inner]).max() <= 0.0081
    assert np.allclose(np.diff(bars.lines)[1 if lead else 0 : -1], metre)


def test_a_missing_bar_line_is_supplied() -> None:
    onsets = np.arange(64) * 0.5
    whole = find_bars(played(onsets, onsets[::4]), 30.0)
    holed = find_bars(played(onsets, np.delete(onsets[::4], [5, 6])), 30.0)
    assert np.array_equal(holed.downbeats, whole.downbeats)
    assert not holed.regular and "1 of 13 bars" in holed.note


def test_a_short_bar_is_a_bar_of_fewer_beats() -> None:
    onsets = np.arange(64) * 0.5
    lines = np.array([0, 4, 8, 12, 14, 18, 22, 26, 30, 34])
    bars = find_bars(played(onsets, onsets[lines]), 18.0)
    assert np.diff(bars.lines)[:9].tolist() == np.diff(lines).tolist()
    assert not bars.regular


def test_without_bars_the_pulse_follows_the_onsets() -> None:
    bars = find_bars(played(np.arange(60) * 60 / 96, np.zeros(0)), 30.0)
    assert np.diff(bars.beats) == pytest.approx(60 / 96)
    assert not bars.regular and "no bars; its beats are a steady 96 BPM" in bars.note


times = st.lists(st.floats(0, 60), max_size=60).map(lambda x: np.sort(np.array(x, np.float64)))


@given(times, times, st.floats(1, 90))
def test_whatever_the_bars_beats_rise_from_0_to_the_end(
    onsets: np.ndarray, downbeats: np.ndarray, end: float
) -> None:
    bars = find_bars(played(onsets, downbeats), end)
    lengths = np.diff(bars.beats)
    assert bars.beats[0] == 0 and bars.beats[-1] >= end
    assert bars.lines[0] == 0 and (np.diff(bars.lines) > 0).all()
    assert lengths.min() >= SHORTEST_BEAT / 2 - 1e-9
    assert lengths.max() <= LONGEST_BEAT * 1.5 + 1e-9  # a lead-in beat may be half as long again


@given(st.lists(st.floats(0.2, 1.2), min_size=1, max_size=1500), st.data())
def test_the_tempo_map_stays_by_the_beats_however_long_the_piece(
    lengths: list[float], data: st.DataObject
) -> None:
    beats = np.concatenate([[0.0], np.cumsum(lengths)])
    lines = np.arange(0, len(lengths), 4)
    exact = data.draw(st.lists(st.integers(1, len(lengths)), max_size=5))
    grid = fit_tempo_map(beats, lines, exact)
    reached = grid.starts / 1e6
    assert grid.tempi.min() > 0
    assert np.abs(reached - beats)[lines].max() <= JITTER + 1e-3
    assert np.abs(reached - beats)[exact].max(initial=0) <= 1.1e-3


@given(st.floats(50, 250))
def test_bars_on_an_8_ms_grid_have_one_tempo(bpm: float) -> None:
    beats = np.repeat(steps(np.arange(301) * 4 * 60 / bpm), 4)[:1201]
    beats = np.interp(np.arange(1201), np.arange(0, 1201, 4), beats[::4])
    grid = fit_tempo_map(beats, np.arange(0, 1200, 4))
    assert len(np.unique(grid.tempi)) <= 2
    assert 60e6 / grid.tempi[0] == pytest.approx(bpm, rel=0.003)


@given(st.lists(st.integers(150_000, 1_900_000), min_size=1, max_size=40), st.data())
def test_ticks_and_seconds_agree_to_half_a_tick(tempi: list[int], data: st.DataObject) -> None:
    grid = fit_tempo_map(np.cumsum([0, *tempi]) / 1e6, np.array([0]), range(1, len(tempi) + 1))
    time = np.array([data.draw(st.floats(0, float(grid.starts[-1] / 1e6)))])
    assert abs(grid.seconds(grid.ticks(time)) - time) <= max(tempi) / 1e6 / TICKS / 2 + 1e-9
