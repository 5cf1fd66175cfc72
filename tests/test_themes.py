"""Themes: the soft rule of the events, and a person's own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis
from emsync.brief import check_files
from emsync.composing import draw
from emsync.conditioning import Floats
from emsync.errors import InputError, UsageError
from emsync.model import sampling
from emsync.model.composer import Composer
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, CLASSES, DRUMS, LOWEST, PIANO, Piece
from emsync.options import Options, Outputs, Sampling
from emsync.outputs import check_targets
from emsync.pipeline import generate
from emsync.planning.plan import Plan, Section
from emsync.planning.theme import Theme, in_plan, read_theme, with_theme
from emsync.planning.wishes import wished
from emsync.tokens import Ids
from emsync.video.film import open_film
from emsync_tokenizers import themes
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

BAR = 256
EVENTS = Events(bar_steps=BAR)
GIVEN = themes.GIVEN * themes.GAIN


def sheet(*passages: tuple[int, str, str]) -> LeadSheet:
    """Return a sheet of passages by their bars, letter, and chord a bar, over and over."""
    starts, chords, found = [], list[int](), list[Passage]()
    at = 0
    for bars, letter, names in passages:
        numbers = [parse_chord(name) for name in names.split()]
        starts += [(at + bar) * BAR for bar in range(bars)]
        chords += [numbers[bar % len(numbers)] for bar in range(bars)]
        span = at * BAR / v.STEPS_PER_SECOND, (at + bars) * BAR / v.STEPS_PER_SECOND
        found.append(Passage(*span, theme=letter))
        at += bars
    return LeadSheet(Harmony(np.array(starts) / v.STEPS_PER_SECOND, np.array(chords)), tuple(found))


def wait(steps: int) -> list[int]:
    """Return the tokens that let so many steps pass."""
    full, rest = divmod(steps, v.LONGEST)
    return [v.NOTE - 1] * full + ([v.SHIFT + rest - 1] if rest else [])


def gained(lead: LeadSheet, tokens: list[int]) -> Floats:
    """Return what each of (V,) scores gains after ``tokens``."""
    follow = EVENTS.followers([lead])["theme"]
    ids = torch.tensor([[v.MORE, v.START, *tokens]])
    return follow(ids, torch.zeros(1, v.SIZE))[0].numpy()


# one bar of theme, then silence until the second bar of the four ends
THEME = [
    *(v.on(DRUMS, 36), v.on(PIANO, 60), *wait(64), v.on(PIANO, 64), v.on(BASS, 40), *wait(96)),
    *(v.on(PIANO, 67), *wait(4 * BAR - 160)),
]


def test_no_theme_no_change() -> None:
    for lead in (sheet((4, "A", "C"), (4, "B", "C")), sheet((4, "", "C"), (4, "", "C"))):
        for tokens in ([], THEME[:3], THEME, [*THEME, *wait(64)]):
            assert (gained(lead, tokens) == 0).all()


def test_what_began_a_theme_gains_at_its_moment_and_other_notes_lose() -> None:
    lead = sheet((4, "A", "C"), (8, "A", "C"))
    at_start = gained(lead, THEME)
    wanted = np.zeros((len(CLASSES), 2, v.KEYS))
    wanted[DRUMS + 1 :, 0] = -themes.LOSS
    wanted[DRUMS, 0, 36 - LOWEST] = wanted[PIANO, 0, 60 - LOWEST] = themes.GAIN
    assert np.allclose(at_start[v.NOTE :].reshape(wanted.shape), wanted)
    later = gained(lead, [*THEME, *wait(64)])
    assert later[v.on(PIANO, 64)] == later[v.on(BASS, 40)] == themes.GAIN
    assert later[v.on(PIANO, 60)] == -themes.LOSS
    assert (gained(lead, [*THEME, *wait(4 * BAR)]) == 0).all()  # its bars are over


def test_a_wait_over_the_theme_s_next_note_loses() -> None:
    lead = sheet((4, "A", "C"), (8, "A", "C"))
    for passed, until in ((0, 64), (16, 48), (64, 96)):
        waits = gained(lead, [*THEME, *wait(passed)])[v.SHIFT : v.NOTE]
        assert np.allclose(waits, -themes.WAIT * (np.arange(1, v.LONGEST + 1) > until))
    assert (gained(lead, [*THEME, *wait(160)])[v.SHIFT : v.NOTE] == 0).all()


@pytest.mark.parametrize(
    ("again", "up"), [("D", 2), ("Dm", 2), ("G", -5), ("C G", 0), ("N", 0), ("Bb", -2)]
)
def test_a_theme_moves_with_the_roots_where_they_move_as_one(again: str, up: int) -> None:
    lead = sheet((4, "A", "C"), (4, "A", again))
    later = gained(lead, THEME)
    assert later[v.on(PIANO, 60 + up)] == later[v.on(DRUMS, 36)] == themes.GAIN


def test_a_theme_that_begins_elsewhere_in_the_bar_is_told_by_the_bar_lines() -> None:
    lead = sheet((4, "A", "C"), (8, "A", "C"))
    late = Passage(lead.passages[1].start + 0.512, 99.0, theme="A")
    moved = replace(lead, passages=(lead.passages[0], late))
    tokens = [*THEME, *wait(64)]
    assert gained(moved, tokens)[v.on(PIANO, 64)] == -themes.LOSS  # a beat later is no bar line
    assert gained(moved, [*THEME, *wait(BAR)])[v.on(PIANO, 60)] == themes.GAIN


def test_who_plays_takes_over_the_notes_of_who_rests() -> None:
    lead = sheet((4, "A", "C"), (4, "A", "C"))
    few = replace(lead, passages=(lead.passages[0], replace(lead.passages[1], classes=(BASS,))))
    assert gained(few, THEME)[v.on(BASS, 60)] == themes.GAIN
    assert gained(few, [*THEME, *wait(64)])[v.on(BASS, 64)] == themes.GAIN
    drums = replace(lead, passages=(lead.passages[0], replace(lead.passages[1], classes=(DRUMS,))))
    assert gained(drums, THEME)[v.on(DRUMS, 36)] == themes.GAIN
    assert (gained(drums, [*THEME, *wait(64)])[v.NOTE :] <= 0).all()


def test_a_theme_that_is_given_is_told_from_the_start_and_in_every_passage() -> None:
    own = Piece.of(np.array([(PIANO, 72, 0.0, 0.5), (BASS, 43, 0.512, 1.0)]))
    lead = replace(sheet((4, "A", "C"), (4, "B", "C"), (4, "A", "D")), themes={"A": own})
    for tokens in ([], wait(8 * BAR)):
        assert gained(lead, tokens)[v.on(PIANO, 72)] == GIVEN
        assert gained(lead, [*tokens, *wait(64)])[v.on(BASS, 43)] == GIVEN
    assert (gained(lead, wait(4 * BAR)) == 0).all()
    upbeat = replace(lead, begins=0.512)  # the first bar's first beat will be left out
    assert (gained(upbeat, [])[v.on(PIANO, 72)] <= 0).all()
    assert gained(upbeat, wait(BAR))[v.on(PIANO, 72)] == GIVEN
    assert gained(upbeat, wait(8 * BAR))[v.on(PIANO, 72)] == GIVEN


@given(st.integers(1, 60), st.integers(0, 5))
def test_read_one_by_one_or_at_once_the_rule_says_the_same(cut: int, other: int) -> None:
    lead = sheet((4, "A", "C"), (2, "B", "F"), (4, "A", "C"))
    tokens = [*THEME, *wait(2 * BAR), v.on(PIANO, 60), *wait(64 + other)]
    ids = torch.tensor([[v.MORE, v.START, *tokens]])
    follow, scores = EVENTS.followers([lead])["theme"], torch.zeros(1, v.SIZE)
    follow(ids[:, :cut], scores)
    assert np.array_equal(follow(ids, scores)[0].numpy(), gained(lead, tokens))


# A person's own


def midi(
    path: Path, notes: list[tuple[float, float, int]], program: int = 0, beats: int = 4
) -> Path:
    """Write notes of (beat, beats, pitch) at a tempo that changes, in bars of so many beats."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("time_signature", numerator=beats, denominator=4))
    track.append(mido.Message("program_change", program=program))
    events = [(round(at * 480), "note_on", pitch) for at, _, pitch in notes]
    events += [(round((at + length) * 480), "note_off", pitch) for at, length, pitch in notes]
    events += [(960 * i, "set_tempo", 300_000 + 90_000 * i) for i in range(6)]
    now = 0
    for tick, kind, value in sorted(events):
        if kind == "set_tempo":
            track.append(mido.MetaMessage(kind, tempo=value, time=tick - now))
        else:
            track.append(mido.Message(kind, note=value, velocity=64, time=tick - now))
        now = tick
    file.save(path)
    return path


SCALE = [(float(i), 1.0, pitch) for i, pitch in enumerate((60, 64, 67, 72, 65, 69, 72, 60))]


def test_a_theme_is_the_first_bars_with_notes_by_its_own_beats(tmp_path: Path) -> None:
    late = [(at + 9 + 8 * k, length, pitch) for k in range(4) for at, length, pitch in SCALE]
    theme = read_theme(midi(tmp_path / "late.mid", late))
    assert theme.piece.onsets.tolist()[:4] == [1, 2, 3, 4]
    assert theme.piece.downbeats.tolist() == [0, 4, 8, 12]
    assert (theme.piece.onsets < 16).all()
    assert theme.piece.duration <= 16
    waltz = read_theme(midi(tmp_path / "waltz.mid", [*SCALE, (20.0, 1.0, 60)], beats=3))
    assert waltz.piece.downbeats.tolist() == [0, 3, 6, 9]


def test_a_theme_s_notes_begin_on_sixteenths_and_triplets(tmp_path: Path) -> None:
    played = [(0.02, 0.5, 60), (1.31, 0.5, 62), (1.97, 0.02, 64), (3.52, 0.5, 65)]
    piece = read_theme(midi(tmp_path / "played.mid", played)).piece
    assert piece.onsets.tolist() == pytest.approx([0, 1 + 1 / 3, 2, 3.5])
    assert (piece.offsets - piece.onsets >= 1 / 8 - 1e-9).all()


def test_the_plan_takes_the_theme_s_key_and_chords_unless_it_has_a_key(tmp_path: Path) -> None:
    theme = read_theme(midi(tmp_path / "theme.mid", SCALE))
    assert (theme.tonic, theme.mode) == ("C", "major")
    plan = Plan(30.0, 120.0, sections=(
        Section(0.0, 16.0, theme="A"), Section(16.0, 20.0, mode="minor", theme="B"),
        Section(20.0, 30.0, mode="minor", theme="A"),
    ))  # fmt: skip
    told = with_theme(plan, theme)
    assert (told.tonic, [s.mode for s in told.sections]) == ("C", ["major", "minor", "major"])
    assert [s.chords for s in told.sections] == ["C F", "", "C F"]
    quiet = replace(plan.sections[0], instruments=("strings",))
    assert with_theme(replace(plan, sections=(quiet,)), theme).instruments == ("piano", "strings")
    assert np.array_equal(in_plan(theme, told).pitches, theme.piece.pitches)
    in_e = with_theme(replace(plan, tonic="E"), theme)
    assert (in_e.tonic, in_e.sections[0].chords) == ("E", "E A")
    assert np.array_equal(in_plan(theme, in_e).pitches, theme.piece.pitches + 4)
    asked = wished(told, Options(tonic="Bb"))
    assert (asked.tonic, asked.sections[0].chords) == ("Bb", "Bb Eb")
    assert np.array_equal(in_plan(theme, asked).pitches, theme.piece.pitches - 2)


def test_a_theme_moves_to_the_relative_key_where_the_modes_differ() -> None:
    theme = Theme(Piece.of(np.array([(PIANO, 60, 0, 1), (DRUMS, 36, 0, 1)])), "C")
    for tonic, up in (("A", 0), ("B", 2), ("F#", -3)):
        plan = Plan(8.0, 120.0, tonic, sections=(Section(0, 8, mode="minor", theme="A"),))
        assert in_plan(theme, plan).pitches.tolist() == [36, 60 + up]
    unknown = replace(theme, tonic="")
    assert in_plan(unknown, plan).pitches.tolist() == [36, 60]
    with pytest.raises(UsageError, match="no section of theme A"):
        in_plan(theme, Plan(8.0, 120.0, "C", sections=(Section(0, 8, theme="B"),)))
    with pytest.raises(UsageError, match="drums alone have no pitch"):
        in_plan(theme, replace(plan, sections=(replace(plan.sections[0], instruments=("drums",)),)))


def test_moving_keeps_every_note_on_the_keys() -> None:
    piece = Piece.of(np.array([(PIANO, 21, 0, 1), (PIANO, 108, 0, 1)]))
    assert Theme(piece, "C").moved(-2).piece.pitches.tolist() == [31, 106]
    assert Theme(piece, "C").moved(2).piece.pitches.tolist() == [23, 98]
    assert Theme(piece, "C").moved(2).tonic == "D"


def test_what_is_no_theme_is_refused_in_a_sentence(tmp_path: Path) -> None:
    few = midi(tmp_path / "few.mid", SCALE[:2])
    with pytest.raises(InputError, match=r"few.mid.* has 2 notes of bass, guitar, piano and str"):
        read_theme(few)
    effects = midi(tmp_path / "effects.mid", SCALE, program=127)
    with pytest.raises(InputError, match="has 0 notes"):
        read_theme(effects)
    thin = midi(tmp_path / "thin.mid", [SCALE[0], (40.0, 1.0, 60), (41.0, 1.0, 62)])
    with pytest.raises(InputError, match="begins with 1 notes"):
        read_theme(thin)
    words = tmp_path / "words.mid"
    words.write_text("la la la")
    with pytest.raises(InputError, match="not a MIDI file"):
        read_theme(words)
    with pytest.raises(InputError, match=r"missing\.mid"):
        read_theme(tmp_path / "missing.mid")


def test_a_theme_goes_before_the_composer_in_its_own_tempo(
    tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theme = read_theme(midi(tmp_path / "theme.mid", SCALE))
    sections = (Section(0.0, 8.0, chords="C", mode="major", theme="A"),)
    plan = Plan(8.0, 120.0, "C", sections=sections)
    seen: list[LeadSheet] = []

    def listen(*given: Any) -> list[Ids]:
        seen.extend(given[7])
        return [EVENTS.header(5)] * len(given[2])

    monkeypatch.setattr(sampling, "sample", listen)
    composer = Composer.from_pretrained(small)
    film = Analysis(8.0, "25", tempo=120.0, tonic="C")
    for tempo, beat in ((None, 0.5), (100.0, 0.6)):
        draw(replace(composer, tempo=tempo), [film], [0], 0.06, Sampling(), plan=plan,
             theme=in_plan(theme, plan))  # fmt: skip
        onsets = seen[-1].themes["A"].onsets
        assert np.allclose(onsets, theme.piece.onsets * beat)


def test_a_theme_is_read_before_the_film_is_watched_and_never_written_over(
    tmp_path: Path, draw_cut: Callable[..., Path], small: Path
) -> None:
    film = draw_cut(tmp_path / "film.mp4")
    bad = midi(tmp_path / "bad.mid", SCALE[:1])
    with pytest.raises(InputError, match="has 1 notes"):
        check_files(open_film(film), Options(theme=bad))
    with pytest.raises(InputError, match="has 1 notes"):
        generate(film, Options(theme=bad), checkpoint=small)
    good = midi(tmp_path / "good.mid", SCALE)
    check_files(open_film(film), Options(theme=good))
    with pytest.raises(UsageError, match="the theme"):
        check_targets(Outputs(good), film, Options(theme=good))
    assert Options(theme=good).to_json()["theme"] == str(good)
    other = Plan(open_film(film).duration, 120.0, "C", sections=(
        Section(0.0, open_film(film).duration, theme="B"),
    ))  # fmt: skip
    with pytest.raises(UsageError, match="no section of theme A"):
        check_files(open_film(film), Options(theme=good, plan=other))
