"""Wishes of a person are edits of the plan, whether it is made or given."""

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emsync.analysis import Analysis, Cut, State
from emsync.errors import EmsyncWarning, UsageError
from emsync.music.piece import CLASSES
from emsync.options import Options
from emsync.planning.chart import bars_of, chart_text, parse_chart
from emsync.planning.plan import Plan, Section
from emsync.planning.planner import plan_of
from emsync.planning.wishes import key_of, with_palette

FILM = Analysis(
    24.0, "25", cuts=(Cut(8.0), Cut(12.0, 0.3, False, "too near")),
    valence=0.1, arousal=0.1, arc=(State(0.0, 8.0, 0.5, 0.6), State(8.0, 24.0, -0.4, -0.5)),
)  # fmt: skip
GIVEN = Plan(
    24.0, 120.0, "A", "fade", (8.0,),
    (
        Section(0.0, 8.0, 0.5, 0.6, "minor", 2.5, ("piano",), "Am F C G", "A", 80.0),
        Section(8.0, 24.0, -0.4, -0.5, "minor", math.nan, CLASSES, "Dm E7/2 F/2", "B"),
    ),
)  # fmt: skip


def wished(plan: Plan | None = None, **wishes: Any) -> Plan:
    return plan_of(FILM, Options(plan=plan, **wishes))


def charts(plan: Plan) -> list[str]:
    return [section.chords for section in plan.sections]


def test_a_plan_without_wishes_stays_as_it_is() -> None:
    given = with_palette(GIVEN, "orchestra")
    assert repr(wished(given)) == repr(given)
    made = wished()
    assert repr(wished(made)) == repr(made), "also with what was drawn"
    assert [section.start for section in made.sections] == [0.0, 8.0]


def test_the_seed_draws_what_is_open_and_nothing_else() -> None:
    bare = replace(GIVEN, sections=(GIVEN.sections[0], replace(GIVEN.sections[1], chords="")))
    plans = [plan_of(FILM, Options(plan=bare, seed=seed)) for seed in range(3)]
    assert {charts(plan)[0] for plan in plans} == {"Am F C G"}
    assert all(charts(plan)[1] for plan in plans)
    assert repr(plans[1]) == repr(plan_of(FILM, Options(plan=bare, seed=1)))


def test_chords_are_those_of_all_sections_and_say_the_key() -> None:
    for plan in (wished(chords="Am F C G", tempo=120.0), wished(GIVEN, chords="am | f c, g")):
        assert charts(plan) == ["Am F C G"] * 2
        assert plan.tonic == "A" and {section.mode for section in plan.sections} == {"minor"}
    named = wished(GIVEN, chords="Am F C G", tonic="C", mode="major")
    assert charts(named) == ["Am F C G"] * 2, "the tonic moves no chord that is named"
    assert named.tonic == "C" and {section.mode for section in named.sections} == {"major"}


def test_chords_may_be_spelt_in_several_ways() -> None:
    assert parse_chart("B♭m7, F♯ | n.c. Cmaj7/2 N/2") == parse_chart("Bbm7 Gb NC CM7/2 n/2")
    assert chart_text(parse_chart("bbmin bdim")) == "Bbm Bdim"


def test_a_tonic_moves_the_chords_and_a_mode_draws_them_anew() -> None:
    moved = wished(GIVEN, tonic="D")
    assert charts(moved) == ["Dm Bb F C", "Gm A7/2 Bb/2"] and moved.tonic == "D"
    major = wished(GIVEN, mode="major")
    assert charts(wished(GIVEN, mode="minor")) == charts(GIVEN)
    assert major.tonic == "A" and not set(charts(major)) & set(charts(GIVEN))
    assert {section.mode for section in major.sections} == {"major"}


@pytest.mark.parametrize("names", ["strings,piano", " Piano , strings,piano", ["strings", "piano"]])
def test_instruments_play_in_all_sections(names: Any) -> None:
    for plan in (wished(instruments=names), wished(GIVEN, instruments=names)):
        assert plan.instruments == ("piano", "strings")
        assert all(section.instruments == plan.instruments for section in plan.sections)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"chords": "Am F Hm"}, "chord 3: 'Hm' is no chord; on any root there are C, Cm, Cdim"),
        ({"chords": "Am C/G"}, "chord 2, 'C/G': after a stroke stands 2"),
        ({"chords": "Am C/"}, "chord 2, 'C/'"),
        ({"chords": "N | N"}, "the chords are all N"),
        ({"chords": " | "}, "no chord is named"),
        ({"instruments": "oboe"}, "'oboe' is no instrument of the composer; name some of drums"),
        ({"instruments": ""}, "'' is no instrument"),
        ({"instruments": []}, "no instrument is named"),
        ({"instruments": "drums", "chords": "Am"}, "drums alone have no pitch"),
        ({"instruments": "drums", "theme": "x.mid"}, "drums alone have no pitch"),
        ({"mode": "dorian"}, "mode is 'dorian'; choose one of major, minor"),
    ],
)
def test_what_cannot_be_wished_is_refused_when_it_is(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options(**wishes)


def test_chords_are_not_wished_of_a_plan_of_drums_alone() -> None:
    drums = replace(GIVEN, sections=(replace(GIVEN.sections[0], end=24.0, instruments=("drums",)),))
    assert wished(drums).instruments == ("drums",)
    with pytest.raises(UsageError, match="drums alone have no pitch"):
        wished(drums, chords="Am")
    assert charts(wished(drums, chords="Am", instruments="bass,drums")) == ["Am"]


def test_chords_are_cut_to_short_sections_and_refused_where_none_holds_them() -> None:
    long = "C F G Am " * 2
    cut = wished(GIVEN, chords=long)
    assert [bars_of(section.chart) for section in cut.sections] == [4, 8]
    with pytest.raises(UsageError, match="last 12 bars, but the longest section has 8 at 120 beat"):
        wished(GIVEN, chords="C F G Am " * 3)


def test_chords_for_more_bars_than_a_section_of_a_plan_has_are_left_out_with_a_note() -> None:
    sections = (replace(GIVEN.sections[0], chords="Am F C G Dm"), GIVEN.sections[1])
    with pytest.warns(
        EmsyncWarning,
        match=r"section 1, from 0\.00 to 8\.00 s, has chords for 5 bars, but 4 at 120",
    ):
        assert charts(wished(replace(GIVEN, sections=sections)))[0] == "Am F C G"


@pytest.mark.filterwarnings("ignore:section 1")
@pytest.mark.parametrize(
    "edits",
    [{"tempo": 50.0}, {"hits": ()}, {"hits": (7.0, 11.0)}, {"ending": "cut"}, {"ending": "fade"}],
)
def test_a_plan_that_was_made_can_be_edited_with_its_chords_as_they_are(
    edits: dict[str, Any],
) -> None:
    made = wished(seed=1)
    edited = wished(replace(made, **edits))
    assert all(
        before.startswith(after) for before, after in zip(charts(made), charts(edited), strict=True)
    )


def test_chords_that_a_slower_tempo_has_no_bars_for_are_left_out_with_a_note() -> None:
    with pytest.warns(EmsyncWarning, match="chords for 4 bars, but 2 at 60 .*the last are left"):
        slow = wished(GIVEN, tempo=60.0, sync="off")
    assert charts(slow) == ["Am F", "Dm E7/2 F/2"] and slow.tempo == 60.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert charts(wished(GIVEN, tempo=240.0)) == charts(GIVEN), "a faster one repeats them"


def test_cuts_that_are_named_are_the_hits_in_place_of_the_plan_s() -> None:
    assert wished(GIVEN, cuts="none").hits == (8.0,), "this film has its cuts already"
    none = replace(FILM, cuts=())
    assert plan_of(none, Options(plan=GIVEN)).hits == (8.0,)
    assert plan_of(none, Options(plan=GIVEN, cuts="none")).hits == ()
    assert plan_of(FILM, Options(plan=replace(GIVEN, hits=()), min_cut_distance=1.0)).hits == (8.0,)


def test_another_feeling_brings_what_follows_from_it_but_what_was_edited_stays() -> None:
    """The plan's own feelings were edited, not the film's."""
    made = wished()
    loud, quiet = made.sections
    assert "drums" in loud.instruments and "drums" not in quiet.instruments
    excited = wished(made, arousal=0.9)
    assert [s.arousal for s in excited.sections] == [0.9, 0.9]
    assert [s.valence for s in excited.sections] == [0.5, -0.4]
    assert all("drums" in s.instruments for s in excited.sections)
    assert excited.sections[0].density == excited.sections[1].density > quiet.density
    assert charts(excited) == charts(made), "no mode has changed"
    edited = replace(made, sections=(replace(loud, instruments=("piano",), level=50.0), quiet))
    after = wished(edited, arousal=-0.9).sections[0]
    assert (after.instruments, after.level) == (("piano",), 50.0)
    sad = wished(made, emotion="sadness")
    assert {s.mode for s in sad.sections} == {"minor"}
    assert charts(sad)[1] == charts(made)[1] and charts(sad)[0] != charts(made)[0]


def test_an_emotion_over_time_is_that_of_each_section(tmp_path: Path) -> None:
    film = replace(FILM, arc=(State(0.0, 16.0, 0.0, 0.0), State(16.0, 24.0, 0.8, 0.4)))
    plan = plan_of(film, Options(plan=GIVEN, emotion_file=tmp_path / "read already.csv"))
    assert [(s.valence, s.arousal) for s in plan.sections] == [(0.0, 0.0), (0.4, 0.2)]
    constant = plan_of(FILM, Options(plan=GIVEN, arc="constant"))
    assert len({(s.valence, s.arousal) for s in constant.sections}) == 1


def test_the_key_of_a_chart_is_that_which_its_tones_fit() -> None:
    assert key_of(parse_chart("Dm Bb F C")) == ("D", True)
    assert key_of(parse_chart("F C Dm Bb")) == ("F", False)
