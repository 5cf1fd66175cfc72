"""Finished sound: fitted to a film, faded, mixed with the film's own sound, written as WAV."""

import base64
import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from emsync.arrays import Float32s
from emsync.files import atomic_write
from emsync.options import PathLike

OUTPUT_RATE = 44100  # samples per second
PEAK = 10 ** (-3 / 20)  # 3 dB below full scale
SILENCE = 2**-16  # a peak below this is no sound: half a step of 16 bits, not to be made loud
FADE = 3.0  # seconds
BLOCK = 2**20  # samples written at once

DUCK_DEPTH = 12.0  # dB by which music gives way to a film's own sound
DUCK_QUIET, DUCK_LOUD = -45.0, -33.0  # dBFS of the film: music gives way from here, wholly there
DUCK_AHEAD, DUCK_HOLD = 0.15, 0.4  # seconds; music gives way before a word, and not between words
DUCK_ATTACK, DUCK_RELEASE = 0.06, 0.4  # seconds to cover 63 % of the way down, and up
DUCK_HOP = 0.01  # seconds between two looks at the film's loudness


@dataclass(frozen=True, eq=False)
class Audio:
    """Stereo sound."""

    samples: Float32s  # (N, 2), full scale is 1
    rate: int  # samples per second

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[1] != 2:
            raise ValueError(f"stereo samples are (N, 2), not {self.samples.shape}")

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate

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
    """Return ``audio`` as it goes under a film: fitted to ``duration``, faded, peak at -3 dB.

    The fade-out takes ``fade`` seconds, at most half the length. Silence stays silence.
    """
    return finish_in_place(Audio(audio.samples.copy(), audio.rate), duration, fade)


def finish_in_place(audio: Audio, duration: float, fade: float = FADE) -> Audio:
    """Return ``audio`` finished, with its samples changed: an hour of them is a gigabyte."""
    fitted = fit(audio, duration)
    samples = fitted.samples
    faded = round(min(fade, duration / 2) * audio.rate)
    if faded:
        ramp = np.cos(np.linspace(0, np.pi / 2, faded)) ** 2
        samples[-faded:] *= ramp[:, None].astype(np.float32)
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    if peak >= SILENCE:
        samples *= np.float32(PEAK / peak)
    return fitted


def write_wav(audio: Audio, path: Path) -> None:
    """Write ``audio`` as a 16-bit WAV file, atomically."""
    with atomic_write(path) as part, part.open("wb") as file:
        _write_wav(audio, file)


def wav_bytes(audio: Audio) -> bytes:
    """Return ``audio`` as the content of a 16-bit WAV file."""
    content = io.BytesIO()
    _write_wav(audio, content)
    return content.getvalue()


def _write_wav(audio: Audio, out: IO[bytes]) -> None:
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.setnframes(len(audio.samples))
        for at in range(0, len(audio.samples), BLOCK):
            piece = np.clip(audio.samples[at : at + BLOCK], -1, 1) * 32767
            file.writeframesraw(np.round(piece).astype("<i2").tobytes())


def duck(music: Audio, film: Audio) -> Audio:
    """Return ``music`` lowered by up to DUCK_DEPTH where ``film`` sounds; both begin together."""
    _same_rate(music, film)
    hop = round(DUCK_HOP * music.rate)
    hops = -(-len(music.samples) // hop)
    if not hops:
        return music
    power = np.zeros((hops * hop, 2))
    heard = film.samples[: len(power)]
    power[: len(heard)] = heard.astype(np.float64) ** 2
    level = 10 * np.log10(power.reshape(hops, -1).mean(axis=1) + 1e-12)  # (hops,) dBFS
    wanted = np.interp(level, [DUCK_QUIET, DUCK_LOUD], [0.0, -DUCK_DEPTH])
    hold, ahead = round(DUCK_HOLD / DUCK_HOP), round(DUCK_AHEAD / DUCK_HOP)
    around = np.pad(wanted, (hold, ahead))
    wanted = np.lib.stride_tricks.sliding_window_view(around, hold + ahead + 1).min(axis=1)
    down, up = (1 - np.exp(-DUCK_HOP / t) for t in (DUCK_ATTACK, DUCK_RELEASE))
    gain, now = np.empty(hops), float(wanted[0])
    for i, goal in enumerate(wanted.tolist()):
        now += (goal - now) * (down if goal < now else up)
        gain[i] = now
    centres = (np.arange(hops) + 0.5) * hop
    decibels = np.interp(np.arange(len(music.samples)), centres, gain)
    gains = (10 ** (decibels / 20)).astype(np.float32)
    return Audio(music.samples * gains[:, None], music.rate)


def mix(music: Audio, film: Audio) -> Audio:
    """Return both together, as long as ``music``; all is lowered if the sum would clip."""
    _same_rate(music, film)
    total = music.samples + fit(film, music.duration).samples
    peak = float(np.abs(total).max(initial=0.0))
    return Audio(total / np.float32(max(1.0, peak)), music.rate)


def _same_rate(a: Audio, b: Audio) -> None:
    if a.rate != b.rate:
        raise ValueError(f"sounds of {a.rate} and {b.rate} samples a second cannot be combined")
