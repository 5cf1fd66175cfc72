"""Conditioners: the same rows in training and in generation, and what those rows say."""

from dataclasses import replace
from importlib.metadata import entry_points

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync import plugins
from emsync.analysis import Analysis, Cut
from emsync.arrays import Float64s
from emsync.conditioning import Conditioner, Cursor, Floats
from emsync.emotion.arc import State
from emsync.errors import UsageError
from emsync.music.chords import TONES, Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import DRUMS, PIANO, Piece
from emsync.music.tonality import KEYS, key_fits, pitch_class
from emsync.testing import check_conditioner, example_piece, example_video
from emsync.tokens import Timeline
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.chroma import MAJOR, MINOR, Chroma, key_shares
from emsync_conditioners.metre import CYCLES, Metre
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers.events import Events

OURS = sorted(
    point.name
    for point in entry_points(group=plugins.CONDITIONERS)
    if point.value.startswith("emsync_conditioners.")
)
NAN = np.nan
EXP = np.exp(-8.0)  # the second row far from any boundary


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def timeline(*tokens: tuple[float, bool]) -> Timeline:
    """Return the timeline of tokens that each stand at a time and mark a boundary or not."""
    return Timeline(np.array([t for t, _ in tokens]), np.array([m for _, m in tokens], np.bool_))


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Times on the grid of 8 ms or anywhere, not falling, with a mark here and there."""
    steps = st.sampled_from([0, 0, 1, 3, 60, 125, 700]) | st.integers(0, 500)
    waits = draw(st.lists(steps, max_size=40))
    marks = draw(st.lists(st.booleans(), min_size=len(waits), max_size=len(waits)))
    return Timeline(np.cumsum(np.array(waits, np.float64) / 125), np.array(marks, np.bool_))


on_the_grid = st.integers(0, 40 * 125).map(lambda n: n / 125)
cuts = st.lists(st.floats(0, 40, width=32) | on_the_grid, max_size=8)


def slow_waits(conditioner: Boundaries, target: Floats, music: Timeline) -> list[float]:
    """Return the wait at each token by Algorithm 1 of docs/system.md, section 5.

    It is read from an (N, T) table of pending boundaries.
    """
    times, marks = music.times, music.marks
    table = np.zeros((len(target), len(times)))
    for n, boundary in enumerate(target.astype(float)):
        met = False
        for t, (now, mark) in enumerate(zip(times, marks, strict=True)):
            if mark and boundary - conditioner.tolerance < now < boundary + conditioner.tolerance:
                met = True
            future = boundary + conditioner.grace >= now
            table[n, t] = NAN if met or not future else max(boundary - now, 0.0)
    return [min(np.append(column[~np.isnan(column)], np.inf)) for column in table.T]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("accents", floats(0.0, 1.0, NAN, 0.25)),
        ("accents", floats()),
        ("boundaries", floats(1.0, 4.5, 4.6, 30.0)),
        ("boundaries", floats()),
        ("boundaries", floats(NAN)),
        ("chroma", np.array([MAJOR, [NAN] * 12, MINOR], np.float32)),
        ("chroma", np.zeros((0, 12), np.float32)),
        ("onset_density", floats(2.0, NAN, 40.0, 0.0)),
        ("onset_density", floats()),
        ("metre", floats(0.5, 2.5, 4.5, 6.0)),
        ("metre", floats(3.0)),
        ("metre", floats(NAN)),
        ("valence_arousal", floats(0.0, 0.3, NAN)[None]),
        ("valence_arousal", np.array([(0, -1, 1), (4, 1, -1)], np.float32)),
    ],
)
def test_conditioners_keep_the_rules_on_odd_targets(name: str, target: Floats) -> None:
    conditioner = plugins.load(plugins.CONDITIONERS, name, Conditioner)()
    check_conditioner(conditioner, target, Events().timeline(Events().encode(example_piece())))


@pytest.mark.parametrize("name", OURS)
def test_every_conditioner_keeps_the_rules_and_has_one_form_of_target(name: str) -> None:
    conditioner = plugins.load(plugins.CONDITIONERS, name, Conditioner)()
    check_conditioner(conditioner)
    form = conditioner.from_music(example_piece())
    for video in (example_video(), Analysis(8.0, "24"), replace(example_video(), tempo=90.0)):
        requested = conditioner.from_video(video)
        assert requested.ndim == form.ndim and requested.shape[1:] == form.shape[1:]


@given(cuts, timelines())
def test_boundaries_equal_a_table_of_every_boundary_at_every_token(
    target: list[float], music: Timeline
) -> None:
    conditioner = Boundaries()
    rows = conditioner.features(floats(*target), music)
    waits = np.minimum(slow_waits(conditioner, floats(*sorted(target)), music), 8.0)
    assert np.array_equal(rows[:, 0], (waits / 8).astype(np.float32))
    assert rows[:, 1] == pytest.approx(np.exp(-waits), rel=1e-6)


@given(cuts, timelines())
def test_the_countdown_equals_the_features(target: list[float], music: Timeline) -> None:
    conditioner = Boundaries()
    cursor = conditioner.cursor(floats(*target))
    pairs = zip(music.times.tolist(), music.marks.tolist(), strict=True)
    rows = [cursor.row(t, m) for t, m in pairs]
    expected = conditioner.features(floats(*target), music)
    assert np.array_equal(np.array(rows, np.float32).reshape(-1, 2), expected)


def test_boundaries_count_down_and_look_past_an_met_one() -> None:
    music = timeline((0.0, False), (1.0, False), (1.5, True), (2.0, False), (5.0, False))
    rows = Boundaries().features(floats(2.0, 6.0), music)
    assert (rows[:, 0] * 8).tolist() == pytest.approx([2.0, 1.0, 4.5, 4.0, 1.0])


def test_a_mark_meets_every_boundary_within_a_second_and_no_other() -> None:
    rows = Boundaries().features(floats(1.1, 2.9, 3.1), timeline((2.0, True)))
    assert rows[0, 0] * 8 == pytest.approx(1.1, abs=1e-6)


def test_a_boundary_that_passes_unmet_is_dropped() -> None:
    rows = Boundaries().features(floats(2.0, 5.0), timeline((1.9, False), (2.1, False)))
    assert (rows[:, 0] * 8).tolist() == pytest.approx([0.1, 2.9], abs=1e-6)


def test_nothing_ahead_looks_like_a_boundary_beyond_the_horizon() -> None:
    for target in (floats(), floats(100.0), floats(1.0)):
        rows = Boundaries().features(target, timeline((5.0, False)))
        assert rows.tolist() == [pytest.approx([1.0, EXP])]


def test_the_token_that_reaches_a_chord_of_real_music_sees_it_now(piece: Piece) -> None:
    # the chord's time comes as float32 and the token's as a sum, yet neither may pass the other
    begin = 557.304
    columns = (piece.classes, piece.pitches, piece.onsets + begin, piece.offsets + begin)
    late = Piece.of(np.column_stack(columns), chords=piece.chords + begin)
    ids = Events().encode(late)
    music = Events().timeline(ids)
    rows = Boundaries().features(Boundaries().from_music(Events().decode(ids)), music)
    reached = np.flatnonzero(music.marks) - 1
    assert len(reached) == 4
    assert (rows[reached, 0] * 8).tolist() == pytest.approx([0.0] * 4, abs=1e-3)


def test_boundaries_of_a_video_are_the_cuts_that_are_kept() -> None:
    video = Analysis(20.0, "25", cuts=(Cut(time=3.0), Cut(time=5.0, kept=False), Cut(time=9.0)))
    assert Boundaries().from_video(video).tolist() == [3.0, 9.0]


def test_valence_and_arousal_are_a_row_each_and_one_may_be_missing() -> None:
    conditioner, nothing = ValenceArousal(), timeline()
    rows = conditioner.features(floats(0.0, 0.5, -0.25)[None], nothing)
    assert rows.tolist() == [[0.5, 0.0], [0.0, -0.25]]
    rows = conditioner.features(floats(0.0, NAN, -3.0)[None], nothing)
    assert np.isnan(rows[0, 0]) and rows[1].tolist() == [0.0, -1.0]


def test_valence_and_arousal_come_from_labels_and_from_the_video() -> None:
    conditioner = ValenceArousal()
    assert conditioner.from_music(example_piece()).tolist() == [[0.0, 0.5, -0.25]]
    (unlabelled,) = conditioner.from_music(Piece.of(np.zeros((0, 4))))
    assert unlabelled[0] == 0 and np.isnan(unlabelled[1:]).all()
    video = conditioner.from_video(Analysis(5.0, "25", valence=0.1))
    assert video.shape == (1, 3) and video[0, 1] == np.float32(0.1) and np.isnan(video[0, 2])


def test_an_arc_is_requested_scene_by_scene() -> None:
    conditioner = ValenceArousal()
    arc = np.array([(0, 0.5, -0.5), (4, -1, 1), (9, np.nan, 0)], np.float32)
    assert conditioner.changes(arc).tolist() == [4, 9]
    read = []
    for now in (0.0, 3.9, 4.0, 8.5, 9.0, 99.0):
        timeline = Timeline(np.array([0.0, now]), np.zeros(2, bool))
        read.append(np.diag(conditioner.features(arc, timeline)).tolist())
    first, second, third = (row[1:].tolist() for row in arc)
    assert str(read) == str([first, first, second, second, third, third])
    check_conditioner(conditioner, arc, Timeline(np.arange(12.0), np.zeros(12, bool)))


def test_onset_density_shows_the_window_that_the_time_is_in() -> None:
    music = timeline((0.0, False), (0.99, False), (1.0, False), (2.5, False), (9.0, False))
    rows = OnsetDensity().features(floats(4.0, 32.0, NAN), music)[:, 0]
    assert rows[:3].tolist() == [0.25, 0.25, 1.0]
    assert np.isnan(rows[3:]).all()


def test_onset_density_counts_the_onsets_of_each_second() -> None:
    onsets = np.array([0.0, 0.0, 0.5, 1.0, 2.25, 2.5, 2.75])
    piece = Piece.of(np.stack([np.full(7, 3), 60 + np.arange(7), onsets, onsets + 0.1], axis=1))
    assert OnsetDensity().from_music(piece)[:3].tolist() == [2.0, 1.0, 3.0]


def test_onset_density_is_requested_where_the_arousal_changes() -> None:
    arc = (State(0.0, 3.0, 0.1, -0.9), State(3.0, 5.5, 0.2, NAN), State(5.5, 8.0, 0.3, 0.8))
    requested = OnsetDensity().from_video(Analysis(8.0, "25", arc=arc))
    assert requested[:3].tolist() == [2.5] * 3
    assert np.isnan(requested[3:5]).all()
    assert requested[5:].tolist() == pytest.approx([9.8] * 3)
    assert np.isnan(OnsetDensity().from_video(Analysis(8.0, "25", arousal=0.8))).all()


NOTES = st.tuples(
    st.sampled_from([DRUMS, PIANO]), st.integers(36, 84), st.integers(0, 900), st.integers(1, 400)
)


@given(st.lists(NOTES, min_size=1, max_size=12))
def test_the_chroma_is_what_sounds_in_each_window_note_by_note(
    notes: list[tuple[int, int, int, int]],
) -> None:
    piece = Piece.of(np.array([(c, p, on / 100, (on + n) / 100) for c, p, on, n in notes]))
    target = Chroma().from_music(piece)
    assert len(target) * Chroma.step >= piece.duration
    for i, found in enumerate(target):
        start, sounding = i * Chroma.step, np.zeros(12)
        for c, pitch, on, length in notes:
            first, last = on / 100, on / 100 + min(length / 100, 2.0)
            shared = min(last, start + Chroma.window) - max(first, start)
            sounding[pitch % 12] += max(shared, 0.0) * (c != DRUMS)
        if sounding.sum() < 1e-9:
            assert np.isnan(found).all()
        else:
            assert found == pytest.approx(sounding / sounding.sum(), abs=1e-5)


def test_the_profiles_are_shares_and_fit_their_keys() -> None:
    for profile, name in ((MAJOR, "C"), (MINOR, "Cm")):
        assert sum(profile) == pytest.approx(1.0, abs=0.01)
        assert KEYS[key_fits(np.array(profile)).argmax()] == name


def test_a_video_requests_major_where_it_is_pleasant_and_for_minor_where_not() -> None:
    arc = (
        State(0.0, 4.0, -0.9, 0.0),
        State(4.0, 8.0, 0.2, 0.0),
        State(8.0, 10.0, NAN, 0.0),
        State(10.0, 12.0, 0.9, NAN),
    )
    requested = Chroma().from_video(Analysis(12.0, "25", arc=arc, tonic="F#"))
    names = [
        KEYS[key_fits(row.astype(np.float64)).argmax()] for row in (requested[0], requested[8])
    ]
    assert names == ["F#m", "F#"]
    assert (requested[:8] == requested[0]).all() and (requested[8:16] == requested[8]).all()
    assert np.isnan(requested[16:20]).all() and (requested[20:] == requested[8]).all()
    assert np.isnan(Chroma().from_video(Analysis(8.0, "25"))).all()
    with pytest.raises(UsageError, match="tonic 'H' is not a pitch class"):
        Chroma().from_video(Analysis(8.0, "25", valence=0.0, tonic="H"))


def planned(chords: str, *passages: Passage) -> Analysis:
    """Return a film of 24 s with a lead sheet in A, a chord every 2 s."""
    numbers = np.array([parse_chord(name) for name in chords.split()])
    harmony = Harmony(np.arange(len(numbers), dtype=np.float64) * 2, numbers)
    sheet = LeadSheet(harmony, passages, pitch_class("A"))
    return Analysis(24.0, "25", tempo=120.0, valence=0.9, sheet=sheet)


def test_a_lead_sheet_requests_its_keys_and_its_chords_in_the_window() -> None:
    passages = Passage(0.0, 16.0, minor=True), Passage(16.0, 24.0)
    requested = Chroma(window=4.0).from_video(planned("Am F C G E N N N N N", *passages))
    assert requested.sum(axis=1) == pytest.approx(1.0)
    minor, major = key_shares(pitch_class("A"), np.array([True, False]))
    am, f, c, e = (TONES[parse_chord(name)] / 3 for name in ("Am", "F", "C", "E"))

    def mixed(key: Float64s, chords: Float64s) -> Float64s:
        return (1 - Chroma.chords) * key + Chroma.chords * chords

    assert requested[0] == pytest.approx(mixed(minor, (am + f) / 2), abs=1e-6)
    assert requested[2] == pytest.approx(mixed(minor, am / 4 + f / 2 + c / 4), abs=1e-6)
    assert requested[16] == pytest.approx(mixed(minor, e), abs=1e-6)
    assert requested[20] == pytest.approx(minor, abs=1e-6)  # no chord
    assert requested[32] == pytest.approx(major, abs=1e-6)


def test_the_share_of_the_chords_in_the_chroma_is_a_setting() -> None:
    passages = Passage(0.0, 16.0, minor=True), Passage(16.0, 24.0)
    film = planned("Am F C G E", *passages)
    key, chords = (Chroma(chords=share).from_video(film) for share in (0.0, 1.0))
    assert np.array_equal(key[0], key[31]) and not np.array_equal(key[31], key[32])
    assert np.flatnonzero(chords[40]).tolist() == np.flatnonzero(TONES[parse_chord("E")]).tolist()
    assert (key + chords) / 2 == pytest.approx(Chroma(chords=0.5).from_video(film), abs=1e-6)


def test_a_lead_sheet_requests_its_onsets_a_beat() -> None:
    passages = Passage(0.0, 8.0, density=1.5), Passage(8.0, 16.0), Passage(16.0, 24.0, density=4.0)
    requested = OnsetDensity().from_video(planned("Am", *passages))
    assert requested[:8].tolist() == [3.0] * 8  # 120 beats a minute
    assert np.isnan(requested[8:16]).all()
    assert requested[16:].tolist() == [8.0] * 8


@given(cuts, timelines())
def test_a_cursor_over_steps_equals_the_features(target: list[float], music: Timeline) -> None:
    rows = np.array([[share / 40] * 12 for share in target], np.float32).reshape(-1, 12)
    for conditioner, requested in ((Chroma(), rows), (OnsetDensity(), floats(*target))):
        cursor = conditioner.cursor(requested)
        pairs = zip(music.times.tolist(), music.marks.tolist(), strict=True)
        found = np.array([cursor.row(t, m) for t, m in pairs], np.float32)
        expected = conditioner.features(requested, music)
        assert np.array_equal(found.reshape(expected.shape), expected, equal_nan=True)


@given(st.lists(st.integers(0, 8), max_size=4), st.integers(-2, 20))
def test_the_place_in_the_bar_equals_the_features_also_of_a_bar_that_lasts_nothing(
    downbeats: list[int], time: int
) -> None:
    target = floats(*sorted(downbeats))
    row = np.asarray(Metre().cursor(target).row(time / 2, False))
    expected = Metre().features(target, timeline((time / 2, False)))
    assert np.array_equal(row[None], expected, equal_nan=True)


def test_a_sum_of_waits_that_falls_short_of_a_second_is_in_that_second() -> None:
    short = np.cumsum(np.full(125, 0.008))[-1]
    assert short != 1.0
    rows = OnsetDensity().features(floats(4.0, 8.0), timeline((float(short), False)))
    assert rows[0, 0] == 0.5


def test_a_conditioner_without_a_cursor_of_its_own_gets_one_that_is_right() -> None:
    conditioner, target = Boundaries(), floats(1.0, 4.0)
    music = Events().timeline(Events().encode(example_piece()))
    cursor = Cursor(conditioner, target)
    pairs = zip(music.times.tolist(), music.marks.tolist(), strict=True)
    rows = np.array([cursor.row(t, m) for t, m in pairs], np.float32)
    assert np.array_equal(rows, conditioner.features(target, music))


def test_a_cursor_that_is_not_of_the_time_alone_may_not_say_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target, music = floats(1.0, 4.0), timeline((0.9, False), (0.9, True))
    check_conditioner(Boundaries(), target, music)
    monkeypatch.setattr(type(Boundaries().cursor(target)), "timed", True)
    with pytest.raises(AssertionError, match="row 1 of the cursor on the given target"):
        check_conditioner(Boundaries(), target, music)


def test_the_metre_turns_once_a_bar_and_goes_on_evenly_outside_of_the_bars() -> None:
    metre, times = Metre(), np.array([0.0, 2.0, 3.0, 4.0, 7.0, 10.0, 13.0])
    rows = metre.features(np.array([2.0, 4.0, 7.0], np.float32), Timeline(times, times < 0))
    bars = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
    for i, cycles in enumerate(CYCLES):
        np.testing.assert_allclose(rows[:, i], np.sin(2 * np.pi * cycles * bars), atol=1e-4)
        np.testing.assert_allclose(
            rows[:, len(CYCLES) + i], np.cos(2 * np.pi * cycles * bars), atol=1e-4
        )


def test_a_video_requests_bars_of_the_tempo_and_for_none_without() -> None:
    assert np.isnan(Metre().from_video(Analysis(10.0, "25"))).all()
    bars = Metre().from_video(Analysis(10.0, "25", tempo=120.0))
    np.testing.assert_allclose(np.diff(bars), 2.0)
    assert bars[0] == 0 and bars[-1] >= 10.0


def test_only_the_metre_is_always_on() -> None:
    load = plugins.load
    always = {name for name in OURS if load(plugins.CONDITIONERS, name, Conditioner).always_on}
    assert always == {"metre"}
