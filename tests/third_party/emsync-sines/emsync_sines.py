"""A bell on every cut of a film, over a hum that is as loud as the pictures are bright."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from emsync.plugin import (
    AssetError,
    Audio,
    Commission,
    Drawn,
    Film,
    Floats,
    Frame,
    Observer,
    Options,
    SoundMaker,
    read_config,
)

FADING = 4.0  # by how much a bell sinks in a second: e to the power of it


class Brightness:
    """Observer of how bright each frame is."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[float] = []

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        self.times.append(frame.time)
        self.values.append(float(frame.grey.mean()) / 255)


@dataclass(frozen=True)
class Sines(SoundMaker):
    """Rings bells on the cuts."""

    kind = "sines"
    summary = "a bell on every cut, over a hum as loud as the pictures are bright"
    follows = ("guidance", "like")
    rate = 24_000

    pitch: float = 220.0  # Hz of the hum

    @classmethod
    def open(cls, folder: Path, device: str) -> Self:
        """Read the pitch of the checkpoint."""
        pitch = read_config(folder).get("pitch")
        if not isinstance(pitch, float) or not 20 <= pitch <= 2000:
            raise AssetError(f"{str(folder)!r} has a pitch of {pitch!r}; it must be 20.0 to 2000.0")
        return cls(pitch)

    def observers(self, film: Film) -> Sequence[Observer]:
        """Return what sees how bright the film is."""
        return (Brightness(),)

    def settings(self, options: Options) -> dict[str, Any]:
        """Return how loud the bells are."""
        return {"guidance": 1.0 if options.guidance is None else options.guidance}

    def draw(self, asked: Commission, progress: Callable[[float], None]) -> Iterator[Drawn]:
        """Yield a sound for each seed; the seed chooses the pitches of the bells."""
        times = np.arange(round(asked.brief.duration * self.rate)) / self.rate
        (bright,) = (one for one in asked.seen if isinstance(one, Brightness))
        light = np.interp(times, bright.times, bright.values)
        pitch = self.pitch if asked.like is None else pitch_of(asked.like)
        hum = (0.02 + 0.1 * light) * np.sin(2 * np.pi * pitch * times)
        loud = self.settings(asked.options)["guidance"]
        for number, seed in enumerate(asked.seeds):
            sound, rng = hum.copy(), np.random.default_rng(seed)
            for cut in asked.brief.kept:
                since = times - cut.time
                high = pitch * 2 ** (rng.integers(12, 25) / 12)
                bell = np.sin(2 * np.pi * high * since) * np.exp(-FADING * np.maximum(since, 0))
                sound += np.where(since >= 0, 0.3 * loud * bell, 0.0)
            progress((number + 1) / len(asked.seeds))
            sides = np.repeat(sound[:, None], 2, axis=1).astype(np.float32)
            yield Drawn(Audio(sides, self.rate), {"bright": float(light.mean())})


def pitch_of(sound: Audio) -> float:
    """Return the loudest pitch of a sound between 50 and 1000 Hz."""
    samples: Floats = sound.samples.mean(axis=1)
    spectrum = np.abs(np.fft.rfft(samples))
    pitches = np.fft.rfftfreq(len(samples), 1 / sound.rate)
    inside = (pitches >= 50) & (pitches <= 1000)
    return float(pitches[inside][np.argmax(spectrum[inside])])
