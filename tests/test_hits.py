"""Hits land on the frame, time bends little and evenly, and no better choice is left out."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.analysis import Cut
from emsync.errors import UsageError
from emsync.fit import hits, programme
from emsync.fit.hits import Events, Plan, find_events, fit, plan_hits, worth
from emsync.fit.time_map import Fitted
from emsync.music.bars import find_bars
from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync.options import Sync
from emsync.video.timecode import Timecode

RATE = Fraction(25)
some = settings(max_examples=40, deadline=None)


@st.composite
def bands(draw: st.DrawFn, length: float = 60.0) -> Piece:
    """Music on a beat with rests, on the 8 ms grid, of any tempo, and sometimes a broken bar."""
    beat, lead = 60 / draw(st.floats(70, 170)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times = np.arange(0, length, beat / 2)
    times = times[rng.random(len(times)) < draw(st.floats(0.3, 1.0))]
    parts = [(DRUMS, 36, 0.1), (BASS, 40, beat / 3), (PIANO, 60, beat)]
    rows = [
        (part, pitch + rng.integers(0, 3), time, time + sounds)
        for time in times
        for part, pitch, sounds in parts
        if rng.random() < 0.7
    ]
    notes = np.array(rows).reshape(-1, 4)
    notes[:, 2:] = np.round(notes[:, 2:] / 0.008) * 0.008
    downbeats = np.arange(lead * beat, length, 4 * beat)
    downbeats = downbeats[rng.random(len(downbeats)) < draw(st.sampled_from([1.0, 0.9]))]
    chords = rng.choice(notes[:, 2], min(4, len(notes)), replace=False) if len(notes) else None
    return Piece.of(notes, np.round(downbeats / 0.008) * 0.008, chords)


@st.composite
def cut_lists(draw: st.DrawFn, duration: float, gap: float = 4.0) -> list[Cut]:
    gaps = draw(st.lists(st.floats(gap, 12), max_size=10))
    times = [round(float(t) * 25) / 25 for t in np.cumsum(gaps) if t < duration - 0.1]
    return [
        Cut(t, draw(st.floats(0, 1)), draw(st.sampled_from([True, True, False]))) for t in times
    ]


levels = st.sampled_from(["chord", "downbeat", "beat"])


@some
@given(bands(), cut_lists(55.0), levels, st.floats(0.005, 0.1))
def test_time_rises_and_tempo_and_its_jumps_stay_within_the_limit(
    piece: Piece, cuts: list[Cut], sync: Sync, change: float
) -> None:
    fitted = fit(piece, cuts, 55.0, sync, change)
    bend = np.abs(np.log(fitted.time_map.slopes))
    jumps = np.abs(np.diff(np.log(fitted.time_map.slopes)))
    assert np.maximum(bend, 0).max() <= np.log1p(change) + 1e-9
    assert jumps.max(initial=0) <= np.log1p(change) + 1e-9
    assert np.abs(fitted.time_map.slopes - 1).max() <= change + 1e-9
    assert (np.diff(fitted.time_map.music) > 0).all() and (np.diff(fitted.time_map.video) > 0).all()
    assert (fitted.time_map.music[0], fitted.time_map.video[0], fitted.time_map.video[-1]) == (
        0,
        0,
        55.0,
    )


@some
@given(bands(), cut_lists(55.0), levels)
def test_a_note_begins_on_each_hit_cut_and_a_bar_line_stays_a_bar_line(
    piece: Piece, cuts: list[Cut], sync: Sync
) -> None:
    fitted = fit(piece, cuts, 55.0, sync, rate=RATE)
    for report in fitted.kept:
        if report.hit is None:
            continue
        aimed = np.isclose(fitted.time_map.video, report.cut.time, rtol=0, atol=1e-9).any()
        assert abs(report.hit.error_ms) <= (2.0 if aimed else 40.0)
        sounding = fitted.piece.onsets[np.argmin(np.abs(fitted.piece.onsets - report.hit.time))]
        assert abs(sounding - report.hit.time) <= 2e-3
        if aimed and report.hit.kind == "downbeat":
            assert report.hit.position.endswith("|1|000")


@some
@given(bands(), cut_lists(55.0), levels)
def test_fitting_is_worth_no_less_than_leaving_time_alone(
    piece: Piece, cuts: list[Cut], sync: Sync
) -> None:
    def value(fitted: Fitted) -> float:
        allowed = hits.KINDS[: hits.KINDS.index(sync) + 1]
        return sum(
            worth(hits.KINDS.index(r.hit.kind), r.cut)
            for r in fitted.kept
            if r.hit and r.hit.kind in allowed and abs(r.hit.error_ms) <= 40
        )

    plain = value(fit(piece, cuts, 55.0, "off", rate=RATE))
    bent = value(fit(piece, cuts, 55.0, sync, rate=RATE))
    # bending has its price, the more the more segments bend
    assert bent >= plain - programme.BENDING * (len(cuts) + 1)


@some
@given(bands(), cut_lists(55.0), levels)
def test_what_is_fitted_already_needs_no_bending(piece: Piece, cuts: list[Cut], sync: Sync) -> None:
    once = fit(piece, cuts, 55.0, sync, rate=RATE)
    aimed = [c for c in cuts if c.kept and np.isclose(once.time_map.video, c.time, atol=1e-9).any()]
    bars = find_bars(piece, 60.0)
    events = find_events(piece, bars, sync)
    moved = Events(once.time_map.apply(events.times), events.kinds)
    again = plan_hits(moved, aimed, 0.06)
    on_cut = [np.abs(moved.times - cut.time).min(initial=1) < 1e-6 for cut in aimed]
    assert all(on_cut)
    assert (
        score(again, moved, aimed, 0.06)
        >= sum(
            worth(int(moved.kinds[np.argmin(np.abs(moved.times - cut.time))]), cut) for cut in aimed
        )
        - 1e-6
    )


def score(plan: Plan, events: Events, cuts: list[Cut], change: float) -> float:
    """Value ``plan`` from its joints alone: worth of the hits less the bending between them."""
    limit, total, since, joints = np.log1p(change), 0.0, 0, plan.joints
    by_time = {cut.time: cut for cut in cuts}
    for i, (music, video) in enumerate(joints):
        if video not in plan.hits or i == 0:
            continue
        assert events.times[plan.hits[video]] == music
        spans = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(joints[since : i + 1])]
        square = sum(m * np.log(v / m) ** 2 for m, v in spans) / sum(m for m, _ in spans)
        total += worth(int(events.kinds[plan.hits[video]]), by_time[video])
        total -= programme.BENDING * square / limit**2
        since = i
    return total


def every_plan(events: Events, cuts: list[Cut], change: float) -> Iterator[Plan]:
    """Yield all plans that keep the rules: the slow, obvious twin of ``choose``."""
    near = [
        [None, *(e for e, t in enumerate(events.times) if abs(t - cut.time) <= hits.REACH)]
        for cut in cuts
    ]
    for answers in product(*near):
        chosen = [(cut, e) for cut, e in zip(cuts, answers, strict=True) if e is not None]
        for shapes in product(range(3), repeat=len(chosen)):
            joints = [(0.0, 0.0)]
            for (cut, e), shape in zip(chosen, shapes, strict=True):
                (m0, v0), m1, v1 = joints[-1], float(events.times[e]), cut.time
                middle = float(min(events.times, key=lambda t: abs(t - (m0 + m1) / 2)))
                if shape and not m0 < middle < m1:
                    break
                if shape == 1:
                    joints.append((middle, v0 + middle - m0))
                if shape == 2:
                    joints.append((middle, v1 - (m1 - middle)))
                joints.append((m1, v1))
            else:
                steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(joints)]
                if min((min(step) for step in steps), default=1) <= 0:
                    continue
                slopes = np.log([v / m for m, v in steps])
                limit = np.log1p(change) + 1e-12
                # a shape of several slopes binds its neighbours by the slope beside them
                steepest = max(np.abs(s).max(initial=0) for s in (slopes, np.diff(slopes)))
                if steepest <= limit:
                    yield Plan({c.time: e for c, e in chosen}, tuple(joints))


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(20, 1200), min_size=1, max_size=7, unique=True).map(sorted),
    spots=st.lists(st.integers(50, 1100), min_size=1, max_size=3, unique=True).map(sorted),
    data=st.data(),
)
def test_the_choice_equals_the_best_of_all_plans(
    times: list[int], spots: list[int], data: st.DataObject
) -> None:
    kinds = data.draw(st.lists(st.integers(0, 2), min_size=len(times), max_size=len(times)))
    events = Events(np.array(times) / 100, np.array(kinds))
    cuts = [Cut(spot / 100, data.draw(st.sampled_from([0.0, 0.5, 1.0]))) for spot in spots]
    change = data.draw(st.sampled_from([0.03, 0.06, 0.15]))
    plan = plan_hits(events, cuts, change)
    best = max(score(p, events, cuts, change) for p in every_plan(events, cuts, change))
    assert score(plan, events, cuts, change) == pytest.approx(best, abs=1e-9)


@some
@given(bands(), cut_lists(55.0))
def test_off_leaves_time_alone_and_names_the_nearest_event(piece: Piece, cuts: list[Cut]) -> None:
    fitted = fit(piece, cuts, 55.0, "off")
    assert np.array_equal(fitted.time_map.apply(piece.onsets), piece.onsets)
    for report in fitted.kept:
        assert report.hit == report.nearest
        if report.before is not None:
            assert report.hit is not None
            assert abs(report.hit.error_ms - report.before.error_ms) <= 2.0


def test_a_cut_in_silence_is_missed(piece: Piece) -> None:
    fitted = fit(piece, [Cut(8.1), Cut(30.0)], 40.0)
    found, missed = fitted.cuts
    assert found.hit is not None and found.hit.kind == "chord"
    assert missed.hit is None and missed.nearest is not None
    assert missed.nearest.error_ms < -10_000


def test_what_sounds_after_the_film_answers_none_of_its_cuts() -> None:
    notes = np.array([(PIANO, 60, time, time + 0.1) for time in (0.0, 2.0, 11.0)])
    (report,) = fit(Piece.of(notes, np.arange(0, 14, 2.0)), [Cut(9.0)], 10.0, "off").cuts
    assert report.nearest is not None and report.nearest.time == pytest.approx(2.0, abs=2e-3)


def test_silence_where_a_beat_would_be_answers_nothing() -> None:
    notes = np.array([(PIANO, 60, time, time + 0.1) for time in (0.0, 2.0, 4.0, 8.0)])
    piece = Piece.of(notes, np.arange(0, 10, 2.0))
    assert find_events(piece, find_bars(piece, 10.0)).times.tolist() == [2.0, 4.0, 8.0]


def test_a_chord_is_worth_more_than_a_downbeat_and_that_more_than_a_beat(piece: Piece) -> None:
    def kind(cut: float, sync: Sync = "beat") -> str | None:
        hit = fit(piece, [Cut(cut)], 12.0, sync).cuts[0].hit
        return hit.kind if hit else None

    assert kind(8.0) == "chord"
    assert kind(8.0, "downbeat") == "chord"
    assert kind(6.0) == "downbeat"
    assert kind(6.0, "chord") is None
    assert kind(6.5) == "beat"
    assert kind(6.3, "downbeat") == "downbeat"


def test_dropped_cuts_are_reported_and_not_answered(piece: Piece) -> None:
    fitted = fit(piece, [Cut(4.1), Cut(6.1, kept=False)], 12.0)
    assert [report.hit is None for report in fitted.cuts] == [False, True]
    assert len(fitted.kept) == 1


def test_the_report_counts_frames_from_the_start_timecode(piece: Piece) -> None:
    start = Timecode.parse("01:00:00:00", RATE)
    rows = fit(piece, [Cut(8.12), Cut(20.0)], 24.0, rate=RATE).to_json(RATE, start)["cuts"]
    assert rows[0]["timecode"] == "01:00:08:03" and rows[0]["frame"] == 203
    assert rows[0]["hit"]["position"] == "5|1|000"
    assert abs(rows[0]["hit"]["error_frames"]) < 0.05
    assert rows[0]["before"]["error_ms"] == pytest.approx(-120)
    assert rows[0]["tempo_change_percent"] == pytest.approx(100 * (8 / 8.12 - 1), abs=2)
    assert rows[1]["hit"] is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sync": "bar"}, "sync is 'bar'; it can be chord, downbeat, beat, off"),
        ({"max_tempo_change": -0.1}, "-0.1 is outside 0 to 0.25"),
        ({"max_tempo_change": float("nan")}, "nan is outside"),
    ],
)
def test_an_impossible_wish_is_refused(piece: Piece, values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fit(piece, [], 12.0, **values)


def test_without_cuts_or_notes_there_is_nothing_to_bend(piece: Piece) -> None:
    assert fit(piece, [], 12.0).time_map.slopes.tolist() == [1.0]
    silent = fit(Piece.of(np.zeros((0, 4))), [Cut(4.0)], 12.0)
    assert silent.cuts[0].hit is None and silent.cuts[0].nearest is None


@pytest.mark.parametrize("sync", ["beat", "downbeat"])
@pytest.mark.parametrize("gap", [0.2, 0.5, 1.0, 3.0])
def test_looking_no_further_ahead_than_tempo_reaches_loses_nothing(
    gap: float, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(int(gap * 10))
    places = np.arange(1, 60) if sync == "beat" else np.arange(4, 60, 4)
    events = Events((places * 0.53).astype(np.float64), np.where(places % 4 == 0, 1, 2))
    times = np.cumsum(rng.exponential(gap, int(28 / gap)))
    cuts = [Cut(float(time), float(rng.random())) for time in times if time < 28]
    plan = plan_hits(events, cuts, 0.06)
    monkeypatch.setattr(programme, "AHEAD", len(places))
    full = plan_hits(events, cuts, 0.06)
    assert score(plan, events, cuts, 0.06) == pytest.approx(score(full, events, cuts, 0.06))


@pytest.mark.slow
def test_thousands_of_cuts_take_little_memory() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    cuts = [Cut(float(time), float(rng.random())) for time in np.sort(rng.random(1250) * 75)]
    events = Events((np.arange(1, 155) * 0.5).astype(np.float64), np.arange(1, 155) % 4 % 2 + 1)
    tracemalloc.start()
    plan = plan_hits(events, cuts, 0.06)  # an eighth of ten minutes: what grows, grows in step
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(plan.hits) > 100 and peak < 25e6
