"""The file keeps its contract, any reader hears the same, and the check names what is broken."""

import random
import re
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symusic.core import ScoreSecond

from emsync.analysis import Cut
from emsync.errors import InputError, UsageError
from emsync.fit.hits import fit
from emsync.fit.time_map import Fitted
from emsync.formats.chord_events import chord_data, chord_of, is_chord
from emsync.formats.labels import ScoreLabels, SectionLabel, TimedText
from emsync.formats.midi import to_midi, write_midi
from emsync.formats.midi_check import check
from emsync.formats.midi_raw import read_raw
from emsync.formats.smf import MOST_BYTES, read_midi
from emsync.music.bars import TICKS
from emsync.music.chords import chord_name
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.music.tonality import KEYS, estimate_key
from emsync.options import Sync
from emsync.performance.dynamics import Dynamics
from emsync.performance.performance import Performance, perform
from emsync.video.timecode import NTSC, Timecode

RATE = Fraction(25)
fresh = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)


def band(seed: int, bpm: float = 104.0, length: float = 60.0) -> Piece:
    """Five instruments on the 8 ms grid, with rests, re-struck notes, and a lead-in."""
    rng, beat = np.random.default_rng(seed), 60 / bpm
    rows = []
    for time in np.arange(0, length, beat / 2):
        for part in (DRUMS, BASS, GUITAR, PIANO, STRINGS):
            if rng.random() < 0.4:
                chord = rng.choice(np.arange(48, 72), rng.integers(1, 4), replace=False)
                rows += [(part, pitch, time, time + rng.uniform(0.05, 1.5)) for pitch in chord]
    notes = np.array(rows)
    notes[:, 2:] = np.round(notes[:, 2:] / 0.008) * 0.008
    downbeats = np.arange(beat * rng.integers(0, 4), length, 4 * beat)
    chords = np.unique(rng.choice(notes[:, 2], 8))
    return Piece.of(notes, np.round(downbeats / 0.008) * 0.008, chords)


def cuts_in(seed: int, duration: float) -> list[Cut]:
    rng = np.random.default_rng(seed)
    times = np.round(np.cumsum(rng.uniform(4, 10, int(duration))) * 25) / 25
    return [Cut(float(t), float(rng.random())) for t in times if t < duration - 0.2]


def fitted_band(seed: int = 1, duration: float = 50.0, **options: float) -> Fitted:
    return fit(band(seed, **options), cuts_in(seed, duration), duration, rate=RATE)


def performed(performance: Performance) -> Piece:
    """Return the notes of the parts as a piece."""
    rows = [
        np.stack([np.full(len(p.pitches), p.player.instrument), p.pitches, p.onsets, p.offsets], 1)
        for p in performance.parts
    ]
    return Piece.of(np.concatenate(rows))


def columns(piece: Piece) -> np.ndarray:
    """Return (N, 4) rows of class, pitch, onset, offset as they sound: struck again is cut off."""
    rows = np.stack([piece.classes, piece.pitches, piece.onsets, piece.offsets], axis=1)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))].astype(float)
    again = (np.diff(rows[:, :2], axis=0) == 0).all(axis=1)
    rows[:-1, 3] = np.where(again, np.minimum(rows[:-1, 3], rows[1:, 2]), rows[:-1, 3])
    return rows


def others(path: Path) -> np.ndarray:
    """Return the same rows as symusic reads them."""
    rows = []
    for track in ScoreSecond(path).tracks:
        part = DRUMS if track.is_drum else CLASSES.index(track.name.lower())
        rows += [(part, n.pitch, n.start, n.end) for n in track.notes]
    table = np.array(rows, float)
    return table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]


@pytest.fixture
def score(tmp_path: Path) -> Path:
    path = tmp_path / "score.mid"
    write_midi(path, perform(fitted_band()), ScoreLabels(rate=RATE))
    return path


@fresh
@given(
    seed=st.integers(0, 10**6),
    bpm=st.floats(50, 200),
    duration=st.floats(8, 60),
    fade=st.sampled_from([0.0, 3.0]),
)
def test_notes_read_back_within_two_milliseconds_and_the_contract_holds(
    tmp_path: Path, seed: int, bpm: float, duration: float, fade: float
) -> None:
    fitted = fitted_band(seed, duration, bpm=bpm)
    path = tmp_path / "score.mid"
    performance = perform(fitted, Dynamics(fade=fade))
    write_midi(path, performance, ScoreLabels(rate=RATE))
    wanted = columns(performed(performance))
    ticks = fitted.tempo_map.ticks  # what begins with the end does not sound
    wanted = wanted[ticks(wanted[:, 2]) < ticks(np.array([duration]))]
    for rows in (columns(read_midi(path)), others(path)):
        assert np.array_equal(rows[:, :2], wanted[:, :2])
        assert np.abs(rows[:, 2:] - wanted[:, 2:]).max() <= 2e-3
    report = check(path)
    assert report.ok, report.errors
    assert report.facts["duration"] == pytest.approx(duration, abs=1.3 / TICKS)


@pytest.mark.parametrize("bpm", [63.7, pytest.param(141.3, marks=pytest.mark.slow)])
def test_rounding_does_not_add_up_over_ten_minutes(tmp_path: Path, bpm: float) -> None:
    fitted = fitted_band(3, 600.0, bpm=bpm, length=640.0)
    path = tmp_path / "score.mid"
    write_midi(path, performance := perform(fitted))
    rows, wanted = columns(read_midi(path)), columns(performed(performance))
    assert np.abs(rows[:, 2:] - wanted[:, 2:]).max() <= 2e-3
    assert check(path).facts["duration"] == pytest.approx(600, abs=1.3 / TICKS)


@given(st.lists(st.floats(0, 30), max_size=80), st.lists(st.floats(0, 30), max_size=40))
@settings(deadline=None)
def test_whatever_the_bars_the_contract_holds(onsets: list[float], lines: list[float]) -> None:
    notes = np.array([(i % 5, 40 + i % 7, t, t + 0.3) for i, t in enumerate(onsets)])
    piece = Piece.of(notes, np.array(lines), np.array(onsets[:3]))
    fitted = fit(piece, [Cut(5.0), Cut(11.0), Cut(17.0, 0.3)], 24.0)
    file = to_midi(perform(fitted))
    ends = [sum(message.time for message in track) for track in file.tracks]
    assert len(set(ends)) == 1
    assert abs(fitted.tempo_map.seconds(np.array(ends))[0] - 24.0) <= 2e-3
    for track in file.tracks[1:]:
        sounding: set[int] = set()
        for message in track:
            if message.type == "note_on":
                assert message.note not in sounding
                sounding.add(message.note)
            elif message.type == "note_off":
                sounding.remove(message.note)
        assert not sounding


@pytest.mark.parametrize("sync", ["chord", "downbeat", "beat", "off"])
def test_the_contract_holds_at_every_level_of_sync(tmp_path: Path, sync: Sync) -> None:
    for seed in range(3):
        fitted = fit(band(seed), cuts_in(seed, 50.0), 50.0, sync)
        write_midi(tmp_path / "score.mid", perform(fitted))
        assert check(tmp_path / "score.mid").ok


def test_the_same_music_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid"):
        faded = perform(fitted_band(7), Dynamics(fade=2.0))
        write_midi(tmp_path / name, faded, ScoreLabels(rate=RATE))
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


@pytest.mark.slow
def test_four_readers_hear_the_same_notes_tempi_and_end(score: Path) -> None:
    mine = columns(read_midi(score))
    onsets, tempi = np.sort(mine[:, 2]), mido.MidiFile(score).tracks[0]
    changes = sum(message.type == "set_tempo" for message in tempi)

    pretty_midi = pytest.importorskip("pretty_midi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pretty = pretty_midi.PrettyMIDI(str(score))
        import music21
        import muspy

        muse = muspy.read_midi(str(score))
        stream = music21.converter.parse(str(score), quantizePost=False)
    assert isinstance(stream, music21.stream.Score)
    heard = np.sort([note.start for part in pretty.instruments for note in part.notes])
    assert np.abs(heard - onsets).max() < 1e-4
    assert len(pretty.get_tempo_changes()[0]) == changes
    assert [part.is_drum for part in pretty.instruments] == [True] + [False] * 4

    starts = read_grid(score)
    heard = np.sort(starts([note.time for track in muse.tracks for note in track.notes]))
    assert np.abs(heard - onsets).max() < 1e-4
    assert muse.resolution == TICKS and len(muse.tempos) == changes

    # music21 writes a note across a bar line as two, tied, but for percussion it forgets the tie
    quarters = [
        float(sound.offset)
        for part in stream.parts
        if part.partName != "Drums"
        for sound in part.flatten().notes
        for note in getattr(sound, "notes", [sound])
        if note.tie is None or note.tie.type == "start"
    ]
    heard = np.sort(starts([round(quarter * TICKS) for quarter in quarters]))
    assert np.abs(heard - np.sort(mine[mine[:, 0] != DRUMS, 2])).max() < 1e-4


def read_grid(path: Path) -> Callable[[list[float]], np.ndarray]:
    """Return the seconds of ticks by mido's own arithmetic."""
    changes, tick = [], 0
    for message in mido.MidiFile(path).tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            changes.append((tick, message.tempo))

    def seconds(ticks: list[float]) -> np.ndarray:
        edges = np.array([t for t, _ in changes] + [10**9])
        speeds = np.array([tempo for _, tempo in changes]) / 1e6 / TICKS
        return np.array(
            [(np.clip(t - edges[:-1], 0, np.diff(edges)) * speeds).sum() for t in ticks]
        )

    return seconds


def test_a_marker_stands_on_every_cut_with_its_timecode(tmp_path: Path) -> None:
    rate = 30 * NTSC
    start = Timecode.parse("00:59:58;00", rate)
    cuts = [Cut(4.0), Cut(9.0, kept=False), Cut(70.0)]
    fitted = fit(band(2, length=90.0), cuts, 80.0, rate=rate)
    path = tmp_path / "score.mid"
    labels = ScoreLabels("Le Été", rate, start, (TimedText(0, "émotion: joy"),))
    write_midi(path, perform(fitted), labels)
    conductor, tick = mido.MidiFile(path).tracks[0], 0
    marks, texts = [], []
    for message in conductor:
        tick += message.time
        if message.type == "marker":
            marks.append((message.text, float(fitted.tempo_map.seconds(np.array([tick]))[0])))
        if message.type == "text":
            texts.append(message.text)
    assert [text for text, _ in marks] == [
        "CUT 01 01:00:02;00",
        "cut 01:00:07;00",  # kept cuts alone are numbered, in all files of a score
        "CUT 02 01:01:08;00",
    ]
    assert [time for _, time in marks] == pytest.approx([4.0, 9.0, 70.0], abs=2e-3)
    assert conductor[0].name == "Le Ete" and "emotion: joy" in texts
    assert (
        "SCENE 02 on a chord" in texts
        or "SCENE 02 on a beat" in texts
        or any(text.startswith("SCENE 02") for text in texts)
    )
    (offset,) = [message for message in conductor if message.type == "smpte_offset"]
    assert (offset.hours, offset.minutes, offset.seconds, offset.frames) == (0, 59, 58, 0)
    assert offset.frame_rate == 29.97
    assert check(path).ok


def test_each_instrument_that_plays_has_its_track_and_channel(score: Path) -> None:
    file = mido.MidiFile(score)
    assert file.type == 1 and file.ticks_per_beat == 480
    names = [track.name for track in file.tracks]
    assert names == ["emsync", "Drums", "Bass", "Guitar", "Piano", "Strings"]
    for track, name in zip(file.tracks[1:], names[1:], strict=True):
        (channel,) = {message.channel for message in track if not message.is_meta}
        assert (channel == 9) == (name == "Drums")
        assert track[1].type == "instrument_name" and track[1].name == name.lower()
        kinds = [message.type for message in (track[0], *track[2:5])]
        assert kinds == ["track_name", "program_change", "control_change", "control_change"]


def test_bars_are_the_bars_of_the_music_under_a_steady_tempo(tmp_path: Path, piece: Piece) -> None:
    path = tmp_path / "score.mid"
    write_midi(path, perform(fit(piece, [], 15.5)))
    facts = check(path).facts
    assert facts["tempo_range"] == [120.0, 120.0] and facts["time_signatures"] == ["4/4"]
    assert read_midi(path).downbeats == pytest.approx(piece.downbeats)
    assert read_midi(path).chords == pytest.approx(piece.chords)


def test_a_fade_sinks_to_silence_at_the_end() -> None:
    file = to_midi(perform(fitted_band(), Dynamics(fade=3.0)))
    for track in file.tracks[1:]:
        ramp = [m.value for m in track if m.type == "control_change" and m.control == 11]
        assert ramp[-1] == 0 and ramp[-64:] == sorted(ramp[-64:], reverse=True)
        assert max(ramp) == 96 or track.name == "Strings"


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_a_scale_with_its_triads_is_found(tonic: int) -> None:
    degrees = [0, 2, 4, 5, 7, 9, 11, 12, 0, 4, 7, 12, 7, 4, 0, 5, 9, 7, 11, 0]
    rows = [(PIANO, 48 + tonic + d, i / 2, i / 2 + 0.5) for i, d in enumerate(degrees)]
    assert estimate_key(Piece.of(np.array(rows))) == KEYS[tonic]


def test_an_unclear_key_is_not_named() -> None:
    rows = [(PIANO, 48 + pitch, pitch, pitch + 1) for pitch in range(12)]
    assert estimate_key(Piece.of(np.array(rows))) is None
    assert estimate_key(Piece.of(np.zeros((0, 4)))) is None


def test_a_start_of_another_rate_is_refused() -> None:
    with pytest.raises(UsageError, match="counts 24 frames a second, the video 25"):
        ScoreLabels(rate=RATE, start=Timecode(0, Fraction(24)))


SECTIONS = (
    SectionLabel(0.0, "joy, C major, drums bass guitar piano strings", "A"),
    SectionLabel(20.0, "fear, C minor, strings", "B"),
)
CHORDS = (
    TimedText(0.0, "C"), TimedText(4.0, "F#m7"), TimedText(8.0, "Bbsus4"), TimedText(20.0, "N"),
    TimedText(50.0, "G7"),
)  # fmt: skip


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    """The score of a plan."""
    path = tmp_path / "planned.mid"
    labels = ScoreLabels(rate=RATE, sections=SECTIONS, chords=CHORDS)
    write_midi(path, perform(fitted_band()), labels)
    return path


def test_chord_symbols_and_sections_are_read_back_where_they_are(planned: Path) -> None:
    report, contents = check(planned), read_raw(planned)
    assert report.ok and not report.warnings, report
    assert report.facts["chord_symbols"] == 4 and report.facts["sections"] == 2  # none at the end
    ticks, names = zip(*contents.chords(), strict=True)
    assert names == ("C", "F#m7", "Bbsus4", "N")
    assert contents.seconds(ticks) == pytest.approx([0.0, 4.0, 8.0, 20.0], abs=0.03)
    texts = [(tick, message.text) for tick, _, message in contents.events("text")]
    assert set(zip(ticks, names, strict=True)) <= set(texts)
    assert [words for _, _, words in contents.sections()] == [s.text for s in SECTIONS]
    assert (0, "SECTION 01 A: joy, C major, drums bass guitar piano strings") in texts


def test_the_key_of_the_plan_is_the_signature(tmp_path: Path) -> None:
    fitted = fitted_band()
    for key in KEYS[::4]:
        write_midi(tmp_path / "a.mid", perform(fitted), ScoreLabels(key=key))
        assert check(tmp_path / "a.mid").facts["key"] == key


@pytest.mark.parametrize("name", [chord_name(number) for number in (*range(84), -1)])
def test_every_chord_has_an_event_that_says_it(name: str) -> None:
    data = chord_data(name)
    assert is_chord(data) and len(data) == 7 and max(data) < 128 and chord_of(data) == name


def test_chord_symbols_on_an_eighth_stand_on_its_line(tmp_path: Path) -> None:
    fitted = fitted_band()
    beats = fitted.tempo_map.starts[[8, 12]] / 1e6
    chords = (TimedText(float(beats[0]) + 0.004, "Am"), TimedText(float(beats[1]) - 0.004, "G"))
    write_midi(tmp_path / "a.mid", perform(fitted), ScoreLabels(rate=RATE, chords=chords))
    assert [tick for tick, _ in read_raw(tmp_path / "a.mid").chords()] == [8 * TICKS, 12 * TICKS]


def change_chord(file: mido.MidiFile) -> None:
    at = first(file.tracks[0], "sequencer_specific")
    file.tracks[0][at].data = (0x43, 0x7B, 1, 0x31, 0x70, 0x7F, 0x7F)


def late_chord(file: mido.MidiFile) -> None:
    meta = mido.MetaMessage("sequencer_specific", data=chord_data("C"), time=0)
    file.tracks[2].insert(-1, meta.copy(time=10**6))


def say(file: mido.MidiFile, before: str, after: str) -> None:
    for message in file.tracks[0]:
        if message.type == "text":
            message.text = message.text.replace(before, after)


def unname(file: mido.MidiFile, track: int) -> None:
    """Without an instrument name, a track of ours is known by its name as those of others are."""
    drop(file, track, "instrument_name")
    file.tracks[track][0].name = "Violins"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_chord, "1 chord symbol of no chord, the first at 0.000 s"),
        (late_chord, "chord symbol or section after the end"),
        (lambda f: say(f, "SECTION 02", "SECTION 04"), "the sections are numbered 1, 4, not one"),
        (lambda f: say(f, "SECTION 01 A: ", "section"), "the sections are numbered 2, not one"),
        (lambda f: say(f, "F#m7", "Xyz"), "no text beside the chord symbol F#m7 at .* names it"),
        (lambda f: say(f, "drums ", ""), "drums plays, but no section names it"),
        (lambda f: unname(f, 5), "a section names strings, but no track plays it"),
    ],
)
def test_what_is_wrong_with_chords_and_sections_is_named(
    planned: Path, change: Callable[[mido.MidiFile], None], words: str
) -> None:
    file = mido.MidiFile(planned)
    change(file)
    file.save(planned)
    report = check(planned)
    found = [*report.errors, *report.warnings]
    assert any(re.search(words, text) for text in found), found


def spoil(score: Path, change: Callable[[mido.MidiFile], None]) -> list[str]:
    """Return the errors of ``score`` after ``change``."""
    file = mido.MidiFile(score)
    change(file)
    path = score.with_name("spoilt.mid")
    file.save(path)
    return check(path).errors


def first(track: mido.MidiTrack, kind: str) -> int:
    return next(i for i, message in enumerate(track) if message.type == kind)


def drop(file: mido.MidiFile, track: int, kind: str) -> None:
    messages = file.tracks[track]
    at = first(messages, kind)
    messages[at + 1].time += messages.pop(at).time


def drums_on_another_channel(file: mido.MidiFile) -> None:
    for message in file.tracks[1]:
        if not message.is_meta:
            message.channel = 5


def strike_twice(file: mido.MidiFile) -> None:
    track = file.tracks[2]
    at = first(track, "note_on")
    track.insert(at + 1, track[at].copy(time=0))


def play_on(file: mido.MidiFile) -> None:
    file.tracks[3][-1].time += 480
    file.tracks[3].insert(-1, mido.Message("note_on", channel=1, note=60, velocity=9))
    file.tracks[3].insert(-1, mido.Message("note_off", channel=1, note=60, time=900))


def add_tempo(file: mido.MidiFile) -> None:
    message = mido.MetaMessage("set_tempo", tempo=500_000, time=100)
    at = first(file.tracks[0], "marker")
    file.tracks[0].insert(at, message)


def tempo_elsewhere(file: mido.MidiFile) -> None:
    file.tracks[1].insert(0, mido.MetaMessage("set_tempo", tempo=500_000))


def last_tempo(file: mido.MidiFile) -> None:
    conductor = file.tracks[0]
    for track in file.tracks[1:]:
        del track[len(track) // 2 :]
    conductor.insert(-1, mido.MetaMessage("set_tempo", tempo=400_000))


def shift_marker(file: mido.MidiFile) -> None:
    at = first(file.tracks[0], "marker")
    file.tracks[0][at].text = "CUT 01 00:00:00:01"


def rename(file: mido.MidiFile) -> None:
    file.tracks[2].name = "Баян".encode().decode("latin-1")


def shared_channel(file: mido.MidiFile) -> None:
    for message in file.tracks[3]:
        if not message.is_meta:
            message.channel = 0


def leave_the_pedal_down(file: mido.MidiFile) -> None:
    pedal = [mido.Message("control_change", channel=2, control=64, value=v) for v in (0, 127)]
    file.tracks[3][-1:-1] = pedal


def shorten(file: mido.MidiFile) -> None:
    file.tracks[0][-1].time -= 40


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: drop(f, 2, "note_off"), "without a note-off|while the same pitch sounds"),
        (strike_twice, "struck while the same pitch sounds"),
        (drums_on_another_channel, "is drums, but plays on channel 6 instead of 10"),
        (play_on, "after the conductor"),
        (add_tempo, "tempo event.* between beats"),
        (tempo_elsewhere, "1 tempo event outside track 0"),
        (last_tempo, "no note or controller after the last tempo"),
        (lambda f: drop(f, 0, "set_tempo"), "no tempo at the beginning"),
        (lambda f: drop(f, 0, "time_signature"), "no time signature at the beginning"),
        (lambda f: drop(f, 2, "program_change"), r"'Bass'\) sets no program at the beginning"),
        (lambda f: drop(f, 2, "track_name"), "track 2 has no name"),
        (lambda f: f.tracks.append(mido.MidiTrack()), "track 6 is empty"),
        (rename, "letters beyond ASCII"),
        (shared_channel, "channel 1 is shared by"),
        (shift_marker, "the marker 'CUT 01 00:00:00:01' stands at"),
        (leave_the_pedal_down, r"pedal of track 3 \('Guitar'\), on channel 3, is down from"),
        (shorten, "the file ends at .* s, the video at 50.000 s"),
    ],
)
def test_what_is_broken_is_named(
    score: Path, change: Callable[[mido.MidiFile], None], words: str
) -> None:
    assert check(score).ok
    errors = spoil(score, change)
    assert any(re.search(words, error) for error in errors), errors


def test_a_missing_end_of_track_is_named(score: Path) -> None:
    data = score.read_bytes()
    assert data.endswith(b"\xff\x2f\x00")
    score.write_bytes(data[:-3] + b"\xff\x01\x00")  # an empty text in its place
    assert any("has no end-of-track" in error for error in check(score).errors)


def test_the_duration_can_be_asked_for(score: Path) -> None:
    assert any("the video at 49.000 s" in error for error in check(score, 49.0).errors)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), cut=st.floats(0, 1))
def test_damage_is_a_sentence_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: float
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "score.mid"
    write_midi(path, perform(fitted_band(1, 8.0, length=9.0)))
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 12)):
        data[rng.randrange(4, len(data))] = rng.randrange(256)
    path.write_bytes(data[: 14 + int(cut * len(data))])
    try:
        report = check(path)
        read_midi(path)
    except InputError as refusal:
        reason = str(refusal)
    else:
        assert report.to_json()["ok"] == report.ok
        return
    assert str(path) in reason


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with 'MThd'"),
        (b"a text", "does not begin with 'MThd'"),
        (b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0", "broken MIDI file: it holds no track"),
        (b"MThd\x00\x00\x00\x06\x00\x01\x00\x00\xff\x28", "40 ticks in each of 1 frames"),
        (b"MThd\x00\x00\x00\x06\x00\x01\x00\x00\x00\x00", "it has no ticks in a beat"),
        (bytes(MOST_BYTES + 1), "more than 33554432 bytes"),
    ],
)
def test_what_is_no_score_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "file.mid"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        check(path)
    with pytest.raises(InputError, match="cannot read"):
        check(tmp_path)


def test_real_files_are_checked_without_a_crash(shared: Path) -> None:
    files = sorted((shared / "corpus" / "multitrack").rglob("*.mid"))[::50]
    assert len(files) > 3
    for path in files:
        report = check(path)
        assert report.facts["notes"] > 0 and not report.ok
