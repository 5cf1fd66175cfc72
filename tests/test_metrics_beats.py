"""Beat scores: hand-computed values, slow twins, and clicks in and out of time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.metrics import beats
from emsync.metrics.beats import Scores

moments = st.lists(st.integers(0, 95), max_size=12).map(lambda xs: np.sort(np.array(xs)) / 10)


@given(moments, moments)
def test_cdcd_and_loris_count_seconds(original: np.ndarray, generated: np.ndarray) -> None:
    theirs, ours = ({int(t) for t in times} for times in (original, generated))
    both = len(theirs & ours)
    found = beats.cdcd(original, generated, 9.6)
    total = len(theirs)
    assert found == Scores(len(ours) / total if total else 0, both / total if total else 0)
    found = beats.loris(original, generated, 9.6)
    assert found == Scores(both / len(ours) if len(ours) else 0, both / total if total else 0)


def test_scores_by_hand() -> None:
    original, generated = [0.2, 1.4, 2.6, 3.8], [0.25, 0.29, 1.45, 4.4, 4.6]
    assert beats.cdcd(original, generated, 5.0) == Scores(cover=3 / 4, hit=2 / 4)
    assert beats.loris(original, generated, 5.0) == Scores(cover=2 / 3, hit=2 / 4)
    assert beats.muvi(original, generated) == Scores(cover=5 / 4, hit=2 / 4)


def test_a_beat_after_the_video_does_not_count() -> None:
    assert beats.bins([0.5, 9.0], 2.0).tolist() == [True, False]
    assert beats.bins([], 0.3).tolist() == [False]


def test_without_beats_every_score_is_nought() -> None:
    nothing = Scores(0.0, 0.0)
    assert beats.cdcd([], [1.0], 4.0) == beats.loris([1.0], [], 4.0) == nothing
    assert beats.muvi([], [1.0]) == nothing
    silence = np.zeros(3 * beats.RATE, np.float32)
    report = beats.evaluate(silence, silence[:0], 3.0)
    assert all(row == {"cover": 0.0, "hit": 0.0} for row in report.values())
    with pytest.raises(ValueError, match="the duration is 0"):
        beats.evaluate(silence, silence, 0)


def pulse(bpm: float, seconds: float, start: float = 0.25) -> np.ndarray:
    y = np.zeros(round(seconds * beats.RATE), np.float32)
    burst = np.random.default_rng(0).normal(0, 0.3, 2000) * np.exp(-np.arange(2000) / 300)
    for t in np.arange(start, seconds - 0.1, 60 / bpm):
        at = round(float(t) * beats.RATE)
        y[at : at + 2000] += burst[: len(y) - at].astype(np.float32)
    return y


def test_music_meets_itself_and_is_told_from_music_off_the_beat() -> None:
    original, late = pulse(100, 12.0), pulse(100, 12.0, start=0.55)
    itself = beats.evaluate(original, original, 12.0)
    assert all(row == {"cover": 1.0, "hit": 1.0} for row in itself.values())
    assert beats.evaluate(original, late, 12.0)["muvi"]["hit"] < 0.2


def test_the_beats_of_a_pulse_are_its_clicks() -> None:
    found = beats.track(pulse(100, 12.0))
    clicks = np.arange(0.25, 11.9, 0.6)
    errors = np.abs(found[:, None] - clicks).min(axis=1)
    assert len(found) > 15 and errors.max() < 0.05
