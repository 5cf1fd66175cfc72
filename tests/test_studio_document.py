"""The document of a film: a made plan follows, a person's stays, and what is off is said."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.analysis import Analysis, State
from emsync.brief import brief_of
from emsync.errors import InputError, UsageError, noted
from emsync.options import Options
from emsync.planning.plan import Plan
from emsync.planning.planner import plan_of
from emsync.studio import document as module
from emsync.studio.document import (
    DRAWN,
    PLANNED,
    READERS,
    Document,
    Edit,
    anew,
    options_of,
    outputs_of,
    read_wishes,
)
from emsync.testing import example_footage
from emsync.video.cuts import Cut
from emsync.video.footage import Footage

CUTS = (Cut(8.0, 0.9, frame=200), Cut(14.0, 0.2, kept=False, frame=350), Cut(20.0, 0.8, frame=500))
ARC = (State(0.0, 8.0, 0.5, 0.4), State(8.0, 20.0, -0.5, 0.5), State(20.0, 32.0, 0.4, -0.4))
SEEN = Analysis(duration=32.0, fps="25", cuts=CUTS, arc=ARC, valence=0.06, arousal=0.14)
FILM = Document.of(SEEN)


def edited(document: Document, edit: Edit) -> Document:
    """Return the document after an edit; that a chart is cut to its section is no matter here."""
    with noted():
        return module.edited(document, edit)


def moved(analysis: Analysis, old: float, new: float) -> Analysis:
    """Return ``analysis`` with a cut elsewhere, as a page sends it."""
    cuts = [replace(cut, time=new) if cut.time == old else cut for cut in analysis.cuts]
    return replace(analysis, cuts=tuple(sorted(cuts, key=lambda cut: cut.time)))


def with_section(plan: Plan, number: int, **changes: Any) -> Plan:
    rows = list(plan.sections)
    rows[number] = replace(rows[number], **changes)
    return replace(plan, sections=tuple(rows))


def section_at(plan: Plan, time: float) -> dict[str, Any]:
    (found,) = (s for s in plan.to_json()["sections"] if s["start"] <= time < s["end"])
    return {**found, "start": 0, "end": 0}


def yours(**changes: Any) -> Document:
    """Return the document after a person has changed the second section."""
    return edited(FILM, Edit(plan=with_section(FILM.plan, 1, **(changes or {"chords": "Dm Gm"}))))


# --- what is made ---------------------------------------------------------------------------------


def test_a_plan_is_made_of_the_film_and_has_its_hits_and_feelings() -> None:
    assert FILM.plan_is == "made" and FILM.take is None and not FILM.wishes
    assert FILM.plan.hits == (8.0, 20.0)
    assert [s.start for s in FILM.plan.sections] == [0.0, 8.0, 20.0]


WISHES: list[dict[str, Any]] = [
    {}, {"tempo": 96.0}, {"tonic": "F#", "mode": "minor"}, {"chords": "Am F C G"},
    {"instruments": ["piano", "strings"]}, {"palette": "orchestra"}, {"ending": "fade"},
    {"sync": "downbeat", "max_tempo_change": 0.1}, {"strength": 0.9}, {"seed": 7},
    {"tempo": 80.0, "seed": 3, "strength": 0.3, "ending": "cut", "tonic": "D"},
]  # fmt: skip


@pytest.fixture(scope="module")
def footage() -> Footage:
    return example_footage()


@pytest.mark.parametrize("wishes", WISHES, ids=lambda wishes: "+".join(wishes) or "none")
def test_a_made_plan_is_the_one_of_emsync_plan_for_the_same_options(
    wishes: Any, footage: Footage
) -> None:
    estimator = "fixed:-0.4/0.3"
    given = {("max_va" if k == "strength" else k): v for k, v in wishes.items()}
    options = Options(estimator=estimator, **given)
    asked = plan_of(brief_of(footage, options), options)
    seen = Analysis.from_json(brief_of(footage, Options(estimator=estimator)).to_json())
    assert Document.of(seen, read_wishes(wishes)).plan.to_json() == asked.to_json()


def test_a_made_plan_follows_cuts_feelings_and_wishes() -> None:
    fast = edited(FILM, Edit(wishes={"tempo": 150.0}))
    assert fast.plan.tempo == 150 and fast.plan_is == "made"
    cut = edited(fast, Edit(analysis=moved(SEEN, 20.0, 22.0)))
    assert cut.plan.hits == (8.0, 22.0) and cut.plan.tempo == 150
    sad = replace(SEEN, arc=(State(0.0, 32.0, -0.8, -0.5),))
    felt = edited(cut, Edit(analysis=sad))
    assert felt.plan.to_json() == Document.of(sad, {"tempo": 150.0}).plan.to_json()
    assert edited(felt, Edit(wishes={})).plan.to_json() == Document.of(sad).plan.to_json()


@given(st.lists(st.sampled_from(["cut", "arc", "tempo", "tonic", "seed"]), max_size=3), st.data())
@settings(max_examples=10)
def test_a_made_plan_has_no_memory(steps: list[str], data: st.DataObject) -> None:
    """Whatever was edited before, it is the plan of the film and the wishes as they are now."""
    document = FILM
    for step in steps:
        analysis, wishes = document.analysis, dict(document.wishes)
        if step == "cut":
            kept = data.draw(st.lists(st.booleans(), min_size=3, max_size=3))
            cuts = [replace(c, kept=k) for c, k in zip(analysis.cuts, kept, strict=True)]
            document = edited(document, Edit(analysis=replace(analysis, cuts=tuple(cuts))))
        elif step == "arc":
            valence = data.draw(st.sampled_from([-0.6, 0.0, 0.7]))
            arc = (replace(analysis.arc[0], valence=valence), *analysis.arc[1:])
            document = edited(document, Edit(analysis=replace(analysis, arc=arc)))
        else:
            choices: Mapping[str, list[Any]] = {
                "tempo": [70.0, 140.0], "tonic": ["C", "Eb"], "seed": [1, 2],
            }  # fmt: skip
            wishes[step] = data.draw(st.sampled_from(choices[step]))
            document = edited(document, Edit(wishes=wishes))
    assert document.plan.to_json() == Document.of(document.analysis, document.wishes).plan.to_json()


def test_wishes_that_only_pieces_follow_leave_the_plan() -> None:
    wishes = {"candidates": 8, "guidance": 2.0, "lufs": -20.0, "humanize": 0.4}
    after = edited(FILM, Edit(wishes=wishes))
    assert after.plan is FILM.plan and after.wishes == wishes


def test_every_option_is_a_wish_or_has_its_reason_not_to_be_one() -> None:
    elsewhere = {
        "analysis", "plan",  # the document's own
        "cuts", "min_cut_distance",  # cuts are moved and removed in the page
        "emotion", "valence", "arousal", "arc", "emotion_file",  # feelings are drawn there
        "keep", "redo",  # a marked stretch
        "estimator", "ignore_sound", "audio_stream", "hardware",  # said before a film is watched
        "theme", "like", "ask", "start_timecode",  # files and plug-ins, for the command line
        "rhythm",  # sees the film itself, which is not watched again
        "top_k", "rules_off",  # for experiments
    }  # fmt: skip
    wished = {"max_va" if name == "strength" else name for name in READERS} - {"keep_audio", "lufs"}
    assert wished | elsewhere == {f.name for f in fields(Options)}
    assert not wished & elsewhere
    assert {*PLANNED, *DRAWN, "seed", "candidates", "keep_audio", "lufs"} == set(READERS)


# --- what a person has made -----------------------------------------------------------------------


def test_a_plan_is_yours_once_you_change_it_and_what_you_leave_open_is_drawn() -> None:
    document = yours(chords="", mode="major")
    assert document.plan_is == "yours"
    assert document.plan.sections[1].mode == "major" and document.plan.sections[1].chords
    assert section_at(document.plan, 1) == section_at(FILM.plan, 1)


def test_an_edit_without_a_change_is_none() -> None:
    for document in (FILM, yours()):
        again = Edit(
            analysis=Analysis.from_json(document.analysis.to_json()),
            plan=Plan.from_json(document.plan.to_json()),
            wishes=dict(document.wishes),
        )
        assert edited(document, Edit()).to_json() == document.to_json()
        assert edited(document, again).to_json() == document.to_json()
        assert Document.from_json(document.to_json()).to_json() == document.to_json()


def test_a_person_s_plan_is_as_he_gives_it() -> None:
    plan = replace(FILM.plan, hits=(8.0, 11.0), ending="fade", tempo=100.0)
    assert edited(FILM, Edit(plan=plan)).plan.to_json() == plan.to_json()


@pytest.mark.parametrize("new", [6.5, 8.04, 12.0])
@pytest.mark.parametrize("document", [FILM, yours()], ids=["made", "yours"])
def test_a_cut_that_is_moved_takes_along_the_section_the_feeling_and_the_hit(
    document: Document, new: float
) -> None:
    after = edited(document, Edit(analysis=moved(SEEN, 8.0, new)))
    assert after.plan.hits == (new, 20.0)
    assert [s.start for s in after.plan.sections] == [0.0, new, 20.0]
    assert [s.start for s in after.analysis.arc] == [0.0, new, 20.0]
    assert [s.valence for s in after.analysis.arc] == [0.5, -0.5, 0.4]
    assert after.plan_is == document.plan_is


def test_a_cut_that_is_moved_past_another_section_leaves_the_edges() -> None:
    after = edited(yours(), Edit(analysis=moved(SEEN, 8.0, 25.0)))
    assert [s.start for s in after.plan.sections] == [0.0, 8.0, 20.0]
    assert after.plan.hits == (20.0, 25.0)


def test_cuts_that_come_and_go_are_hit_or_not() -> None:
    document = yours()
    cuts = (*CUTS[:2], Cut(26.0, frame=650))
    after = edited(document, Edit(analysis=replace(SEEN, cuts=(CUTS[0], *cuts[1:]))))
    assert after.plan.hits == (8.0, 26.0)
    kept = replace(SEEN, cuts=(CUTS[0], replace(CUTS[1], kept=True), CUTS[2]))
    assert edited(document, Edit(analysis=kept)).plan.hits == (8.0, 14.0, 20.0)
    none = edited(document, Edit(analysis=replace(SEEN, cuts=())))
    assert none.plan.hits == () and len(none.plan.sections) == 3


def test_a_hit_that_a_person_has_set_where_no_cut_is_stays() -> None:
    document = edited(FILM, Edit(plan=replace(FILM.plan, hits=(8.0, 11.5, 20.0))))
    after = edited(document, Edit(analysis=moved(SEEN, 20.0, 21.0)))
    assert after.plan.hits == (8.0, 11.5, 21.0)


HANDS = [
    {"chords": "Dm Gm A Dm"}, {"instruments": ("piano",)}, {"density": 3.0}, {"level": 90.0},
    {"theme": "Q"}, {"mode": "major", "chords": "D A"}, {"valence": 0.9, "arousal": 0.9},
    {"palette": "orchestra"},
]  # fmt: skip


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: "+".join(hand))
def test_what_a_person_has_set_survives_cuts_feelings_and_wishes(hand: dict[str, Any]) -> None:
    document = yours(**hand)
    other = replace(ARC[0], valence=-0.9, arousal=-0.9)
    for edit in (
        Edit(analysis=moved(SEEN, 20.0, 21.0)),
        Edit(analysis=replace(SEEN, cuts=CUTS[1:])),
        Edit(analysis=replace(SEEN, arc=(other, *ARC[1:]))),
        Edit(wishes={"ending": "fade"}),
        Edit(wishes={"candidates": 3, "guidance": 1.5}),
    ):
        after = edited(document, edit)
        assert after.plan_is == "yours"
        section = after.plan.sections[1]
        assert {key: getattr(section, key) for key in hand} == hand, edit


def test_a_feeling_that_changes_changes_its_own_section_alone() -> None:
    document = yours(density=3.0)
    arc = (ARC[0], ARC[1], replace(ARC[2], valence=-0.8, arousal=0.8))
    after = edited(document, Edit(analysis=replace(SEEN, arc=arc)))
    assert after.plan.sections[:2] == document.plan.sections[:2]
    last = after.plan.sections[2]
    assert (last.valence, last.arousal, last.mode) == (-0.8, 0.8, "minor")
    assert last.level > document.plan.sections[2].level


def test_a_wish_is_applied_to_a_person_s_plan_once() -> None:
    document = edited(yours(), Edit(wishes={"tempo": 150.0}))
    assert document.plan.tempo == 150 and document.plan.sections[1].chords.startswith("Dm")
    slower = edited(document, Edit(plan=replace(document.plan, tempo=100.0)))
    after = edited(slower, Edit(wishes={"tempo": 150.0, "candidates": 3}))
    assert after.plan.tempo == 100  # the wish is an old one, what was typed is newer
    assert edited(after, Edit(analysis=moved(SEEN, 8.0, 9.0))).plan.tempo == 100
    key = edited(after, Edit(wishes={**after.wishes, "tonic": "E"}))
    assert key.plan.tonic == "E" and key.plan.tempo == 100


@pytest.mark.parametrize("path", [(0.8,), (0.3, 0.8), (0.8, None), (0.3, None, 0.8)])
def test_strength_scales_what_is_there_whatever_it_was_before(path: tuple[float, ...]) -> None:
    document = yours()
    for strength in path:
        document = edited(document, Edit(wishes={"strength": strength} if strength else {}))
    whole = edited(yours(), Edit(wishes={"strength": path[-1]} if path[-1] else {}))
    for one, other in zip(document.plan.sections, whole.plan.sections, strict=True):
        assert math.isclose(one.valence, other.valence, abs_tol=2e-3)
        assert math.isclose(one.arousal, other.arousal, abs_tol=2e-3)


def test_a_feeling_that_is_not_known_stays_so_however_strong() -> None:
    document = yours(valence=math.nan)
    after = edited(document, Edit(wishes={"strength": 0.4})).plan.sections
    assert math.isnan(after[1].valence) and after[1].arousal == 0.25
    assert (after[0].valence, after[0].arousal) == (0.25, 0.2)


def test_plan_anew_forgets_what_a_person_has_set() -> None:
    document = anew(edited(yours(), Edit(wishes={"tempo": 90.0})))
    assert document.plan_is == "made"
    assert document.plan.to_json() == Document.of(SEEN, {"tempo": 90.0}).plan.to_json()


def test_a_take_is_kept_and_let_go() -> None:
    kept = edited(FILM, Edit(take="0123"))
    assert kept.take == "0123" and kept.plan is FILM.plan
    assert edited(kept, Edit(wishes={"tempo": 90.0})).take == "0123"
    assert edited(kept, Edit(take="")).take is None


# --- what is off ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other", [replace(SEEN, duration=32.04, arc=()), replace(SEEN, fps="30")], ids=["long", "fps"]
)
def test_an_analysis_of_another_film_is_refused(other: Analysis) -> None:
    with pytest.raises(UsageError, match=r"the film has 32\.000 s at 25"):
        edited(FILM, Edit(analysis=other))


@pytest.mark.parametrize("name", ["/etc/passwd.toml", "../x.toml", "x.toml", "odd", "/dev/stdin"])
def test_no_palette_is_read_from_where_a_page_says(name: str) -> None:
    with pytest.raises(InputError, match=r"palette is .*; choose one of acoustic"):
        read_wishes({"palette": name})
    plan = FILM.plan.to_json()
    plan["sections"][1]["palette"] = name
    with pytest.raises((InputError, UsageError)):
        Edit.from_json({"version": 1, "plan": plan})


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value within a value; of lists, of the first two."""
    rows = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, inside in rows:
        yield (*before, key)
        if isinstance(inside, dict | list):
            yield from places(inside, (*before, key))


WISHED = {**WISHES[-1], "candidates": 2, "lufs": -16.0, "instruments": ["piano"]}
WHOLE: dict[str, Any] = {"version": 1, "what": "x", **FILM.to_json(), "take": "", "wishes": WISHED}
del WHOLE["plan_is"]
PLACES = [(key,) for key in WHOLE if key != "version"] + [
    (key, *place) for key in ("analysis", "plan", "wishes") for place in places(WHOLE[key])
]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.just([]), st.just({}), st.just([[]]), st.just({"a": [1]}),
    st.just(10**300), st.just("x" * 5000), st.just([{}] * 3), st.just("\u202e\x00"),
)  # fmt: skip


@given(st.sampled_from(PLACES), ODD)
@settings(max_examples=50)
def test_an_odd_value_anywhere_is_fine_or_one_sentence(place: tuple[Any, ...], odd: Any) -> None:
    data = copy.deepcopy(WHOLE)
    at: Any = data
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = odd
    try:
        with noted():
            after = edited(FILM, Edit.from_json(data))
    except (InputError, UsageError) as error:
        sentence = str(error)
        assert sentence and "\n" not in sentence and len(sentence) < 600
    else:
        again = Document.from_json(after.to_json())
        assert again.to_json() == after.to_json()


@pytest.mark.parametrize("key", ["odd", "plan_is", "state"])
def test_an_edit_has_no_other_parts(key: str) -> None:
    with pytest.raises(InputError, match=f"unknown key '{key}'"):
        Edit.from_json({"version": 1, key: 1})


def test_what_is_null_or_empty_is_not_wished() -> None:
    assert read_wishes({"tempo": None, "chords": "", "instruments": [], "seed": 0}) == {"seed": 0}
    assert options_of({"strength": 0.5, "lufs": -20.0, "tempo": 90.0}, READERS).max_va == 0.5
    assert outputs_of({"lufs": -20.0, "keep_audio": "duck"}).keep_audio == "duck"


# --- where it will be -----------------------------------------------------------------------------


def test_bars_and_chords_of_a_plan_are_known_before_a_note_is_drawn() -> None:
    document = Document.of(SEEN, {"tempo": 120.0, "sync": "off"})
    plan = with_section(document.plan, 0, chords="Am F/2 G/2 C G")
    found = module.places(edited(document, Edit(plan=plan)))
    assert found["bars"][:4] == [0, 2, 4, 6]  # nothing bends them
    assert [(one["time"], one["name"]) for one in found["chords"][:5]] == [
        (0, "Am"), (2, "F"), (3, "G"), (4, "C"), (6, "G"),
    ]  # fmt: skip
    met = module.places(FILM)
    assert met["bars"] == sorted(set(met["bars"])) and met["bars"][-1] < SEEN.duration
    assert any(abs(bar - 8.0) < 0.05 for bar in met["bars"])  # a cut that is met
