"""Laws of spotting: bars that meet the cuts, and music of which nothing else is left out."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.analysis import Analysis
from emsync.conditioning import Cursor
from emsync.fit.hits import fit
from emsync.fit.spotting import Spotting, spot, spotting_of
from emsync.fit.tempo import at_tempo
from emsync.music.bars import find_bars
from emsync.music.piece import DRUMS, PIANO, Piece
from emsync.options import Sync
from emsync.video.cuts import Cut
from emsync_conditioners.boundaries import EARLY, Boundaries

some = settings(max_examples=15, deadline=None)
cut_lists = st.lists(st.floats(0.6, 25), min_size=1, max_size=6).map(
    lambda times: [Cut(time, 0.8) for time in sorted(times)]
)


def even_bars(beat: float, seconds: float) -> Piece:
    """Music of even bars of 4/4: a note on each beat, with a long one on each bar line."""
    times = np.arange(0, seconds, beat)
    rows = [(DRUMS, 36, time, time + beat / 4) for time in times]
    rows += [(PIANO, 60, time, time + 3.5 * beat) for time in times[::4]]
    return Piece.of(np.array(rows), times[::4])


def met(cuts: Sequence[Cut], length: float, sync: Sync = "beat", tempo: float = 110.0) -> list[str]:
    """Return the places, bar|beat|tick, at which music of even bars meets ``cuts``."""
    found = spot(cuts, length, tempo, sync, 0.06, tune=True)
    beat = 60 / found.tempo
    piece = found.played(even_bars(beat, 1.1 * length + found.skipped + 4))
    fitted = fit(piece, cuts, length, sync, 0.06, beat=beat)
    assert np.abs(1 / fitted.time_map.slopes - 1).max() <= 0.06 + 1e-9
    assert fitted.piece.onsets[0] == 0  # an upbeat sounds from the first frame on
    return [report.hit.position if report.hit else "missed" for report in fitted.kept]


@pytest.mark.parametrize("first", [0.55, 0.75, 1.13, 2.17, 3.4])
@pytest.mark.parametrize("sync", ["beat", "downbeat"])
def test_a_cut_in_the_first_seconds_is_met_by_an_upbeat(first: float, sync: Sync) -> None:
    places = met([Cut(first), Cut(first + 4.5), Cut(first + 9.1)], 20.0, sync)
    assert places[0].endswith("|1|000") and "missed" not in places


def test_a_short_bar_brings_a_bar_line_onto_a_cut() -> None:
    cuts = [Cut(4.0), Cut(8.0), Cut(13.0), Cut(17.2)]
    places = met(cuts, 22.0, "downbeat")
    assert all(place.endswith("|1|000") for place in places)


@some
@given(cut_lists, st.floats(50, 200), st.sampled_from(["beat", "downbeat", "chord"]))
def test_times_of_the_film_rise_in_the_composed_music_and_meetings_stand_on_its_beats(
    cuts: list[Cut], tempo: float, sync: Sync
) -> None:
    found = spot(cuts, 30.0, tempo, sync, 0.06, tune=False)
    assert found.tempo == tempo
    times = found.composed(np.linspace(0, 30, 301))
    assert (np.diff(times) >= 0).all() and (np.diff(times[20:]) > 0).all()
    beats = found.composed(np.array(sorted(found.hits))) * tempo / 60
    assert np.abs(beats - np.round(beats)).max(initial=0) < 1e-6
    if sync == "downbeat":
        assert (np.round(beats) % 4 == 0).all()


@some
@given(cut_lists, st.floats(50, 200))
def test_a_moment_of_the_film_is_found_again_from_the_composed_music(
    cuts: list[Cut], tempo: float
) -> None:
    found = spot(cuts, 30.0, tempo, "beat", 0.06, tune=False)
    assert found.film(np.zeros(1)) == 0
    times = np.linspace(found.video[:2].max(), 30, 100)  # an upbeat is written longer or shorter
    assert found.film(found.composed(times)) == pytest.approx(times, abs=1e-5)
    assert (np.diff(found.film(np.linspace(0, 40, 400))) >= -1e-9).all()


@some
@given(cut_lists, st.floats(30, 300))
def test_nothing_but_whole_beats_is_left_out(cuts: list[Cut], tempo: float) -> None:
    beat = 60 / tempo
    found = spot(cuts, 30.0, tempo, "downbeat", 0.06, tune=False)
    piece = even_bars(beat, 40.0)
    played = found.played(piece)
    gone = round(found.skipped / beat)
    drums = (played.classes == DRUMS).sum(), (piece.classes == DRUMS).sum()
    assert drums[1] - drums[0] == gone
    bars = find_bars(played, 30.0, beat)
    sizes = np.diff(bars.lines)
    assert set(sizes[1:].tolist()) <= {2, 3, 4} and 1 <= sizes[0] <= 4
    assert (sizes[1:] < 4).sum() <= len(cuts)
    inside = np.diff(bars.beats)[int(sizes[0]) : int(played.downbeats[-1] / beat) - 4]
    assert inside == pytest.approx(beat)  # but for the upbeat, the tempo is the one asked for


@pytest.mark.parametrize("tempo", [30, 40, 49, 60, 90, 120, 180, 199, 205, 240, 300])
def test_the_bars_of_a_known_beat_have_four_at_any_tempo(tempo: float) -> None:
    beat = 60 / tempo
    piece = even_bars(beat, 40.0)
    bars = find_bars(piece, 40.0, beat)
    assert (np.diff(bars.lines) == 4).all() and bars.regular and not bars.note
    assert np.diff(bars.beats) == pytest.approx(beat)
    fitted = fit(piece, [], 30.0, beat=beat)
    assert 60e6 / fitted.tempo_map.tempi == pytest.approx(tempo, rel=2e-3)


def test_where_no_cut_is_to_be_hit_the_music_stays_as_it_is() -> None:
    film = Analysis(20.0, "25", cuts=(Cut(3.0), Cut(9.0, kept=False)), tempo=100.0)
    for found in (spotting_of(film, "off", 0.06), spotting_of(film, "beat", 0.0)):
        assert found.asked(film) is film and found.tempo == 100.0
        piece = even_bars(0.6, 10.0)
        assert np.array_equal(found.played(piece).rows, piece.rows)
    assert spotting_of(Analysis(20.0, "25"), "beat", 0.06).hits == frozenset()


def test_a_composer_is_asked_for_no_two_chords_within_a_second() -> None:
    cuts = tuple(Cut(0.06 * n, 0.5) for n in range(1, 200))
    asked = spotting_of(Analysis(14.0, "25", cuts=cuts), "beat", 0.06).asked(
        Analysis(14.0, "25", cuts=cuts)
    )
    assert len(asked.kept) > 8
    assert np.diff([cut.time for cut in asked.kept]).min() > 0.8


@some
@given(cut_lists, st.sampled_from([60.0, 117.1875]))
def test_what_a_person_asks_at_a_cut_is_asked_where_the_music_meets_it(
    cuts: list[Cut], own: float
) -> None:
    film = Analysis(30.0, "25", cuts=tuple(cuts))
    assert film.music_time(np.array([1.0, 2.0])).tolist() == [1.0, 2.0]
    spotting = spotting_of(film, "beat", 0.06)
    asked = at_tempo(spotting.asked(film), own, spotting.tempo)
    times = np.array([cut.time for cut in film.cuts])
    expected = np.array([cut.time for cut in asked.cuts])
    assert asked.music_time(times) == pytest.approx(expected)
    assert "music_time" not in asked.to_json()


def test_a_mark_waits_for_its_boundary_and_one_answers_it() -> None:
    cursor = Boundaries().cursor(np.array([4.0, 9.0], np.float32))

    def waits(time: float, mark: bool = False) -> bool:
        cursor.row(time, mark)
        return cursor.waits(time)

    assert [waits(t) for t in (2.0, 3.1, 4 - EARLY - 0.01)] == [False, True, True]
    assert not waits(4 - EARLY + 0.01) and not waits(4.0)
    assert waits(4.0, mark=True) and waits(4.9)
    assert not waits(5.1) and waits(8.5) and not waits(9.0)
    nothing = Boundaries().cursor(np.array([math.nan], np.float32))
    assert not nothing.waits(1.0) and not Cursor.waits(nothing, 1.0)


def test_an_upbeat_of_its_own_length_moves_what_follows() -> None:
    found = Spotting(
        120.0, np.array([[0.0, 1.5]]), np.array([-0.2, 2.5]), np.array([0.0, 2.7]),
        frozenset([2.7]), (0.5, 0.7),
    )  # fmt: skip
    played = found.played(even_bars(0.5, 6.0))
    assert played.downbeats == pytest.approx([0.7, 2.7])
    assert played.onsets[0] == 0
