"""The readers of Lakh Pianoroll and MIDI: what they say of sound files, and of hostile ones."""

import io
import json
import pickle
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from emsync.data.lakh import MOST_SECONDS, read_lakh, read_played_lakh
from emsync.data.midi import read_midi, read_played_midi
from emsync.errors import InputError
from emsync.music.piece import GUITAR, PIANO, program_class

Change = Callable[[dict[str, Any], dict[str, Any]], None]  # of the arrays and the info

SOURCED = ("b97c529ab9ef783a849b896816001748", "1d9d16a9da90c090809c153754823c2b")


def pack(path: Path, arrays: dict[str, Any], info: Any) -> Path:
    """Write arrays (or bytes) and info as pypianoroll does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in arrays.items():
            file = io.BytesIO()
            if not isinstance(value, bytes):
                np.save(file, value)
            archive.writestr(f"{name}.npy", value if isinstance(value, bytes) else file.getvalue())
        archive.writestr("info.json", info if isinstance(info, bytes | str) else json.dumps(info))
    return path


def columns(roll: np.ndarray, track: int) -> dict[str, Any]:
    """Return a (steps, 128) pianoroll in compressed sparse columns."""
    pitch, step = np.nonzero(roll.T)
    stem = f"pianoroll_{track}_csc"
    return {
        f"{stem}_data": roll.T[pitch, step],
        f"{stem}_indices": step.astype(np.int32),
        f"{stem}_indptr": np.searchsorted(pitch, np.arange(129)).astype(np.int32),
        f"{stem}_shape": np.array(roll.shape),
    }


def triad() -> tuple[dict[str, Any], dict[str, Any]]:
    """A piano triad of two beats from step 24 on, then a guitar note; 24 steps a beat, 120 BPM."""
    piano, guitar = np.zeros((240, 128), np.uint8), np.zeros((240, 128), np.uint8)
    piano[24:72, [60, 64, 67]] = 90
    guitar[96:99, 50], guitar[99:102, 50] = 90, 91  # struck again, a little louder
    downbeat = np.zeros(240, bool)
    downbeat[0] = True
    arrays = {"tempo": np.full(240, 120.0), "downbeat": downbeat}
    info = {
        "beat_resolution": 24,
        "name": "triad",
        "1": {"program": 25, "is_drum": False, "name": "g"},
        "0": {"program": 0, "is_drum": False, "name": "p"},
    }
    return {**arrays, **columns(piano, 0), **columns(guitar, 1)}, info


def test_a_run_of_one_velocity_is_a_note_and_a_long_chord_marks_a_boundary(tmp_path: Path) -> None:
    piece = read_lakh(pack(tmp_path / "song.npz", *triad()))
    assert piece.classes.tolist() == [PIANO] * 3 + [GUITAR] * 2
    assert piece.pitches.tolist() == [60, 64, 67, 50, 50]
    assert np.allclose(piece.onsets, [0.5, 0.5, 0.5, 2.0, 2.0625])
    assert np.allclose(piece.offsets, [1.5, 1.5, 1.5, 2.0625, 2.125])
    assert np.allclose(piece.downbeats, [0, 2.0])
    assert np.allclose(piece.chords, [0.5])


def test_both_layouts_of_pypianoroll_say_the_same(tmp_path: Path) -> None:
    old, info = triad()
    new = {**old, "tempo": np.array([[120.0]]), "downbeat": old["downbeat"][:, None]}
    told = {k: v for k, v in info.items() if k != "beat_resolution"} | {"resolution": 24}
    a = read_lakh(pack(tmp_path / "old.npz", old, info))
    for name, arrays in (
        ("columns", new),
        ("bare", {k: v for k, v in new.items() if k not in ("tempo", "downbeat")}),
    ):
        b = read_lakh(pack(tmp_path / f"{name}.npz", arrays, told))
        assert np.allclose(a.onsets, b.onsets) and np.allclose(a.offsets, b.offsets)
        assert np.allclose(a.downbeats, b.downbeats)


def test_time_follows_a_changing_tempo_and_the_last_one_goes_on(tmp_path: Path) -> None:
    arrays, info = triad()
    arrays["tempo"] = np.repeat([120.0, 60.0], [48, 24])
    piece = read_lakh(pack(tmp_path / "song.npz", arrays, info))
    assert np.allclose(piece.onsets[[0, 3]], [0.5, 1.0 + 2.0])


def test_bars_go_on_after_the_last_mark(tmp_path: Path) -> None:
    arrays, info = triad()
    arrays["downbeat"] = np.isin(np.arange(240), [0, 36])  # two marks of a bar of 1.5 beats
    piece = read_lakh(pack(tmp_path / "song.npz", arrays, info))
    assert np.allclose(piece.downbeats, [0, 0.75, 1.5])


def test_silence_before_the_first_bar_is_dropped(tmp_path: Path) -> None:
    arrays, info = triad()
    roll = np.zeros((240, 128), bool)
    roll[200:210, 60] = True
    arrays |= columns(roll, 0) | columns(np.zeros((240, 128), bool), 1)
    piece = read_lakh(pack(tmp_path / "song.npz", arrays, info))
    assert np.allclose(piece.onsets, [8 / 48]) and np.allclose(piece.downbeats, [0])


def drop(*names: str) -> Change:
    def change(arrays: dict[str, Any], info: dict[str, Any]) -> None:
        for name in names:
            arrays.pop(name, None)
            info.pop(name, None)

    return change


def put(name: str, value: Any) -> Change:
    return lambda arrays, _: arrays.update({name: value})


def tell(name: str, value: Any) -> Change:
    return lambda _, info: info.update({name: value})


STEM = "pianoroll_0_csc"
HOSTILE: dict[str, tuple[Change, str]] = {
    "no tracks": (drop("0", "1"), "no notes"),
    "no resolution": (drop("beat_resolution"), "no 'resolution'"),
    "half a pianoroll": (drop(f"{STEM}_indptr"), "track 0 has no whole pianoroll"),
    "negative step": (put(f"{STEM}_indices", np.arange(-1, 143)), "outside its 240"),
    "late step": (put(f"{STEM}_indices", np.arange(144) * 99), "outside its 240"),
    "steps out of order": (put(f"{STEM}_indices", np.arange(144)[::-1]), "out of order"),
    "fractional steps": (put(f"{STEM}_indices", np.arange(144) * 0.5), "no integers"),
    "columns that jump": (put(f"{STEM}_indptr", np.arange(129) * 7), "do not add up"),
    "endless roll": (put(f"{STEM}_shape", np.array([10**9, 128])), "shape .1000000000, 128"),
    "wide roll": (put(f"{STEM}_shape", np.array([240, 129])), "shape .240, 129"),
    "flat roll": (put(f"{STEM}_shape", np.array([240])), "shape .240,."),
    "pickle": (put("tempo", pickle.dumps([120.0])), "tempo is not a plain array"),
    "object array": (put("tempo", np.array([{}], object)), "tempo is not a plain array"),
    "text array": (put("tempo", np.array(["120"])), "tempo is not a plain array"),
    "tempo nan": (put("tempo", np.array([120, np.nan])), "its tempo is not a number"),
    "tempo zero": (put("tempo", np.zeros(240)), "its tempo is not a number"),
    "tempo absent": (put("tempo", np.zeros(0)), "its tempo is not a number"),
    "resolution 0": (tell("beat_resolution", -1), "its resolution is -1"),
    "resolution huge": (tell("beat_resolution", 10**9), "its resolution is 1000000000"),
    "resolution inf": (tell("beat_resolution", float("inf")), "Infinity is not a finite number"),
    "track no object": (tell("0", "piano"), "string indices"),
    "no program": (tell("0", {"is_drum": False}), "no 'program'"),
    "program 300": (tell("0", {"program": 300, "is_drum": False}), "track 0 has program 300"),
    "lying header": (
        put("tempo", b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, "
            b"'shape': (999999999,), }" + bytes(8)),
        "tempo",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    change, reason = HOSTILE[name]
    arrays, info = triad()
    change(arrays, info)
    with pytest.raises(InputError, match=reason):
        read_lakh(pack(tmp_path / "song.npz", arrays, info))


@pytest.mark.parametrize("info", [b"[1, 2]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"resolution":'])
def test_info_that_is_no_object_is_refused(info: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Lakh Pianoroll file"):
        read_lakh(pack(tmp_path / "song.npz", triad()[0], info))


def test_what_is_no_zip_or_half_of_one_is_refused(tmp_path: Path) -> None:
    whole = pack(tmp_path / "song.npz", *triad()).read_bytes()
    for content in (b"", b"hello", whole[:-200], whole[:300] + whole[320:]):
        (tmp_path / "song.npz").write_bytes(content)
        with pytest.raises(InputError, match="not a Lakh Pianoroll file"):
            read_lakh(tmp_path / "song.npz")
    with pytest.raises(InputError, match="there is no file"):
        read_lakh(tmp_path / "none.npz")


def bombs() -> dict[str, bytes]:
    """Zips of 48 MB of zeros: in one big member, in many, and in one that lies of its size."""
    zeros = bytes(2**20)
    files: dict[str, bytes] = {}
    for name, members, megabytes in (("big", 1, 48), ("many", 48, 1), ("lying", 1, 48)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for i in range(members):
                with archive.open("tempo.npy" if i == 0 else f"{i}.npy", "w") as file:
                    for _ in range(megabytes):
                        file.write(zeros)
            archive.writestr("info.json", json.dumps(triad()[1]))
        files[name] = packed.getvalue()
    true = struct.pack("<I", 48 * 2**20)
    files["lying"] = files["lying"].replace(true, struct.pack("<I", 1000))
    return files


def test_a_zip_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    for name, content in bombs().items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(InputError, match="not a Lakh Pianoroll file"):
            read_lakh(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 * 2**20, f"{name}: {peak} bytes"


def test_every_damaged_file_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    sound = pack(tmp_path / "song.npz", *triad()).read_bytes()
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "song.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    path, refused = tmp_path / "damaged.npz", 0
    for trial in range(300):
        if trial % 2:
            content = bytearray(sound)
            content[rng.integers(len(content))] = rng.integers(256)
            path.write_bytes(content)
        else:
            with zipfile.ZipFile(path, "w") as out:
                hit = rng.choice(list(members))
                for name, data in members.items():
                    content = bytearray(data)
                    if name == hit:
                        content[rng.integers(len(content))] = rng.integers(256)
                    out.writestr(name, bytes(content))
        try:
            read_lakh(path)
        except InputError:
            refused += 1
    assert 50 < refused < 300


def midi(*events: bytes, division: int = 480) -> bytes:
    """Return a MIDI file of one track."""
    track = b"".join(events) + b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, division)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


NOTE = b"\x00\x90\x3c\x50\x60\x80\x3c\x00"  # a fifth of a beat
LONG = b"\x00\x90\x3c\x50\x83\xff\xff\x7f\x80\x3c\x00"  # two hours

METRE = b"\x00\xff\x58\x04"

ODD = {
    "no notes": (midi(), "no notes"),
    "two hours": (midi(LONG), f"a song has at most {MOST_SECONDS:.0f}"),
    "no ticks": (midi(NOTE, division=0), "no ticks"),
    "one tick": (midi(LONG, division=1), "hours, and 4 are the most"),
    "many bars": (midi(METRE, b"\x01\x02\x18\x08", LONG, division=400), "more than 20000 bars"),
    "half": (midi(NOTE * 9)[:40], "broken MIDI file"),
    "text": (b"hello", "not a MIDI file"),
    "nothing": (b"", "not a MIDI file"),
}


@pytest.mark.parametrize("name", ODD)
def test_midi_that_is_no_song_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    content, reason = ODD[name]
    (tmp_path / "song.mid").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_midi(tmp_path / "song.mid")


def test_midi_is_read_from_its_start(tmp_path: Path) -> None:
    (tmp_path / "song.mid").write_bytes(midi(b"\x00\x90\x3c\x50\x81\x70\x80\x3c\x00"))
    piece = read_midi(tmp_path / "song.mid")
    assert np.allclose([piece.onsets[0], piece.offsets[0]], [0.0, 0.25])


def test_onsets_equal_a_plain_reading_by_pypianoroll_within_a_millisecond(shared: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pypianoroll = pytest.importorskip("pypianoroll")
    files = sorted((shared / "corpus" / "lpd-samples").rglob("*.npz"))
    assert len(files) == 21
    for path in files[::3]:
        song = pypianoroll.load(path)
        tempo = np.resize(song.tempo.ravel(), max(len(t.pianoroll) for t in song.tracks))
        clock = np.append(0, np.cumsum(60 / tempo / song.resolution))
        notes = []
        for track in song.tracks:
            kind = program_class(track.program, track.is_drum)
            roll = track.pianoroll.astype(int)
            for pitch in range(21, 109) if kind is not None else ():
                begins = np.diff(roll[:, pitch], prepend=0) != 0
                steps = np.flatnonzero(begins & (roll[:, pitch] > 0))
                notes += [(kind, pitch, clock[step]) for step in steps]
        piece = read_lakh(path)
        twin = np.array(sorted(notes))
        ours = np.array(sorted(zip(piece.classes, piece.pitches, piece.onsets, strict=True)))
        assert len(ours) == len(twin), path
        assert np.array_equal(ours[:, :2], twin[:, :2]), path
        shift = np.median(twin[:, 2] - ours[:, 2])
        assert np.abs(twin[:, 2] - ours[:, 2] - shift).max() < 0.001, path


@pytest.mark.parametrize("stem", SOURCED)
def test_onsets_stand_where_the_format_rounded_the_source_midi_to(stem: str, shared: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pretty_midi = pytest.importorskip("pretty_midi")
        samples = shared / "corpus" / "lpd-samples"
        midi = pretty_midi.PrettyMIDI(str(next((samples / "lmd-midi").rglob(f"{stem}.mid"))))
    step = midi.resolution // 24  # ticks in a step of the format, which rounds down
    source: dict[tuple[int, int], list[int]] = {}
    for instrument in midi.instruments:
        kind = program_class(instrument.program, instrument.is_drum)
        if kind is None:
            continue
        for note in instrument.notes:
            source.setdefault((kind, note.pitch), []).append(midi.time_to_tick(note.start))
    piece = read_lakh(next((samples / "lpd_cleansed").rglob(f"{stem}.npz")))
    first = midi.tick_to_time(int(min(min(ticks) for ticks in source.values())))
    shift = max(bar for bar in midi.get_downbeats() if bar <= first + 1e-6)
    explained = []
    for kind, pitch, onset in zip(piece.classes, piece.pitches, piece.onsets, strict=True):
        grid = round(midi.time_to_tick(onset + shift) / step) * step
        assert abs(midi.tick_to_time(grid) - shift - onset) < 0.001
        late = np.subtract(source[kind, pitch], grid)
        assert np.abs(late).min() <= step
        explained.append(((late >= 0) & (late <= step)).any())  # a whole step: rounding errors
    assert np.mean(explained) > 0.99  # the rest is struck where the same key still sounds


def test_velocities_and_tracks_are_read_beside_the_notes(tmp_path: Path) -> None:
    arrays, info = triad()
    song = read_played_lakh(pack(tmp_path / "song.npz", arrays, info))
    assert song.velocities.tolist() == [90, 90, 90, 90, 91]
    assert len(set(song.tracks[:3].tolist())) == 1 and song.tracks[0] != song.tracks[3]
    assert song.piece.classes.tolist() == [3, 3, 3, 2, 2]


def test_velocities_of_midi_are_those_of_its_tracks(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    for channel, velocity in ((0, 40), (1, 100)):
        track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=0)])
        for pitch in (60 + channel, 72):
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=480))
        file.tracks.append(track)
    file.save(tmp_path / "song.mid")
    song = read_played_midi(tmp_path / "song.mid")
    assert song.piece.pitches[:2].tolist() == [60, 61]
    assert song.velocities.tolist()[:2] == [40, 100]
    assert sorted(song.tracks.tolist()) == [0, 0, 1, 1]
