"""The plan as a value and as a file: what is saved is read, and a wrong value is named."""

import json
import math
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis, Cut, State
from emsync.errors import InputError, UsageError
from emsync.fit.ending import Ending
from emsync.fit.spotting import spotting_of
from emsync.music.chords import QUALITIES
from emsync.music.piece import CLASSES
from emsync.music.tonality import TONICS
from emsync.options import Options
from emsync.planning.feeling import modes_of
from emsync.planning.plan import Plan, Section, hit_cuts
from emsync.planning.planner import plan_of, themes

TWO = Plan(
    10.0, 120.0, "A", "fade", (1.5, 4.0),
    (
        Section(0.0, 4.0, 0.5, 0.2, "minor", 2.5, ("bass", "piano"), "Am F/2 G/2", "A", 80.0),
        Section(4.0, 10.0),
    ),
    "a.mp4",
)  # fmt: skip

shares = st.floats(-1, 1) | st.just(math.nan)
roots = st.sampled_from(["C", "C#", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"])
words = st.builds(
    "{}{}{}".format, roots, st.sampled_from(sorted(QUALITIES)), st.sampled_from(["", "/2"])
)
sections = st.tuples(
    st.floats(0.1, 60), shares, shares, st.sampled_from([None, "major", "minor"]),
    st.floats(0, 24) | st.just(math.nan),
    st.sets(st.sampled_from(CLASSES), min_size=1).map(
        lambda names: tuple(name for name in CLASSES if name in names)
    ),
    st.lists(words, max_size=6).map(" ".join), st.sampled_from(["", "A", "Z"]),
    st.floats(1, 127) | st.just(math.nan), st.sampled_from(["", "orchestra", "my/own.toml"]),
)  # fmt: skip


@given(
    st.lists(sections, min_size=1, max_size=6),
    st.floats(30, 300),
    st.sampled_from(["", *TONICS]),
    st.sampled_from(["cadence", "fade", "cut"]),
    st.sets(st.floats(0, 1), max_size=5),
    st.text(max_size=300),
)
def test_a_plan_that_is_saved_is_the_plan_that_is_read(
    rows: list[Any], tempo: float, tonic: str, ending: Any, hits: set[float], source: str
) -> None:
    edges = [0.0, *np.cumsum([row[0] for row in rows]).tolist()]
    parts = tuple(
        Section(start, end, *row[1:])
        for (start, end), row in zip(pairwise(edges), rows, strict=True)
    )
    moments = tuple(sorted({hit * edges[-1] for hit in hits}))
    plan = Plan(edges[-1], tempo, tonic, ending, moments, parts, source)
    back = Plan.from_json(json.loads(json.dumps(plan.to_json(), allow_nan=False)))
    assert repr(back) == repr(plan)
    assert back.summary() == plan.summary()


def test_a_file_has_a_line_for_each_section_and_a_mark_of_order_before_it_may_stand(
    tmp_path: Path,
) -> None:
    TWO.save(tmp_path / "p.json")
    text = (tmp_path / "p.json").read_text(encoding="utf-8")
    assert [line[:11] for line in text.splitlines() if '"start"' in line] == ['  {"start":'] * 2
    (tmp_path / "p.json").write_text("\ufeff" + text, encoding="utf-8")
    assert repr(Plan.load(tmp_path / "p.json")) == repr(TWO)


def test_the_report_of_a_composition_has_its_plan(tmp_path: Path) -> None:
    (tmp_path / "score.json").write_text(json.dumps({"seed": 3, "plan": TWO.to_json()}))
    assert repr(Plan.load(tmp_path / "score.json")) == repr(TWO)
    (tmp_path / "score.json").write_text(json.dumps({"seed": 3, "plan": {"duration": 0}}))
    with pytest.raises(InputError, match=r"score\.json': the key 'tempo' is missing"):
        Plan.load(tmp_path / "score.json")


def test_what_is_left_out_of_a_file_is_left_to_the_seed() -> None:
    least = {"duration": 5, "tempo": 90, "sections": [{"start": 0, "end": 5}]}
    plan = Plan.from_json(least)
    assert repr(plan) == repr(Plan(5.0, 90.0))
    drawn = plan_of(Analysis(5.0, "25"), Options(plan=plan))
    assert drawn.tonic and drawn.sections[0].chords and drawn.sections[0].mode
    assert drawn.sections[0].instruments == CLASSES


def test_chords_without_a_key_say_it() -> None:
    """The last chord is then at home, whatever the seed."""
    sections = (Section(0.0, 8.0, chords="Am F C G"), Section(8.0, 16.0, chords="F G Em Am"))
    for seed in range(4):
        plan = plan_of(
            Analysis(16.0, "25"), Options(plan=Plan(16.0, 120.0, sections=sections), seed=seed)
        )
        assert plan.tonic == "A" and {section.mode for section in plan.sections} == {"minor"}
    silent = Plan(16.0, 120.0, sections=(Section(0.0, 16.0, chords="N"),))
    assert plan_of(Analysis(16.0, "25"), Options(plan=silent)).sections[0].chords == "N"
    half = replace(silent, sections=(Section(0.0, 8.0), Section(8.0, 16.0, chords="Am F C G")))
    assert plan_of(Analysis(16.0, "25"), Options(plan=half)).sections[0].mode == "minor"


ROW: dict[str, Any] = {"start": 0, "end": 10}
HALF: dict[str, Any] = {"start": 0, "end": 4}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "its format is 2; this emsync reads 1"),
        ({"format": True}, "its format is true"),
        ({"beats": 4}, "there is the unknown key 'beats'; there are format, duration"),
        ({"duration": None}, "duration is null, not a number"),
        ({"duration": 0}, "duration is 0; it must be more than 0 seconds"),
        ({"duration": "10"}, 'duration is "10", not a number'),
        ({"duration": math.nan}, "duration is nan, not a finite number"),
        ({"tempo": 20}, "tempo is 20, outside 30 to 300"),
        ({"tempo": True}, "tempo is true, not a number"),
        ({"tonic": "H"}, "tonic 'H' is not a pitch class"),
        ({"ending": "bang"}, 'ending is "bang"; choose one of cadence, fade, cut'),
        ({"ending": ["fade"]}, r'ending is \["fade"\]; choose one of'),
        ({"hits": 3}, "hits is 3, not a list"),
        ({"hits": [1, 11]}, r"hits\[1\] is 11, outside 0 to 10"),
        ({"hits": [None]}, r"hits\[0\] is null, not a number"),
        ({"sections": []}, "sections is empty; one section from 0 to the end is the least"),
        ({"sections": {}}, "sections is {}, not a list"),
        ({"sections": [3]}, r"sections\[0\] is 3, not an object"),
        ({"sections": [ROW] * 10_001}, "sections has 10001 entries; 10000 are the most"),
        ({"sections": [{"start": 0}]}, r"sections\[0\] has no 'end'"),
        ({"sections": [{**ROW, "chord": "C"}]}, r"sections\[0\] has the unknown key 'chord'"),
        ({"sections": [{**ROW, "emotion": "joy", "valence": None, "arousal": 0.5}]},
         r'sections\[0\].emotion is "joy", which valence null, arousal 0.5 is not; make it ""'),
        ({"sections": [HALF]}, "the sections end at 4, but the video at 10 s"),
        ({"sections": [HALF, {"start": 5, "end": 10}]},
         r"sections\[1\].start is 5, which leaves a gap: it must be 4, where the section before"),
        ({"sections": [HALF, {"start": 3, "end": 10}]},
         r"sections\[1\].start is 3: it overlaps the section before, which ends at 4"),
        ({"sections": [{"start": 4, "end": 10}, HALF]}, r"sections\[0\].start is 4, .*must be 0"),
        ({"sections": [HALF, {"start": 4, "end": 4}, {"start": 4, "end": 10}]},
         r"sections\[1\].end is 4, outside 4 to 10 s"),
        ({"sections": [{"start": 0, "end": 11}]}, r"sections\[0\].end is 11, outside 0 to 10 s"),
        ({"sections": [{**ROW, "valence": 2}]}, r"sections\[0\].valence is 2, outside -1 to 1"),
        ({"sections": [{**ROW, "emotion": "bliss"}]}, r'sections\[0\].emotion is "bliss"; there'),
        ({"sections": [{**ROW, "mode": "dorian"}]}, r'sections\[0\].mode is "dorian"; choose'),
        ({"sections": [{**ROW, "mode": 0}]}, r"sections\[0\].mode is 0; choose one of major"),
        ({"sections": [{**ROW, "density": -1}]}, r"sections\[0\].density is -1, outside 0 to 24"),
        ({"sections": [{**ROW, "level": 0}]}, r"sections\[0\].level is 0, outside 1 to 127"),
        ({"sections": [{**ROW, "theme": "AB"}]}, r'sections\[0\].theme is "AB", not a letter'),
        ({"sections": [{**ROW, "theme": "a"}]}, r'sections\[0\].theme is "a", not a letter'),
        ({"sections": [{**ROW, "theme": 1}]}, r"sections\[0\].theme is 1, not text"),
        ({"sections": [{**ROW, "instruments": []}]}, r"sections\[0\].instruments: no instrument"),
        ({"sections": [{**ROW, "instruments": "piano"}]},
         r'sections\[0\].instruments is "piano", not a list'),
        ({"sections": [{**ROW, "instruments": ["oboe"]}]},
         r"sections\[0\].instruments: 'oboe' is no instrument of the composer"),
        ({"sections": [{**ROW, "chords": "Am F# Hm"}]},
         r"sections\[0\].chords: chord 3: 'Hm' is no chord; on any root there are C, Cm"),
        ({"sections": [{**ROW, "chords": ["Am"]}]}, r'sections\[0\].chords is \["Am"\], not text'),
        ({"source": 3}, "source is 3, not text"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"^edited\.json: {message}"):
        Plan.from_json({**TWO.to_json(), "sections": [ROW], **changes}, "edited.json")


@pytest.mark.parametrize("key", ["duration", "tempo", "sections"])
def test_a_key_that_is_needed_is_missed(key: str) -> None:
    data = {name: value for name, value in TWO.to_json().items() if name != key}
    with pytest.raises(InputError, match=f"the key '{key}' is missing"):
        Plan.from_json(data)


def test_a_key_that_stands_twice_is_refused_since_one_would_be_lost(tmp_path: Path) -> None:
    text = json.dumps(TWO.to_json()).replace('"tempo": 120.0', '"tempo": 120.0, "tempo": 90')
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=r"p\.json' is not JSON: the key 'tempo' stands twice"):
        Plan.load(tmp_path / "p.json")


def test_a_plan_in_python_is_checked_like_a_file() -> None:
    gap = Plan(10.0, 120.0, sections=(Section(0.0, 3.0), Section(5.0, 10.0)))
    with pytest.raises(InputError, match=r"plan: sections\[1\]\.start is 5, which leaves a gap"):
        plan_of(Analysis(10.0, "25"), Options(plan=gap))


def test_a_plan_of_another_film_is_refused_and_a_rounded_length_is_not() -> None:
    with pytest.raises(UsageError, match=r"the plan is of a\.mp4 and 10\.00 s, the video has 20"):
        plan_of(Analysis(20.0, "25"), Options(plan=TWO))
    assert plan_of(Analysis(10.04, "25"), Options(plan=TWO)).sections[-1].end == 10.04


moments = st.lists(st.integers(0, 4000), max_size=30, unique=True).map(
    lambda numbers: [number / 400 for number in sorted(numbers)]
)


@given(moments, moments)
def test_the_hits_of_a_plan_are_the_cuts_that_are_kept(
    seen: list[float], hits: list[float]
) -> None:
    cuts = hit_cuts(tuple(Cut(at) for at in seen), tuple(hits))
    kept = [cut.time for cut in cuts if cut.kept]
    assert kept == pytest.approx(hits)
    assert [cut.time for cut in cuts] == sorted({*seen, *hits})
    assert all(cut.reason == "not in the plan" for cut in cuts if not cut.kept)


@pytest.mark.slow
def test_a_plan_of_two_hours_with_a_thousand_cuts_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 7200, 1000)).tolist()
    edges = [0.0, *times[::10], 7200.0]
    arc = tuple(
        State(start, end, *rng.uniform(-1, 1, 2).tolist()) for start, end in pairwise(edges)
    )
    film = replace(Analysis(7200.0, "25", cuts=tuple(Cut(at) for at in times)), arc=arc)
    began = time.process_time()
    plan = plan_of(film)
    again = plan_of(film, Options(plan=plan))
    assert time.process_time() - began < 30
    assert repr(again) == repr(plan), "what was planned is not planned otherwise when it is read"


@pytest.mark.parametrize(("cut", "duration"), [(8.08, 13.0), (4.64, 7.6)])
def test_the_tempo_suits_the_cuts_and_the_last_chord(cut: float, duration: float) -> None:
    film = Analysis(duration, "25", (Cut(cut, strength=0.4),), valence=-0.2, arousal=-0.3)
    plan = plan_of(film)
    asked = plan.asked(film)
    brief = Ending.of(plan.ending, asked).requested_in(asked)
    assert cut in spotting_of(brief, "beat", 0.06).hits


def test_a_plan_keeps_who_found_the_feeling_until_a_person_edits_it() -> None:
    arc = (State(0.0, 60.0, 0.5, 0.5), State(60.0, 90.0, -0.5, -0.5))
    film = Analysis(90.0, "25", arc=arc, valence=0.2, arousal=0.2, estimator="faces,sound")
    plan = plan_of(film, Options())
    assert plan.arc != arc, "a state so long is more than one section"
    assert plan.asked(film).estimator == "faces,sound"
    first, *others = plan.sections
    edited = replace(plan, sections=(replace(first, valence=0.4), *others))
    assert edited.asked(film).estimator == ""
    given = film.with_feeling({"joy": 1.0})
    assert plan_of(given, Options()).asked(given).estimator == ""


@pytest.mark.slow
def test_one_seed_draws_other_chords_for_another_film_and_the_same_for_the_same() -> None:
    films = [Analysis(20.0 + n, "25", valence=0.5, arousal=0.2) for n in range(8)]
    plans = [plan_of(film) for film in films]
    assert len({plan.tonic for plan in plans}) > 3
    assert len({plan.sections[0].chords for plan in plans}) == len(plans)
    assert all(repr(plan_of(film)) == repr(plan) for film, plan in zip(films, plans, strict=True))


def test_a_theme_returns_where_the_feeling_comes_near_to_its_own() -> None:
    def letters(*points: tuple[float, float]) -> str:
        return "".join(themes([State(n, n + 1, v, a) for n, (v, a) in enumerate(points)]))

    assert letters((0.1, 0.3), (-0.5, 0.7), (0.3, 0.1)) == "ABA", "near, and not twice in a row"
    assert letters((0.1, 0.3), (0.3, 0.1)) == "AB", "a cut between near feelings is heard"
    assert letters(*[(0.1, 0.3)] * 4) == "AABA"
    assert letters((0.1, 0.3), (-0.5, 0.7), (0.9, -0.5)) == "ABC"


def test_a_mode_changes_only_where_the_valence_is_not_near_0() -> None:
    assert modes_of([0.02, -0.03, 0.12]) == ["major"] * 3
    assert modes_of([-0.02, 0.03, -0.12]) == ["minor"] * 3
    assert modes_of([0.4, -0.05, -0.1, -0.3, 0.05, 0.1]) == [
        "major", "major", "minor", "minor", "minor", "major",
    ]  # fmt: skip
    assert modes_of([math.nan, -0.01, math.nan, 0.01]) == [None, "minor", None, "major"]


def test_a_battle_that_is_hardly_pleasant_or_unpleasant_stays_in_its_mode_and_its_theme() -> None:
    arc = State(0.0, 8.0, 0.02, 0.5), State(8.0, 16.0, -0.01, 0.2), State(16.0, 24.0, 0.03, 0.5)
    plan = plan_of(Analysis(24.0, "25", valence=0.02, arousal=0.4, arc=arc))
    assert [section.mode for section in plan.sections] == ["major"] * 3
    assert "".join(section.theme for section in plan.sections) == "ABA"


def test_another_feeling_moves_a_mode_that_its_neighbours_decided() -> None:
    arc = State(0.0, 8.0, 0.02, 0.5), State(8.0, 16.0, -0.01, 0.0)
    film = Analysis(16.0, "25", valence=0.0, arousal=0.25, arc=arc)
    sad = Options(plan=plan_of(film), valence=-0.5)
    assert [section.mode for section in plan_of(film, sad).sections] == ["minor"] * 2
