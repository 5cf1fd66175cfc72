"""What one pass over the frames of a film saw.

Shapes: F frames, P pairs of frames between which motion was measured, C pairs of any kind.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emsync.arrays import Float64s, Picture, Seconds
from emsync.video.cuts import Cut
from emsync.video.film import Film

if TYPE_CHECKING:
    from emsync.sound.listening import Heard
    from emsync.video.faces import Face


@dataclass(frozen=True)
class Needs:
    """What is gathered of a film beyond its cuts, motion and colours, since it takes longer."""

    stills: float = 0.0  # seconds between colour pictures; 0 keeps none
    faces: bool = False  # whether faces are followed
    sound: bool = False  # whether the film's own sound is listened to

    def __or__(self, other: "Needs") -> "Needs":
        """Return what serves both."""
        steps = [step for step in (self.stills, other.stills) if step]
        return Needs(min(steps, default=0.0), self.faces or other.faces, self.sound or other.sound)


NOTHING_MORE = Needs()
FINER = 4  # points of a window at which a curve is read


@dataclass(frozen=True)
class Curve:
    """A value over time, in even steps."""

    step: float  # seconds between two values; value i holds from i * step on
    values: tuple[float, ...]

    def at(self, times: Seconds) -> Float64s:
        """Return the values at ``times``, any shape; the first and the last go on for ever.

        >>> Curve(0.5, (1.0, 2.0)).at(np.array([-1.0, 0.4, 0.6, 9.0])).tolist()
        [1.0, 1.0, 2.0, 2.0]
        """
        places = np.clip(np.floor(times / self.step), 0, len(self.values) - 1)
        return np.asarray(self.values, np.float64)[places.astype(np.intp)]

    def largest(self, starts: Seconds, width: float) -> Float64s:
        """Return the largest values in the (N,) windows of ``width`` seconds, at FINER points."""
        return self.at(starts[:, None] + (np.arange(FINER) + 0.5) / FINER * width).max(axis=1)


@dataclass(frozen=True, eq=False)
class Still:
    """One picture of the film strip."""

    time: float  # seconds
    pixels: Picture  # RGB, upright


@dataclass(frozen=True, eq=False)
class Footage:
    """What one pass over the frames of a film saw."""

    film: Film  # with the duration, rate and number of the frames that could be decoded
    times: Seconds  # (F,) presentation times, ascending from 0
    brightness: Float64s  # (F,) mean luma, in [0, 1]
    saturation: Float64s  # (F,) mean HSV saturation weighted by value, in [0, 1]
    colourfulness: Float64s  # (F,) Hasler & Süsstrunk 2003: 0 grey, 0.4 vivid
    motion_times: Seconds  # (P,) the middle of each pair
    motion: Float64s  # (P,) mean optical flow, in picture heights a second
    change_times: Seconds  # (C,) the middle of each pair, those that a cut divides among them
    change: Float64s  # (C,) share of the picture that changes visibly, a second
    cuts: tuple[Cut, ...]  # all that were found, none thinned
    strip: tuple[Still, ...]  # at most STRIP, evenly spread
    stills: tuple[Still, ...] = ()  # where they were requested: evenly spread, MOST_STILLS at most
    faces: tuple["Face", ...] = ()  # where they were requested, each through one shot
    sound: "Heard | None" = None  # where it was requested and the film has any

    def curve(self, times: Seconds, values: Float64s, step: float) -> Curve:
        """Return ``values`` at ``times`` averaged over even steps of the whole video.

        A step without a measurement takes the value between its neighbours.
        """
        n = max(1, math.ceil(self.film.duration / step - 1e-9))
        if not len(times):
            return Curve(step, (0.0,) * n)
        bins = np.minimum((times / step).astype(np.int64), n - 1)
        count = np.bincount(bins, minlength=n)
        mean = np.bincount(bins, values, minlength=n) / np.maximum(count, 1)
        known = np.flatnonzero(count)
        filled = np.interp(np.arange(n), known, mean[known])
        return Curve(step, tuple(float(v) for v in np.round(filled, 4)))
