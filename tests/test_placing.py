"""From the plan's bars to the composed music's seconds."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.fit.spotting import Spotting, spot
from emsync.music.chords import chord_name
from emsync.planning.placing import lead_sheet, section_bars
from emsync.planning.plan import Plan, Section
from emsync.video.cuts import Cut

BAR = 2.0  # seconds at 120 beats a minute
PLAIN = Spotting.plain(120.0)


def plan(*ends: float, chords: str = "Am F C G", hits: tuple[float, ...] = ()) -> Plan:
    sections = tuple(
        Section(start, end, mode="minor", chords=chords) for start, end in pairwise((0.0, *ends))
    )
    return Plan(ends[-1], 120.0, "A", hits=hits, sections=sections)


def names(plan: Plan, last_chord: float | None = None) -> list[tuple[float, str]]:
    harmony = lead_sheet(plan, PLAIN, last_chord).harmony
    return [
        (round(start, 6), chord_name(number))
        for start, number in zip(harmony.starts.tolist(), harmony.chords.tolist(), strict=True)
    ]


def test_a_chart_has_a_chord_a_bar_and_is_played_again_from_the_start() -> None:
    assert names(plan(12.0)) == [
        (0, "Am"), (2, "F"), (4, "C"), (6, "G"), (8, "Am"), (10, "F"),
    ]  # fmt: skip
    assert names(plan(4.0, chords="Am F/2 G/2")) == [(0, "Am"), (2, "F"), (3, "G")]


def test_a_section_begins_its_chart_on_the_nearest_bar_line() -> None:
    assert names(plan(4.6, 12.0, chords="Am F")) == [
        (0, "Am"), (2, "F"), (4, "Am"), (6, "F"), (8, "Am"), (10, "F"),
    ]  # fmt: skip


def test_the_last_bar_has_the_tonic_from_the_last_chord_on() -> None:
    assert names(plan(8.0), last_chord=6.0)[-2:] == [(4, "C"), (6, "Am")]
    assert names(plan(7.1, 7.4), last_chord=6.0)[-1] == (6, "Am"), "also before a sliver"


def test_a_section_without_a_bar_is_left_out() -> None:
    sheet = lead_sheet(plan(4.0, 4.3, 8.0), PLAIN)
    assert [(p.start, p.end) for p in sheet.passages] == [(0, 4), (4, 8)]


lengths = st.lists(st.floats(0.04, 30.0), min_size=1, max_size=8)


@given(lengths, st.floats(30.0, 300.0), st.booleans(), st.lists(st.floats(0, 1), max_size=5))
def test_passages_cover_all_and_chords_follow_each_other(
    parts: list[float], tempo: float, cadence: bool, shares: list[float]
) -> None:
    """However short the film and its sections: there is a passage, and a chord from its start."""
    ends = np.cumsum(parts)
    made = plan(*ends.tolist(), chords="Am F/2 G/2 C")
    end = made.duration
    cuts = [Cut(share * end) for share in sorted(set(shares))]
    spotting = spot(cuts, end, tempo, "beat", 0.06, tune=False)
    last = 0.8 * end if cadence else None
    sheet = lead_sheet(made, spotting, last)
    starts = sheet.harmony.starts
    assert len(sheet.passages) and len(starts) and starts[0] == 0
    assert sheet.passages[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(sheet.passages))
    assert all(p.end > p.start for p in sheet.passages)
    assert (np.diff(starts) > 0).all() and starts[-1] < sheet.passages[-1].end
    if cadence:
        assert chord_name(int(sheet.harmony.chords[-1])) == "Am"
    for edges, section in zip(section_bars(made, spotting, last), made.sections, strict=True):
        assert (np.diff(edges) > 0).all() and not math.isnan(section.end)


@pytest.mark.parametrize("duration", [0.04, 0.1, 0.9])
def test_a_film_shorter_than_a_bar_has_one_passage_and_one_chord(duration: float) -> None:
    for last in (None, 0.8 * duration):
        sheet = lead_sheet(plan(duration), PLAIN, last)
        assert len(sheet.passages) == 1 and sheet.passages[0].end >= duration
        assert [chord_name(int(c)) for c in sheet.harmony.chords] == ["Am"]
