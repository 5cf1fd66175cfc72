"""How loud the music is: louder where the film is more excited, and a fade at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Float64s, Seconds
from emsync.fit.ending import Ending
from emsync.music.piece import VELOCITY

RANGE = 32  # steps of velocity between an arousal of zero and one of one
RAMP = 2.0  # seconds in which one loudness becomes the next
LOUDEST = 127  # velocity that MIDI has


def level_of(arousal: float) -> float:
    """Return the velocity of a plain note where the film is so excited; NaN is in the middle.

    >>> level_of(0.5)
    96.0
    """
    return VELOCITY + RANGE * float(np.clip(np.nan_to_num(arousal), -1, 1))


@dataclass(frozen=True)
class Dynamics:
    """The velocity that a plain note has, from moment to moment, and the seconds of fade-out."""

    times: tuple[float, ...] = (0.0,)  # seconds, ascending: from when on ...
    levels: tuple[float, ...] = (float(VELOCITY),)  # ... a plain note has this velocity
    fade: float = 0.0  # seconds at the end of the video in which the music sinks to silence

    @classmethod
    def of(cls, states: Sequence[tuple[float, float]], fade: float = 0.0) -> Self:
        """Return the dynamics of (start in seconds, arousal) states; NaN is in the middle.

        >>> Dynamics.of([(0.0, 0.0), (8.0, 0.5)]).levels
        (80.0, 96.0)
        """
        levels = [level_of(a) for _, a in states]
        if not levels:
            return cls(fade=fade)
        return cls(tuple(start for start, _ in states), tuple(levels), fade)

    @classmethod
    def under(
        cls, analysis: Analysis, ending: Ending, levels: Sequence[tuple[float, float]] = ()
    ) -> Self:
        """Return the dynamics of a film's music: as excited as the scene, faded as it ends.

        ``levels`` are the plan's, as (start in seconds, velocity of a plain note).
        """
        fade = analysis.duration - ending.fade_start
        if not levels:
            return cls.of([(state.start, state.arousal) for state in analysis.arc], fade)
        starts, velocities = zip(*levels, strict=True)
        return cls(starts, velocities, fade)

    def at(self, times: Seconds) -> Float64s:
        """Return the velocity of plain notes at (N,) ``times``; a change takes ``RAMP`` seconds."""
        ends = np.minimum(np.add(self.times, RAMP), [*self.times[1:], np.inf])
        joints = np.ravel(np.column_stack([self.times, ends]))
        before = [self.levels[0], *self.levels[:-1]]
        return np.interp(times, joints, np.ravel(np.column_stack([before, self.levels])))
