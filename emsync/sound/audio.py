"""Finished sound: fitted to a film, faded, written as WAV."""

import base64
import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from emsync.arrays import Float32s
from emsync.files import atomic_write
from emsync.options import PathLike
from emsync.sound.blocks import BLOCK, Made, Sound
from emsync.sound.loudness import Loudness, measured

OUTPUT_RATE = 44100  # samples per second
FADE = 3.0  # seconds


@dataclass(frozen=True, eq=False)
class Audio:
    """Stereo sound."""

    samples: Float32s  # (N, 2), full scale is 1
    rate: int  # samples per second

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[1] != 2:
            raise ValueError(f"stereo samples are (N, 2), not {self.samples.shape}")

    @property
    def length(self) -> int:
        """The number of samples."""
        return len(self.samples)

    def blocks(self) -> Iterator[Float32s]:
        """Yield all samples, (n, 2) at a time."""
        return (self.samples[at : at + BLOCK] for at in range(0, self.length, BLOCK))

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate

    @cached_property
    def loudness(self) -> Loudness:
        """How loud it is as a whole, and its true peak."""
        return measured(self)

    def save(self, path: PathLike) -> None:
        """Write a 16-bit WAV file, atomically."""
        write_wav(self, Path(path))

    def _repr_html_(self) -> str:
        data = base64.b64encode(wav_bytes(self)).decode()
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>'


def fit(audio: Audio, duration: float) -> Audio:
    """Return ``audio`` cut, or padded with silence, to exactly round(duration * rate) samples.

    What is only cut shares its samples with ``audio``.
    """
    length = round(duration * audio.rate)
    kept = audio.samples[:length]
    if len(kept) < length:
        out = np.zeros((length, 2), np.float32)
        out[: len(kept)] = kept
        kept = out
    return Audio(kept, audio.rate)


def finish(audio: Audio, duration: float, fade: float = FADE) -> Audio:
    """Return ``audio`` as it goes under a film: fitted to ``duration``, and faded.

    The fade-out takes ``fade`` seconds, at most half the length.
    """
    return finish_in_place(Audio(audio.samples.copy(), audio.rate), duration, fade)


def finish_in_place(audio: Audio, duration: float, fade: float = FADE) -> Audio:
    """Return ``audio`` finished, with its samples changed: an hour of them is a gigabyte."""
    fitted = fit(audio, duration)
    faded = round(min(fade, duration / 2) * audio.rate)
    if faded:
        ramp = np.cos(np.linspace(0, np.pi / 2, faded)) ** 2
        fitted.samples[-faded:] *= ramp[:, None].astype(np.float32)
    return fitted


def amplified(sound: Sound, gain: float) -> Sound:
    """Return ``sound`` times ``gain``."""
    factor = np.float32(gain)
    return Made(sound.rate, sound.length, lambda: (block * factor for block in sound.blocks()))


def whole(sound: Sound) -> Audio:
    """Return all samples of ``sound`` at once."""
    samples, at = np.zeros((sound.length, 2), np.float32), 0
    for block in sound.blocks():
        samples[at : at + len(block)] = block
        at += len(block)
    return Audio(samples, sound.rate)


def write_wav(sound: Sound, path: Path) -> None:
    """Write ``sound`` as a 16-bit WAV file, atomically."""
    with atomic_write(path) as part, part.open("wb") as file:
        _write_wav(sound, file)


def wav_bytes(sound: Sound) -> bytes:
    """Return ``sound`` as the content of a 16-bit WAV file."""
    content = io.BytesIO()
    _write_wav(sound, content)
    return content.getvalue()


def _write_wav(sound: Sound, to: IO[bytes]) -> None:
    with wave.open(to, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.setnframes(sound.length)
        for block in sound.blocks():
            whole_numbers = np.round(np.clip(block, -1, 1) * 32767).astype("<i2")
            file.writeframesraw(whole_numbers.tobytes())
