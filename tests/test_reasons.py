"""Why a film feels as it does: what each cue said, in words and numbers."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.cli.compose import _analysis_lines
from emsync.emotion.arc import State
from emsync.emotion.belief import NARROWEST, Belief, Impression, product
from emsync.emotion.reasons import guess, reasons, whole, within
from emsync.errors import InputError

HAPPY = Belief(0.8, 0.4, 0.2, 0.4, "two faces, happy 0.9")
DARK = Belief(-0.4, -0.6, 0.4, 0.4, "dark, still")
LIGHT = Belief(0.4, 0.2, 0.4, 0.4, "light, moving")
LOUD = Belief(arousal=0.9, arousal_sd=0.2, words="loud, music")
SHOTS = (
    Impression(0.0, 3.0, {"faces": Belief(words="no face"), "pictures": DARK, "sound": LOUD}),
    Impression(3.0, 4.0, {"faces": HAPPY, "pictures": LIGHT, "sound": LOUD}),
    Impression(4.0, 10.0, {"faces": HAPPY, "pictures": DARK, "sound": Belief(words="silent")}),
)
FILM = Analysis(
    10.0, "25", valence=0.1, arousal=0.1, shots=SHOTS, source="a.mp4",
    arc=(State(0.0, 4.0, 0.0, 0.3), State(4.0, 10.0, 0.6, 0.0)), estimator="faces,pictures,sound",
)  # fmt: skip


def test_a_cue_is_summed_up_by_the_words_that_hold_longest_where_it_speaks() -> None:
    faces, pictures, sound = reasons(within(SHOTS, 0.0, 4.0))
    assert str(faces) == "faces: two faces, happy 0.9 (1 of 2 shots)"
    assert str(pictures) == "pictures: dark, still"  # three seconds of four
    assert str(sound) == "sound: loud, music"
    assert [str(reason) for reason in reasons(SHOTS[2:])] == [
        "faces: two faces, happy 0.9", "pictures: dark, still", "sound: silent",
    ]  # fmt: skip
    (mute,) = reasons([Impression(0.0, 1.0, {"a": Belief()})])
    assert str(mute) == "a: nothing to go by" and mute.spoke == 0


def test_what_a_cue_said_is_the_mean_and_the_spread_of_its_seconds() -> None:
    said = reasons(within(SHOTS, 0.0, 4.0))[1].belief
    rng = np.random.default_rng(0)
    draws = np.concatenate([rng.normal(-0.4, 0.4, 150_000), rng.normal(0.4, 0.4, 50_000)])
    assert said.valence == pytest.approx(draws.mean(), abs=0.01)
    assert said.valence_sd == pytest.approx(draws.std(), abs=0.01)
    (one,) = reasons([Impression(0.0, 9.0, {"faces": HAPPY})])
    assert astuple(one.belief) == pytest.approx(astuple(HAPPY))
    (wide,) = reasons([Impression(0.0, 9.0, {"faces": Belief(0.5, 0.5, 1e160, 1e300)})])
    assert math.isinf(wide.belief.valence_sd) and math.isinf(wide.belief.arousal_sd)


def test_a_glance_of_which_a_cue_is_sure_tells_more_than_a_long_look_of_which_it_is_not() -> None:
    unsure = Belief(0.0, 0.0, 5.0, 5.0, "one face, neutral 1.0")
    (faces,) = reasons([
        Impression(0.0, 8.0, {"faces": unsure}), Impression(8.0, 10.0, {"faces": HAPPY}),
    ])  # fmt: skip
    assert str(faces) == "faces: two faces, happy 0.9" and faces.belief.valence > 0.75


def test_weights_are_shares_of_certainty_over_the_seconds_and_sum_to_one() -> None:
    faces, pictures, sound = reasons(within(SHOTS, 0.0, 4.0))
    assert faces.valence_weight == pytest.approx(0.25 * 25 / (25 + 6.25))
    assert sound.valence_weight == 0 and sound.arousal_weight > 0.6
    for axis in ("valence_weight", "arousal_weight"):
        assert sum(getattr(r, axis) for r in (faces, pictures, sound)) == pytest.approx(1)


def test_together_they_say_the_mean_of_their_products() -> None:
    said = whole(SHOTS[:1])
    assert said.valence == pytest.approx(-0.4) and said.valence_sd == pytest.approx(0.4)
    assert said.arousal == pytest.approx((0.9 * 25 - 0.6 * 6.25) / 31.25)
    assert math.isinf(whole([Impression(0.0, 1.0, {"a": Belief()})]).valence_sd)
    assert math.isinf(whole([]).arousal_sd)


def test_a_stretch_has_the_parts_of_the_shots_that_are_in_it() -> None:
    parts = within(SHOTS, 2.0, 4.01)
    assert [(part.start, part.end) for part in parts] == [(2.0, 3.0), (3.0, 4.0)]
    assert within(SHOTS, 10.0, 11.0) == [] and reasons([]) == []


def test_the_words_of_an_analysis_have_one_line_of_why_for_each_state() -> None:
    *lines, guessed = _analysis_lines(FILM)
    assert guessed.startswith("whether it is pleasant or unpleasant is a guess in 1 of 2 states; ")
    assert lines[-2].strip() == "4.000 to 10.000 s  joy: valence +0.60 ± 0.18, arousal +0.00 ± 0.28"
    assert lines[-3].strip() == (
        "faces: two faces, happy 0.9 (1 of 2 shots) · pictures: dark, still · sound: loud, music"
    )
    assert (
        lines[-1].strip() == "faces: two faces, happy 0.9 · pictures: dark, still · sound: silent"
    )
    many = tuple(Impression(i / 30, (i + 1) / 30, SHOTS[i % 3].says) for i in range(300))
    assert len(_analysis_lines(replace(FILM, shots=many))) == len(lines) + 1
    assert len(_analysis_lines(replace(FILM, shots=()))) == len(lines) - 2


def test_a_valence_is_a_guess_where_its_width_reaches_over_0() -> None:
    stretches, sure = [(0.0, 4.0), (4.0, 10.0)], {"a": Belief(-0.5, 0.0, 0.4, 1.0)}
    assert guess(stretches[1:], SHOTS, "states") == ""
    assert guess(stretches[:1], SHOTS, "states").endswith(" is a guess")
    assert guess(stretches, SHOTS, "states").endswith(" is a guess in 1 of 2 states")
    assert guess(stretches, [Impression(0.0, 10.0, sure)], "states") == ""
    assert guess(stretches, (), "states") == "", "a person said it"


def test_a_width_is_above_nothing_in_every_file() -> None:
    sure = Belief(0.5, 0.5, 1e-9, 1.0, "sure\nas can be")
    film = replace(FILM, shots=(Impression(0.0, 10.0, {"a\nb": sure}),))
    (shot,) = Analysis.from_json(film.to_json()).shots
    assert shot.says == {"a b": replace(sure, valence_sd=NARROWEST, words="sure as can be")}
    data = film.to_json()
    data["shots"][0]["says"]["a\nb"]["valence_sd"] = 0
    with pytest.raises(InputError, match=r"shots\[0\].says.a b.valence_sd is 0, outside 0.0001"):
        Analysis.from_json(data)


def test_on_a_tamer_plane_what_was_said_is_as_much_tamer_as_what_it_makes() -> None:
    tamer = FILM.scaled(0.4)
    for shot, before in zip(tamer.shots, FILM.shots, strict=True):
        one, other = (product(list(s.says.values())) for s in (shot, before))
        assert one.valence == pytest.approx(other.valence / 2)
        assert one.arousal_sd == pytest.approx(other.arousal_sd / 2)
        assert one.words == other.words
    assert tamer.arc[1].valence == pytest.approx(FILM.arc[1].valence / 2)
