"""What a lead sheet tells the network: it is what the piece that it describes would tell."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync import plugins
from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Cursor, Floats
from emsync.music.chords import NONE, QUALITIES, ROOTS, TONES, Harmony, heard, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.testing import check_conditioner, example_piece, example_sheet
from emsync.tokens import Timeline
from emsync_conditioners.chords import Chords
from emsync_conditioners.given import Given
from emsync_conditioners.instruments import Instruments
from emsync_tokenizers.events import Events

NAN = math.nan
STEP = 1 / 125  # seconds
HALF = 128 * STEP  # seconds of half a bar, at the checkpoints' tempo
TEMPO = 120 / HALF
LATER = np.arange(0.0, 40.0, 16 * STEP)  # moments at which rows are compared

TOLD = (Chords(), Instruments(), Given())
numbers = st.integers(NONE, 83)  # chords
players = st.sets(st.sampled_from(range(len(CLASSES)))).filter(lambda found: found - {DRUMS})


def rows_at(conditioner: Conditioner, target: Floats, times: list[float]) -> Floats:
    return conditioner.features(target, Timeline(np.array(times), np.zeros(len(times), np.bool_)))


def names(*chords: str) -> list[int]:
    return [parse_chord(name) for name in chords]


@st.composite
def sheets(draw: st.DrawFn, chords: st.SearchStrategy[int] = numbers) -> LeadSheet:
    """Chords that each last some half bars, and passages of whole bars."""
    lengths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=8))
    starts = np.cumsum([0, *lengths[:-1]]) * HALF
    harmony = Harmony(starts, np.array([draw(chords) for _ in lengths]))
    end = math.ceil(sum(lengths) / 2)  # bars
    edges = sorted({0, end, *draw(st.lists(st.integers(0, end), max_size=3))})
    passages = tuple(
        Passage(2 * HALF * start, 2 * HALF * stop, tuple(sorted(draw(players))))
        for start, stop in itertools.pairwise(edges)
    )
    return LeadSheet(harmony, passages)


def rendered(sheet: LeadSheet) -> Piece:
    """Return the piece that plays a lead sheet and nothing else: a stroke in each half bar."""
    notes: list[tuple[float, ...]] = []
    end = sheet.passages[-1].end
    for start in np.arange(round(end / HALF)) * HALF:
        (chord,) = sheet.harmony.at(np.array([start]))
        passage = sheet.passages[int(sheet.passage(start))]
        pitched = [c for c in passage.classes if c != DRUMS]
        if DRUMS in passage.classes:
            notes.append((DRUMS, 36, start, start + HALF))
        if chord != NONE:
            root = 36 + int(ROOTS[chord].argmax())
            notes.append((pitched[0], root, start, start + HALF))
            tones = [60 + t for t in np.flatnonzero(TONES[chord]).tolist()]
            notes += [(c, tone, start, start + HALF) for c in pitched for tone in tones]
    rows = np.array(notes).reshape(-1, 4)
    return Piece.of(rows, np.arange(0, end + 0.1, 2 * HALF))


def film(sheet: LeadSheet) -> Analysis:
    return Analysis(sheet.passages[-1].end, "25", tempo=TEMPO, sheet=sheet)


@given(sheets())
def test_a_sheet_tells_the_chords_that_the_piece_which_plays_it_tells(sheet: LeadSheet) -> None:
    piece, end = rendered(sheet), sheet.passages[-1].end
    told = Chords().from_video(film(sheet))
    times = LATER[end + 1 > LATER].tolist()
    expected = rows_at(Chords(), Chords().from_music(piece), times)
    found = rows_at(Chords(), told, times)
    early = np.array(times) < end - HALF  # of a piece the last half bar has no next one
    assert np.array_equal(found[early], expected[early])
    late = np.array(times) >= end
    assert np.isnan(expected[~early]).any(axis=1).all()
    assert not np.isnan(found[~late]).any() or math.isclose(end, times[-1])


@given(sheets(st.integers(0, 83)))
def test_a_sheet_tells_the_players_that_the_piece_which_plays_it_tells(sheet: LeadSheet) -> None:
    told, played = (
        Instruments().from_video(film(sheet)),
        Instruments().from_music(rendered(sheet)),
    )
    before = int(np.ceil(sheet.passages[-1].end / Instruments.step - 1e-6))
    assert len(told) == len(played) >= before
    assert np.array_equal(told[:before], played[:before])


@pytest.mark.parametrize("quality", range(len(QUALITIES)))
def test_a_chord_s_row_is_its_tones_and_its_root(quality: int) -> None:
    chords = quality * 12 + np.arange(12)
    sheet = LeadSheet(Harmony(np.arange(12.0) * HALF, chords), (Passage(0.0, 12 * HALF),))
    assert heard(rendered(sheet), np.arange(13.0) * HALF).tolist() == chords.tolist()
    told = Chords().from_video(film(sheet))
    steps = list(QUALITIES.values())[quality]
    for root, row in enumerate(told[:12, 1:]):
        assert np.flatnonzero(row[:12]).tolist() == sorted((root + step) % 12 for step in steps)
        assert np.flatnonzero(row[12:]).tolist() == [root]


def test_no_chord_is_told_as_a_half_bar_without_pitched_sound() -> None:
    sheet = LeadSheet(Harmony(np.array([0.0, HALF]), np.array(names("N", "C"))),
                      (Passage(0.0, 4 * HALF),))  # fmt: skip
    first, second = rows_at(Chords(), Chords().from_video(film(sheet)), [0.0, HALF])
    assert not first[:24].any() and np.array_equal(first[24:], second[:24])


def test_a_chord_that_begins_on_a_cut_is_told_from_there_on() -> None:
    """A section may begin on any beat: the half bar in which it does is told as two."""
    beat = HALF / 2
    starts = np.array([0.0, 3 * beat, 7 * beat])
    sheet = LeadSheet(Harmony(starts, np.array(names("Am", "F", "F"))), (Passage(0.0, 4 * HALF),))
    told = Chords().from_video(film(sheet))
    assert told[:, 0].tolist() == pytest.approx(
        [0, 2 * beat, 3 * beat, 4 * beat, 6 * beat, 8 * beat]
    )
    am, f = (np.concatenate([TONES[c], ROOTS[c]]) for c in names("Am", "F"))
    rows = rows_at(Chords(), told, [2 * beat, 3 * beat - STEP, 3 * beat, 4 * beat])
    assert np.array_equal(rows, [[*am, *f], [*am, *f], [*f, *f], [*f, *f]])


def test_chords_a_hair_off_the_half_bar_are_on_it() -> None:
    for off in (-1e-9, 1e-9, -4e-4, 4e-4):
        starts = np.array([0.0, 2 * HALF + off])
        sheet = LeadSheet(Harmony(starts, np.array(names("Am", "F"))), (Passage(0.0, 4 * HALF),))
        told = Chords().from_video(film(sheet))
        assert told[:, 0] == pytest.approx(np.arange(5) * HALF, abs=1e-3)
        rows = rows_at(Chords(), told, [2 * HALF - STEP, 2 * HALF])
        assert rows[0, 24:].tolist() == rows[1, :24].tolist() == told[2, 1:].tolist()


def test_all_of_a_film_has_a_chord_to_come_and_what_is_beyond_has_none() -> None:
    for duration in (10 * HALF, 10 * HALF + 1e-9, 10.3 * HALF, 0.1):
        sheet = LeadSheet(Harmony(np.zeros(1), np.array(names("G"))), (Passage(0.0, duration),))
        for tempo in (TEMPO, 90.0, NAN):
            video = replace(film(sheet), duration=duration, tempo=tempo)
            told = Chords().from_video(video)
            assert not np.isnan(rows_at(Chords(), told, [0.0, duration - 0.01])).any()
            assert np.isnan(rows_at(Chords(), told, [duration + 2.0])[:, 24:]).all()


def test_a_long_film_s_chords_begin_on_time() -> None:
    """float32 is coarse after an hour; tokens are on time to the eight milliseconds."""
    count = 3600
    chords = np.tile(names("C", "F#"), count // 2)
    sheet = LeadSheet(
        Harmony(np.arange(count, dtype=np.float64) * HALF, chords), (Passage(0.0, count * HALF),)
    )
    told = Chords().from_video(film(sheet))
    times = np.arange(count - 1) * HALF
    for late in (0.0, HALF - STEP):
        found = rows_at(Chords(), told, (times + late).tolist())
        assert np.array_equal(found[:, :24], told[: count - 1, 1:])


def test_players_are_told_a_window_before_they_enter_and_until_they_leave() -> None:
    band = Passage(0.0, 8.0, (PIANO,)), Passage(8.0, 12.0, (DRUMS, BASS)), Passage(12.0, 20.0, ())
    told = Instruments().from_video(Analysis(30.0, "25", sheet=LeadSheet(Harmony(
        np.zeros(1), np.zeros(1, np.intp)), band)))  # fmt: skip
    assert told.shape == (61, 5)
    assert np.flatnonzero(told[:, DRUMS]).tolist() == list(range(9, 24))  # from 4.5 s, 3.5 before
    assert np.array_equal(told[:, DRUMS], told[:, BASS])
    assert np.flatnonzero(told[:, PIANO]).tolist() == list(range(16))
    assert not told[:, [GUITAR, STRINGS]].any()


def test_the_last_passage_goes_on_to_the_end_of_the_film() -> None:
    harmony = Harmony(np.zeros(1), np.zeros(1, np.intp))
    sheet = LeadSheet(harmony, (Passage(0.0, 9.0, (GUITAR,)),))
    told = Instruments().from_video(Analysis(10.0, "25", sheet=sheet))
    assert told[:, GUITAR].all() and told.sum() == len(told)


NOTES = st.tuples(
    st.sampled_from(range(len(CLASSES))), st.integers(0, 900), st.integers(1, 400)
)  # hundredths of a second


@given(st.lists(NOTES, min_size=1, max_size=12))
def test_who_plays_is_what_sounds_in_each_window_note_by_note(
    notes: list[tuple[int, int, int]],
) -> None:
    rows = np.array([(c, 60, on / 100, (on + n) / 100) for c, on, n in notes])
    told = Instruments().from_music(Piece.of(rows))
    for i, found in enumerate(told):
        start = i * 50
        sounds = {c for c, on, n in notes if on < start + 400 and on + n > start}
        assert set(np.flatnonzero(found).tolist()) == sounds


def test_what_resumes_is_waited_for_and_what_is_given_is_marked() -> None:
    for target in (
        Given().from_music(replace(example_piece(), labels={"resumes": 10.0})),
        Given().from_video(Analysis(20.0, "25", sheet=replace(example_sheet(), resumes=10.0))),
    ):
        rows = rows_at(Given(), target, [0.0, 6.0, 10.0, 11.0])
        waits = np.array([8.0, 4.0, 0.0, 0.0])
        assert rows[:, 2:] == pytest.approx(np.stack([waits / 8, np.exp(-waits)], axis=1))
        assert not rows[:, :2].any()
    assert Given().given_row("theme") == (1, 0, 0, 0) and Given().given_row("later") == (0, 1, 0, 0)


def test_of_the_conditions_only_one_answers_for_music_that_is_given() -> None:
    found = plugins.names(plugins.CONDITIONERS)
    built = [plugins.load(plugins.CONDITIONERS, name, Conditioner)() for name in found]
    built = [c for c in built if type(c).__module__.startswith("emsync_conditioners.")]
    assert [c.name for c in built if c.given_row("theme") is not None] == ["given"]
    assert [c.name for c in built if c.given_row("later") is not None] == ["given"]


@pytest.mark.parametrize("conditioner", TOLD, ids=lambda c: c.name)
def test_without_a_sheet_nothing_is_requested(conditioner: Conditioner) -> None:
    for video in (Analysis(8.0, "24"), Analysis(8.0, "24", tempo=96.0, valence=0.5)):
        assert np.isnan(conditioner.from_video(video)).all()
    assert np.isnan(Given().from_music(example_piece())).all()
    bare = Piece.of(example_piece().rows)  # without bars
    assert np.isnan(Chords().from_music(bare)).all()


@pytest.mark.parametrize(
    ("conditioner", "target"),
    [
        (Chords(), np.full((1, 25), NAN, np.float32)),
        (Chords(), np.zeros((0, 25), np.float32)),
        (Chords(), np.eye(3, 25, dtype=np.float32)[::-1]),
        (Instruments(), np.array([[1, 0, 0, 1, 0], [NAN] * 5], np.float32)),
        (Instruments(), np.zeros((0, 5), np.float32)),
        (Given(), np.array([NAN], np.float32)),
        (Given(), np.array([3.0], np.float32)),
    ],
)
def test_they_keep_the_rules_on_odd_targets(conditioner: Conditioner, target: Floats) -> None:
    check_conditioner(conditioner, target, Events().timeline(Events().encode(example_piece())))


times = st.lists(st.integers(0, 30 * 125).map(lambda n: n / 125), max_size=30).map(sorted)


@given(sheets(), times, st.floats(-5, 40) | st.just(NAN))
def test_their_cursors_equal_the_features(
    sheet: LeadSheet, moments: list[float], resumes: float
) -> None:
    video = film(replace(sheet, resumes=resumes))
    for conditioner in TOLD:
        target = conditioner.from_video(video)
        cursor = conditioner.cursor(target)
        assert type(cursor) is not Cursor
        found = np.array([cursor.row(now, False) for now in moments], np.float32)
        expected = rows_at(conditioner, target, moments)
        assert np.array_equal(found.reshape(expected.shape), expected, equal_nan=True)


@given(sheets(), times)
def test_the_chord_told_is_that_of_the_half_bar_and_of_the_next(
    sheet: LeadSheet, moments: list[float]
) -> None:
    target = Chords().from_video(film(sheet))
    starts = [*target[:, 0].tolist(), np.inf]
    rows = [*target[:, 1:], np.full(24, NAN)]
    for now, found in zip(moments, rows_at(Chords(), target, moments), strict=True):
        at = next(i for i, end in enumerate(starts[1:]) if now + STEP / 2 < end)
        assert np.array_equal(found, [*rows[at], *rows[at + 1]], equal_nan=True)
