"""A span composed anew: all else stays, event by event, and the new music fits in."""

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import mido
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import emsync
from emsync.analysis import Analysis, Cut, State
from emsync.cli import main
from emsync.composition import Composition
from emsync.drafts import _later, _sheet_since, _themes, _tokens
from emsync.errors import EmsyncWarning, InputError, UsageError
from emsync.fit.bar_grid import BarGrid
from emsync.fit.hits import fit
from emsync.formats.midi import write_midi
from emsync.formats.midi_raw import RawMidi, read_raw
from emsync.formats.smf import read_score
from emsync.formats.splice import SCENE, KeptScore, piece_of
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import PIANO, Piece
from emsync.music.tonality import TONICS
from emsync.options import Options, Outputs
from emsync.outputs import check_targets
from emsync.performance.palette import Palette, names
from emsync.performance.performance import perform
from emsync.performance.player import BAND
from emsync.planning.planner import plan_of
from emsync.redo import MOMENTS, Redo, check_redo
from emsync.span import read_span
from emsync.tokens import Tokenizer
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.chroma import Chroma
from emsync_conditioners.given import Given
from emsync_conditioners.metre import Metre
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events
from emsync_tokenizers.tsd import Tsd

# the networks here know no chords, and are held to those asked for by rules alone
pytestmark = pytest.mark.filterwarnings("ignore:the network of this checkpoint was not taught")

TEMPO = 117.1875
LENGTH = 12.0  # seconds of the film
CUTS = (Cut(1.96, 0.9), Cut(4.4, 0.8), Cut(7.2, 1.0), Cut(9.0, 0.7))  # no even bars meet them
FILM = Analysis(
    LENGTH,
    "25",
    cuts=CUTS,
    arc=(State(0.0, 4.4, 0.4, 0.1), State(4.4, LENGTH, -0.5, 0.6)),
    valence=0.1,
    arousal=0.4,
    source="film.mp4",
)


SEED = 6  # of the score that is kept; two cuts of it fall on beats


@pytest.fixture(scope="module")
def composer() -> Composer:
    """An untrained network of the shipped one's kind."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=256, position_channels=18)
    model = EventTransformer(config, (ValenceArousal(), Metre(), Boundaries(), Chroma()))
    with torch.no_grad():
        model.head.bias[v.SHIFT : v.NOTE] += 2.5
    return Composer(model.eval(), Events().at_tempo(TEMPO), TEMPO)


@pytest.fixture(scope="module")
def taught() -> Composer:
    """One that was taught music that is given."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, 32, depth=1, heads=2, context=256, added=("given",))
    model = EventTransformer(config, (ValenceArousal(), Metre(), Boundaries(), Given()))
    with torch.no_grad():
        model.head.bias[v.SHIFT : v.NOTE] += 2.5
    return Composer(model.eval(), Events().at_tempo(TEMPO), TEMPO)


@pytest.fixture(scope="module")
def film(draw_cut: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_cut(tmp_path_factory.mktemp("film") / "film.mp4", frames=300)


@pytest.fixture(scope="module")
def kept(composer: Composer, film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A score of ours."""
    path = tmp_path_factory.mktemp("kept") / "kept.mid"
    composed = emsync.generate(film, options(seed=SEED), checkpoint=composer)
    composed.save(path)
    return path


def options(**values: Any) -> Options:
    return Options(analysis=FILM, **{"candidates": 1, "palette": "plain", **values})


def anew(composer: Composer, film: Path, keep: Path, redo: str, **values: Any) -> Composition:
    return emsync.generate(film, options(keep=keep, redo=redo, **values), checkpoint=composer)


def ticks(keep: Path, redo: str, duration: float = LENGTH) -> tuple[int, int]:
    found = Redo.of(Options(keep=keep, redo=redo), duration, TEMPO)
    assert found is not None
    return found.ticks


Row: TypeAlias = tuple[str, int, bytes]


def outside(path: Path, span: tuple[int, int]) -> list[Row]:
    """Return all events but those of the notes that begin in the span, and what else is in it."""
    raw, (first, stop) = read_raw(path), span
    gone = {(n.track, at) for n in raw.notes if first <= n.start < stop for at in (n.on, n.off)}
    told = ("text", "control_change", "sequencer_specific")
    return [
        (raw.name(t).split("(")[-1], tick, bytes(m.bin()))
        for t, track in enumerate(raw.tracks)
        for at, (tick, m) in enumerate(track)
        if (t, at) not in gone and not (first <= tick < stop and m.type in told)
    ]


def stays(before: list[Row], after: list[Row], seam: int) -> bool:
    """Return whether all that was is there, in its order, and no more but a chord at the seam."""
    rows = iter(after)
    more = [row for was in before for row in itertools.takewhile(was.__ne__, rows)]
    return not [row for row in (*more, *rows) if row[1] != seam] and len(more) <= 2


def same_outside(kept: Path, out: Path, span: tuple[int, int]) -> None:
    """Check that all tracks but those that have gone, or play for the first time, stay."""
    before, after = outside(kept, span), outside(out, span)
    tracks = {name for name, _, _ in before} & {name for name, _, _ in after}
    was, now = ([row for row in rows if row[0] in tracks] for rows in (before, after))
    assert stays(was, now, span[1])
    playing = {read_raw(out).name(note.track).split("(")[-1] for note in read_raw(out).notes}
    assert {name for name, _, _ in after} - tracks <= playing  # a new track plays


def inside(path: Path, span: tuple[int, int]) -> list[Any]:
    return [note for note in read_raw(path).notes if span[0] <= note.start < span[1]]


@pytest.mark.parametrize(
    "redo",
    [
        "4.5-7",
        "0-2",
        "3-",
        *(pytest.param(span, marks=pytest.mark.slow) for span in ("0-", "2.5-2.6", "0:06-0:09.5")),
    ],
)
def test_outside_the_span_every_event_is_the_same(
    composer: Composer, film: Path, kept: Path, tmp_path: Path, redo: str
) -> None:
    out, span = tmp_path / "out.mid", ticks(kept, redo)
    anew(composer, film, kept, redo, seed=8).save(out)
    same_outside(kept, out, span)
    assert inside(out, span) != inside(kept, span)
    assert emsync.check(kept).ok and emsync.check(out).ok


def test_the_seam_has_no_hanging_and_no_doubled_note(
    composer: Composer, film: Path, kept: Path, tmp_path: Path
) -> None:
    for seed in range(4):
        out, span = tmp_path / "out.mid", ticks(kept, "3-7")
        anew(composer, film, kept, "3-7", seed=seed).save(out)
        assert all(note.stop is not None and note.stop <= span[1] for note in inside(out, span))
        assert not [text for text in emsync.check(out).errors if "sounds" in text]


def test_the_bars_of_the_score_are_asked_to_meet_its_cuts(kept: Path) -> None:
    grid = BarGrid.of(read_raw(kept), LENGTH, TEMPO)
    asked = grid.asked(FILM)
    beats = np.array([cut.time for cut in asked.kept]) * TEMPO / 60
    assert len(beats) >= 2  # the tempo map of the score was made for them
    assert np.abs(beats - np.round(beats)).max() < 1e-9
    back = grid.film(beats * 60 / TEMPO)
    known = np.array([cut.time for cut in CUTS])
    assert max(np.abs(known - time).min() for time in back) <= 0.02
    later = grid.asked(FILM, asked.kept[0].time)
    assert [cut.time for cut in later.kept] == pytest.approx(
        [cut.time - asked.kept[0].time for cut in asked.kept]
    )
    assert later.duration == pytest.approx(asked.duration - asked.kept[0].time)
    moments = np.array([cut.time for cut in CUTS])
    assert later.music_time(moments) == pytest.approx(
        asked.music_time(moments) - asked.kept[0].time
    )
    near = np.abs(asked.music_time(moments)[:, None] - [cut.time for cut in asked.kept]).min(axis=0)
    assert near.max() <= 0.02


@pytest.mark.slow
def test_the_span_hits_its_cuts(film: Path, tmp_path: Path) -> None:
    shipped = Composer.from_pretrained("emsync-small")
    whole, part = tmp_path / "whole.mid", tmp_path / "part.mid"
    emsync.generate(film, options(), checkpoint=shipped).save(whole)
    composed = anew(shipped, film, whole, "4-8", candidates=2)
    composed.save(part)
    first, stop = read_raw(whole).seconds(ticks(whole, "4-8"))
    reports = [report for report in composed.cuts if first <= report.cut.time < stop]
    assert len(reports) >= 2
    assert all(r.hit and abs(r.hit.error_ms) <= 40 for r in reports)
    texts = [m.text for _, _, m in read_raw(part).events("text") if SCENE.fullmatch(m.text)]
    assert len(texts) == len(CUTS) and not [text for text in texts if "missed" in text]
    assert emsync.check(part).ok


def test_the_same_seed_gives_the_same_bytes_and_another_differs_inside_only(
    composer: Composer, film: Path, kept: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}.mid" for name in "abc"]
    for file, seed in zip(files, (3, 3, 4), strict=True):
        anew(composer, film, kept, "3-6", seed=seed).save(file)
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other
    span = ticks(kept, "3-6")
    shared = {row[0] for row in outside(files[0], span)} & {r[0] for r in outside(files[2], span)}
    rows = [[r for r in outside(f, span) if r[0] in shared] for f in (files[0], files[2])]
    assert [row for row in rows[0] if row[1] != span[1]] == [
        row for row in rows[1] if row[1] != span[1]
    ]


def test_a_redone_score_is_kept_and_redone_again(
    composer: Composer, film: Path, kept: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.mid", tmp_path / "second.mid"
    anew(composer, film, kept, "2-5", seed=1).save(first)
    anew(composer, film, first, "8-", seed=2).save(second)
    early, late = ticks(kept, "2-5"), ticks(first, "8-")
    assert inside(first, early) == inside(second, early)
    assert read_raw(first).tempi == read_raw(second).tempi == read_raw(kept).tempi
    assert inside(first, late) != inside(second, late)
    assert emsync.check(second).ok


def test_the_end_rings_to_the_end_of_the_film(composer: Composer, film: Path, kept: Path) -> None:
    composed = anew(composer, film, kept, "5-", seed=1)
    ringing = composed.piece.offsets >= LENGTH - 0.01
    assert ringing.sum() >= 3
    assert composed.ending.chord is not None
    assert composed.piece.onsets[ringing].max() <= composed.ending.chord + 0.03


@pytest.mark.parametrize("span", ["0-2", "3-6", "6.5-9"])
def test_the_first_chord_that_is_asked_for_stands_where_the_span_begins(
    composer: Composer, film: Path, kept: Path, span: str
) -> None:
    composed = anew(composer, film, kept, span, chords="F#/2 G# E")
    begin = Redo.of(Options(keep=kept, redo=span), LENGTH, TEMPO).seconds[0]  # type: ignore[union-attr]
    harmony = composed.harmony
    assert harmony is not None
    assert harmony.at(np.array([begin + 0.1])).tolist() == [parse_chord("F#")]


def test_the_key_is_that_of_the_score(composer: Composer, film: Path, kept: Path) -> None:
    """The seed of the score named it, and another seed does not change it."""
    tonic = plan_of(FILM, options(seed=SEED)).tonic
    assert plan_of(FILM, options(seed=8)).tonic != tonic
    assert anew(composer, film, kept, "3-6", seed=8).plan.tonic == tonic
    assert anew(composer, film, kept, "3-6", seed=8, tonic="D").plan.tonic == "D"


@pytest.mark.parametrize("tonic", [0, 3, 10])
def test_the_key_of_another_score_is_heard(tmp_path: Path, tonic: int) -> None:
    file = mido.MidiFile(foreign(tmp_path / "song.mid"))
    pitch, scale = 0, itertools.cycle([0, 4, 7, 5, 9, 0, 7, 11, 2, 7, 4, 0])
    for message in file.tracks[1]:
        if message.type == "note_on":
            pitch = 60 + tonic + next(scale) if message.velocity else pitch
            message.note = pitch
    file.save(tmp_path / "scale.mid")
    redo = Redo.of(Options(keep=tmp_path / "scale.mid", redo="3-4"), LENGTH, TEMPO)
    assert redo and redo.tonic(Analysis(LENGTH, "25", valence=0.5), None) == TONICS[tonic]


def test_drafts_are_ranked_by_the_seam(composer: Composer, film: Path, kept: Path) -> None:
    composed = anew(composer, film, kept, "3-6", candidates=3)
    assert all(0 < candidate.parts["seam"] < 1 for candidate in composed.candidates)
    scores = [candidate.score for candidate in composed.candidates]
    assert scores == sorted(scores, reverse=True)
    last = anew(composer, film, kept, "6-", candidates=2)
    assert "seam" not in last.best.parts  # no bar follows


def test_everything_is_written_of_it(
    composer: Composer, film: Path, kept: Path, tmp_path: Path
) -> None:
    composed = anew(composer, film, kept, "3-6")
    assert composed.harmony is not None
    first, stop = ticks(kept, "3-6")
    before = [symbol for symbol in read_raw(kept).chords() if not first <= symbol[0] < stop]
    composed.save(tmp_path / "out.mid")
    after = [s for s in read_raw(tmp_path / "out.mid").chords() if not first <= s[0] < stop]
    assert [symbol for symbol in after if symbol in before] == before  # chords of the score
    assert {tick for tick, _ in after} - {tick for tick, _ in before} <= {stop}
    known = composed.harmony.at(read_raw(kept).seconds([tick for tick, _ in before]))
    assert [parse_chord(str(name)) for _, name in before] == known.tolist()
    assert json.dumps(composed.to_json())
    assert composed._repr_html_()
    assert len(composed.audio().samples)


# What is kept is read back exactly


def on_moments(score: KeptScore, duration: float) -> tuple[Piece, BarGrid]:
    grid = BarGrid.of(score.raw, duration, TEMPO)
    second = 60 / TEMPO
    piece = piece_of(score.raw, lambda at: np.round(grid.beats(at) * MOMENTS) / MOMENTS * second)
    return piece, grid


def test_a_score_comes_back_to_the_tokens_it_was_drawn_as(
    composer: Composer, film: Path, tmp_path: Path
) -> None:
    sizes: set[float] = set()
    for seed in range(3):
        composed = emsync.generate(film, options(seed=seed, ending="cut"), checkpoint=composer)
        composed.save(tmp_path / "score.mid")
        sizes |= comes_back(composer, composed, tmp_path / "score.mid")
    assert sizes - {4.0}  # bars with beats left out among them


@pytest.mark.parametrize("end", [1.0, 1.002, 1.0039, 1.006])
def test_tokens_end_on_the_step_that_is_nearest_to_a_bar_line(
    composer: Composer, end: float
) -> None:
    notes = [(PIANO, 60, 0.0, 0.5), (PIANO, 64, end, end + 1)]
    piece = Piece.of(np.array(notes), np.array([0.0, end]))
    times = composer.tokenizer.timeline(_tokens(composer, piece, 0.0, end)).times
    assert times[-1] == pytest.approx(round(end / 0.008) * 0.008)


@pytest.mark.slow
def test_a_real_score_comes_back_to_the_tokens_it_was_drawn_as(film: Path, tmp_path: Path) -> None:
    shipped = Composer.from_pretrained("emsync-small")
    for seed in range(2):
        composed = emsync.generate(film, options(seed=seed, ending="cut"), checkpoint=shipped)
        composed.save(tmp_path / "score.mid")
        assert comes_back(shipped, composed, tmp_path / "score.mid") - {4.0}


def comes_back(composer: Composer, composed: Composition, path: Path) -> set[float]:
    """Hold the notes of a file, in the composed music's steps, beside those of its tokens.

    Notes that an upbeat holds from before the beginning have lost their onset.
    """
    score = KeptScore.read(path)
    kept, grid = on_moments(score, LENGTH)
    through = composer.tokenizer.decode(composer.tokenizer.encode(kept))
    drawn = composer.tokenizer.decode(composed.best.ids)
    beats = np.round(drawn.onsets * TEMPO / 60 * MOMENTS) / MOMENTS
    end = grid.composed(np.array([LENGTH]))[0]
    drawn = drawn.where(~grid.left_out(beats) & (drawn.onsets < end - 0.01))

    def steps(piece: Piece) -> set[tuple[int, ...]]:
        begin = grid.leads[0] * 60 / TEMPO + 0.004
        late = piece.where(piece.onsets > begin)
        return set(map(tuple, np.round(late.rows[:, :3] * [1, 1, 125]).astype(int).tolist()))

    assert steps(drawn) == steps(through) == steps(kept)
    # and the composed steps go back to the ticks of the file
    starts = np.array([note.start for note in score.raw.notes])
    again = grid.ticks(np.round(grid.beats(starts) * MOMENTS) / MOMENTS)
    assert np.abs(again - starts).max() <= 5  # the tempo map is even to within 5 ms
    return set(grid.sizes[:-1].tolist())


@given(st.integers(0, 2**31 - 1))
def test_beats_and_ticks_are_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.choice([480, 960, 1440, 1920, 2400, 1680], 12)
    grid = BarGrid(np.append(0, np.cumsum(sizes)), {0: 500_000, 4000: 410_000}, 480, TEMPO)
    at = np.sort(rng.integers(0, grid.lines[-1], 50))
    beats = grid.beats(at)
    assert (np.diff(beats) >= 0).all()
    assert (grid.ticks(beats) == at).all()
    assert not grid.left_out(beats).any()
    assert (grid.starts % 4 == 0).all()
    back = grid.nearest_ticks(grid.film(grid.composed(grid.seconds(at))))
    assert (back == at).all()


# Files of other programs


def foreign(path: Path, kind: int = 1, metre: tuple[int, int] = (4, 4), beats: int = 24) -> Path:
    """Write a song of 120 beats a minute as a sequencer might, with what only it understands."""
    file = mido.MidiFile(type=kind, ticks_per_beat=96)
    head = [
        mido.MetaMessage("set_tempo", tempo=500_000),
        mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1]),
        mido.MetaMessage("sequencer_specific", data=(0, 1, 2)),
        mido.Message("sysex", data=(1, 2, 3)),
    ]
    notes = [
        mido.MetaMessage("track_name", name="Grand"),
        mido.Message("program_change", channel=4, program=0),
    ]
    for beat in range(beats):
        on = mido.Message("note_on", channel=4, note=60 + beat % 5, velocity=64)
        pedal = mido.Message("control_change", channel=4, control=64, value=beat % 2 * 127)
        notes += [pedal, on, on.copy(velocity=0, time=96)]
    end = [mido.MetaMessage("end_of_track")]
    tracks = [[*head, *notes, *end]] if kind == 0 else [[*head, *end], [*notes, *end]]
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    file.save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "metre"),
    [(1, (4, 4)), (0, (4, 4)), (1, (3, 4)), (1, (6, 8)), (1, (5, 4)), (1, (7, 8))],
)
def test_a_score_of_another_program_is_kept(
    composer: Composer, film: Path, tmp_path: Path, kind: int, metre: tuple[int, int]
) -> None:
    keep = foreign(tmp_path / "song.mid", kind, metre)
    out, span = tmp_path / "out.mid", ticks(keep, "4-6")
    anew(composer, film, keep, "4-6", instruments=("piano",)).save(out)
    assert everything(keep, span) == everything(out, span)
    assert (span[0] * 8 // 96) % (metre[0] * 8 // metre[1] or 1) == 0  # from a bar line
    found = inside(out, span)
    assert found
    assert {note.channel for note in found} == {4}
    assert max(note.stop for note in found) <= span[1]


def everything(path: Path, span: tuple[int, int]) -> list[tuple[int, int, bytes]]:
    """Return all events, those of no use to players too, but notes that begin in the span."""
    raw = KeptScore.read(path).raw
    gone = {(n.track, at) for n in raw.notes if span[0] <= n.start < span[1]
            for at in (n.on, n.off)}  # fmt: skip
    return [(t, tick, bytes(m.bin())) for t, track in enumerate(raw.tracks)
            for at, (tick, m) in enumerate(track) if (t, at) not in gone]  # fmt: skip


def test_an_instrument_without_a_track_gets_one(
    composer: Composer, film: Path, tmp_path: Path
) -> None:
    keep, out = foreign(tmp_path / "song.mid"), tmp_path / "out.mid"
    anew(composer, film, keep, "4-8", instruments=("strings", "drums"), seed=2).save(out)
    raw = read_raw(out)
    new = {raw.name(note.track): note.channel for note in inside(out, ticks(keep, "4-8"))}
    assert any("Strings" in name or "Drums" in name for name in new)
    assert all(channel == 9 for name, channel in new.items() if "Drums" in name)
    assert all(channel not in (4, 9) for name, channel in new.items() if "Strings" in name)


def test_a_key_that_is_held_into_the_span_is_not_struck(composer: Composer) -> None:
    from emsync.formats.splice import Edit, NewNote, spliced

    raw = held_file()
    rows = ((60, 1920, 2400), (60, 2880, 9000), (64, 1920, 2400), (64, 2000, 2200))
    notes = [NewNote(BAND[PIANO], *row, 80) for row in rows]
    found = [(n.pitch, n.start, n.stop) for n in spliced(raw, Edit((1920, 3840), notes)).notes]
    assert found == [
        (60, 0, 2400), (64, 1920, 2000), (64, 2000, 2200), (60, 2880, 3840), (60, 3840, 4000)
    ]  # fmt: skip


def held_file() -> RawMidi:
    from emsync.formats.midi_raw import raw_of
    from emsync.formats.splice import written

    def note(kind: str, pitch: int) -> Any:
        return mido.Message(kind, note=pitch)

    end = mido.MetaMessage("end_of_track")
    head = [(0, mido.MetaMessage("set_tempo", tempo=500_000)), (4000, end)]
    line = [(0, note("note_on", 60)), (2000, note("note_on", 62)), (2400, note("note_off", 60)),
            (2500, note("note_off", 62)), (3840, note("note_on", 60)),
            (4000, note("note_off", 60)), (4000, end)]  # fmt: skip
    return raw_of(written(RawMidi(1, 480, [head, line], [], 0, (), ())))


STEMS = ["01-grand", "02-grand"]


def test_stems_of_a_kept_score_are_its_tracks_also_of_one_name(tmp_path: Path) -> None:
    from emsync.report.bundle import play_stems

    file = mido.MidiFile(foreign(tmp_path / "song.mid"))
    file.tracks.append(mido.MidiTrack(file.tracks[1]))  # a second piano, of the same name
    file.save(tmp_path / "two.mid")
    assert list(play_stems(read_score(tmp_path / "two.mid"), 1.0).parts) == STEMS


def test_the_players_of_the_score_play_what_is_composed_anew(
    composer: Composer, film: Path, tmp_path: Path
) -> None:
    """Without being told which palette it has; and its notation is that of its tracks."""
    keep, out = tmp_path / "keep.mid", tmp_path / "out.mid"
    first = emsync.generate(film, options(palette="orchestra", seed=SEED), checkpoint=composer)
    first.save(keep)
    found = emsync.generate(
        film, options(palette=None, keep=keep, redo="4-8", seed=3), checkpoint=composer
    )
    found.save(out)
    span = ticks(keep, "4-8")
    same_outside(keep, out, span)
    raw, cast = read_raw(out), {p.name for p in Palette.named("orchestra").players}
    titles = {raw.title(note.track) for note in inside(out, span)}
    assert titles <= cast and len(titles) > 3
    assert {section.palette for section in found.plan.sections} == {"orchestra"}
    assert emsync.check(out).ok
    parts = found.performance().parts
    assert sum(len(part.onsets) for part in parts) == len(raw.notes)
    assert [part.player.name for part in parts] == [
        name for number in range(1, len(raw.tracks)) if (name := raw.title(number))
    ]


@pytest.mark.parametrize("name", names())
def test_the_palette_of_a_score_is_known_by_its_tracks(name: str, tmp_path: Path) -> None:
    cast = Palette.named(name).players
    rows = [(p.instrument, max(p.low, 36), 0.5, 1.0) for p in cast]
    piece = Piece.of(np.array(rows), np.arange(0, LENGTH, 2.0))
    write_midi(tmp_path / "a.mid", perform(fit(piece, (), LENGTH), casting=((0.0, cast),)))
    redo = Redo.of(Options(keep=tmp_path / "a.mid", redo="3-4"), LENGTH, TEMPO)
    assert redo is not None and redo.palette() == name
    song = Redo.of(Options(keep=foreign(tmp_path / "b.mid"), redo="3-4"), LENGTH, TEMPO)
    assert song is not None and song.palette() is None


def test_a_checkpoint_without_a_tempo_takes_the_scores(
    film: Path, kept: Path, small: Path, tmp_path: Path
) -> None:
    out, span = tmp_path / "out.mid", ticks(kept, "4-8")
    composer = Composer.from_pretrained(small)
    emsync.generate(film, options(keep=kept, redo="4-8"), checkpoint=composer).save(out)
    assert all(note.stop <= span[1] for note in inside(out, span))
    assert emsync.check(out).ok


# What cannot be


@pytest.mark.parametrize(
    "words", ["", "20-12", "a-b", "-5", "5", "12-12", "nan-", "1e3-", "5--7", "00:00:12:12-"]
)
def test_a_span_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="redo"):
        Options(keep="score.mid", redo=words)


@pytest.mark.parametrize("pair", [(3, 2), (-1, 2), (float("nan"), 2), (1,), ("x", 2), 7])
def test_two_numbers_that_are_no_span_are_refused(pair: Any) -> None:
    with pytest.raises(UsageError, match="redo"):
        Options(keep="score.mid", redo=pair)


def test_spans() -> None:
    assert read_span(" 1:02.5 - 1:10 ") == (62.5, 70.0)
    assert read_span((3, None)) == (3.0, float("inf"))


def test_keep_and_redo_go_together() -> None:
    for alone in ({"keep": "score.mid"}, {"redo": "3-4"}):
        with pytest.raises(UsageError, match="go together"):
            Options(**alone)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tempo"):
        Options(keep="score.mid", redo="3-4", tempo=100)


def test_a_span_outside_the_film_is_refused(kept: Path) -> None:
    for words in ("12-", "11-13", "90-95"):
        with pytest.raises(UsageError, match=r"but the video has 12.00 s"):
            check_redo(Options(keep=kept, redo=words), LENGTH)
    check_redo(Options(keep=kept, redo="11-12.3"), LENGTH)  # a rounded end


def test_a_score_of_another_film_is_refused(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is of a film of 12.00 s, the video has 20.00 s"):
        check_redo(Options(keep=kept, redo="3-4"), 20.0)
    song = foreign(tmp_path / "song.mid")
    check_redo(Options(keep=song, redo="3-4"), 13.0)
    with pytest.warns(EmsyncWarning, match=r"lasts 12.00 s"):
        check_redo(Options(keep=song, redo="3-4"), 20.0)


def test_a_score_whose_tempo_was_edited_is_told_of(kept: Path, tmp_path: Path) -> None:
    file = mido.MidiFile(kept)
    for message in file.tracks[0]:
        if message.type == "set_tempo":
            message.tempo *= 2
    file.save(tmp_path / "slow.mid")
    with pytest.warns(EmsyncWarning, match=r"lasts 24.00 s, the video 12.00 s"):
        check_redo(Options(keep=tmp_path / "slow.mid", redo="3-4"), LENGTH)


def test_what_has_no_beats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(b"no music")
    with pytest.raises(InputError, match="not a MIDI file"):
        check_redo(Options(keep=path, redo="3-4"), LENGTH)
    content = foreign(path).read_bytes()
    path.write_bytes(content[:12] + bytes((256 - 25, 40)) + content[14:])
    with pytest.raises(InputError, match="frames instead of beats"):
        check_redo(Options(keep=path, redo="3-4"), LENGTH)
    path.write_bytes(content.replace(b"\xff\x51\x03\x07\xa1\x20", b"\xff\x01\x03abc"))
    with pytest.raises(InputError, match="has no tempo"):
        check_redo(Options(keep=path, redo="3-4"), LENGTH)
    path.write_bytes(content.replace(b"\x51\x03\x07\xa1\x20", b"\x51\x03\x00\x40\x20"))
    with pytest.raises(InputError, match="which no music has"):
        check_redo(Options(keep=path, redo="3-4"), LENGTH)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_score_that_can_be_read_once_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a file; save it"):
        check_redo(Options(keep=tmp_path / "pipe", redo="3-4"), LENGTH)


def test_the_kept_score_is_not_written_over(film: Path, kept: Path) -> None:
    with pytest.raises(UsageError, match="the kept score"):
        check_targets(Outputs(kept), film, options(keep=kept, redo="3-4"))


def test_a_span_as_the_film_ends_is_in_its_last_bar(tmp_path: Path) -> None:
    song = foreign(tmp_path / "song.mid")  # bars of two seconds
    redo = Redo.of(Options(keep=song, redo="11.9999-"), LENGTH, TEMPO)
    assert redo is not None
    assert (redo.bars, redo.seconds) == ((5, 6), (10.0, LENGTH))


def test_the_last_chord_is_kept_where_the_span_begins_after_it(
    composer: Composer, film: Path, kept: Path
) -> None:
    with pytest.warns(EmsyncWarning, match="is kept and rings on"):
        composed = anew(composer, film, kept, "11.9-")
    before = read_raw(kept).notes
    assert composed.best.midi is not None and len(before) >= len(composed.piece)


# The pieces it is made of


@pytest.mark.parametrize("tokenizer", [Events(), Tsd()], ids=lambda t: t.name)
@pytest.mark.parametrize("tempo", [40.0, 77.7, 119.4, 130.1, 259.0])
def test_what_is_read_before_a_span_ends_at_it_at_any_tempo(
    tokenizer: Tokenizer, tempo: float
) -> None:
    beat = 60 / tempo
    rows = np.array([(PIANO, 60, i * beat, (i + 0.9) * beat) for i in range(16)])
    piece = Piece.of(rows, downbeats=np.arange(0.0, 17.0, 4.0) * beat)
    composer = SimpleNamespace(tokenizer=tokenizer)
    for first, stop in ((0, 1), (1, 3), (0, 3)):
        ids = _tokens(composer, piece, *(np.array([first, stop]) * 4 * beat))  # type: ignore[arg-type]
        heard = tokenizer.decode(np.concatenate([tokenizer.header(1), ids]))
        assert heard.pitches.tolist() == [60] * 4 * (stop - first)
        lasts = tokenizer.timeline(ids).times[-1]
        assert lasts == pytest.approx((stop - first) * 4 * beat, abs=0.02)


def test_a_piece_begins_with_what_is_given(composer: Composer) -> None:
    targets = [composer.targets(replace(FILM, tempo=TEMPO))] * 2
    whole = composer.sample(targets, [4.0] * 2, [1, 2])
    begins = [whole[0].ids[:20], whole[1].ids[:31]]
    again = composer.sample(targets, [4.0] * 2, [1, 2], begins=begins)
    for row, begin in zip(again, begins, strict=True):
        assert row.ids[: len(begin)].tolist() == begin.tolist()


@pytest.mark.parametrize("knows", [False, True])
def test_the_likelihood_is_that_of_the_model(
    composer: Composer, taught: Composer, knows: bool
) -> None:
    """What is given stands before the piece, or after its first token, and does not count."""
    from emsync.model.likelihood import log_likelihood
    from emsync.model.passages import Passages

    composer = taught if knows else composer
    model = composer.model

    targets = composer.targets(replace(FILM, tempo=TEMPO))
    ids = composer.sample([targets], [LENGTH], [1])[0].ids[:60]
    last, first = len(ids) - 1, len(ids) - 9
    timeline = composer.tokenizer.timeline(ids)
    before = composer.tokenizer.timeline(ids[:first])  # what a prefix is when the passage begins
    features = {
        c.name: torch.from_numpy(
            c.features(targets[c.name], before)
            if c.place == "prefix"
            else c.features(targets[c.name], timeline)[:last]
        )[None]
        for c in composer.model.conditioners
    }
    with torch.no_grad():
        logits = model(torch.from_numpy(ids[:last])[None], features)[0].log_softmax(-1)
    wanted = float(np.mean([logits[i - 1, ids[i]] for i in range(first, last + 1)]))
    found = log_likelihood(model, composer.tokenizer, targets, ids, first)
    assert found == pytest.approx(wanted, abs=1e-4)

    heard = composer.tokenizer.decode(ids)
    theme, _ = Passages(model, composer.tokenizer, int(ids[0])).theme(heard)
    at = 0 if knows else 1
    told = {
        c.name: torch.cat([own[:, :at], torch.from_numpy(theme.rows[c.name])[None], own[:, at:]], 1)
        for c in model.per_token
        for own in [features[c.name]]
    }
    window = torch.from_numpy(np.concatenate([ids[:at], theme.ids, ids[at:last]]))[None]
    with torch.no_grad():
        logits = model(window, {**features, **told})[0].log_softmax(-1)
    moved = range(first + len(theme), last + len(theme) + 1)
    wanted = float(np.mean([logits[i - 1, ids[i - len(theme)]] for i in moved]))
    found = log_likelihood(model, composer.tokenizer, targets, ids, first, theme)
    assert found == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("span", ["0-2", "3-6", "7-"])
def test_a_span_is_told_what_comes_after_it(
    taught: Composer, film: Path, kept: Path, span: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, ...]] = []
    draw = Composer.sample

    def spy(self: Composer, targets: Any, *values: Any, **named: Any) -> Any:
        told.append((targets[0], named["sheets"][0], named["begins"][0].tolist()))
        return draw(self, targets, *values, **named)

    monkeypatch.setattr(Composer, "sample", spy)
    anew(taught, film, kept, span)
    redo = Redo.of(Options(keep=kept, redo=span), LENGTH, TEMPO)
    assert redo is not None
    ((targets, sheet, begin),) = told
    assert v.START not in begin
    passed = taught.tokenizer.timeline(np.array(begin)).times[-1]
    since = redo.at(redo.bars[0]) - passed
    np.testing.assert_array_equal(targets["given"], np.array([sheet.resumes], np.float32))
    if redo.closes:
        assert np.isnan(sheet.resumes) and sheet.later is None
    else:
        assert sheet.resumes == pytest.approx(redo.at(redo.bars[1]) - since, abs=0.01)
        kept_on = redo.composed.onsets - redo.at(redo.bars[1])
        np.testing.assert_allclose(sheet.later.onsets, kept_on[kept_on > -1e-6], atol=1e-4)


def test_all_stays_where_a_span_leads_into_what_comes_after_it(
    taught: Composer, film: Path, kept: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}.mid" for name in "ab"]
    for file in files:
        anew(taught, film, kept, "3-6", seed=3, guidance=1.5, candidates=2).save(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    span = ticks(kept, "3-6")
    before, after = outside(kept, span), outside(files[0], span)
    names = {name for name, _, _ in before} & {name for name, _, _ in after}
    was, now = ([row for row in rows if row[0] in names] for rows in (before, after))
    assert stays(was, now, span[1])


def test_what_has_no_notes_is_not_told_as_later() -> None:
    piece = Piece.of(np.array([(PIANO, 60, i, i + 0.5) for i in range(8)]), np.arange(0, 20.0, 2))
    for closes, bars, wanted in ((False, (1, 3), 2), (False, (1, 4), 0), (True, (1, 3), 0)):
        redo: Any = SimpleNamespace(composed=piece, bars=bars, closes=closes, at=lambda n: 2.0 * n)
        later = _later(redo)
        assert (0 if later is None else len(later)) == wanted


def test_the_sheet_goes_on_within_a_passage() -> None:
    passages = (Passage(0.0, 4.0, theme="A"), Passage(4.0, 8.0, theme="B"))
    sheet = LeadSheet(Harmony(np.array([0.0, 2.0, 4.0, 6.0]), np.arange(4)), passages)
    later = _sheet_since(sheet, 3.0)
    assert later.harmony.starts.tolist() == [0.0, 1.0, 3.0]
    assert later.harmony.chords.tolist() == [1, 2, 3]
    assert [(p.start, p.end, p.theme) for p in later.passages] == [(0, 1, ""), (1, 5, "B")]
    assert [p.theme for p in _sheet_since(sheet, 4.0).passages] == ["B"]


def test_a_theme_is_taken_up_from_the_score(kept: Path) -> None:
    redo = Redo.of(Options(keep=kept, redo="8-"), LENGTH, TEMPO)
    assert redo is not None
    passages = (Passage(0.0, 4.0, theme="A"), Passage(4.0, 20.0, theme="B"))
    sheet = LeadSheet(Harmony(np.zeros(1), np.zeros(1, np.intp)), passages)
    assert set(_themes(redo, sheet, 2.0)) <= {"A"}
    themes = _themes(redo, sheet, 6.0)
    assert set(themes) == {"A", "B"}
    first = redo.composed.until(redo.at(4))
    assert np.allclose(themes["A"].onsets, first.onsets, atol=1e-4)
    assert themes["B"].onsets.min() >= 0


def test_the_command_line(
    film: Path, kept: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    analysis, out = tmp_path / "film.json", tmp_path / "out.mid"
    FILM.save(analysis)
    words = ["generate", str(film), "--analysis", str(analysis), "--checkpoint", str(small)]
    assert main([*words, "--keep", str(kept), "--redo", "3-6", "--out", str(out)]) == 0
    assert emsync.check(out).ok
    capsys.readouterr()
    for wrong, code in (("20-12", 2), ("40-", 2), ("x", 2)):
        assert main([*words, "--keep", str(kept), "--redo", wrong, "--out", str(out)]) == code
        assert capsys.readouterr().err.count("\n") == 1
    assert main([*words, "--keep", str(kept), "--out", str(out)]) == 2
    assert main([*words, "--keep", "none.mid", "--redo", "3-6", "--out", str(out)]) == 3
