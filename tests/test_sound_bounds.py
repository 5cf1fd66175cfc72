"""A header may say what it wants: a sound that cannot be is refused before it fills the memory."""

import struct
from pathlib import Path

import numpy as np
import pytest

from emsync.errors import InputError
from emsync.signals import SAMPLE_RATE
from emsync.sound import bounds
from emsync.sound.decode import read_mono

SAMPLES = np.round(8000 * np.sin(np.arange(100_000) / 20)).astype("<i2").tobytes()


def wav(rate: int, channels: int = 1, size: int = len(SAMPLES)) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * rate * channels % 2**32, 2 * channels, 16)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", (36 + size) % 2**32) + head + SAMPLES


def aiff(rate: int) -> bytes:
    # a float of 80 bits: the exponent, and the mantissa with its leading one
    exponent = rate.bit_length() - 1
    wide = struct.pack(">HQ", 16383 + exponent, rate << (63 - exponent))
    common = struct.pack(">hIh", 1, len(SAMPLES) // 2, 16) + wide
    body = b"AIFFCOMM" + struct.pack(">I", 18) + common
    body += b"SSND" + struct.pack(">III", len(SAMPLES) + 8, 0, 0) + SAMPLES
    return b"FORM" + struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("slow.aiff", aiff(5)),
        ("slow.wav", wav(1)),
        ("fast.wav", wav(2**31)),
        ("none.wav", wav(0)),
        ("no channel.wav", wav(44100, 0)),
        ("many channels.wav", wav(44100, 255)),
    ],
)
def test_a_sound_that_cannot_be_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_mono(tmp_path / name)


@pytest.mark.parametrize("channels", [9, 10, 33, 64])
def test_sound_of_many_channels_is_heard(channels: int, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(SAMPLE_RATE, channels, 2 * channels * 2000))
    for _ in range(20):  # what lies beyond the planes crashed now and then
        assert len(read_mono(tmp_path / "x.wav")) > 0


@pytest.mark.parametrize("size", [2**32 - 1, 2**31, 10 * len(SAMPLES)])
def test_a_header_that_lies_of_the_length_is_not_believed(size: int, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(44100, size=size))
    assert len(read_mono(tmp_path / "a.wav")) / SAMPLE_RATE == pytest.approx(
        100_000 / 44100, abs=0.01
    )


def test_a_sound_of_many_hours_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_HOURS", 0.005)
    (tmp_path / "a.wav").write_bytes(wav(2000))
    with pytest.raises(InputError, match=r"lasts more than 0\.005 hours"):
        read_mono(tmp_path / "a.wav")
