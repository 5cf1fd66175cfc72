"""The condition ``accents``: what strikes the eye, and what strikes the ear, in one scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emsync import composing, pipeline
from emsync.analysis import Analysis, Curve
from emsync.arrays import Seconds
from emsync.commission import Commission
from emsync.demo import draw_clip
from emsync.errors import UsageError
from emsync.fit.spotting import spotting_of
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync.options import Options
from emsync.tokens import Timeline
from emsync.video.cuts import Cut
from emsync.video.impact import CURVE_STEP, Impact
from emsync_conditioners.accents import AHEAD, Accents
from emsync_conditioners.boundaries import Boundaries
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

ACCENTS = Accents()
STEP = ACCENTS.step
moments = st.lists(st.integers(20, 300), min_size=3, max_size=20, unique=True).map(
    lambda steps: (np.sort(np.array(steps)) + 0.5) * STEP
)


def struck(times: Seconds, classes: tuple[int, ...] = (PIANO,)) -> Piece:
    """Return notes of each class at each time."""
    rows = [(c, 60, time, time + 0.1) for time in times for c in classes]
    return Piece.of(np.array(rows))


def moved(times: Seconds, strengths: Any = 1.0) -> Analysis:
    """Return a film of 25 s in which something begins to move at each time."""
    values = np.zeros(round(25 / 0.05))
    values[(times / 0.05).astype(int)] = strengths
    return Analysis(25.0, "25", impact=Curve(0.05, tuple(values.tolist())))


@given(moments)
def test_an_accent_is_where_something_is_struck_and_nowhere_far_from_it(times: Seconds) -> None:
    target = ACCENTS.from_music(struck(times))
    assert (target >= 0).all()
    assert (target <= 1).all()
    away = np.abs((np.arange(len(target)) + 0.5)[:, None] * STEP - times).min(axis=1)
    assert not target[away > 1.1 * STEP].any()
    alone = np.diff(times, prepend=-9, append=99)
    alone = times[(alone[:-1] > 4.5 * STEP) & (alone[1:] > 4.5 * STEP)]
    assert (target[(alone / STEP).astype(int)] > 0.3).all()


@given(moments, st.integers(0, 40))
def test_a_piece_moved_by_steps_has_its_accents_moved(times: Seconds, steps: int) -> None:
    before = ACCENTS.from_music(struck(times))
    after = ACCENTS.from_music(struck(times + steps * STEP))
    assert after[steps:] == pytest.approx(before, abs=1e-6)
    assert not after[:steps].any()


def test_the_more_instruments_strike_together_the_stronger_is_the_accent() -> None:
    times = np.arange(1.0, 9.0)
    players = (PIANO,), (PIANO, DRUMS), (PIANO, DRUMS, BASS)
    piece = [struck(times[k::3], classes).rows for k, classes in enumerate(players)]
    target = ACCENTS.from_music(Piece.of(np.concatenate(piece)))
    one, two, three = (target[(times[k::3] / STEP + 1e-6).astype(int)] for k in range(3))
    assert one.max() < two.min() <= two.max() < three.min()


@given(moments)
def test_what_a_film_shows_and_what_a_piece_plays_at_the_same_moments_is_the_same(
    times: Seconds,
) -> None:
    seen, heard = ACCENTS.from_video(moved(times)), ACCENTS.from_music(struck(times))
    count = min(len(seen), len(heard))
    both = (seen[:count] > 0) & (heard[:count] > 0)
    assert both.sum() > 0.4 * (heard > 0).sum()
    assert not seen[count:].any()


def test_the_accents_of_a_film_are_ranks_whatever_its_scale() -> None:
    times, strengths = np.arange(1.0, 20.0, 0.9), np.arange(1.0, 23.0)
    one = ACCENTS.from_video(moved(times, strengths))
    another = ACCENTS.from_video(moved(times, 0.05 * strengths))
    assert np.array_equal(one, another)
    peaks = [one[round(t / STEP) - 2 : round(t / STEP) + 3].max() for t in times]
    assert np.corrcoef(peaks, strengths)[0, 1] > 0.9


def test_a_film_in_which_nothing_moves_and_one_not_looked_at_request_nothing() -> None:
    for film in (moved(np.array([3.0]), 0.005), Analysis(25.0, "25")):
        target = ACCENTS.from_video(film)
        assert len(target) == np.ceil(25 / STEP)
        assert np.isnan(target).all()


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_in_a_slower_film_the_accents_come_later(factor: float) -> None:
    times = np.arange(2.0, 20.0, 1.1)
    target = ACCENTS.from_video(moved(times).retimed(factor))
    for time in times * factor:
        near = (np.abs((np.arange(len(target)) + 0.5) * STEP - time)) < 1.6 * STEP
        assert target[near].max() > 0.3


def test_the_rows_tell_the_next_second_and_nothing_before() -> None:
    target = np.zeros(40, np.float32)
    target[20] = 0.75
    times = np.array([20.0, 19.0, 16.0, 13.0, 8.0, 4.0, 21.0]) * STEP
    rows = ACCENTS.features(target, Timeline(times, times < 0))
    places = [next(k for k, (a, b) in enumerate(AHEAD) if a <= n < b) for n in (0, 1, 4, 7, 12)]
    assert rows.argmax(axis=1)[:5].tolist() == places
    assert (rows[:5].max(axis=1) == 0.75).all()
    assert not rows[5:].any()


def test_a_meeting_takes_the_impact_along() -> None:
    film = moved(np.array([3.1, 7.7, 12.9, 18.4]))
    film = Analysis(
        film.duration, film.fps, impact=film.impact, cuts=(Cut(3.1), Cut(12.9)), arousal=0.2
    )
    spotting = spotting_of(film, "beat", 0.06)
    asked = spotting.asked(film)
    assert asked.impact is not None
    values = np.array(asked.impact.values)
    assert len(values) == np.ceil(asked.duration / asked.impact.step - 1e-9)
    for time in spotting.composed(np.array([3.125, 7.725, 12.925, 18.425])):
        place = int(time / asked.impact.step)
        assert values[place - 1 : place + 2].max() == 1.0


def test_an_impact_is_the_strongest_of_each_twentieth_of_a_second() -> None:
    impact = Impact()
    dark, bright = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
    bright[10:30, 10:30] = 200
    pictures = [dark, bright, np.roll(bright, 6, axis=1), np.roll(bright, 6, axis=1)]
    for n, picture in enumerate(pictures):
        impact.see(n * 0.04, picture)
    curve = impact.curve(0.16)
    assert curve.step == CURVE_STEP
    assert len(curve.values) == 4
    assert max(curve.values) == pytest.approx(impact.strengths.max(), abs=1e-4)


@pytest.mark.parametrize("told", [False, True])
def test_a_film_s_impact_is_measured_for_a_checkpoint_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=64, position_channels=16)
    known = (Boundaries(), ACCENTS) if told else (Boundaries(),)
    composer = Composer(EventTransformer(config, known).eval(), Events())
    looked: list[float] = []
    asked: list[Commission] = []

    def stop(_self: Any, commission: Commission, _progress: Any) -> None:
        asked.append(commission)
        raise UsageError("nothing is composed here")

    monkeypatch.setattr(Impact, "__call__", lambda _self, frame: looked.append(frame.time))
    monkeypatch.setattr(composing.Events, "make", stop)
    draw_clip(tmp_path / "clip.mp4", 1.0)
    with pytest.raises(UsageError):
        pipeline.generate(tmp_path / "clip.mp4", Options(candidates=1), checkpoint=composer)
    (commission,) = asked
    assert bool(looked) is told
    assert (commission.brief.impact is not None) is told
    assert ("impact" in commission.brief.to_json()) is told
    assert commission.visible is None
