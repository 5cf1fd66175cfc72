"""When the bars and chords of a plan will be in the film."""

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.options import Options
from emsync.planning.plan import Plan, Section
from emsync.planning.schedule import scheduled
from emsync.planning.words import chord_symbols
from emsync.video.cuts import Cut

FILM = Analysis(24.0, "25", (Cut(7.3, 0.9), Cut(13.44, 0.8)))


def plan(tempo: float = 120.0) -> Plan:
    parts = (
        Section(0.0, 7.3, mode="major", chords="Ab Fm", theme="A"),
        Section(7.3, 13.44, mode="minor", chords="Ab Fm", theme="B"),
        Section(13.44, 24.0, mode="major", chords="Ab Fm", theme="A"),
    )
    return Plan(24.0, tempo, "Ab", hits=(7.3, 13.44), sections=parts)


@pytest.mark.parametrize("tempo", [90.0, 120.0, 151.0])
def test_bar_lines_and_chords_meet_the_cuts_of_the_sections(tempo: float) -> None:
    sheet, lines = scheduled(plan(tempo=tempo), FILM, Options())
    assert (np.diff(lines) > 0).all() and lines[0] == 0
    for cut in (7.3, 13.44):
        assert np.abs(lines - cut).min() < 1e-6
        assert np.abs(sheet.harmony.starts - cut).min() < 1e-6
    middles = (lines[1:] + lines[:-1]) / 2
    near = np.abs(sheet.harmony.starts[:, None] - np.append(lines, middles)).min(axis=1)
    assert near.max() < 0.2  # the tempo bends a little within a bar


def test_chords_are_named_where_they_change_and_where_a_section_begins() -> None:
    film = Analysis(24.0, "25")
    chords = "Ab Ab Ab Eb"
    parts = (
        Section(0.0, 8.0, mode="major", chords=chords),
        Section(8.0, 16.0, mode="major", chords=chords),
        Section(16.0, 24.0, mode="minor", chords=chords),
    )
    held = Plan(24.0, 120.0, "Ab", "cut", sections=parts)
    symbols = chord_symbols(held, scheduled(held, film, Options(sync="off"))[0].harmony)
    assert symbols == [(0, "Ab"), (6, "Eb"), (8, "Ab"), (14, "Eb"), (16, "G#"), (22, "D#")]


def test_the_last_chord_is_the_tonic_for_as_long_as_it_rings() -> None:
    sheet, _ = scheduled(plan(), FILM, Options(sync="off"))
    assert 24.0 - sheet.harmony.starts[-1] == pytest.approx(3.0, abs=1.01)
    assert chord_symbols(plan(), sheet.harmony)[-1][1] == "Ab"
