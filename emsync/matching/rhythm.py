"""Music by its rhythm, CM and DM: onsets that meet the visible impact, beats that meet its beats.

All tracks are slid along the film together, a batch of about one length at a time.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.matching.matcher import Column, Columns, Match, Matcher, Shelf
from emsync.metrics.rhythm import POWER, Variant, continuous, discrete, distances
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.rhythm import beats, rhythm_of
from emsync.video.footage import Footage
from emsync.video.impact import Impact, check_moves
from emsync.video.observers import Observer

STAMP = "rhythm 2"  # raised when what is heard changes
BATCH = 2**20  # steps of music that are slid along a film at once


@dataclass(frozen=True)
class _Rhythmic(Matcher):
    """Slides a film's rhythm along that of music, over all offsets at which it ends within it.

    Columns of a film: ``impact``, (N,) steps; for DM ``beats``, (B,) steps. Of a track: ``onsets``,
    (N,) float16 from 0 to 1, and ``beats``, (B,) int32 steps. There are STEP_RATE steps a second.
    A track that is shorter than the film has the offset 0.
    """

    rate: ClassVar[int] = SAMPLE_RATE

    @property
    def stamp(self) -> str:
        return STAMP

    def observers(self) -> list[Observer]:
        return [Impact()]

    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        (impact,) = observers
        assert isinstance(impact, Impact)
        check_moves(impact, footage.film.path)
        return {"impact": impact.signal(footage.film.duration)}

    def hear(self, samples: Float32s) -> Columns:
        rhythm = rhythm_of(samples)
        return {"onsets": rhythm.signal, "beats": rhythm.beats}

    def verify(self, tracks: Shelf) -> None:
        _check(tracks.columns["onsets"], tracks.columns["beats"])

    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        length, steps = len(film["impact"]), np.diff(tracks.columns["onsets"].starts)
        matches = []
        for batch in _batches(steps):
            music = [tracks.track(number) for number in batch]
            width = max(length, *(steps[number] for number in batch))
            for number, curve in zip(batch, self.curves(film, music, width), strict=True):
                tried = curve[: max(0, steps[number] - length) + 1]
                best = int(tried.argmax())
                score, offset = round(float(tried[best]), 6), round(best / STEP_RATE, 3)
                matches.append(Match(number, score, offset))
        return sorted(matches, key=lambda match: (-match.score, match.track))[:top]

    @abstractmethod
    def curves(self, film: Columns, music: Sequence[Columns], width: int) -> Float64s:
        """Return the score of each piece of music at each offset, (T, width - N + 1)."""


@dataclass(frozen=True)
class Cm(_Rhythmic):
    """The largest cross-correlation of the accents of pictures and of music."""

    name: ClassVar[str] = "cm"
    summary: ClassVar[str] = "onsets that fall on visible impacts: cross-correlation"

    power: float = POWER
    variant: Variant = "local"

    def curves(self, film: Columns, music: Sequence[Columns], width: int) -> Float64s:
        rows = np.zeros((len(music), width))
        for row, track in zip(rows, music, strict=True):
            row[: len(track["onsets"])] = track["onsets"]
        impact = np.asarray(film["impact"], np.float64)
        return continuous(rows, impact, self.power, self.variant)


@dataclass(frozen=True)
class Dm(_Rhythmic):
    """The inverse of the summed distances from the film's beats to the nearest of the music."""

    name: ClassVar[str] = "dm"
    summary: ClassVar[str] = "beats that fall on visible beats: summed distances"

    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        film = super().see(footage, observers)
        return {**film, "beats": beats(film["impact"])}

    def curves(self, film: Columns, music: Sequence[Columns], width: int) -> Float64s:
        length = len(film["impact"])
        comb = np.bincount(film["beats"], minlength=length)[:length].astype(np.float64)
        rows = np.array([_nearness(track["beats"], width) for track in music])
        without = np.array([not (len(track["beats"]) and comb.any()) for track in music])
        return np.where(without[:, None], 0.0, discrete(rows, comb))


def _check(onsets: Column, steps: Column) -> None:
    """Raise ValueError where columns of tracks are no rhythm."""
    signals, places = onsets.values, steps.values
    if signals.dtype != np.float16 or places.dtype != np.int32 or signals.ndim + places.ndim > 2:
        raise ValueError("the onsets or the beats are of another kind")
    with np.errstate(invalid="ignore"):  # what is no number is not within, either
        if len(signals) and not (signals.min() >= 0 and signals.max() <= 1):
            raise ValueError("the onsets are not from 0 to 1")
    lengths = np.repeat(np.diff(onsets.starts), np.diff(steps.starts))
    track = np.repeat(np.arange(len(steps.starts) - 1), np.diff(steps.starts))
    ascend = (np.diff(places) > 0) | (np.diff(track) > 0)
    if not (ascend.all() and (places >= 0).all() and (places < lengths).all()):
        raise ValueError("the beats are not in order")


def _nearness(steps: NDArray[np.int32], width: int) -> Float64s:
    """Return the (width,) seconds from each step to the nearest beat; all 0 without beats."""
    if not len(steps):
        return np.zeros(width)
    return distances(steps.astype(np.float64), np.arange(width, dtype=np.float64)) / STEP_RATE


def _batches(steps: Int64s) -> Iterator[list[int]]:
    """Yield numbers of tracks of about one length together, at most BATCH steps at once."""
    batch: list[int] = []
    for number in np.argsort(steps, kind="stable").tolist():
        if batch and (len(batch) + 1) * steps[number] > BATCH:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
