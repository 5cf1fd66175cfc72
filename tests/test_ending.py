"""Endings: every piece has a last chord that rings to the end."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emsync.analysis import Analysis
from emsync.fit.ending import FADE, GRIP, RING, Ending, cadence, last_chord
from emsync.fit.hits import fit
from emsync.fit.section_ends import let_go
from emsync.fit.voicing import REGISTER, ROOF, voiced
from emsync.music.chords import LOW, QUALITIES, TONES, Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.performance.dynamics import Dynamics
from emsync.ranking import WEIGHTS, judge
from emsync.video.cuts import Cut

CUT, IDS = Ending("cut", None, 20.0), np.zeros(9, np.int64)

notes = st.lists(
    st.tuples(st.integers(0, 4), st.integers(21, 108), st.floats(0, 19), st.floats(0.05, 3)).map(
        lambda n: (n[0], n[1], n[2], n[2] + n[3])
    ),
    max_size=40,
)


chords = st.sampled_from(["C", "F#m", "Bb7", "Gsus4", "Bdim", "Dmaj7", "Em7"])
players = st.sets(st.sampled_from([BASS, GUITAR, PIANO, STRINGS]), min_size=1)


def pitched(piece: Piece) -> Piece:
    return piece.where(piece.classes != DRUMS)


def ringing(piece: Piece, end: float = 20.0) -> Piece:
    return pitched(piece.where(piece.offsets == end))


@given(notes, st.lists(st.floats(0, 19), max_size=4))
def test_the_last_chord_is_a_triad_that_all_strike_together_and_that_rings_to_the_end(
    rows: list[tuple[int, int, float, float]], marks: list[float]
) -> None:
    piece = Piece.of(np.array(rows, np.float64), chords=np.array(marks))
    ended, at = cadence(piece, 17.0, 20.0)
    held = ringing(ended)
    assert len(np.unique(held.pitches % 12)) == 3 and (held.onsets == at).all()
    assert abs(at - 17.0) <= 1.5
    assert ended.onsets.max() <= at + GRIP and ended.offsets.max() <= 20.0
    assert (ended.offsets > ended.onsets).all()
    before = piece.onsets < at - GRIP
    assert (ended.onsets < at - GRIP).sum() == before.sum(), "notes before the chord all stay"
    played = set(pitched(piece.where(before)).classes.tolist())
    assert set(held.classes.tolist()) == (played or {PIANO}), "by all who have played"


@given(notes, players, chords)
def test_the_planned_chord_is_voiced_for_those_who_play_at_the_end(
    rows: list[tuple[int, int, float, float]], able: set[int], name: str
) -> None:
    piece = Piece.of(np.array(rows, np.float64))
    piece = piece.where(np.isin(piece.classes, [DRUMS, *able]))
    planned = Harmony(np.array([0.0]), np.array([parse_chord(name)]))
    ended, _ = cadence(piece, 17.0, 20.0, harmony=planned, players=[DRUMS, *able])
    held = ringing(ended)
    assert set(ended.classes.tolist()) <= {DRUMS, *able}
    assert set((held.pitches % 12).tolist()) == set(np.flatnonzero(TONES[planned.chords[0]]))


def test_drums_alone_end_on_a_stroke() -> None:
    rows = [(DRUMS, 38, t, t + 0.1) for t in np.arange(0, 20, 0.5)]
    ended, at = cadence(Piece.of(np.array(rows)), 17.0, 20.0, players=[DRUMS])
    assert at == 17.0 and ended.onsets.max() == 17.0 and set(ended.classes) == {DRUMS}


leaves = st.dictionaries(
    st.sampled_from([BASS, GUITAR, PIANO, STRINGS]),
    st.lists(st.integers(21, 108), max_size=8, unique=True).map(sorted),
    min_size=1,
)


@given(leaves, chords)
@example({GUITAR: [], PIANO: [], STRINGS: []}, "Bdim")  # few tones below the melody's roof
def test_a_voiced_chord_stands_open_on_its_root_and_gives_everybody_tones_of_their_own(
    before: dict[int, list[int]], name: str
) -> None:
    quality, root = divmod(parse_chord(name), 12)
    tones = list(QUALITIES.values())[quality]
    chord = voiced(root, tones, before)
    assert set(chord) == set(before)
    pitches = sorted(p for mine in chord.values() for p in mine)
    assert len(set(pitches)) == len(pitches), "no tone twice"
    assert {(p - root) % 12 for p in pitches} == set(tones)
    assert pitches[0] % 12 == root and pitches[1] - pitches[0] >= 6
    for c, mine in chord.items():
        assert mine and mine == sorted(mine)
        assert REGISTER[c][0] <= mine[0] and mine[-1] <= REGISTER[c][1]
    if set(before) != {BASS}:
        third = [p for p in pitches if (p - root) % 12 == tones[1]]
        assert min(third) >= LOW, "the third is not thickened below"
    if BASS in before and len(before) > 1:
        assert chord[BASS] == pitches[:1]


@given(st.integers(0, 11), st.sampled_from(["C", "Cm"]), st.integers(60, 84))
def test_the_melody_goes_on_to_a_tone_of_the_last_chord_that_is_near(
    root: int, name: str, top: int
) -> None:
    tones = QUALITIES[name[1:]]
    before = {BASS: [36], PIANO: [52, 55, 60, 64], STRINGS: [top]}
    chord = voiced(root, tones, before)
    highest = max(p for mine in chord.values() for p in mine)
    assert highest in chord[STRINGS] or top < ROOF
    assert abs(highest - top) <= 4 or top < ROOF


def test_common_tones_of_the_last_chord_stay() -> None:
    assert voiced(0, (0, 4, 7), {BASS: [36], PIANO: [55, 60, 64, 67]}) == {
        BASS: [36], PIANO: [55, 60, 64, 67]
    }  # fmt: skip
    assert voiced(0, (0, 4, 7), {BASS: [43], PIANO: [55, 59, 65, 67]}) == {
        BASS: [36], PIANO: [55, 60, 64, 67]
    }  # fmt: skip


def test_foreign_tones_end_where_the_planned_chord_begins() -> None:
    rows = [(STRINGS, 65, 0.0, 30.0)]  # an F that is held throughout
    rows += [(PIANO, p, t, t + 2.0) for t in range(0, 18, 2) for p in (64, 67, 71)]  # Em, no C
    piece = Piece.of(np.array(rows, np.float64), downbeats=np.arange(0, 20, 2.0))
    planned = Harmony(np.array([0.0]), np.array([parse_chord("C")]))
    ended, at = cadence(piece, 16.0, 20.0, harmony=planned)
    assert at == 16.0 and set(ringing(ended).pitches % 12) == {0, 4, 7}
    assert ended.where(ended.pitches == 65).offsets.tolist() == [16.0]
    free, _ = cadence(piece, 16.0, 20.0)
    assert set(ringing(free).pitches % 12) == {4, 7, 11}, "without a plan the triad that is heard"


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
    struck = {t: set(ended.pitches[ended.onsets == t].tolist()) for t in (17.1, 18.4)}
    assert struck[17.1] == struck[18.4], "the chord again"
    assert (ended.offsets[ended.onsets == 17.1] == 18.4).all()
    assert (ended.offsets[ended.onsets == 18.4] == 20.0).all()


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


def test_tones_that_rub_against_the_chord_of_the_next_section_end_with_theirs() -> None:
    rows = [(STRINGS, 65, 0.0, 6.0), (STRINGS, 62, 0.0, 6.0), (PIANO, 67, 3.0, 4.5)]  # F, D, G
    rows += [(PIANO, 65, 4.0, 5.0), (DRUMS, 41, 3.9, 4.2), (BASS, 41, 1.0, 2.0)]
    piece = Piece.of(np.array(rows, np.float64))
    passages = tuple(Passage(start, start + 2) for start in (0.0, 2.0, 4.0))
    chords = Harmony(np.array([0.0, 4.0]), np.array([parse_chord("F"), parse_chord("C")]))
    after = let_go(piece, LeadSheet(chords, passages))
    ended = {(p, on): off for _, p, on, off in after.rows.tolist()}
    assert ended.pop((65, 0.0)) == 4.0, "the fourth"
    assert ended == {(p, on): off for _, p, on, off in piece.rows.tolist() if (p, on) != (65, 0.0)}


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
