"""Fuzz target: MIDI files. All readers take a file, or all refuse it with one sentence."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest

from emsync.data.midi import read_midi as read_song
from emsync.errors import InputError
from emsync.formats.midi_check import check
from emsync.formats.smf import read_midi, read_score

TRIALS = int(os.environ.get("EMSYNC_FUZZ_TRIALS", "150"))
REGRESSIONS = sorted((Path(__file__).parent / "regressions" / "midi").iterdir())
READERS: tuple[Callable[[Path], object], ...] = (read_score, read_midi, check)


def seed() -> bytes:
    """Return a file with one of each kind of event."""
    file, rng = mido.MidiFile(type=1, ticks_per_beat=96), np.random.default_rng(0)
    conductor = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="a"),
            mido.MetaMessage("set_tempo", tempo=400_000),
            mido.MetaMessage("time_signature", numerator=3, denominator=4),
            mido.MetaMessage("key_signature", key="Eb"),
            mido.MetaMessage("smpte_offset", frame_rate=25, hours=1),
            mido.MetaMessage("marker", text="CUT 01 00:00:01:00", time=70),
            mido.Message("sysex", data=(126, 127, 9, 1), time=300),
        ]
    )
    file.tracks.append(conductor)
    for channel in (0, 9):
        track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=33)])
        for pitch in rng.integers(30, 90, 12).tolist():
            note = {"channel": channel, "note": pitch}
            track.append(mido.Message("note_on", velocity=90, time=10, **note))
            track.append(mido.Message("control_change", channel=channel, control=7, value=99))
            track.append(mido.Message("pitchwheel", channel=channel, pitch=5))
            track.append(mido.Message("note_off", time=200, **note))
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def read(path: Path) -> bool:
    """Return whether all readers take the file; AssertionError where they differ."""
    reasons = []
    for reader in READERS:
        try:
            reader(path)
        except InputError as error:
            reasons.append(str(error))
    assert len(reasons) in (0, len(READERS)) and len(set(reasons)) < 2
    try:
        read_song(path)
    except InputError:
        pass  # it may be no song
    else:
        assert not reasons
    return not reasons


@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
def test_damaged_midi_files_are_taken_or_refused_by_all(tmp_path: Path) -> None:
    good, rng, path, taken = seed(), np.random.default_rng(1), tmp_path / "a.mid", 0
    for _ in range(TRIALS):
        data = bytearray(good)
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(len(data)))
            match rng.integers(4):
                case 0:
                    del data[at : at + int(rng.integers(1, 9))]
                case 1:
                    data[at:at] = rng.bytes(int(rng.integers(1, 5)))
                case _:
                    data[at] = (int(rng.integers(256)), 0, 127, 128, 255)[int(rng.integers(5))]
        path.write_bytes(data)
        taken += read(path)
    assert TRIALS / 20 < taken < TRIALS


@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.name)
def test_what_once_broke_is_taken_or_refused(path: Path) -> None:
    read(path)
