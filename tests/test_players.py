"""Scores of players with any program: read as the classes they play, checked, kept in part."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.data.midi import read_midi as read_song
from emsync.fit.hits import fit
from emsync.fit.time_map import Fitted
from emsync.formats.midi import midi_bytes, to_midi, write_midi
from emsync.formats.midi_check import check
from emsync.formats.midi_raw import RawMidi, raw_of
from emsync.formats.played import played
from emsync.formats.smf import read_midi, read_score
from emsync.formats.splice import Edit, KeptScore, NewControl, NewNote, piece_of, spliced
from emsync.music.general_midi import EXPRESSION, PEDAL, VOLUME
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Piece, from_score
from emsync.performance.part import Control
from emsync.performance.performance import Performance, perform
from emsync.performance.player import Casting, Player

FLUTE = Player("Flute", STRINGS, 73, doubles=True)
VIOLINS = Player("Violins", STRINGS, 48, pan=40)
MUTED = Player("Violins", STRINGS, 44)
HARP = Player("Harp", GUITAR, 46)
PIPE = Player("Steel drums", PIANO, 114)  # neither drums, nor of a program that LPD-5 knows
DEEP = Player("Contrabass", BASS, 43)
KIT = Player("Brushes", DRUMS, 40)
SOLO: Casting = ((0.0, (KIT, DEEP, HARP, PIPE, VIOLINS)),)
DOUBLED: Casting = ((0.0, (KIT, DEEP, HARP, PIPE, FLUTE, VIOLINS)),)


def tune() -> Fitted:
    rows = [(DRUMS, 36, t, t + 0.1) for t in np.arange(0, 12, 0.5)]
    for c, pitch in ((BASS, 40), (GUITAR, 55), (PIANO, 64), (STRINGS, 72)):
        rows += [(c, pitch + step % 5, t, t + 0.9) for step, t in enumerate(np.arange(0, 12, 1.0))]
    return fit(Piece.of(np.array(rows), np.arange(0, 12, 2.0)), (), 12.0)


def score(tmp_path: Path, casting: Casting = SOLO) -> Path:
    write_midi(tmp_path / "score.mid", perform(tune(), casting=casting))
    return tmp_path / "score.mid"


def same(a: Piece, b: Piece) -> bool:
    """Whether two pieces have the same notes; strokes of drums are played as long as they like."""
    if len(a) != len(b) or not np.allclose(a.rows[:, :3], b.rows[:, :3], atol=0.002):
        return False
    return bool(((np.abs(a.offsets - b.offsets) <= 0.002) | (a.classes == DRUMS)).all())


def renamed(path: Path, kind: str) -> Path:
    """The score without its messages of a kind."""
    file = mido.MidiFile(path)
    for track in file.tracks:
        track[:] = [m for m in track if m.type != kind]
    file.save(path.with_name("changed.mid"))
    return path.with_name("changed.mid")


@pytest.mark.parametrize("read", [read_midi, read_song, lambda p: KeptScore.read(p)])
def test_players_are_read_as_their_classes_whatever_their_programs(
    tmp_path: Path, read: Callable[[Path], Piece | KeptScore]
) -> None:
    found = read(score(tmp_path))
    if isinstance(found, KeptScore):
        found = piece_of(found.raw, found.raw.seconds)
    assert same(found, tune().piece)


@pytest.mark.parametrize("lost", ["instrument_name", "text"])
def test_files_of_others_and_tracks_without_a_class_are_read_by_their_programs(
    tmp_path: Path, lost: str
) -> None:
    path = renamed(score(tmp_path), lost)
    piece = read_midi(path)
    assert np.unique(piece.classes).tolist() == [DRUMS, STRINGS]  # the steel drums are none
    assert same(piece, from_score(read_score(path)))


def test_players_in_unison_are_one_note_and_in_octaves_two(tmp_path: Path) -> None:
    both = perform(tune(), casting=DOUBLED)
    write_midi(tmp_path / "a.mid", both)
    assert same(read_midi(tmp_path / "a.mid"), tune().piece)
    parts = [
        replace(part, pitches=part.pitches + 12, onsets=part.onsets + 0.01)
        if part.player is FLUTE
        else replace(part, onsets=part.onsets + 0.015)
        if part.player is VIOLINS
        else part
        for part in both.parts
    ]
    write_midi(tmp_path / "b.mid", Performance(both.fitted, tuple(parts)))
    piece = read_midi(tmp_path / "b.mid")
    assert len(piece) == len(tune().piece) + 12
    strings = piece.where(piece.classes == STRINGS)
    assert sorted(strings.pitches.tolist())[-1] == 72 + 4 + 12


def test_the_check_knows_players_by_their_class(tmp_path: Path) -> None:
    report = check(score(tmp_path, DOUBLED))
    assert report.ok, report.errors  # steel drums that are none, a kit that is called brushes
    path = renamed(score(tmp_path), "instrument_name")
    assert any("Steel drums" in words for words in check(path).errors), "by its name alone"


def test_a_performance_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    wanted = perform(tune(), casting=DOUBLED)
    pedal = (Control(1.0, PEDAL, 127), Control(2.0, PEDAL, 0))
    wanted = replace(wanted, parts=tuple(replace(p, controls=pedal) for p in wanted.parts))
    found = played(raw_of(midi_bytes(wanted)), wanted.fitted)
    assert [p.player.track for p in found.parts] == [p.player.track for p in wanted.parts]
    for part, back in zip(wanted.parts, found.parts, strict=True):
        assert back.pitches.tolist() == part.pitches.tolist()
        assert np.allclose(back.onsets, part.onsets, atol=0.002)
        assert np.allclose(back.offsets, part.offsets, atol=0.002)
        assert back.velocities.tolist() == part.velocities.tolist()
        assert [(c.number, c.value) for c in back.controls] == [c[1:] for c in pedal]
    assert to_midi(found).tracks[1:] == to_midi(wanted).tracks[1:]


def test_scores_of_others_are_played_by_all_their_tracks_of_a_class(tmp_path: Path) -> None:
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    for number in range(20):
        channel = number % 15 + (number % 15 >= 9)
        note = {"channel": channel, "note": 40 + number, "time": 480}
        file.tracks.append(mido.MidiTrack([
            mido.Message("program_change", channel=channel, program=96 if number == 10 else 0),
            mido.Message("note_on", **note), mido.Message("note_off", **note),
        ]))  # fmt: skip
    file.save(tmp_path / "many.mid")
    raw = KeptScore.read(tmp_path / "many.mid").raw
    found = played(raw, tune())
    assert [p.pitches.tolist() for p in found.parts] == [[40 + k] for k in range(20) if k != 10]
    assert {p.player.name for p in found.parts} == {"Piano"} and len(found.channels) == 19
    assert np.allclose(found.parts[0].onsets, 0.5) and np.allclose(found.parts[0].offsets, 1.0)


SPAN = (2 * 1920, 4 * 1920)


def events(raw: RawMidi) -> list[list[tuple[int, str]]]:
    """What each track does outside of the span; notes that begin in it are of the span."""
    inside = {(n.track, at) for n in raw.notes if SPAN[0] <= n.start < SPAN[1]
              for at in (n.on, n.off)}  # fmt: skip
    return [
        [
            (tick, str(m.copy(time=0)))
            for at, (tick, m) in enumerate(track)
            if (number, at) not in inside and not SPAN[0] <= tick < SPAN[1]
        ]
        for number, track in enumerate(raw.tracks)
    ]


def pedalled(casting: Casting = DOUBLED) -> RawMidi:
    """The tune with a pedal that changes each second, the film's expression, and a modulation."""
    played_ = perform(tune(), casting=casting)
    controls = tuple(
        control
        for second in range(12)
        for control in (
            Control(second + 0.25, PEDAL, 127 * (second % 2)),
            Control(second + 0.5, EXPRESSION, 60 + second),
            Control(second + 0.5, 1, second),
        )
    )
    parts = tuple(replace(part, controls=controls) for part in played_.parts)
    return raw_of(midi_bytes(Performance(played_.fitted, parts)))


def in_force(raw: RawMidi, channel: int, number: int, tick: int) -> int:
    said = [m.value for at, _, m in raw.events("control_change")
            if at <= tick and (m.channel, m.control) == (channel, number)]  # fmt: skip
    return said[-1] if said else {EXPRESSION: 127}.get(number, 0)


def test_new_notes_join_the_track_of_their_player_or_else_that_of_their_class() -> None:
    raw = pedalled()
    others = {Player("Oboe", STRINGS, 68): "Flute", FLUTE: "Flute", VIOLINS: "Violins",
              MUTED: "Flute", PIPE: "Steel drums", KIT: "Brushes"}  # fmt: skip
    notes = [NewNote(player, 60, SPAN[0] + 480, SPAN[0] + 960, 70 + k)
             for k, player in enumerate(others)]  # fmt: skip
    new = spliced(raw, Edit(SPAN, notes))
    homes = {n.velocity: new.title(n.track) for n in new.notes if SPAN[0] <= n.start < SPAN[1]}
    for k, name in enumerate(others.values()):
        taken = homes.get(70 + k)  # one note stands for those that strike one key at once
        assert taken == name or (taken is None and name == "Flute")
    assert events(new) == events(raw)


values = st.lists(
    st.tuples(st.integers(0, 5 * 1920), st.sampled_from([EXPRESSION, PEDAL]), st.integers(0, 127)),
    max_size=12,
)


@pytest.mark.slow
@given(values)
def test_controllers_of_the_span_are_performed_anew_and_stand_after_it_as_they_did(
    said: list[tuple[int, int, int]],
) -> None:
    raw = pedalled()
    controls = [NewControl(VIOLINS, *row) for row in sorted(said, key=lambda row: row[0])]
    notes = [NewNote(VIOLINS, 72, SPAN[0], SPAN[0] + 960, 80)]
    new = spliced(raw, Edit(SPAN, notes, controls, (EXPRESSION, PEDAL)))
    assert events(new) == events(raw), "outside, all is as it was"
    violins = next(n.channel for n in new.notes if new.title(n.track) == "Violins")
    for number, rest in ((EXPRESSION, 127), (PEDAL, 0)):
        for tick in (SPAN[0] - 1, SPAN[1] - 1, SPAN[1], SPAN[1] + 700):
            assert in_force(new, violins, number, tick) == in_force(raw, violins, number, tick)
        for tick in (SPAN[0], SPAN[0] + 1000, SPAN[1] - 2):
            anew = [c.value for c in controls if c.tick <= tick and c.number == number]
            assert in_force(new, violins, number, tick) == (anew[-1] if anew else rest)
    for channel in range(16):
        if channel != violins:
            mine = [
                [(t, m.copy(time=0)) for t, _, m in r.events("control_change")
                 if m.channel == channel]
                for r in (raw, new)
            ]  # fmt: skip
            assert mine[0] == mine[1], "those who do not play anew"
    assert in_force(new, violins, 1, SPAN[1] - 1) == in_force(raw, violins, 1, SPAN[1] - 1)
    assert in_force(new, violins, VOLUME, SPAN[1]) == 100
