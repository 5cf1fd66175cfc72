"""Which accents of a song a film moves to, and when: all its beats, or half bars, bars, or strokes.

As people do it, some are missed, and the others are met some milliseconds early or late.

Shapes: E moments of impact, T moments at which something is looked at.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from emsync.arrays import Float64s, Int64s, Seconds
from emsync.synchrony.passages import BAR, BEAT, HALF, HIT

LEVELS = (BEAT, HALF, BAR, HIT)
SHARES = (0.5, 0.16, 0.16, 0.18)  # of films that move to each of LEVELS
MISSED = 0.08  # share of the accents
LATE = 0.02  # seconds by which an accent is met early or late, at most
CLOSEST = 0.22  # seconds between two impacts: pictures are a tenth of a second apart
FEWEST = 3  # impacts of a film; where a song has fewer of a level, its beats are met
ALONE = 0.5  # seconds from one impact to the next, where there are not two


@dataclass(frozen=True, eq=False)
class Drive:
    """When a film has its impacts."""

    times: Seconds  # (E,) ascending; some are before the film or after it
    strengths: Float64s  # (E,) in (0, 1]

    def kick(self, at: Seconds, fade: float) -> Float64s:
        """Return (T,) values that leap up at each impact, and fall to 1/e in ``fade`` seconds."""
        since = at[:, None] - self.times
        fallen = self.strengths * np.exp(-np.maximum(since, 0) / fade)
        return np.asarray(np.where(since >= 0, fallen, 0.0).max(axis=1, initial=0.0))

    def arrived(self, at: Seconds, rise: float) -> Float64s:
        """Return the (T, E) shares in which what sets out at an impact has arrived."""
        return -np.expm1(-np.maximum(at[:, None] - self.times, 0) / rise)

    def last(self, at: Seconds) -> Int64s:
        """Return (T,) how many impacts there were by then."""
        return np.searchsorted(self.times, at, side="right").astype(np.int64)

    def since(self, at: Seconds) -> Seconds:
        """Return (T,) seconds from the last impact; many before the first."""
        before = np.concatenate([[-np.inf], self.times])
        return np.asarray(np.minimum(at - before[self.last(at)], 1e3))

    def until(self, at: Seconds) -> Seconds:
        """Return (T,) seconds to the next impact; many after the last."""
        return np.asarray(np.append(self.times, 1e3)[self.last(at)] - at)

    def phase(self, at: Seconds) -> Float64s:
        """Return (T,) how many impacts there were, evenly from one to the next; whole at each."""
        times = self.times
        step = float(np.median(np.diff(times))) if len(times) > 1 else ALONE
        first, last = times[0], times[-1]
        inside = np.interp(at, times, np.arange(len(times)))
        return inside + np.minimum(at - first, 0) / step + np.maximum(at - last, 0) / step


def driven(accents: Float64s, beat: float, seconds: float, rng: Generator) -> Drive:
    """Return the impacts of a film of ``seconds`` to (A, 3) accents, whose times are the film's.

    Accents around the film count as well: what they have begun is still to be seen.
    """
    level = int(rng.choice(LEVELS, p=SHARES))
    found = of_level(accents, level)
    if np.count_nonzero((found.times >= 0) & (found.times < seconds)) < FEWEST:
        found = of_level(accents, BEAT)
    near = (found.times > -2 * beat - 1) & (found.times < seconds + 2 * beat + 1)
    kept = near & (rng.random(len(near)) >= MISSED)
    times = found.times[kept] + rng.uniform(-LATE, LATE, int(kept.sum()))
    if not len(times):
        return Drive(np.array([-1.0]), np.array([0.5]))
    return Drive(times, 0.55 + 0.45 * found.strengths[kept])


def of_level(accents: Float64s, level: int) -> Drive:
    """Return all accents of one of LEVELS; of strokes those that are CLOSEST apart, the strong."""
    kinds = accents[:, 2]
    mine = kinds == HIT if level == HIT else (kinds >= level) & (kinds != HIT)
    times, strengths = accents[mine, 0], accents[mine, 1]
    if level == HIT:
        kept: list[int] = []
        for place in np.lexsort((times, -np.round(strengths, 1))).tolist():
            if all(abs(times[place] - times[other]) >= CLOSEST for other in kept):
                kept.append(place)
        kept.sort()
        times, strengths = times[kept], strengths[kept]
    return Drive(times, strengths)


def aimless(seconds: float, rng: Generator) -> Drive:
    """Return impacts that have nothing to do with any music."""
    count = int(rng.integers(3, 12))
    return Drive(np.sort(rng.uniform(0, seconds, count)), rng.uniform(0.5, 1, count))


def thinned(drive: Drive, rng: Generator) -> Drive:
    """Return every other impact, or all of them."""
    step, first = int(rng.choice((1, 2))), int(rng.integers(2))
    if step == 1 or len(drive.times) < 2 * FEWEST:
        return drive
    return replace(drive, times=drive.times[first::2], strengths=drive.strengths[first::2])
