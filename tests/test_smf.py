"""One reader of MIDI: what plays is repaired with a remark, all else is refused by everyone."""

import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from emsync.data.midi import read_midi as read_song
from emsync.errors import EmsyncWarning, InputError
from emsync.formats.midi_check import check
from emsync.formats.smf import read_midi, read_score
from emsync.formats.smf_repair import MOST_EVENTS, repair


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack(">I", len(body) if size is None else size) + body


END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x00"  # a beat of middle C
TRACK = chunk(b"MTrk", NOTE + END)
METRE, TEMPO = b"\x00\xff\x58\x04", b"\x00\xff\x51\x03"


def midi(
    *chunks: bytes, kind: int = 1, count: int | None = None, division: int = 480, more: bytes = b""
) -> bytes:
    tracks = len(chunks) if count is None else count
    return chunk(b"MThd", struct.pack(">HHH", kind, tracks, division) + more) + b"".join(chunks)


def events(*events: bytes) -> bytes:
    return midi(chunk(b"MTrk", b"".join(events) + END))


GOOD = midi(TRACK)
REPAIRED = {
    "XF": (midi(TRACK, chunk(b"XFIH", b"abc"), count=1), "XFIH"),
    "chunk first": (midi(chunk(b"XFKM", b"abc"), TRACK, count=1), "XFKM"),
    "counts more": (midi(TRACK, count=3), "1 tracks where its header counts 3"),
    "counts fewer": (midi(TRACK, TRACK, count=1), "2 tracks where its header counts 1"),
    "format 0 of two": (midi(TRACK, TRACK, kind=0), "the format 0"),
    "format 9": (midi(TRACK, kind=9), "the format 9"),
    "long header": (midi(TRACK, more=b"abcd"), "a header of 10 bytes"),
    "length too short": (midi(chunk(b"MTrk", NOTE + END, 7)), "longer than it says"),
    "length short of its end": (midi(chunk(b"MTrk", NOTE + END, 11)), "than it says"),
    "length too long": (midi(chunk(b"MTrk", NOTE + END, 99)), "another length"),
    "long, and another track": (midi(chunk(b"MTrk", NOTE + END, 15), TRACK), "another length"),
    "events after the end": (midi(chunk(b"MTrk", NOTE + END + NOTE)), "after the end of a track"),
    "no end": (midi(chunk(b"MTrk", NOTE)), "without an end"),
    "no end, another track": (midi(chunk(b"MTrk", NOTE), TRACK), "without an end"),
    "bytes after": (GOOD + b"\0" * 50, "bytes between or after"),
    "bytes between": (midi(TRACK + b"\0" * 3, TRACK), "bytes between or after"),
    "clock between": (events(b"\x00\xf8", NOTE), "only a cable has"),
    "clock within": (events(b"\x00\x90\xf8\x3c\x50\x83\x60\x80\x3c\xfe\x00"), "only a cable has"),
    "position": (events(b"\x00\xf2\x01\x02", NOTE), "only a cable has"),
    "RMID": (b"RIFF" + struct.pack("<I", 12 + len(GOOD)) + b"RMIDdata"
             + struct.pack("<I", len(GOOD)) + GOOD, "a RIFF file around it"),
    "SMPTE": (midi(TRACK, division=0xE728), "25 frames a second"),
    "drop frames": (midi(TRACK, division=0xE350), "29 frames a second"),
    "velocity 200": (events(b"\x00\x90\x3c\xc8\x83\x60\x80\x3c\x00"), "above 127"),
    "no tempo": (events(TEMPO, b"\0\0\0", NOTE), "lasts nothing"),
    "short tempo": (events(b"\x00\xff\x51\x01\x07", NOTE), "a tempo of 1 bytes"),
    "1/2^20": (events(METRE, b"\x01\x14\x18\x08", NOTE), "1/2\\^20"),
    "0/4": (events(METRE, b"\x00\x02\x18\x08", NOTE), "0/2\\^2"),
    "key": (events(b"\x00\xff\x59\x02\x0f\x00", NOTE), "key signature"),
    "SMPTE offset": (events(b"\x00\xff\x54\x05\xff\0\0\0\0", NOTE), "SMPTE offset"),
}  # fmt: skip
PLAIN = {  # without a word
    "running status": events(b"\x00\x90\x3c\x50\x83\x60\x3c\x00"),
    "running past a text": events(b"\x00\x90\x3c\x50\x00\xff\x01\x01a\x83\x60\x3c\x00"),
    "sysex": events(b"\x00\xf0\x03\x7e\x7f\xf7", b"\x00\xf7\x02\xff\x99", NOTE),
    "format 2": midi(TRACK, kind=2),
    "unknown meta": events(b"\x00\xff\x60\x02ab", NOTE),
    "Shift-JIS": events(b"\x00\xff\x03\x04\x83\x65\x83\x58", NOTE),
}
TICKS = b"\xff\xff\xff\x7f"  # the longest wait
REFUSED = {
    "no ticks": (midi(TRACK, division=0), "no ticks in a beat"),
    "odd SMPTE": (midi(TRACK, division=0xFF28), "40 ticks in each of 1 frames"),
    "no track": (midi(), "no track"),
    "short header": (chunk(b"MThd", b"\0\1\0\1") + TRACK, "its header has 4 bytes"),
    "cut in a track": (GOOD[:-5], "ends within a track"),
    "cut in an event": (GOOD[:-10], "ends within a track"),
    "cut by a track": (midi(chunk(b"MTrk", NOTE[:-1]), TRACK), "ends within an event"),
    "no status": (events(b"\x00\x3c\x50"), "does not say what it is"),
    "five bytes": (events(b"\xff" + TICKS[:-1] + NOTE), "more than four bytes"),
    "long text": (midi(chunk(b"MTrk", b"\x00\xff\x01\x7fa")), "ends within a track"),
    "one long note": (events(b"\x00\x90\x3c\x50", TICKS, b"\x80\x3c\x00"), "hours, and 4"),
    "one day": (events(b"\x00\x90\x3c\x50", b"\xa7\xc6\xc0\x00\x80\x3c\x00"), "24.0 hours"),
    "many ticks": (events(*[TICKS + b"\xb0\x07\x40"] * 9), "ticks"),
    "mad tempo": (events(TEMPO, b"\0\0\1", NOTE), "1000000 beats a minute"),
    "bars": (midi(chunk(b"MTrk", METRE + b"\x01\x07\x18\x08\x00\x90\x3c\x50\x8f\xff\x7f\x80\x3c\x00"
                        + END), division=24), "20000 bars"),
    "MIDI 2": (b"SMF2CLIP" + bytes(40), "not a MIDI file"),
    "WAV": (b"RIFF\x24\0\0\0WAVEfmt ", "MIDI file"),
}  # fmt: skip


@pytest.mark.parametrize("name", REPAIRED)
def test_what_plays_is_repaired_with_a_remark_and_read_alike(name: str, tmp_path: Path) -> None:
    content, words = REPAIRED[name]
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.warns(EmsyncWarning, match=words):
        score = read_score(path)
    assert sum(len(track.notes) for track in score.tracks) in (1, 2)
    with pytest.warns(EmsyncWarning):
        assert read_midi(path).onsets[0] == 0
    assert len(read_song(path)) in (1, 2)
    report = check(path)
    assert report.facts["notes"] in (1, 2)
    found = report.errors if name.startswith("no end") else report.warnings
    assert any(
        re.search(words.replace("without an end", "no end-of-track"), text) for text in found
    )
    again = repair(repair(content).content)
    assert not again.remarks and again.content == repair(content).content


def test_a_note_that_nothing_ends_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(events(NOTE, b"\x00\x90\x40\x50\x00\x90\x41\x50\x10\x90\x41\x00"))
    with pytest.warns(EmsyncWarning, match="it holds 1 note without an end, left out"):
        assert len(read_score(path).tracks[0].notes) == 2


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_usual_is_read_without_a_word(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(PLAIN[name])
    assert read_midi(path).duration == 0.5 and check(path).facts["notes"] == 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_all_with_one_reason(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name]
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    reasons = set()
    for read in (read_score, read_midi, read_song, check):
        with pytest.raises(InputError, match=words) as refusal:
            read(path)
        reasons.add(str(refusal.value))
    assert len(reasons) == 1


@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
def test_a_file_without_beats_keeps_its_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    for division, ticks_a_second in ((0xE728, 1000), (0xE350, 29.97 * 80), (0xE878, 24 * 120)):
        path.write_bytes(midi(TRACK, division=division))
        assert read_midi(path).duration == pytest.approx(480 / ticks_a_second, abs=1e-4)
        assert check(path).facts["duration"] == pytest.approx(480 / ticks_a_second, abs=1e-4)


MANY = {  # as strangers make them, and whether they are read
    "notes of one pitch": (events(b"\x00\x90\x3c\x50" * 30_000), True),
    "notes that end": (events(b"\x00\x90\x3c\x50" * 30_000, b"\x00\x80\x3c\x00" * 30_000), True),
    "tempi": (events(*[b"\x01\xff\x51\x03\x00\x27\x10"] * 30_000, NOTE), True),
    "metres": (events(*[b"\x01\xff\x58\x04\x01\x07\x18\x08"] * 20_000, NOTE), True),
    "markers": (events(*[b"\x01\xff\x06\x01a\x01\xff\x51\x03\x07\x27\x10"] * 20_000, NOTE), True),
    "tracks": (midi(*[chunk(b"MTrk", END)] * 65_535), False),
    "empty tracks": (midi(*[chunk(b"MTrk", NOTE + END)] * 1000), True),
    "events": (events(b"\x00\xb0\x07\x40" * (MOST_EVENTS + 1)), False),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*without an end:emsync.errors.EmsyncWarning")
@pytest.mark.parametrize("name", MANY)
def test_however_much_a_file_holds_it_is_soon_read_or_refused(name: str, tmp_path: Path) -> None:
    content, read = MANY[name]
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    begin = time.monotonic()
    if read:
        assert len(check(path).findings) < 5000 and np.isfinite(read_midi(path).duration)
    else:
        for reader in (check, read_midi):
            with pytest.raises(InputError, match="more than"):
                reader(path)
    assert time.monotonic() - begin < 20
