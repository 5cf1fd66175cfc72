import json
import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis, Curve, Cut, State
from emsync.brief import brief_of
from emsync.emotion.arc import ALIKE, SHORTEST_STATE, read_arc, scenes, settle
from emsync.emotion.belief import Belief, Impression
from emsync.emotion.plane import NAMES, Point, mixture_mean, named, shares
from emsync.errors import EmsyncError, EmsyncWarning, InputError, UsageError
from emsync.fit.tempo import at_tempo
from emsync.music.chords import Harmony
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.options import ESTIMATOR, Options
from emsync.pipeline import analyze
from emsync.report.plots import plot_analysis
from emsync.video.footage import Still

WHOLE = Analysis(
    duration=10.0,
    fps="30000/1001",
    cuts=(Cut(1.5, 0.4, frame=45), Cut(3.0, 0.2, False, "within 4 s of the stronger cut")),
    motion=Curve(2.5, (0.1, 0.2, 0.3, 0.4)),
    impact=Curve(5.0, (0.0, 0.7)),
    brightness=Curve(2.5, (0.5, 0.6, 0.7, 1.0)),
    saturation=Curve(5.0, (0.0, 0.9)),
    colourfulness=Curve(5.0, (0.4, 1.2)),
    valence=0.25,
    arousal=-0.5,
    valence_curve=Curve(5.0, (0.2, 0.3)),
    arousal_curve=Curve(5.0, (-0.6, -0.4)),
    source="a.mp4",
    arc=(State(0.0, 4.0, -0.6, -0.3), State(4.0, 10.0, 0.2, -0.4)),
    shots=(
        Impression(0.0, 4.0, {"pictures": Belief(-0.5, -0.3, 0.5, 0.4, "dark"), "faces": Belief()}),
        Impression(4.0, 10.0, {"sound": Belief(arousal=0.25, arousal_sd=0.5, words="loud")}),
    ),
    estimator="pictures",
)


def state(start: Any, end: Any, **values: Any) -> dict[str, Any]:
    return {"start": start, "end": end, **values}


@pytest.mark.slow
def test_a_video_is_analysed_in_one_call(shared: Path) -> None:
    shares: list[float] = []
    analysis = analyze(
        shared / "clips" / "skv_bikes.mp4", progress=lambda _, share: shares.append(share)
    )
    assert (analysis.duration, analysis.fps, analysis.source) == (10.0, "25", "skv_bikes.mp4")
    assert [cut.time for cut in analysis.kept] == [1.2, 7.48]
    assert len(analysis.cuts) == 5 and all(c.reason for c in analysis.cuts if not c.kept)
    assert sum(analysis.emotion.values()) == pytest.approx(1)
    assert -1 <= analysis.valence <= 1 and analysis.arousal > 0.2  # a quick montage of traffic
    assert analysis.motion and len(analysis.motion.values) == 100
    assert shares and analysis.estimator == ESTIMATOR
    assert (analysis.arc[0].start, analysis.arc[-1].end) == (0.0, 10.0)
    assert Analysis.from_json(analysis.to_json()) == analysis


# The file


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for analysis in (WHOLE, Analysis(3.0, "0"), Analysis(3.0, "25", valence=0.5)):
        analysis.save(path)
        back = Analysis.load(path)
        plain: dict[str, Any] = {
            "valence": 0.0,
            "arousal": 0.0,
            "arc": (),
        }  # NaN is not equal to itself
        assert replace(back, **plain) == replace(analysis, **plain)
        assert back.to_json() == analysis.to_json()
    assert {"duration", "fps", "cuts", "motion", "valence", "arousal", "emotion"} <= set(
        json.loads(path.read_text())
    )


times = st.floats(0, 10)
cuts = st.builds(
    Cut, times, st.floats(0, 1), st.booleans(), st.text(max_size=9), st.none() | st.integers(0, 99)
)


@given(st.lists(cuts), st.floats(-1, 1) | st.just(math.nan))
def test_any_analysis_survives_json(listed: list[Cut], valence: float) -> None:
    ordered = tuple(sorted(listed, key=lambda c: c.time))
    analysis = replace(WHOLE, cuts=ordered, valence=valence)
    text = json.dumps(analysis.to_json(), allow_nan=False)
    back = Analysis.from_json(json.loads(text))
    assert back.cuts == ordered
    assert math.isnan(back.valence) if math.isnan(valence) else back.valence == valence


def test_a_file_says_of_the_impact_only_where_it_was_looked_for() -> None:
    assert WHOLE.to_json()["impact"] == {"step": 5.0, "values": [0.0, 0.7]}
    assert "impact" not in replace(WHOLE, impact=None).to_json()
    assert Analysis.from_json({"duration": 7}).impact is None


def test_an_edited_file_needs_no_more_than_a_duration() -> None:
    analysis = Analysis.from_json({"duration": 7, "cuts": [{"time": 5}, {"time": 2.5}]})
    assert [cut.time for cut in analysis.kept] == [2.5, 5.0]
    assert math.isnan(analysis.valence) and analysis.emotion == {} and analysis.motion is None


def test_keys_of_a_later_emsync_are_let_be() -> None:
    assert Analysis.from_json({"duration": 7, "loudness": {"kind": "later"}}).duration == 7


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 3}, "its format is 3; this emsync reads 1 and 2"),
        ({"duration": None}, "duration is null, not a number"),
        ({"duration": True}, "duration is true, not a number"),
        ({"duration": "10"}, 'duration is "10", not a number'),
        ({"duration": 0}, "duration is 0.0; it must be more than 0"),
        ({"duration": math.nan}, "duration is nan, not a finite number"),
        ({"duration": 10**400}, "duration is inf, not a finite number"),
        ({"fps": "fast"}, 'fps is "fast", not a fraction such as'),
        ({"fps": "25/0"}, 'fps is "25/0"'),
        ({"fps": "-25"}, 'fps is "-25"'),
        ({"fps": True}, "fps is true, not a fraction"),
        ({"fps": "9" * 99}, "fps is"),
        ({"fps": "1e999999999"}, "fps is"),
        ({"fps": "1e-999999999"}, "fps is"),
        ({"duration": 1e300}, "duration is 1e.300; it must be"),
        ({"valence": 1.5}, "valence is 1.5, outside -1 to 1"),
        ({"valence": "0.5"}, 'valence is "0.5", not a number'),
        ({"arousal": math.nan}, "arousal is nan"),
        ({"arousal": [0]}, r"arousal is \[0\], not a number"),
        ({"emotion": ["joy"]}, 'emotion is \\["joy"\\], not an object'),
        ({"emotion": {"boredom": 1}}, "emotion has the unknown key 'boredom'; there are anger,"),
        ({"emotion": {"joy": 1.2}}, "emotion.joy is 1.2, outside 0 to 1"),
        ({"emotion": {"joy": 0.7, "fear": 0.5}}, "emotion sums to 1.2"),
        ({"cuts": {"time": 1}}, "cuts is .*, not a list"),
        ({"cuts": [1.5]}, r"cuts\[0\] is 1.5, not an object"),
        ({"cuts": [{}]}, r"cuts\[0\] has no 'time'"),
        ({"cuts": [{"time": 1}, {"time": "2"}]}, r'cuts\[1\].time is "2", not a number'),
        ({"cuts": [{"time": math.inf}]}, r"cuts\[0\].time is inf"),
        ({"cuts": [{"time": -1}]}, r"cuts\[0\].time is -1, outside the 10 s of video"),
        ({"cuts": [{"time": 11}]}, r"cuts\[0\].time is 11, outside the 10 s of video"),
        ({"cuts": [{"time": 1, "strength": 2}]}, r"cuts\[0\].strength is 2, outside 0 to 1"),
        ({"cuts": [{"time": 1, "kept": "false"}]}, 'kept is "false"; it must be true or false'),
        ({"cuts": [{"time": 1, "kept": 0}]}, "kept is 0; it must be true or false"),
        ({"cuts": [{"time": 1, "frame": 1.5}]}, "frame is 1.5, not a whole number"),
        ({"cuts": [{"time": 1, "frame": -1}]}, "frame is -1, not a whole number"),
        ({"cuts": [{"time": 1, "reason": 3}]}, "reason is 3, not text"),
        ({"cuts": [{"time": 1, "strenght": 1}]}, "the unknown key 'strenght'; there are time,"),
        ({"cuts": [{"time": 1}] * 100_001}, "cuts has 100001 entries"),
        ({"motion": [1, 2]}, "motion is .*, not an object"),
        ({"motion": {"step": 1}}, "motion has no 'values'"),
        ({"motion": {"step": 0, "values": []}}, "motion.step is 0; it must be more"),
        ({"motion": {"step": 1, "values": [-1]}}, r"motion.values\[0\] is -1, outside 0 to 1e"),
        ({"motion": {"step": 1, "values": [0] * 99}}, "motion.values has 99 entries"),
        ({"motion": {"step": 1, "values": ["0"]}}, r'motion.values\[0\] is "0", not a number'),
        ({"valence_curve": {"step": 1, "values": [2]}}, r"valence_curve.values\[0\] is 2, outside"),
        ({"source": 1}, "source is 1, not text"),
        ({"arc": {"start": 0}}, "arc is .*, not a list"),
        ({"arc": [3]}, r"arc\[0\] is 3, not an object"),
        ({"arc": [{"end": 10}]}, r"arc\[0\] has no 'start'"),
        ({"arc": [{"start": 0}]}, r"arc\[0\] has no 'end'"),
        ({"arc": [state(1, 10)]}, r"arc\[0\].start is 1, but it must be 0, where the video begins"),
        (
            {"arc": [state(0, 4), state(5, 10)]},
            r"arc\[1\].start is 5, .* 4, where the last state en",
        ),
        ({"arc": [state(0, 4), state(3, 10)]}, r"arc\[1\].start is 3, but it must be 4"),
        ({"arc": [state(0, 0), state(0, 10)]}, r"arc\[0\].end is 0, outside 0 to 10 s"),
        ({"arc": [state(0, 11)]}, r"arc\[0\].end is 11, outside 0 to 10 s"),
        ({"tonic": "H"}, "tonic 'H' is not a pitch class; name one such as C, F# or Bb"),
        ({"tonic": 3}, "tonic is 3, not text"),
        ({"arc": [state(0, 9)]}, "arc ends at 9, but the video at 10 s"),
        ({"arc": [state(0, "10")]}, r'arc\[0\].end is "10", not a number'),
        ({"arc": [state(0, 10, valence=2)]}, r"arc\[0\].valence is 2, outside -1 to 1"),
        ({"arc": [state(0, 10, arousal="0")]}, r'arc\[0\].arousal is "0", not a number'),
        (
            {"arc": [state(0, 10, emotion="boredom")]},
            r'arc\[0\].emotion is "boredom"; there are ang',
        ),
        ({"arc": [state(0, 10, emotion=1)]}, r"arc\[0\].emotion is 1, not text"),
        ({"arc": [state(0, 10, mood=1)]}, r"arc\[0\] has the unknown key 'mood'; there are start,"),
    ],
)
def test_a_value_that_cannot_be_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        Analysis.from_json({**WHOLE.to_json(), **changes}, "edited.json")
    assert str(caught.value).startswith("edited.json: ") and len(str(caught.value)) < 200


def test_a_missing_duration_is_asked_for() -> None:
    with pytest.raises(InputError, match="the key 'duration' is missing"):
        Analysis.from_json({})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is no UTF-8"),
        (b"[1]", "holds no JSON object"),
        (b"[" * 100_000, "more than 64 deep"),
        (b'{"duration": Infinity}', "is not JSON"),
    ],
)
def test_a_file_that_is_no_analysis_is_refused(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        Analysis.load(path)


def test_a_missing_file_a_folder_and_a_giant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        Analysis.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="it is a folder"):
        Analysis.load(tmp_path)
    with (tmp_path / "giant.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match="bytes, which are too many"):
        Analysis.load(tmp_path / "giant.json")


# What a person asks for instead


def test_an_emotion_sets_the_point_by_the_mixtures_mean() -> None:
    sad = WHOLE.with_feeling(emotion={"sadness": 2.0})
    mean = mixture_mean({"sadness": 1.0})
    assert (sad.valence, sad.arousal) == (mean.valence, mean.arousal)
    assert max(sad.emotion, key=lambda name: sad.emotion[name]) == "sadness"
    assert sad.valence_curve is None and sad.arousal_curve is None and sad.estimator == ""
    assert sad.cuts == WHOLE.cuts
    assert sad.arc == (State(0.0, 10.0, mean.valence, mean.arousal),)


def test_a_point_sets_the_emotion_by_the_inverse() -> None:
    lively = WHOLE.with_feeling(arousal=0.7)
    assert (lively.valence, lively.arousal) == (0.25, 0.7)
    assert lively.emotion == shares(0.25, 0.7)
    assert lively.valence_curve == WHOLE.valence_curve and lively.arousal_curve is None
    assert [(s.end, s.valence, s.arousal) for s in lively.arc] == [(4, -0.6, 0.7), (10, 0.2, 0.7)]


def test_a_value_has_the_last_word_over_an_emotion() -> None:
    both = WHOLE.with_feeling(emotion={"joy": 1.0}, arousal=-0.2)
    assert (both.valence, both.arousal) == (mixture_mean({"joy": 1.0}).valence, -0.2)
    assert both.emotion == shares(both.valence, -0.2)  # what sounds, not what was asked for first


def test_half_a_point_tells_no_emotion() -> None:
    assert Analysis(3.0, "25").with_feeling(valence=0.5).emotion == {}


def test_nothing_asked_for_changes_nothing() -> None:
    assert WHOLE.with_feeling() is WHOLE


@pytest.mark.parametrize("value", [math.nan, 1.01, -math.inf])
def test_an_impossible_wish_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"valence is .*; it must be from -1 to 1"):
        WHOLE.with_feeling(valence=value)
    with pytest.raises(UsageError, match=r"arousal is .*; it must be from -1 to 1"):
        WHOLE.with_feeling(emotion={"joy": 1.0}, arousal=value)


# Over time


def test_a_file_without_an_arc_is_one_constant_state() -> None:
    old = {key: value for key, value in WHOLE.to_json().items() if key != "arc"}
    assert Analysis.from_json(old).arc == (State(0.0, 10.0, 0.25, -0.5),)
    assert Analysis.from_json({**old, "arc": None}).arc == Analysis.from_json(old).arc
    assert math.isnan(Analysis.from_json({"duration": 7}).arc[0].valence)


def test_a_state_may_be_an_emotion_alone() -> None:
    rows = [state(0, 4, emotion="joy"), state(4.004, 9.995, valence=0.1)]
    joy, half = Analysis.from_json({"duration": 10, "arc": rows}).arc
    mean = mixture_mean({"joy": 1.0})
    assert joy == State(0.0, 4.0, mean.valence, mean.arousal) and joy.emotion == "joy"
    assert (half.start, half.end, half.valence) == (4.0, 10.0, 0.1) and math.isnan(half.arousal)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_state_and_the_whole_have_one_name_which_is_their_points(v: float, a: float) -> None:
    whole = Analysis(10.0, "25", valence=v, arousal=a)
    assert whole.arc[0].emotion == max(whole.emotion, key=lambda name: whole.emotion[name])
    assert whole.arc[0].emotion == named(v, a)
    assert replace(whole.arc[0], valence=-v).emotion == named(-v, a)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_its_numbers_are_not_is_refused(name: str) -> None:
    def edited(**values: Any) -> tuple[State, ...]:
        return Analysis.from_json({"duration": 10, "arc": [state(0, 10, **values)]}, "a.json").arc

    there = mixture_mean({name: 1.0})
    numbers = {"valence": there.valence, "arousal": there.arousal}
    other = "sadness" if name == "joy" else "joy"
    assert edited(**numbers, emotion=name) == edited(emotion=name) == edited(**numbers, emotion="")
    assert edited(emotion=name, valence=None, arousal=None)[0].emotion == name
    with pytest.raises(
        InputError, match=rf'arc\[0\].emotion is "{other}", which .*\({name}\) is no'
    ):
        edited(**numbers, emotion=other)  # a name was changed, or the numbers and not the name
    with pytest.raises(
        InputError, match='make it "" to keep the numbers, or leave the numbers out'
    ):
        edited(valence=0.5, emotion=other)


def test_shares_that_the_numbers_are_not_are_refused_and_alone_they_set_them() -> None:
    told = Analysis.from_json({"duration": 10, "emotion": {"joy": 0.7, "sadness": 0.3}})
    mean = mixture_mean({"joy": 0.7, "sadness": 0.3})
    assert (told.valence, told.arousal) == (mean.valence, mean.arousal)
    whole = WHOLE.to_json()
    with pytest.raises(
        InputError, match=r"emotion is not what valence 0.25, arousal -0.5 \(neutral"
    ):
        Analysis.from_json({**whole, "emotion": {"joy": 1.0}})
    assert Analysis.from_json({**whole, "emotion": {}, "valence": 0.3}).valence == 0.3


def test_in_a_file_of_an_earlier_emsync_the_numbers_count_as_they_did() -> None:
    row = state(0, 10, valence=0.0, arousal=0.13, emotion="surprise")
    old = {"format": 1, "duration": 10, "valence": 0.0, "arousal": 0.13, "emotion": {"surprise": 1}}
    with pytest.warns(EmsyncWarning, match="a.json is of an earlier emsync: its numbers count"):
        back = Analysis.from_json({**old, "arc": [row]}, "a.json")
    assert (back.arousal, back.arc[0].arousal, back.arc[0].emotion) == (0.13, 0.13, "neutral")
    with pytest.warns(EmsyncWarning):
        assert Analysis.from_json({**old, "arc": [state(0, 10, emotion="joy")]}).arc[0].valence > 0


def test_a_constant_analysis_has_one_state_that_is_the_whole() -> None:
    assert WHOLE.constant().arc == (State(0.0, 10.0, 0.25, -0.5),)
    assert WHOLE.with_feeling(valence=0.5, arousal=0.5).arc == (State(0.0, 10.0, 0.5, 0.5),)


@given(st.floats(0.05, 1.0))
def test_one_coefficient_scales_all_that_was_felt(largest: float) -> None:
    scaled, factor = WHOLE.scaled(largest), largest / 0.8
    assert scaled.valence == pytest.approx(0.25 * factor)
    assert scaled.arc[0].arousal == pytest.approx(-0.3 * factor)
    assert scaled.valence_curve and scaled.valence_curve.values[1] == pytest.approx(0.3 * factor)
    assert scaled.emotion == shares(scaled.valence, scaled.arousal)
    joy = WHOLE.with_feeling({"joy": 1.0}, scale=largest)
    assert joy.valence == pytest.approx(WHOLE.with_feeling({"joy": 1.0}).scaled(largest).valence)


def test_what_is_scaled_stays_on_the_plane() -> None:
    assert replace(WHOLE, valence=0.9, arousal=-1.0).scaled(1.0).valence == 1.0
    assert replace(WHOLE, arousal=-1.0).scaled(1.0).arousal == -1.0
    with pytest.raises(UsageError, match=r"the scale of emotions is 1\.5"):
        WHOLE.scaled(1.5)


def test_an_arc_that_is_given_sets_the_whole() -> None:
    arc = (State(0.0, 2.5, 0.8, 0.4), State(2.5, 10.0, -0.4, 0.0))
    told = WHOLE.with_arc(arc)
    assert (told.valence, told.arousal) == pytest.approx((-0.1, 0.1))
    assert sum(told.emotion.values()) == pytest.approx(1)
    assert told.arc == arc and told.valence_curve is None and told.estimator == ""


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names, without indices, and values of all that an analysis holds."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name == "music_time":
                continue  # a law of its own
            yield from flat(getattr(value, field.name), f"{name}.{field.name}".strip("."))
    elif isinstance(value, tuple):
        for item in value:
            yield from flat(item, name)
    elif isinstance(value, dict):
        for key in value:
            yield from flat(value[key], name)
    elif isinstance(value, np.ndarray):
        yield from flat(tuple(value.tolist()), name)
    else:
        yield name, value


# What becomes of each number in an analysis when its film lasts longer. A new field has to be
# named here: a time that stays behind is a wrong time for every conditioner that reads it.
LONGER = {
    "duration", "cuts.time", "motion.step", "brightness.step", "saturation.step",
    "colourfulness.step", "impact.step", "valence_curve.step", "arousal_curve.step", "arc.start",
    "arc.end",
    "sheet.harmony.starts", "sheet.passages.start", "sheet.passages.end", "sheet.begins",
    "sheet.resumes", "shots.start", "shots.end",
}  # fmt: skip
SLOWER = {"fps", "motion.values", "impact.values", "tempo"}
SAME = {
    "cuts.strength", "cuts.kept", "cuts.kind", "cuts.reason", "cuts.frame", "valence", "arousal",
    "tonic", "requested", "emotion", "valence_curve.values", "arousal_curve.values", "arc.valence",
    "arc.arousal", "arc.emotion", "source", "estimator", "brightness.values", "saturation.values",
    "colourfulness.values", "sheet.harmony.chords", "sheet.passages.classes",
    "sheet.passages.theme", "sheet.passages.minor", "sheet.passages.density", "sheet.tonic",
    "sheet.later", "shots.says.valence", "shots.says.arousal", "shots.says.valence_sd",
    "shots.says.arousal_sd", "shots.says.words",
}  # fmt: skip
SHEET = LeadSheet(
    Harmony(np.array([0.0, 4.0]), np.array([21, 0])),
    (Passage(0.0, 4.0, (2, 3), "A", True, 2.5), Passage(4.0, 10.0, density=3.0)),
    9,
    resumes=8.0,
)


@given(st.floats(0.35, 3.0))
def test_every_time_in_an_analysis_is_that_of_the_longer_film(factor: float) -> None:
    before = replace(WHOLE, tempo=96.0, tonic="F#", requested={"style": "calm"}, sheet=SHEET)
    after = before.retimed(factor)
    seen = set()
    for (name, old), (other, new) in zip(flat(before), flat(after), strict=True):
        assert name == other
        seen.add(name)
        if name in LONGER:
            assert new == pytest.approx(old * factor)
        elif name in SLOWER:
            assert float(Fraction(new)) == pytest.approx(float(Fraction(old)) / factor, rel=1e-5)
        else:
            assert new == old, name
    assert seen == LONGER | SLOWER | SAME
    times = np.arange(0.05, 10.0, 0.1)
    assert np.array_equal(before.feelings(times), after.feelings(times * factor))
    assert after.music_time(times) == pytest.approx(times * factor)
    assert Analysis.from_json(after.to_json()) == replace(after, sheet=None), "in no file"


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_film_made_longer_and_shorter_again_is_the_same(factor: float) -> None:
    bare = Analysis(10.0, "0")
    for film in (WHOLE, bare):
        assert str(film.retimed(factor).retimed(1 / factor)) == str(film)
    assert bare.retimed(factor).fps == "0" and math.isnan(bare.retimed(factor).tempo)


def test_a_film_in_the_composer_s_time_takes_all_of_it_along() -> None:
    inner = at_tempo(replace(WHOLE, tempo=200.0), 100.0, 200.0)
    assert inner == replace(WHOLE, tempo=200.0).retimed(2.0) and inner.tempo == 100.0


spans = st.lists(st.floats(0.2, 12), min_size=1, max_size=12)
points = st.tuples(st.floats(-1, 1), st.floats(-1, 1))


@given(spans, st.data())
def test_states_cover_all_last_long_and_differ(lengths: list[float], data: st.DataObject) -> None:
    edges = [0.0, *np.cumsum(lengths).tolist()]
    feelings = [Point(*data.draw(points)) for _ in lengths]
    arc = settle(list(pairwise(edges)), feelings)
    assert (arc[0].start, arc[-1].end) == (0.0, edges[-1])
    assert all(a.end == b.start for a, b in pairwise(arc))
    assert {s.start for s in arc} <= set(edges)
    if len(arc) > 1:
        assert min(s.length for s in arc) >= SHORTEST_STATE - 1e-6
        assert all(
            math.hypot(a.valence - b.valence, a.arousal - b.arousal) > ALIKE - 1e-3
            for a, b in pairwise(arc)
        )
    whole = sum(s.valence * s.length for s in arc) / edges[-1]
    felt = np.average([f.valence for f in feelings], weights=lengths)
    assert whole == pytest.approx(felt, abs=1e-3)  # no second is lost, nor counted twice


def test_a_short_scene_joins_the_neighbour_that_it_resembles() -> None:
    dark, dim, bright = Point(-0.6, 0.0), Point(-0.3, 0.0), Point(0.6, 0.0)
    arc = settle([(0, 10), (10, 12), (12, 20)], [bright, dim, dark])
    assert [(s.start, s.end) for s in arc] == [(0, 10), (10, 20)]
    assert arc[1].valence == pytest.approx((-0.3 * 2 - 0.6 * 8) / 10)


def test_scenes_change_only_at_cuts_that_the_music_answers() -> None:
    cuts = (Cut(1.5), Cut(3.0, kept=False), Cut(7.0), Cut(10.0))
    assert scenes(cuts, 10.0) == [(0.0, 1.5), (1.5, 7.0), (7.0, 10.0)]


# The file of an arc


def test_an_arc_is_read_from_points_or_from_names(tmp_path: Path) -> None:
    path = tmp_path / "arc.csv"
    path.write_text("time,valence,arousal\n2,0.7,0.4\n4.5,-0.2,0\n")
    first, second = read_arc(path, 10.0)
    assert (
        first == State(0.0, 4.5, 0.7, 0.4) and first.emotion == "joy"
    )  # the first row holds from the start
    assert (second.start, second.end, second.valence) == (4.5, 10.0, -0.2)
    path.write_text('\ufefftime, emotion\n0, joy\n6,"fear=1,anger=3"\n', encoding="utf-8")
    joy, fear = read_arc(path, 10.0)
    assert (joy.emotion, joy.valence) == ("joy", mixture_mean({"joy": 1.0}).valence)
    assert fear.valence == mixture_mean({"fear": 1.0, "anger": 3.0}).valence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has the columns of nothing; they must be time,valence,arousal or time,emotion"),
        ("time,joy\n0,1\n", "has the columns joy, time; they must be"),
        ("time,emotion\n", "holds no row"),
        ("time,emotion\n0\n", "line 2: too few or many cells"),
        ("time,emotion\n0,joy,fear\n", "line 2: too few or many cells"),
        ("time,emotion\nsoon,joy\n", "line 2: the time is 'soon', which is not a number"),
        ("time,emotion\n10,joy\n", "line 2: the time 10 is outside the 10 s of video"),
        ("time,emotion\nnan,joy\n", "line 2: the time nan is outside"),
        ("time,emotion\n0,joy\n5,fear\n5,joy\n", "line 4: 5 s is not after 5 s"),
        ("time,emotion\n0,boredom\n", "line 2: unknown emotion 'boredom'; there are"),
        ("time,valence,arousal\n0,2,0\n", "line 2: valence is 2.0; it must be from -1 to 1"),
        (
            "time,valence,arousal\n0,0,high\n",
            "line 2: the arousal is 'high', which is not a number",
        ),
        ('time,emotion\n0,"joy"x\n', "line 2: "),
    ],
)
def test_an_arc_that_cannot_be_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "arc.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_arc(tmp_path / "arc.csv", 10.0)
    assert sentence in str(caught.value) and "arc.csv" in str(caught.value)


def test_a_missing_arc_a_picture_and_a_giant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_arc(tmp_path / "none.csv", 10.0)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(InputError, match="is no UTF-8"):
        read_arc(tmp_path / "a.png", 10.0)
    (tmp_path / "big.csv").write_text("time,emotion\n" + "0,joy\n" * 200_000)
    with pytest.raises(InputError, match="bytes, which are too many"):
        read_arc(tmp_path / "big.csv", 10.0)


# What a person asks of generation


def test_wishes_override_the_arc_in_turn(tmp_path: Path) -> None:
    WHOLE.save(tmp_path / "a.json")
    (tmp_path / "arc.csv").write_text("time,emotion\n0,joy\n5,sadness\n")

    def asked(**wishes: Any) -> Analysis:
        return brief_of(None, Options(analysis=tmp_path / "a.json", **wishes))

    assert asked().arc == WHOLE.arc
    assert len(asked(arc="constant").arc) == 1
    told = asked(emotion_file=tmp_path / "arc.csv")
    assert [s.emotion for s in told.arc] == ["joy", "sadness"]
    tame = asked(emotion_file=tmp_path / "arc.csv", max_va=0.4)
    assert tame.arc[0].valence == pytest.approx(0.4)
    assert asked(emotion_file=tmp_path / "arc.csv", emotion={"fear": 1.0}).arc[0].emotion == "fear"
    assert asked(max_va=0.4, emotion={"joy": 1.0}).valence == pytest.approx(0.4)
    assert asked(max_va=0.4, valence=0.9).valence == 0.9  # a person's number stands


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"arc": "wave"}, "arc is 'wave'; choose one of scene, constant"),
        ({"max_va": 0.0}, "max-va is 0.0; it must be above 0 and at most 1"),
        ({"max_va": math.nan}, "max-va is nan"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(wishes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Options(**wishes)


# The picture


def strip() -> Iterator[Still]:
    for i, (height, width) in enumerate([(90, 160), (160, 90), (10, 300), (1, 1)]):
        yield Still(float(i), np.full((height, width, 3), 60 * i, np.uint8))


@pytest.mark.parametrize(
    ("analysis", "stills"),
    [
        (WHOLE, tuple(strip())),
        pytest.param(
            replace(WHOLE, source="a $x$ <&> name.mp4", cuts=()), (), marks=pytest.mark.slow
        ),
        (Analysis(0.04, "0"), ()),
        pytest.param(
            replace(WHOLE, arc=tuple(State(i / 2, i / 2 + 0.5, 0.0, 0.0) for i in range(20))),
            (),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            replace(WHOLE, duration=7200.0).with_feeling(emotion={"joy": 1.0}),
            (),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_any_analysis_can_be_drawn(
    tmp_path: Path, analysis: Analysis, stills: tuple[Still, ...]
) -> None:
    path = tmp_path / "a.png"
    plot_analysis(analysis, stills, path)
    with av.open(path) as container:
        stream = container.streams.video[0]
        # two rows more where the cues said something
        assert (stream.width, stream.height) == (1560, 1320 if analysis.shots else 1053)
    first = path.read_bytes()
    plot_analysis(analysis, stills, path)
    assert path.read_bytes() == first  # the same analysis, the same picture


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(EmsyncError, match="there is no folder"):
        plot_analysis(WHOLE, (), tmp_path / "none" / "a.png")
