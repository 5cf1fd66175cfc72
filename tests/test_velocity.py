"""Velocities: a person's touch within the level of the scene, and accents on hits."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, VELOCITY, Piece
from emsync.performance import velocity
from emsync.performance.dynamics import RANGE, Dynamics
from emsync.performance.features import Notes, features
from emsync.performance.metre import metre
from emsync.performance.strokes import Strokes, drum_kinds, outer
from emsync.performance.touch import WEIGHTS, Touch, touch
from emsync.performance.velocity import ACCENT, LEADING, accents, arrivals, shared, struck, within

BAR = 2.0  # seconds


def band(bars: int = 8, start: float = 0.0, bar: float = BAR) -> Piece:
    """Return a rock beat, a bass on the beats, piano chords in halves and a string line."""
    beat, rows = bar / 4, []
    for k in range(bars * 8):
        time = start + k * beat / 2
        rows.append((DRUMS, 42, time, time + 0.1))
        if k % 4 == 0:
            rows.append((DRUMS, 36, time, time + 0.1))
            rows += [(PIANO, p, time, time + 2 * beat) for p in (55, 60, 64, 67)]
        if k % 4 == 2:
            rows.append((DRUMS, 38, time, time + 0.1))
        if k % 2 == 0:
            rows.append((BASS, 36 + k % 7, time, time + beat))
            rows.append((STRINGS, 72 + k % 5, time, time + beat))
    return Piece.of(np.array(rows), np.array([start + bar * k for k in range(bars)]))


def mean(piece: Piece, values: np.ndarray, instrument: int, pitch: int | None = None) -> float:
    mine = piece.classes == instrument
    if pitch is not None:
        mine &= piece.pitches == pitch
    return float(values[mine].mean())


def test_places_in_bars_are_beats_at_every_tempo_and_beyond_the_bars() -> None:
    lines = np.array([10.0, 12.0, 14.0])
    here = metre(np.array([9.5, 10.0, 11.5, 15.0, 17.0]), lines)
    assert here.place.tolist() == [3.0, 0.0, 3.0, 2.0, 2.0]
    assert np.diff(here.beats).tolist() == [1.0, 3.0, 7.0, 4.0]
    assert metre(np.array([1.5]), np.array([])).place.tolist() == [3.0]


def test_a_short_bar_has_fewer_beats() -> None:
    lines = np.append(np.arange(0, 10, 2.0), np.arange(9.5, 20, 2.0))  # the last but six has three
    here = metre(np.array([8.0, 9.0, 9.5]), lines)
    assert here.place.tolist() == [0.0, 2.0, 0.0]
    assert here.beats.tolist() == [16.0, 18.0, 19.0]


def test_features_are_the_same_at_any_tempo_but_for_the_tempo() -> None:
    slow, fast = (features(Notes.of(band(bar=bar))) for bar in (BAR, 1.25))
    other = np.flatnonzero((slow != fast).any(0))
    assert len(other) == 1 and np.isfinite(slow).all()


def test_a_stroke_is_what_a_voice_begins_together() -> None:
    found = Strokes.find(
        np.array([3, 3, 3, 1]), np.array([60, 64, 62, 40]),
        np.array([0.0, 0.001, 1.0, 0.0]), np.ones(4),
    )  # fmt: skip
    assert found.sizes.tolist() == [1, 2, 1] and found.tops.tolist() == [40, 64, 62]
    assert found.of.tolist() == [1, 1, 2, 0]


def test_drums_are_known_by_what_is_struck() -> None:
    assert drum_kinds(np.array([36, 38, 42])).tolist() == [0, 1, 3]
    assert drum_kinds(np.array([35]))[0] == drum_kinds(np.array([36]))[0]


def test_a_person_strikes_the_snare_harder_than_the_hi_hat_and_downbeats_harder() -> None:
    piece = band()
    away = touch(piece)
    assert mean(piece, away, DRUMS, 42) + 10 < mean(piece, away, DRUMS, 38)
    hats = away[(piece.classes == DRUMS) & (piece.pitches == 42)]
    assert hats[::2].mean() > hats[1::2].mean()  # on the beats, off the beats
    for c in (BASS, PIANO, STRINGS):
        assert np.unique(away[piece.classes == c]).size > 2
        assert abs(mean(piece, away, c)) < 6


def test_velocities_follow_the_level_and_the_loud_range_is_wider() -> None:
    piece = band(16)
    quiet, loud = (struck(piece, Dynamics(levels=(VELOCITY + r,))) for r in (-RANGE, RANGE))
    assert loud.mean() - quiet.mean() > 1.5 * RANGE
    plain = within(np.array([VELOCITY + RANGE])) - VELOCITY
    assert plain > 0
    pitched = piece.classes == STRINGS
    assert loud[pitched].std() > quiet[pitched].std()


def test_each_scene_is_as_loud_as_it_is_asked_to_be_whatever_is_played_in_it() -> None:
    piece = band(16)
    away = touch(piece, [16.0])
    for scene in (piece.onsets < 16, piece.onsets >= 16):
        for c in (DRUMS, BASS, PIANO, STRINGS):
            assert abs(away[scene & (piece.classes == c)].mean()) < 4  # held back at both ends


def test_what_moves_above_a_held_chord_keeps_its_loudness_and_the_chord_is_softer() -> None:
    held = [(STRINGS, pitch, 0.0, 4.0) for pitch in (55, 60, 64, 76)]
    tune = [(STRINGS, 79, 1.0, 2.0), (STRINGS, 74, 2.0, 3.0), (STRINGS, 79, 4.0, 5.0)]
    piece = Piece.of(np.array([*held, *tune, (BASS, 36, 0.0, 4.0)]))
    steps = dict(zip(zip(piece.pitches.tolist(), piece.onsets.tolist(), strict=True),
                     shared(piece).tolist(), strict=True))  # fmt: skip
    assert steps[36, 0.0] == steps[76, 0.0] == steps[79, 1.0] == steps[79, 4.0] == 0
    assert steps[55, 0.0] == steps[64, 0.0] > 0
    assert steps[74, 2.0] > steps[64, 0.0], "below the held top, and the fifth that sounds"


def test_lines_sway_more_than_they_tremble() -> None:
    """What lasts for bars counts more than what alternates from stroke to stroke."""
    strokes = Strokes.find(
        np.full(64, PIANO), np.full(64, 60), np.arange(64) / 2, np.arange(64) / 2 + 0.5
    )
    slow, fast = (
        np.where(np.arange(64) % 32 < 16, 2.0, -2.0),
        np.where(np.arange(64) % 2, 2.0, -2.0),
    )
    network, classes = Touch.load(WEIGHTS), np.full(64, PIANO)
    swaying, trembling = (network.lived(wish, classes, strokes).std() for wish in (slow, fast))
    assert swaying > 2 * trembling


def test_all_that_begins_on_a_hit_is_accented_moderately() -> None:
    piece = band()
    plain, hit = struck(piece, Dynamics()), struck(piece, Dynamics(), [4.0])
    on = np.abs(piece.onsets - 4.0) < 0.01
    gained = hit.astype(int) - plain
    before = (piece.onsets > 4.0 - LEADING) & (piece.onsets < 4.0)
    assert (gained[~on & ~before] == 0).all()
    assert (gained[before] >= 0).all() and gained[before].max() < gained[on].min()
    assert (gained[on] > 0).all() and gained[on].max() <= ACCENT + 1


def test_a_section_arrives_on_its_first_downbeat() -> None:
    downbeats = np.array([0.0, 2.0, 4.0, 20.0])
    assert arrivals(downbeats, [2.01, 3.0, 9.0, 30.0]) == [2.0, 4.0]
    assert accents(np.array([2.0, 2.5]), [], [2.0]).tolist() == [8.0, 0.0]


@given(st.lists(st.floats(-200, 400), min_size=2, max_size=20))
def test_no_velocity_leaves_what_midi_has_and_none_overtakes_another(values: list[float]) -> None:
    found = within(np.sort(values))
    assert found.min() >= 1 and found.max() <= 127 and (np.diff(found) >= 0).all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(21, 108), st.floats(0, 60)), max_size=40))
def test_any_music_gets_velocities(notes: list[tuple[int, int, float]]) -> None:
    piece = Piece.of(np.array([(c, p, t, t + 0.5) for c, p, t in notes]).reshape(-1, 4))
    found = struck(piece, Dynamics.of([(0.0, -1.0), (20.0, 1.0)]), [10.0])
    assert len(found) == len(piece) and found.min(initial=1) >= 1 and found.max(initial=1) <= 127


def test_a_minute_is_touched_at_once_and_the_weights_are_small() -> None:
    piece = band(30)
    touch(piece)
    begun = time.perf_counter()
    touch(piece)
    assert time.perf_counter() - begun < 0.5  # 0.02 on an idle machine
    assert WEIGHTS.stat().st_size < 300_000


@pytest.mark.parametrize("shift", [0.0, 7.0])
def test_the_same_bars_are_played_alike_wherever_they_begin(shift: float) -> None:
    assert np.abs(touch(band(start=shift)) - touch(band())).max() < 0.01


def test_guitar_without_a_bar_line_is_played_too() -> None:
    piece = Piece.of(np.array([(GUITAR, 60, 0.5 * i, 0.5 * i + 0.4) for i in range(16)]))
    assert np.unique(struck(piece, Dynamics())).size > 1


def test_downbeats_that_stand_twice_are_one() -> None:
    piece = band()
    twice = Piece.of(piece.rows, np.repeat(piece.downbeats, 3))
    assert (touch(twice) == touch(piece)).all()


def test_the_outer_voices_of_chords_stand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = band()
    voiced = struck(piece, Dynamics()).astype(int)
    monkeypatch.setattr(velocity, "VOICED", 0)
    gained = voiced - struck(piece, Dynamics())
    ends = (piece.classes == PIANO) & ((piece.pitches == 67) | (piece.pitches == 55))
    assert (gained[ends] > 0).all() and (gained[~ends] == 0).all()


def test_a_third_has_a_top_and_no_bottom() -> None:
    piece = Piece.of(np.array([(PIANO, p, t, t + 1.0) for p, t in ((60, 0), (64, 0), (72, 1))]))
    assert outer(piece).tolist() == [False, True, False]
