"""Events, cut hits, intervals and tests: hand-computed values and slow obvious twins."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.metrics import cut_hits, statistics
from emsync.metrics.events import covered, errors, matched, validate
from emsync.music.piece import PIANO, Piece

moments = st.lists(st.integers(0, 60), max_size=7).map(lambda xs: np.sort(np.array(xs)) / 4)


def _slow_matched(a: list[float], b: list[float], tolerance: float) -> int:
    """Return the largest matching by trying everything."""
    if not a:
        return 0
    rest = _slow_matched(a[1:], b, tolerance)
    for i, y in enumerate(b):
        if abs(a[0] - y) < tolerance:
            rest = max(rest, 1 + _slow_matched(a[1:], b[:i] + b[i + 1 :], tolerance))
    return rest


@given(moments, moments, st.sampled_from([0.1, 0.3, 1.0, 2.1]))
def test_no_matching_is_larger(a: np.ndarray, b: np.ndarray, tolerance: float) -> None:
    found = matched(a, b, tolerance)
    assert found == _slow_matched(a[:5].tolist(), b.tolist(), tolerance) or len(a) > 5
    assert found == matched(b, a, tolerance) <= min(len(a), len(b))


@given(moments, moments)
def test_an_error_is_the_way_to_the_nearest_event(times: np.ndarray, events: np.ndarray) -> None:
    found = errors(times, events)
    for time, error in zip(times, found, strict=True):
        ways = sorted((abs(e - time), e - time) for e in events)
        assert error == (ways[0][1] if ways else np.inf)


@given(moments, st.sampled_from([0.2, 1.0, 3.0]))
def test_what_is_covered_is_what_random_cuts_hit(events: np.ndarray, tolerance: float) -> None:
    places = (np.arange(4000) + 0.5) / 4000 * 15.0
    hit = np.abs(errors(places, events)) <= tolerance
    assert covered(events, tolerance, 15.0) == pytest.approx(hit.mean(), abs=0.005)


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="cuts holds nan"):
        validate("cuts", [1.0, np.nan])
    with pytest.raises(ValueError, match="does not ascend"):
        validate("cuts", [2.0, 1.0])
    with pytest.raises(ValueError, match="a single row"):
        validate("cuts", [[1.0]])


def test_cut_hits_by_hand() -> None:
    report = cut_hits.evaluate(
        [4.0, 10.0], {"chord": [4.04, 10.6], "onset": [3.97, 9.9]}, duration=20.0, rate=25.0
    )
    assert report["cuts"] == 2
    chord, onset = (report["events"][kind] for kind in ("chord", "onset"))
    shares = {name: row["share"] for name, row in chord["within"].items()}
    assert shares == {"1 frame": 0.5, "2 frames": 0.5, "4 frames": 0.5, "0.5 s": 0.5, "1 s": 1.0}
    assert chord["within"]["1 s"]["shuffled"] == pytest.approx(4 / 20)
    assert chord["median_ms"] == pytest.approx(320)
    assert chord["p95_ms"] == pytest.approx(40 + 0.95 * 560)
    assert onset["within"]["1 frame"]["hits"] == 1
    assert onset["within"]["4 frames"]["hits"] == 2
    assert onset["median_ms"] == pytest.approx(-65)
    assert onset["p95_absolute_ms"] == pytest.approx(30 + 0.95 * 70)


def test_without_cuts_or_events_the_figures_are_none_or_nought() -> None:
    none = cut_hits.evaluate([], {"onset": [1.0]}, 10.0, 25.0)["events"]["onset"]
    assert none["within"]["1 frame"]["share"] is None and none["median_ms"] is None
    silent = cut_hits.evaluate([5.0], {"onset": []}, 10.0, 25.0)["events"]["onset"]
    assert silent["within"]["1 s"] == {"hits": 0, "share": 0.0, "shuffled": 0.0}
    assert silent["p95_ms"] is None
    with pytest.raises(ValueError, match="the duration is 0"):
        cut_hits.evaluate([], {}, 0, 25.0)


def test_without_a_rate_there_are_no_frames() -> None:
    assert list(cut_hits.tolerances(0.0)) == ["0.5 s", "1 s"]


def test_a_beat_without_a_note_answers_nothing() -> None:
    rows = [(PIANO, 60, t, t + 0.1) for t in (0.0, 0.5, 1.25, 2.0)]
    piece = Piece.of(np.array(rows), downbeats=np.array([0.0, 2.0, 4.0]), chords=np.array([2.0]))
    events = cut_hits.events(piece, 4.0)
    assert events["onset"].tolist() == [0.0, 0.5, 1.25, 2.0]
    assert events["beat"].tolist() == [0.0, 0.5, 2.0]
    assert events["chord"].tolist() == [2.0]
    empty = cut_hits.events(Piece.of(np.zeros((0, 4))), 4.0)
    assert not any(len(times) for times in empty.values())


def _slow_sign_flip(differences: list[float]) -> float:
    observed = abs(sum(differences)) - 1e-9
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(abs(total) >= observed for total in sums) / len(sums)


@given(st.lists(st.integers(-8, 8).map(lambda n: n / 10), max_size=9))
def test_sign_flips_are_all_counted(differences: list[float]) -> None:
    assert statistics.sign_flip(differences) == pytest.approx(_slow_sign_flip(differences))


def test_many_clips_are_drawn_and_agree_with_the_count() -> None:
    rng = np.random.default_rng(1)
    forty = rng.normal(0.35, 1.0, 40)
    exact = statistics.sign_flip(forty)
    assert 0.001 < exact < 0.2
    drawn = statistics.sign_flip([*forty, 1e-12])
    assert drawn == pytest.approx(exact, abs=0.01)
    with pytest.raises(ValueError, match="not a finite number"):
        statistics.sign_flip([np.nan])


def test_a_ratio_weighs_clips_by_their_cuts_and_leaves_out_those_without() -> None:
    found = statistics.ratio([1, 4, 0], [2, 4, 0])
    assert found.value == pytest.approx(5 / 6) and found.n == 2
    assert found.low == pytest.approx(0.5) and found.high == 1.0
    assert np.isnan(statistics.ratio([], []).value)
    one = statistics.ratio([1, 0], [3, 0])
    assert one.low == one.value == one.high == pytest.approx(1 / 3) and one.n == 1
    assert statistics.mean([1.0, np.nan, 3.0]).n == 2


def test_an_interval_is_that_of_clips_drawn_again_and_one_for_each_seed() -> None:
    rng = np.random.default_rng(2)
    wholes = rng.integers(1, 9, 22).astype(float)
    parts = np.floor(wholes * rng.random(22))
    found = statistics.ratio(parts, wholes, seed=7)
    assert found == statistics.ratio(parts, wholes, seed=7) != statistics.ratio(parts, wholes)
    picks = np.random.default_rng(7).integers(22, size=(statistics.RESAMPLES, 22))
    slow = [parts[i].sum() / wholes[i].sum() for i in picks]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(slow, [2.5, 97.5])))


def test_the_interval_of_a_mean_is_as_wide_as_its_error() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 100)
    found = statistics.mean(values)
    reach = 1.96 * values.std(ddof=1) / 10
    assert found.high - found.low == pytest.approx(2 * reach, rel=0.1)
