import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.emotion.plane import (
    EMOTIONS,
    NAMES,
    NEUTRAL,
    RUSSELL_MEHRABIAN,
    categorise,
    gaussians,
    in_percent,
    mixture_mean,
    named,
    parse_emotion,
    shares,
)
from emsync.errors import UsageError

weights = st.dictionaries(st.sampled_from(EMOTIONS), st.floats(0.01, 10), min_size=1)
scales = st.floats(0.05, 1.0)
unit = st.floats(-1, 1)


def test_the_table_is_that_of_the_paper() -> None:
    assert len(EMOTIONS) == 6
    joy, sadness = RUSSELL_MEHRABIAN["joy"], RUSSELL_MEHRABIAN["sadness"]
    assert (joy.valence, joy.valence_sd, joy.arousal, joy.arousal_sd) == (0.76, 0.22, 0.48, 0.26)
    assert (sadness.arousal, sadness.arousal_sd) == (-0.27, 0.34)


@given(scales)
def test_one_coefficient_scales_means_and_widths_to_the_largest_mean(scale: float) -> None:
    scaled = gaussians(scale)
    assert max(max(abs(g.valence), abs(g.arousal)) for g in scaled.values()) == pytest.approx(scale)
    for name, g in RUSSELL_MEHRABIAN.items():
        s = scaled[name]
        ratios = [s.valence / g.valence, s.valence_sd / g.valence_sd,
                  s.arousal / g.arousal, s.arousal_sd / g.arousal_sd]  # fmt: skip
        assert ratios == pytest.approx([scale / 0.76] * 4)


@given(weights, scales)
def test_the_mean_is_the_weighted_mean_of_the_emotions(p: dict[str, float], scale: float) -> None:
    mean, total = mixture_mean(p, scale), sum(p.values())
    g = gaussians(scale)
    assert mean.valence == pytest.approx(sum(w * g[n].valence for n, w in p.items()) / total)
    assert mean.arousal == pytest.approx(sum(w * g[n].arousal for n, w in p.items()) / total)
    assert abs(mean.valence) <= scale + 1e-9 and abs(mean.arousal) <= scale + 1e-9


@given(unit, unit, scales)
def test_the_inverse_gives_probabilities(v: float, a: float, scale: float) -> None:
    p = categorise(v, a, scale)
    assert tuple(p) == EMOTIONS
    assert sum(p.values()) == pytest.approx(1) and min(p.values()) >= 0


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_inverse_of_an_emotions_mean_is_that_emotion(emotion: str) -> None:
    mean = mixture_mean({emotion: 1.0})
    p = categorise(mean.valence, mean.arousal)
    assert max(p, key=lambda name: p[name]) == emotion


@given(unit, unit)
def test_a_point_is_called_what_has_the_largest_share(v: float, a: float) -> None:
    p = shares(v, a)
    assert tuple(p) == NAMES and sum(p.values()) == pytest.approx(1)
    assert p[named(v, a)] == max(p.values())
    assert in_percent(p).startswith(f"{named(v, a)} ")
    rest = 1 - p[NEUTRAL]  # among the six it is as by the inverse
    assert rest == 0 or [p[n] / rest for n in EMOTIONS] == pytest.approx(
        list(categorise(v, a).values()), abs=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_of_each_is_called_by_its_name(name: str) -> None:
    mean = mixture_mean({name: 1.0})
    assert named(mean.valence, mean.arousal) == name


@pytest.mark.parametrize(
    "point", [(0.0, 0.0), (0.0, 0.13), (0.69, -0.45), (-0.1, 0.25), (0.5, -0.6)]
)
def test_what_no_emotion_is_near_is_neutral(point: tuple[float, float]) -> None:
    assert named(*point) == NEUTRAL


def test_what_is_not_known_has_no_name() -> None:
    assert (named(math.nan, 0.5), shares(0.5, math.nan), in_percent({})) == ("", {}, "")


def test_the_likelihood_is_that_of_gaussians() -> None:
    v, a = 0.1, 0.2
    density = {
        n: math.exp(-(((v - g.valence) / g.valence_sd) ** 2) / 2) / g.valence_sd
        * math.exp(-(((a - g.arousal) / g.arousal_sd) ** 2) / 2) / g.arousal_sd
        for n, g in gaussians().items()
    }  # fmt: skip
    total = sum(density.values())
    assert categorise(v, a) == pytest.approx({n: d / total for n, d in density.items()})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("joy", {"joy": 1.0}),
        (" Joy ", {"joy": 1.0}),
        ("joy=0.7,sadness=0.3", {"joy": 0.7, "sadness": 0.3}),
        ("fear=3, anger=1", {"fear": 0.75, "anger": 0.25}),
        ("joy,surprise", {"joy": 0.5, "surprise": 0.5}),
        ("neutral", {"neutral": 1.0}),
        ("neutral=3,fear", {"neutral": 0.75, "fear": 0.25}),
    ],
)
def test_emotions_are_read_as_probabilities(text: str, expected: dict[str, float]) -> None:
    assert {k: v for k, v in parse_emotion(text).items() if v} == pytest.approx(expected)
    assert tuple(parse_emotion(text)) == (NAMES if "neutral" in text else EMOTIONS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("boredom", "unknown emotion 'boredom'; there are anger, disgust, fear, joy, sadness, sur"),
        ("", "unknown emotion ''; there are anger"),
        ("joy,", "unknown emotion ''"),
        ("joy=", "the weight of 'joy' is '', which is not a number"),
        ("joy=much", "the weight of 'joy' is 'much', which is not a number"),
        ("joy=-1", "the weight of joy is -1.0; it must be 0 or more"),
        ("joy=nan", "the weight of joy is nan"),
        ("joy=inf", "the weight of joy is inf"),
        ("joy=0", "the emotions weigh 0 in all; give one of them"),
        ("joy=1e308,fear=1e308", "the emotions weigh inf in all"),
        ("joy=1,joy=2", "the emotion 'joy' is given twice"),
    ],
)
def test_what_is_no_emotion_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_emotion(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.01, 1.5])
def test_a_point_off_the_plane_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=f"valence is {value}; it must be from -1 to 1"):
        categorise(value, 0.0)
    with pytest.raises(UsageError, match=f"arousal is {value}; it must be from -1 to 1"):
        categorise(0.0, value)


@pytest.mark.parametrize("scale", [0.0, -0.8, 1.1, math.nan])
def test_a_scale_off_the_plane_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="the scale of emotions is"):
        mixture_mean({"joy": 1.0}, scale)
