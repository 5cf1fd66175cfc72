"""Swells, the pedal, lengths and timing: what players do to the notes of a piece."""

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from emsync.analysis import Cut
from emsync.errors import UsageError
from emsync.fit.hits import fit
from emsync.fit.time_map import Fitted
from emsync.formats.labels import ScoreLabels
from emsync.formats.midi import write_midi
from emsync.formats.midi_check import check
from emsync.music.chords import NONE, TONES, Harmony, parse_chord
from emsync.music.general_midi import EXPRESSION, PEDAL
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.options import Options
from emsync.performance.dynamics import Dynamics
from emsync.performance.expression import BASE, STEP, expression, phrases, swell
from emsync.performance.lengths import held
from emsync.performance.palette import names
from emsync.performance.part import Control, Part
from emsync.performance.pedal import LEGATO, pedal_spans, pedalled
from emsync.performance.performance import Performance, perform
from emsync.performance.player import BAND, Player
from emsync.performance.timing import MOST, humanized
from emsync.planning.casting import casting
from emsync.planning.plan import Plan, Section

RATE = Fraction(25)
BARS = np.arange(0, 40, 2.0)  # of four beats at 120 a minute
HARPSICHORD = Player("Harpsichord", PIANO, program=6)


def part(*notes: tuple[int, float, float], player: Player = BAND[STRINGS]) -> Part:
    """Return the part with notes of pitch, onset and offset."""
    pitches, onsets, offsets = np.array(sorted(notes, key=lambda note: note[1])).T
    return Part(
        player, pitches.astype(np.uint8), onsets, offsets, np.full(len(notes), 80, np.uint8)
    )


def fitted(duration: float = 32.0, *cuts: float) -> Fitted:
    """Return bars of two seconds with a stroke on each beat, and these cuts on them."""
    rows = [(DRUMS, 36, t, t + 0.1) for t in np.arange(0, duration, 0.5)]
    return fit(Piece.of(np.array(rows), BARS), [Cut(c) for c in cuts], duration, rate=RATE)


def song(seed: int, duration: float = 24.0) -> Fitted:
    """Return a band that plays at random on sixteenths, with a last chord that rings."""
    rng = np.random.default_rng(seed)
    rows = []
    for time in np.arange(0, duration - 3, 0.125):
        for c in range(5):
            if rng.random() < 0.25:
                chord = rng.choice(np.arange(48, 72), rng.integers(1, 5), replace=False)
                rows += [(c, pitch, time, time + rng.uniform(0.02, 1.0)) for pitch in chord]
    rows += [(c, pitch, duration - 3, duration) for c in (1, 2, 3, 4) for pitch in (48, 52, 55)]
    cuts = [Cut(float(time)) for time in (4.0, 9.0, 16.0)]
    return fit(Piece.of(np.array(rows), BARS), cuts, duration, rate=RATE, beat=0.5)


def sheet(duration: float, *names: str) -> LeadSheet:
    """Return a chord for every two seconds."""
    chords = np.array([parse_chord(name) for name in names], np.intp)
    return LeadSheet(Harmony(np.arange(len(names)) / 0.5, chords), (Passage(0.0, duration),))


def values(
    controls: tuple[Control, ...], number: int = EXPRESSION
) -> tuple[np.ndarray, np.ndarray]:
    mine = [(c.time, c.value) for c in controls if c.number == number]
    times, levels = np.array(mine).reshape(-1, 2).T
    return times, levels


def at(controls: tuple[Control, ...], time: float) -> float:
    """Return the value of controller 11 that holds at a time."""
    times, levels = values(controls)
    return float(levels[np.searchsorted(times, time + 1e-9) - 1])


# --- swells ---------------------------------------------------------------------------------------


def test_a_long_note_rises_to_one_summit_and_falls_back() -> None:
    times, levels = values(expression(part((60, 0.0, 7.0)), fitted(), Dynamics()))
    summit = int(levels.argmax())
    assert levels[0] == levels[-1] == round(BASE) and levels[summit] > BASE + 20
    assert (np.diff(levels[: summit + 1]) > 0).all() and (np.diff(levels[summit:]) < 0).all()
    assert 0.5 < times[summit] / 7.0 < 0.7


def test_phrases_go_from_rest_to_rest_and_else_by_four_bars_of_a_section() -> None:
    legato = [(60, t, t + 2.0) for t in np.arange(2.0, 26.0, 2.0)]
    two = part((64, 0.0, 1.0), *legato)
    spans = phrases(two, fitted().tempo_map, Dynamics(times=(0.0, 12.0), levels=(80.0, 80.0)))
    assert spans.tolist() == [[0, 1], [2, 8], [8, 12], [12, 20], [20, 26]]


def test_who_strikes_or_plucks_has_no_swell() -> None:
    for player in (*BAND[:4], Player("Pizzicato", STRINGS, 45), Player("Harp", STRINGS, 46)):
        steady = expression(part((60, 0.0, 8.0), player=player), fitted(), Dynamics())
        assert steady == (Control(0.0, EXPRESSION, 96),)
    for program in (16, 40, 48, 52, 56, 65, 73, 89):
        player = Player("Sings", STRINGS, program)
        assert len(expression(part((60, 0.0, 8.0), player=player), fitted(), Dynamics())) > 10


def test_a_crescendo_leads_into_a_hit_and_the_loudest_is_the_hit() -> None:
    long = part(*((60, t, t + 2.0) for t in range(0, 32, 2)))
    without = expression(long, fitted(32.0), Dynamics())
    into = expression(long, fitted(32.0, 16.0), Dynamics())
    assert at(without, 16.0) == round(BASE)
    assert at(into, 15.9) > at(into, 15.0) and at(into, 15.9) > 115
    assert at(into, 13.9) == at(without, 13.9) and at(into, 17.0) == at(without, 17.0)


@pytest.mark.parametrize(("new", "sign"), [(104.0, 1), (60.0, -1)])
def test_the_last_bars_lead_into_a_louder_or_quieter_section(new: float, sign: int) -> None:
    long = part((60, 0.0, 32.0))
    dynamics = Dynamics(times=(0.0, 16.0), levels=(80.0, new))
    plain = Dynamics(times=(0.0, 16.0), levels=(80.0, 80.0))
    turned, still = (expression(long, fitted(), d) for d in (dynamics, plain))
    assert sign * (at(turned, 15.9) - at(still, 15.9)) > 10
    assert at(turned, 11.0) == at(still, 11.0) and at(turned, 19.0) == at(still, 19.0)


def test_the_fade_is_a_share_of_the_swell_and_ends_in_silence() -> None:
    music, faded = fitted(20.0), Dynamics(fade=3.0)
    strings, piano = part((60, 0.0, 20.0)), part((60, 0.0, 20.0), player=BAND[PIANO])
    plain, shaped = (expression(p, music, faded) for p in (piano, strings))
    assert [at(plain, 17 + 3 * k / 64) for k in range(65)] == pytest.approx(
        [96 * (1 - k / 64) for k in range(65)], abs=1.0
    )
    for time in 17 + 3 * np.arange(0, 65) / 64:
        level = swell(np.array([time]), phrases(strings, music.tempo_map, faded), music, faded)[0]
        assert abs(at(shaped, time) - level * at(plain, time) / 96) <= 1.0
    assert shaped[-1].value == plain[-1].value == 0
    assert shaped[-1].time == plain[-1].time == 20.0


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_swells_are_smooth_and_few_and_the_last_value_before_a_note_is_set(seed: int) -> None:
    music = song(seed)
    dynamics = Dynamics(times=(0.0, 10.0), levels=(70.0, 100.0))
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.uniform(0, 24, 12))
    strings = part(*((60 + i, t, min(24.0, t + rng.uniform(0.1, 4))) for i, t in enumerate(starts)))
    controls = expression(strings, music, dynamics)
    times, levels = values(controls)
    assert times[0] == 0 and (np.diff(times) > 0).all() and (np.diff(levels) != 0).all()
    assert ((levels >= 1) & (levels <= 127)).all()
    for start in np.arange(0, 23, 0.5):
        assert ((times >= start) & (times < start + 1)).sum() <= 1 / STEP + 4  # rests begin anew
    spans = phrases(strings, music.tempo_map, dynamics)
    wanted = swell(starts, spans, music, dynamics)
    assert all(abs(at(controls, t) - w) <= 9 for t, w in zip(starts, wanted, strict=True))
    assert controls == expression(strings, music, dynamics)


# --- the pedal ------------------------------------------------------------------------------------


def piano(*notes: tuple[int, float, float]) -> Part:
    return part(*notes, player=BAND[PIANO])


def broken(*chords: tuple[int, ...]) -> Part:
    """Return broken chords of eighths, one in two seconds."""
    return piano(
        *(
            (tones[k % len(tones)], 2 * n + k / 4, 2 * n + (k + 1) / 4)
            for n, tones in enumerate(chords)
            for k in range(8)
        )
    )


def test_the_foot_goes_up_with_the_chord_and_down_just_after_it() -> None:
    chords = sheet(8.0, "C", "F", "G", "C").harmony
    notes = broken((48, 52, 55), (53, 57, 60), (55, 59, 62), (48, 52, 55))
    found = np.array(list(pedal_spans(notes, chords, fitted(8.0))))
    assert found == pytest.approx(np.array([(t + LEGATO, t + 2) for t in (0, 2, 4, 6)]))
    times, levels = values(pedalled(notes, chords, fitted(8.0)), PEDAL)
    assert levels.tolist() == [0, *[127, 0] * 4] and times[-1] == 8.0


def test_the_foot_is_up_while_a_foreign_tone_sounds() -> None:
    chords = sheet(4.0, "C", "C").harmony
    notes = piano((48, 0.0, 4.0), (64, 0.0, 1.0), (65, 1.0, 1.5), (67, 1.5, 2.0))
    first, second = pedal_spans(notes, chords, fitted(4.0))
    assert first == (LEGATO, 1.0) and second[0] == pytest.approx(1.53) and second[1] == 4.0


def test_rests_and_short_strokes_have_no_pedal() -> None:
    chords = sheet(8.0, "C").harmony
    short = piano(*((60, t, t + 0.1) for t in np.arange(0, 8, 0.5)))
    assert list(pedal_spans(short, chords, fitted(8.0))) == []
    resting = piano((60, 0.0, 3.0), (60, 5.0, 8.0))
    assert list(pedal_spans(resting, chords, fitted(8.0))) == [(LEGATO, 3.0), (5 + LEGATO, 8.0)]


def test_without_chords_or_a_pedal_there_is_none() -> None:
    notes, chords = broken((48, 52, 55)), sheet(4.0, "C", "C").harmony
    assert pedalled(notes, chords, fitted(4.0)) != ()
    assert pedalled(notes, None, fitted(4.0)) == ()
    assert pedalled(notes, replace(chords, chords=np.full(2, NONE)), fitted(4.0)) == ()
    for player in (BAND[STRINGS], BAND[DRUMS], HARPSICHORD):
        assert pedalled(replace(notes, player=player), chords, fitted(4.0)) == ()


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_no_foreign_tone_is_struck_or_held_under_the_pedal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    music = song(seed)
    chords = Harmony(np.arange(0, 24, 2.0), rng.integers(0, 84, 12))
    for one in perform(music, sheet=LeadSheet(chords, (Passage(0.0, 24.0),))).parts:
        spans = list(pedal_spans(one, chords, music)) if one.player.instrument == PIANO else []
        assert all(0 <= a < b <= 24 for a, b in spans)
        assert all(b[0] - a[1] >= 0.029 for a, b in itertools.pairwise(spans))
        for down, up in spans:
            under = (one.onsets < up - 0.031) & (one.offsets > down)
            tones = TONES[int(chords.at(np.array([down]))[0])]
            assert tones[one.pitches[under] % 12].all()


# --- lengths --------------------------------------------------------------------------------------


def test_a_drum_lasts_until_the_next_stroke_or_the_next_beat() -> None:
    strokes = [0.0, 0.25, 0.375, 0.5, 2.0, 2.75, 4.0]  # seconds; a beat lasts half a second
    drums = part(*((36, t, t + 0.01) for t in strokes), player=BAND[DRUMS])
    lengths = held(drums, fitted().tempo_map, 4.1)
    assert (lengths.offsets - lengths.onsets).tolist() == pytest.approx(
        [0.25, 0.125, 0.125, 0.5, 0.5, 0.25, 0.1]
    )


def test_a_note_is_held_for_a_sixteenth_or_to_the_next_but_no_longer() -> None:
    notes = part(
        (60, 0.0, 0.02), (64, 1.0, 1.02), (60, 1.06, 1.07), (67, 2.0, 3.0), (70, 7.95, 7.96)
    )
    ends = held(notes, fitted().tempo_map, 8.0).offsets
    assert ends.tolist() == pytest.approx([0.125, 1.06, 1.185, 3.0, 8.0])


# --- timing ---------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), amount=st.floats(0, 1))
@settings(deadline=None, max_examples=15)
def test_people_are_never_late_for_a_hit_nor_out_of_order(seed: int, amount: float) -> None:
    music = song(seed)
    straight, free = (perform(music, humanize=h, seed=seed) for h in (0.0, amount))
    hits = music.hits
    assert hits
    for a, b in zip(straight.parts, free.parts, strict=True):
        assert (np.diff(b.onsets) >= 0).all() and (b.offsets > b.onsets).all()
        assert b.onsets.min() >= 0 and b.offsets.max() <= music.duration
        order_a, order_b = (np.lexsort((p.onsets, p.pitches)) for p in (a, b))
        assert (a.pitches[order_a] == b.pitches[order_b]).all()
        late = b.onsets[order_b] - a.onsets[order_a]
        strum = MOST if a.player.instrument == GUITAR else 0.0
        assert late.min() >= -amount * MOST - 1e-9 and late.max() <= amount * (MOST + strum) + 1e-9
        stay = [np.abs(a.onsets[order_a] - hit) <= 0.025 for hit in hits]
        stay.append(a.offsets[order_a] >= music.duration)
        assert (late[np.any(stay, axis=0)] == 0).all()
        same = np.diff(b.pitches[order_b].astype(int)) == 0
        untouched = (a.offsets[order_a][:-1] <= a.onsets[order_a][1:])[same]
        overlap = (b.offsets[order_b][:-1] - b.onsets[order_b][1:])[same]
        assert (overlap[untouched] <= 1e-9).all()


def test_free_timing_keeps_the_contract_and_the_hits(tmp_path: Path) -> None:
    music = song(3)
    chords = sheet(24.0, *["C", "F", "G", "C"] * 3)
    path = tmp_path / "score.mid"
    write_midi(path, perform(music, sheet=chords, humanize=1.0), ScoreLabels(rate=RATE))
    assert check(path).errors == []


@given(st.integers(0, 10**6), st.lists(st.sampled_from(names()), min_size=2, max_size=3))
@settings(max_examples=10, deadline=None)
def test_whoever_plays_which_scene_the_score_keeps_the_contract(
    seed: int, chosen: list[str]
) -> None:
    starts = np.linspace(0, 24, len(chosen) + 1).tolist()
    scenes = [
        Section(*edges, palette=p)
        for edges, p in zip(itertools.pairwise(starts), chosen, strict=True)
    ]
    music = song(seed)
    try:
        players = casting(Plan(music.duration, 120.0, sections=tuple(scenes)))
    except UsageError:  # more than there are channels
        reject()
    with TemporaryDirectory() as folder:
        score = Path(folder, "score.mid")
        write_midi(score, perform(music, casting=players, humanize=1.0, seed=seed))
        report = check(score)
    assert report.ok, report.errors


def deviations(amount: float, player: Player, seed: int = 0) -> np.ndarray:
    steady = part(*((60, t, t + 0.5) for t in np.arange(0, 300, 0.5)), player=player)
    return humanized(steady, amount, seed, (), 301.0).onsets - steady.onsets


def test_drums_and_bass_are_steadier_than_the_melody_and_all_drift() -> None:
    spread = {c: float(deviations(1.0, BAND[c]).std()) for c in (DRUMS, BASS, PIANO)}
    assert 0.002 < spread[DRUMS] < spread[BASS] < spread[PIANO] < 0.012
    late = deviations(1.0, BAND[PIANO])
    assert np.corrcoef(late[:-1], late[1:])[0, 1] > 0.5


def test_timing_follows_seed_and_name_and_amount() -> None:
    violin, viola = (Player(name, STRINGS, 48) for name in ("Violin", "Viola"))
    one = deviations(1.0, violin)
    assert (one == deviations(1.0, violin)).all() and not deviations(0.0, violin).any()
    assert np.abs(one - deviations(1.0, viola)).max() > 0.005
    assert np.abs(one - deviations(1.0, violin, seed=1)).max() > 0.005
    np.testing.assert_allclose(deviations(0.5, violin), one / 2, atol=2e-9)


def test_a_guitar_chord_is_strummed_from_the_lowest_string() -> None:
    chord = [(pitch, 2.0, 3.0) for pitch in (55, 40, 59, 47, 52, 64)]
    guitar = humanized(part(*chord, player=BAND[GUITAR]), 1.0, 0, (), 8.0)
    assert guitar.pitches.tolist() == sorted(pitch for pitch, _, _ in chord)
    assert np.diff(guitar.onsets) == pytest.approx(0.004)
    on_hit = humanized(part(*chord, player=BAND[GUITAR]), 1.0, 0, (2.0,), 8.0)
    assert set(on_hit.onsets) == {2.0}


@pytest.mark.parametrize("amount", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_freedom_that_cannot_be_is_refused(amount: float) -> None:
    with pytest.raises(UsageError, match=r"humanize is .*; choose from 0"):
        Options(humanize=amount)


def test_a_performance_changes_no_note_of_the_piece() -> None:
    music = song(5)
    before = music.piece.rows.copy()
    performance = perform(music, sheet=sheet(24.0, "C"), humanize=1.0)
    assert isinstance(performance, Performance) and (music.piece.rows == before).all()
