import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.affect import EMOTIONS, categorise, mixture_mean
from emsync.analysis import Analysis, Curve, Cut, analyze
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.plots import plot_analysis
from emsync.video import Still

WHOLE = Analysis(
    duration=10.0,
    fps="30000/1001",
    cuts=(Cut(1.5, 0.4, frame=45), Cut(3.0, 0.2, False, "within 4 s of the stronger cut")),
    motion=Curve(2.5, (0.1, 0.2, 0.3, 0.4)),
    valence=0.25,
    arousal=-0.5,
    emotion=categorise(0.25, -0.5),
    valence_curve=Curve(5.0, (0.2, 0.3)),
    arousal_curve=Curve(5.0, (-0.6, -0.4)),
    source="a.mp4",
    estimator="colour_motion",
)


def test_a_video_is_analysed_in_one_call(shared: Path) -> None:
    shares: list[float] = []
    analysis = analyze(shared / "clips" / "skv_bikes.mp4", progress=shares.append)
    assert (analysis.duration, analysis.fps, analysis.source) == (10.0, "25", "skv_bikes.mp4")
    assert [cut.time for cut in analysis.kept] == [1.2, 7.48]
    assert len(analysis.cuts) == 5 and all(c.reason for c in analysis.cuts if not c.kept)
    assert sum(analysis.emotion.values()) == pytest.approx(1)
    assert -1 <= analysis.valence <= 1 and analysis.arousal > 0.2  # a quick montage of traffic
    assert analysis.motion and len(analysis.motion.values) == 100
    assert shares
    assert Analysis.from_json(analysis.to_json()) == analysis


# The file


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for analysis in (WHOLE, Analysis(3.0, "0"), Analysis(3.0, "25", valence=0.5)):
        analysis.save(path)
        back = Analysis.load(path)
        assert replace(back, valence=0, arousal=0) == replace(analysis, valence=0, arousal=0)
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


def test_an_edited_file_needs_no_more_than_a_duration() -> None:
    analysis = Analysis.from_json({"duration": 7, "cuts": [{"time": 5}, {"time": 2.5}]})
    assert [cut.time for cut in analysis.kept] == [2.5, 5.0]
    assert math.isnan(analysis.valence) and analysis.emotion == {} and analysis.motion is None


def test_keys_of_a_later_emsync_are_let_be() -> None:
    assert Analysis.from_json({"duration": 7, "arc": {"kind": "later"}}).duration == 7


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "its format is 2; this emsync reads 1"),
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
        ({"motion": {"step": 1, "values": [-1]}}, r"motion.values\[0\] is -1, outside 0 to inf"),
        ({"motion": {"step": 1, "values": [0] * 99}}, "motion.values has 99 entries"),
        ({"motion": {"step": 1, "values": ["0"]}}, r'motion.values\[0\] is "0", not a number'),
        ({"valence_curve": {"step": 1, "values": [2]}}, r"valence_curve.values\[0\] is 2, outside"),
        ({"source": 1}, "source is 1, not text"),
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
        (b"\xff\xfe", "is not JSON"),
        (b"[1]", "holds no JSON object"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"duration": Infinity}', "duration is inf"),
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
    with pytest.raises(InputError, match="cannot read .*No such file"):
        Analysis.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot read .*directory"):
        Analysis.load(tmp_path)
    with open(tmp_path / "giant.json", "wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match="bytes are too many"):
        Analysis.load(tmp_path / "giant.json")


# What a person asks for instead


def test_an_emotion_sets_the_point_by_the_mixtures_mean() -> None:
    sad = WHOLE.with_feeling(emotion={"sadness": 2.0})
    mean = mixture_mean({"sadness": 1.0})
    assert (sad.valence, sad.arousal) == (mean.valence, mean.arousal)
    assert sad.emotion == {name: float(name == "sadness") for name in EMOTIONS}
    assert sad.valence_curve is None and sad.arousal_curve is None and sad.estimator == ""
    assert sad.cuts == WHOLE.cuts


def test_a_point_sets_the_emotion_by_the_inverse() -> None:
    lively = WHOLE.with_feeling(arousal=0.7)
    assert (lively.valence, lively.arousal) == (0.25, 0.7)
    assert lively.emotion == categorise(0.25, 0.7)
    assert lively.valence_curve == WHOLE.valence_curve and lively.arousal_curve is None


def test_a_value_has_the_last_word_over_an_emotion() -> None:
    both = WHOLE.with_feeling(emotion={"joy": 1.0}, arousal=-0.2)
    assert (both.valence, both.arousal) == (mixture_mean({"joy": 1.0}).valence, -0.2)
    assert both.emotion["joy"] == 1.0


def test_half_a_point_tells_no_emotion() -> None:
    assert Analysis(3.0, "25").with_feeling(valence=0.5).emotion == {}


def test_nothing_asked_for_changes_nothing() -> None:
    assert WHOLE.with_feeling() is WHOLE


@pytest.mark.parametrize("value", [math.nan, 1.01, -math.inf])
def test_an_impossible_wish_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="valence is .*; it must be from -1 to 1"):
        WHOLE.with_feeling(valence=value)
    with pytest.raises(UsageError, match="arousal is .*; it must be from -1 to 1"):
        WHOLE.with_feeling(emotion={"joy": 1.0}, arousal=value)


# The picture


def strip() -> Iterator[Still]:
    for i, (height, width) in enumerate([(90, 160), (160, 90), (10, 300), (1, 1)]):
        yield Still(float(i), np.full((height, width, 3), 60 * i, np.uint8))


@pytest.mark.parametrize(
    ("analysis", "stills"),
    [
        (WHOLE, tuple(strip())),
        (replace(WHOLE, source="a $x$ <&> name.mp4", cuts=()), ()),
        (Analysis(0.04, "0"), ()),
        (replace(WHOLE, duration=7200.0).with_feeling(emotion={"joy": 1.0}), ()),
    ],
)
def test_any_analysis_can_be_drawn(
    tmp_path: Path, analysis: Analysis, stills: tuple[Still, ...]
) -> None:
    path = tmp_path / "a.png"
    plot_analysis(analysis, stills, path)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (1560, 1008)
    first = path.read_bytes()
    plot_analysis(analysis, stills, path)
    assert path.read_bytes() == first  # the same analysis, the same picture


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(EmsyncError, match="there is no folder"):
        plot_analysis(WHOLE, (), tmp_path / "none" / "a.png")
