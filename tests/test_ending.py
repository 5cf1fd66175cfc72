"""Endings: every piece has a last chord that rings to the end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis
from emsync.fit.dynamics import Dynamics
from emsync.fit.ending import FADE, RING, Ending, cadence, last_chord
from emsync.fit.hits import fit
from emsync.music.chords import TONES, Harmony, parse_chord
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.ranking import WEIGHTS, judge
from emsync.video.cuts import Cut

CUT, IDS = Ending("cut", None, 20.0), np.zeros(9, np.int64)

notes = st.lists(
    st.tuples(st.integers(0, 4), st.integers(21, 108), st.floats(0, 19), st.floats(0.05, 3)).map(
        lambda n: (n[0], n[1], n[2], n[2] + n[3])
    ),
    max_size=40,
)


@given(notes, st.lists(st.floats(0, 19), max_size=4))
def test_the_last_chord_has_three_pitch_classes_and_rings_to_the_end(
    rows: list[tuple[int, int, float, float]], chords: list[float]
) -> None:
    piece = Piece.of(np.array(rows, np.float64), chords=np.array(chords))
    ended, at = cadence(piece, 17.0, 20.0)
    held = (ended.offsets == 20.0) & (ended.classes != DRUMS)
    assert len(np.unique(ended.pitches[held] % 12)) >= 3
    assert abs(at - 17.0) <= 1.5
    assert ended.onsets.max() <= at + 0.03 and ended.offsets.max() <= 20.0
    assert (ended.offsets > ended.onsets).all()
    before = piece.onsets < at - 1e-9
    assert (ended.onsets < at - 1e-9).sum() == before.sum(), "notes before the chord all stay"


@given(notes, st.sets(st.sampled_from([BASS, GUITAR, PIANO, STRINGS])))
def test_only_those_who_play_at_the_end_join_the_last_chord(
    rows: list[tuple[int, int, float, float]], pitched: set[int]
) -> None:
    piece = Piece.of(np.array(rows, np.float64))
    piece = piece.where(np.isin(piece.classes, [DRUMS, *pitched]))
    ended, _ = cadence(piece, 17.0, 20.0, players=[DRUMS, *pitched])
    held = (ended.offsets == 20.0) & (ended.classes != DRUMS)
    assert set(ended.classes.tolist()) <= {DRUMS, *pitched}
    assert len(np.unique(ended.pitches[held] % 12)) >= (3 if pitched else 0)


def test_the_planned_chord_ends_the_piece_without_tones_that_are_foreign_to_it() -> None:
    rows = [(STRINGS, 65, 0.0, 30.0)]  # an F that is held throughout
    rows += [(PIANO, p, t, t + 2.0) for t in range(0, 18, 2) for p in (64, 67, 71)]  # Em, no C
    piece = Piece.of(np.array(rows, np.float64), downbeats=np.arange(0, 20, 2.0))
    planned = Harmony(np.array([0.0]), np.array([parse_chord("C")]))
    ended, at = cadence(piece, 16.0, 20.0, harmony=planned)
    ringing = ended.where(ended.offsets == 20.0)
    assert at == 16.0 and set(ringing.pitches % 12) == {0, 4, 7} and (ringing.onsets == at).all()
    assert ended.where(ended.classes == STRINGS).offsets.tolist() == [16.0]
    free, _ = cadence(piece, 16.0, 20.0)
    assert set(free.where(free.offsets == 20.0).pitches % 12) == {4, 5, 7, 11}, "without a plan"


@given(
    notes, st.sampled_from(["C", "F#m", "Bb7"]), st.sets(st.sampled_from([BASS, PIANO, STRINGS]))
)
def test_the_planned_chord_stands_on_its_root(
    rows: list[tuple[int, int, float, float]], name: str, pitched: set[int]
) -> None:
    piece = Piece.of(np.array(rows, np.float64))
    piece = piece.where(np.isin(piece.classes, [DRUMS, *pitched]))
    chord = parse_chord(name)
    planned = Harmony(np.array([0.0]), np.array([chord]))
    ended, _ = cadence(piece, 17.0, 20.0, harmony=planned, players=[DRUMS, *pitched])
    ringing = ended.where((ended.offsets == 20.0) & (ended.classes != DRUMS))
    assert bool(len(ringing)) == bool(pitched)
    assert not pitched or int(ringing.pitches.min()) % 12 == chord % 12
    assert (TONES[chord, ringing.pitches % 12] > 0).all()


def test_a_boundary_chord_ends_the_piece_before_a_downbeat_and_a_downbeat_before_a_beat() -> None:
    rows = [(PIANO, p, t, t + 0.4) for t in (16.2, 16.6, 17.1, 17.8) for p in (60, 64, 67)]
    piece = Piece.of(np.array(rows), downbeats=np.array([16.6]), chords=np.array([17.8]))
    assert cadence(piece, 17.0, 20.0)[1] == 17.8
    plain = Piece.of(np.array(rows), downbeats=np.array([16.6]))
    assert cadence(plain, 17.0, 20.0)[1] == 16.6


def test_the_last_chord_stands_on_what_answers_a_cut_and_later_answers_stay() -> None:
    rows = [(PIANO, p, t, t + 0.4) for t in (16.2, 16.6, 17.1, 17.8, 18.4) for p in (60, 64, 67)]
    piece = Piece.of(np.array(rows), chords=np.array([16.6]))
    assert cadence(piece, 17.1, 20.0)[1] == 16.6
    ended, at = cadence(piece, 17.1002, 20.0, [16.2, 17.1002, 18.4])
    assert at == 17.1
    assert np.unique(ended.onsets).tolist() == [16.2, 16.6, 17.1, 18.4]
    assert ended.offsets[(ended.onsets == 17.1) & (ended.classes == PIANO)].tolist() == [20.0] * 3


def test_the_last_chord_falls_on_a_cut_near_the_end_or_a_ring_before_it() -> None:
    assert last_chord(60.0, ()) == 60.0 - RING
    assert last_chord(60.0, [Cut(57.5)]) == 57.5
    assert last_chord(60.0, [Cut(57.5, kept=False), Cut(30.0)]) == 60.0 - RING
    assert last_chord(2.0, ()) == pytest.approx(1.6), "a short film has a short ring"
    assert last_chord(6.0, [Cut(5.48, 0.3)]) == 5.48, "the film's cut goes before our wish"
    assert last_chord(6.0, [Cut(3.7)]) == pytest.approx(4.8)


def test_the_fade_begins_where_the_last_chord_is_struck() -> None:
    """Also on a kept cut near the end: the chord is not struck into a fade that has begun."""
    video = Analysis(20.0, "25", cuts=(Cut(18.4),))
    ending = Ending.of("cadence", video)
    assert (ending.chord, ending.fade_start) == (18.4, 18.4)
    assert ending.requested_in(video) is video, "the cut is a boundary already"
    rows = [(PIANO, p, t, t + 0.4) for t in np.arange(0, 20, 0.46) for p in (60, 64, 67)]
    piece = Piece.of(np.array(rows), downbeats=np.arange(0, 20, 1.84))
    ended, played = ending.apply(fit(piece, video.cuts, 20.0))
    (report,) = ended.cuts
    assert report.hit is not None and played.chord == played.fade_start
    assert played.chord == pytest.approx(report.hit.time, abs=0.002)
    assert Dynamics.under(video, played).fade == pytest.approx(1.6, abs=0.01)


def test_an_ending_without_a_chord_adds_no_boundary_and_leaves_the_music() -> None:
    video = Analysis(20.0, "25")
    fitted = fit(scale(4), (), 20.0)
    for kind, start in (("fade", 20.0 - FADE), ("cut", 20.0)):
        ending = Ending.of(kind, video)  # type: ignore[arg-type]
        assert (ending.chord, ending.fade_start) == (None, start)
        assert ending.requested_in(video) is video and ending.apply(fitted) == (fitted, ending)


def test_the_last_chord_is_a_boundary_of_its_own_kind_that_no_report_shows() -> None:
    video = Analysis(20.0, "25", cuts=(Cut(8.0),))
    ending = Ending.of("cadence", video)
    brief = ending.requested_in(video)
    assert [(cut.time, cut.kind) for cut in brief.cuts] == [(8.0, "cut"), (17.0, "ending")]
    ended, _ = ending.apply(fit(scale(4), brief.cuts, 20.0))
    assert [report.cut.time for report in ended.cuts] == [8.0]


def scale(third: int) -> Piece:
    """A scale in major or minor, with its triad."""
    steps = (0, 2, third, 5, 7, third + 5, third + 7, 12)
    line = [(PIANO, 60 + steps[i % 8], i * 0.5, i * 0.5 + 0.4) for i in range(38)]
    triad = [(PIANO, 48 + s, t, t + 2) for t in range(0, 18, 2) for s in (0, third, 7)]
    return Piece.of(np.array(line + triad), downbeats=np.arange(0, 20, 2.0))


def test_the_score_of_a_candidate_is_the_stated_sum() -> None:
    rows = [(PIANO, p, t, t + 0.4) for t in np.arange(0, 20, 0.5) for p in (60, 64, 67)]
    piece = Piece.of(np.array(rows), downbeats=np.arange(0, 20, 2.0), chords=np.array([8.0]))
    video = Analysis(duration=20.0, fps="25", cuts=(Cut(8.1), Cut(8.9, kept=False)), arousal=0.2)
    good = judge(fit(piece, video.cuts, 20.0), CUT, video, 1, IDS)
    assert set(good.parts) == set(WEIGHTS)
    assert good.score == pytest.approx(sum(WEIGHTS[k] * v for k, v in good.parts.items()), abs=1e-3)
    assert good.parts["hits"] == 1.0
    assert good.parts["mood"] == 1.0, "no valence is asked"
    for valence in (0.2, -0.9):  # one hand at the piano is on the sad side
        asked = video.with_feeling(valence=valence)
        major, minor = (
            judge(fit(scale(t), (), 20.0), CUT, asked, 1, IDS).parts["mood"] for t in (4, 3)
        )
        assert (major > minor) == (valence > 0)
    silent = judge(fit(Piece.of(np.zeros((0, 4))), video.cuts, 20.0), CUT, video, 2, IDS)
    assert silent.score < good.score
