"""A font sounds in tune at every key, and a damaged one is a sentence."""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from symusic.core import NoteTick, ScoreTick, TempoTick, TrackTick

from emsync.errors import AssetError, EmsyncError, EmsyncWarning
from emsync.sound import synthesis
from emsync.sound.synthesis import synthesize

RATE = 44100


@pytest.fixture(autouse=True)
def symusic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "_fluidsynth", lambda: None)


def chunk(kind: bytes, content: bytes, pad: bool = True) -> bytes:
    odd = b"\0" if pad and len(content) % 2 else b""
    return kind + struct.pack("<I", len(content)) + content + odd


def records(*rows: bytes) -> bytes:
    return b"".join(rows)


def font(
    data: bytes,
    header: tuple[int, ...],
    *generators: tuple[int, int],
    version: int = 2,
    bank: int = 0,
    pad: bool = True,
) -> bytes:
    """Return a font of one preset with one zone.

    ``header`` is start, end, loop start, loop end, rate, key and tune of the sample.
    """
    igen = records(*(struct.pack("<Hh", *g) for g in (*generators, (53, 0))))
    pdta = {
        b"phdr": struct.pack("<20sHHH12x", b"a", 0, bank, 0)
        + struct.pack("<20sHHH12x", b"", 0, 0, 1),
        b"pbag": struct.pack("<4H", 0, 0, 1, 0),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<4H", 41, 0, 0, 0),
        b"inst": struct.pack("<20sH20sH", b"a", 0, b"", 1),
        b"ibag": struct.pack("<4H", 0, 0, len(generators) + 1, 0),
        b"imod": bytes(10),
        b"igen": igen + bytes(4),
        b"shdr": struct.pack("<20s5IBbHH", b"a", *header, 0, 1) + bytes(46),
    }
    lists = (
        b"INFO" + chunk(b"ifil", struct.pack("<HH", version, 1)) + chunk(b"INAM", b"odd", pad),
        b"sdta" + chunk(b"smpl", data, pad),
        b"pdta" + records(*(chunk(kind, content) for kind, content in pdta.items())),
    )
    return chunk(b"RIFF", b"sfbk" + records(*(chunk(b"LIST", part, pad) for part in lists)))


def sine(period: int, length: int) -> NDArray[np.int16]:
    return np.round(9000 * np.sin(2 * np.pi * np.arange(length) / period)).astype("<i2")


def tone(
    path: Path | None, pitch: int, program: int = 0, drums: bool = False, rate: int = RATE
) -> NDArray[np.float32]:
    """Return a second of one note, mono."""
    score = ScoreTick(480)
    score.tempos.append(TempoTick(0, 60.0))
    track = TrackTick("a", program, drums)
    track.notes.append(NoteTick(0, 480, pitch, 100))
    score.tracks.append(track)
    sound: NDArray[np.float32] = synthesize(score, path, rate).samples[:rate].mean(axis=1)
    return sound


def cents(sound: NDArray[np.float32], pitch: float, rate: int = RATE) -> float:
    """Return how far the partial nearest to ``pitch`` is from it, by less than two semitones."""
    n = rate // 2
    level = np.abs(np.fft.rfft(sound[rate // 20 :][:n] * np.hanning(n), 8 * n))
    away = 12 * np.log2(np.maximum(np.fft.rfftfreq(8 * n, 1 / rate), 1) / 440) + 69 - pitch
    near = np.abs(away) < 2
    assert level[near].max() > 0.1 * level.max(), "another note sounds"
    return float(100 * away[near][level[near].argmax()])


@pytest.mark.parametrize("rate", [44100, 16000])
@pytest.mark.parametrize("program", [0, 25, 33, 48])
def test_every_note_of_the_default_font_ends_and_is_in_tune(program: int, rate: int) -> None:
    # bass at 105 and 107 never ended: its loop was shorter than a sample at a wrong key
    highest = 105 if rate == 44100 else 88
    for pitch in (40, 60, 77, 88, 105, 107):
        sound = tone(None, pitch, program, rate=rate)
        assert sound.any()
        if pitch <= highest:
            assert abs(cents(sound, pitch, rate)) < 30, pitch  # its strings are many


SAMPLE = sine(100, 1000)  # 441 Hz
LOOP = (0, 1000, 100, 200)


@pytest.mark.parametrize(
    ("header", "generators", "played", "heard"),
    [
        ((*LOOP, RATE, 69, 0), (), 69, 69),
        ((*LOOP, RATE, 69, 0), (), 93, 93),
        ((*LOOP, RATE, 60, 0), ((58, 69),), 69, 69),  # a root key in the zone
        ((*LOOP, RATE, 255, 0), (), 60, 69),  # no key: the middle C
        ((*LOOP, RATE, 69, 50), (), 69, 69.5),  # the sample's own correction
        ((*LOOP, RATE, 69, 0), ((51, 7), (52, -30)), 69, 75.7),  # coarse and fine tune
        ((*LOOP, RATE, 69, 0), ((56, 0),), 80, 69),  # the same at all keys
        ((*LOOP, RATE, 69, 0), ((56, 50),), 79, 74),
        ((*LOOP, RATE, 69, 0), ((46, 72),), 50, 72),  # a key that is always played
        ((*LOOP, 96000, 69, 0), (), 50, 69 + 12 * np.log2(96000 / RATE) - 19),
        ((*LOOP, 22050, 69, 0), (), 81, 69),
        ((*LOOP, RATE, 127, 0), ((51, -40),), 100, 69 - 40 - 27),
    ],
)
def test_a_zone_sounds_at_the_pitch_that_it_asks_for(
    header: tuple[int, ...],
    generators: tuple[tuple[int, int], ...],
    played: int,
    heard: float,
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.sf2"
    path.write_bytes(font(SAMPLE.tobytes(), header, *generators, (54, 1)))
    assert abs(cents(tone(path, played), heard)) < 15


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("loop", [(0, 1), (0, 2), (10, 13), (0, 1000), (990, 1000)])
def test_a_loop_of_any_length_ends_at_any_key(
    loop: tuple[int, int], rate: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.sf2"
    path.write_bytes(font(SAMPLE.tobytes(), (0, 1000, *loop, RATE, 60, 0), (54, 1)))
    for pitch in (0, 60, 105, 127):
        assert np.isfinite(tone(path, pitch, rate=rate)).all()


@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
def test_each_byte_of_a_font_may_be_wrong(tmp_path: Path) -> None:
    good = font(sine(10, 40).tobytes(), (0, 40, 10, 20, RATE, 60, 0), (43, 0x7F00), (54, 1))
    path, rng, refused = tmp_path / "a.sf2", np.random.default_rng(0), 0
    for at in range(0, len(good), 2):
        spoilt = bytearray(good)
        spoilt[at] ^= int(rng.integers(1, 256))
        path.write_bytes(spoilt)
        os.utime(path, ns=(at, at))  # a file is known by its time
        try:
            assert np.isfinite(tone(path, 60, rate=8000)).all()
        except AssetError:
            refused += 1
    assert 0.02 * len(good) < refused < 0.4 * len(good)


@pytest.mark.parametrize("pad", [True, False])
def test_chunks_of_odd_length_are_read_with_and_without_padding(pad: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.sf2"
    path.write_bytes(font(SAMPLE.tobytes() + b"\0", (*LOOP, RATE, 69, 0), (54, 1), pad=pad))
    assert abs(cents(tone(path, 81), 81)) < 15


def ogg(samples: NDArray[np.int16]) -> bytes:
    """Return a sample in Ogg Vorbis; FFmpeg's own encoder knows stereo only."""
    content = io.BytesIO()
    with av.open(content, "w", format="ogg") as container:
        stream = container.add_stream(
            "vorbis", RATE, options={"strict": "experimental"}, layout="stereo"
        )
        frame = av.AudioFrame.from_ndarray(
            np.repeat(samples[None].astype(np.float32) / 2**15, 2, axis=0), "fltp", "stereo"
        )
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return content.getvalue()


@pytest.mark.parametrize("pad", [True, False])
def test_a_compressed_font_plays(pad: bool, tmp_path: Path) -> None:
    packed = ogg(sine(100, 20000))
    packed += b"\0" * (len(packed) % 2 == 0)  # of odd length
    header = (0, len(packed), 10000, 10100, RATE, 69, 0)
    path = tmp_path / "a.sf3"
    path.write_bytes(font(packed, header, (54, 1), version=3, pad=pad))
    assert abs(cents(tone(path, 81), 81)) < 15
    for cut in (0, 40, len(packed) // 2):  # what cannot be decoded is silent
        spoilt = packed[:cut] + bytes(len(packed) - cut)
        path.write_bytes(font(spoilt, header, (54, 1), version=3, pad=pad))
        os.utime(path, ns=(cut, cut))
        with pytest.warns(EmsyncWarning, match="are damaged"):
            assert np.isfinite(tone(path, 81)).all()


def test_drums_have_another_kit_for_one_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.sf2"
    path.write_bytes(font(SAMPLE.tobytes(), (*LOOP, RATE, 69, 0), (54, 1), bank=128))
    assert tone(path, 69, program=25, drums=True).any()
    with pytest.warns(EmsyncWarning, match="has no program 26"):
        assert not tone(path, 69, program=25).any()


def endless(path: Path) -> None:
    """Write presets that visit an instrument of many zones many times."""
    n = 60000
    inst = struct.pack("<20sH20sH", b"a", 0, b"", n)
    zones = struct.pack("<HH", 0, 0) * (n + 1)
    bags = np.stack([np.arange(n + 1), np.zeros(n + 1)], axis=1).astype("<u2").tobytes()
    gens = struct.pack("<HH", 41, 0) * n + bytes(4)
    good = font(SAMPLE.tobytes(), (*LOOP, RATE, 69, 0))
    for kind, content in ((b"inst", inst), (b"ibag", zones), (b"pbag", bags), (b"pgen", gens)):
        at = good.index(kind)
        length = int.from_bytes(good[at + 4 : at + 8], "little")
        good = good[:at] + chunk(kind, content) + good[at + 8 + length :]
    phdr = good.index(b"phdr") + 8 + 38 + 24
    good = good[:phdr] + struct.pack("<H", n) + good[phdr + 2 :]
    pdta = good.index(b"pdta") - 4
    good = good[:pdta] + struct.pack("<I", len(good) - pdta - 4) + good[pdta + 4 :]
    path.write_bytes(good[:4] + struct.pack("<I", len(good) - 8) + good[8:])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (endless, "too many zones"),
        (lambda path: os.mkfifo(path), "it is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is no regular file"),
        (lambda path: path.write_bytes(font(b"", (0,) * 7, version=1)), "it is of version 1"),
        (lambda path: path.write_bytes(font(b"", (0,) * 7, (53, 7))), "a sample that is not there"),
    ],
)
def test_a_font_that_cannot_be_is_refused(
    make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    make(tmp_path / "a.sf2")
    with pytest.raises(EmsyncError, match=words):
        synthesis.check_soundfont(tmp_path / "a.sf2")
