"""Loudness between the strokes: controller 11 over time, with swells and the fade at the end.

Who can hold a note and change its loudness swells: each phrase rises and falls, the last bar before
a hit or a louder section is a crescendo, that before a quieter one a decrescendo. Loudness goes
with the square of controller 11, as it does with that of velocity.
Shapes: T moments, P phrases, S sections.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.fit.time_map import Fitted
from emsync.music.bars import TempoMap
from emsync.music.general_midi import EXPRESSION, FULL
from emsync.music.piece import DRUMS
from emsync.performance.dynamics import RAMP, Dynamics
from emsync.performance.part import Control, Part
from emsync.performance.player import Player

# General MIDI programs whose players shape a note while it sounds: organs, bowed strings, ensembles
# and voices (not pizzicato, harp, timpani, orchestra hit), brass, reeds, pipes, leads, pads, fiddle
SUSTAINED = frozenset((*range(16, 24), *range(40, 45), *range(48, 55), *range(56, 96), 110, 111))

BASE = 84.0  # controller 11 at the ends of a phrase: 7 dB below the loudest
PHRASE = 30.0  # steps that a long phrase rises
LONG = 4.0  # seconds; a shorter phrase rises less
SUMMIT = 0.6  # share of a phrase at which it is loudest
STEADY = 96.0  # controller 11 of all others: as loud as who swells is on the average
LOWEST = 56.0  # controller 11 of a player who sounds, before the fade
REST = 0.25  # seconds; a phrase ends where a player is silent for longer
BARS = 4  # of a phrase where nobody rests
SHORTEST = 1.0  # seconds of a phrase that is divided off a longer one

HIT = 43.0  # steps up to a hit of full strength: from the base to the loudest
FLAT = 0.5  # the share of it that does not depend on the strength of the cut
INTO_HIT, AFTER_HIT = 2.0, 0.5  # seconds of a crescendo, at most a bar; and back
INTO_SECTION = 4.0  # seconds, at most two bars; it is back when the velocities have changed
LEAST = 3.0  # steps; a smaller turn is none

STEP = 0.1  # seconds between two values
STEPS = 64  # of a fade


def expression(part: Part, fitted: Fitted, dynamics: Dynamics) -> tuple[Control, ...]:
    """Return controller 11 of ``part``: its swells, if it has any, and the fade at the end.

    A value is set at the beginning, at the first note after a rest, and where it changes.
    """
    fade = np.array(ramp(fitted.duration, dynamics.fade), np.float64).reshape(-1, 2)  # (T, 2)
    swells = sustains(part.player)
    spans = phrases(part, fitted.tempo_map, dynamics) if swells else np.zeros((0, 2))
    moments = np.concatenate([[0.0], *(np.arange(start, end, STEP) for start, end in spans)])
    moments = moments[(moments < np.append(fade[:, 0], np.inf)[0]) | (moments == 0)]
    times = np.append(moments, fade[:, 0])
    levels = swell(times, spans, fitted, dynamics) if swells else np.full(len(times), STEADY)
    shares = np.append(np.ones(len(moments)), fade[:, 1] / FULL)
    values = np.round(np.round(levels * shares, 6)).astype(int)
    changes = np.flatnonzero(np.diff(values, prepend=-1))
    return tuple(Control(float(times[i]), EXPRESSION, int(values[i])) for i in changes)


def ramp(duration: float, fade: float) -> list[tuple[float, int]]:
    """Return the seconds and the values of controller 11 over the last ``fade`` seconds."""
    if fade <= 0:
        return []
    steps = np.linspace(0, 1, STEPS + 1)
    times = duration - min(fade, duration) * (1 - steps)
    values = np.round(FULL * (1 - steps)).astype(int)
    return list(zip(times.tolist(), values.tolist(), strict=True))


def sustains(player: Player) -> bool:
    """Return whether a player shapes a note while it sounds."""
    return player.instrument != DRUMS and player.program in SUSTAINED


def swell(times: Seconds, spans: Seconds, fitted: Fitted, dynamics: Dynamics) -> Float64s:
    """Return the (T,) values of controller 11 at ``times`` in phrases with these (P, 2) ``spans``.

    A crescendo takes over where it is louder than the phrase.
    """
    rise = np.zeros(len(times))
    for start, end in spans:
        share = (times - start) / (end - start)
        up = np.clip(np.minimum(share / SUMMIT, (1 - share) / (1 - SUMMIT)), 0, 1)
        rise = np.maximum(rise, PHRASE * min(1.0, (end - start) / LONG) * up**2 * (3 - 2 * up))
    fall = np.zeros(len(times))
    for turn in _turns(fitted, dynamics):
        size = turn.size * turn.at(times)
        rise, fall = np.maximum(rise, size), np.minimum(fall, size)
    return np.clip(BASE + rise + fall, LOWEST, FULL)


class _Turn(NamedTuple):
    """A crescendo to a moment, or where its size is negative a decrescendo, and the way back."""

    time: float  # seconds
    size: float  # steps of controller 11
    before: float  # seconds, above 0
    after: float  # seconds, above 0

    def at(self, times: Seconds) -> Float64s:
        """Return the (T,) shares of the size that are reached at ``times``."""
        gone = np.asarray(times) - self.time
        return np.where(
            gone < 0,
            np.clip(1 + gone / self.before, 0, 1) ** 2,
            np.clip(1 - gone / self.after, 0, 1),
        )


def _turns(fitted: Fitted, dynamics: Dynamics) -> Iterator[_Turn]:
    """Yield what leads into the hits and into the sections."""
    last = 0.0
    for report in fitted.kept:
        if report.hit is not None:
            time = report.hit.time
            before = min(INTO_HIT, _bar(fitted.tempo_map, time), time - last)
            if before > 0:
                size = HIT * (FLAT + (1 - FLAT) * report.cut.strength)
                yield _Turn(time, size, before, AFTER_HIT)
                last = time
    states = zip(dynamics.times, dynamics.levels, strict=True)
    for (start, level), (time, new) in itertools.pairwise(states):
        before = min(INTO_SECTION, 2 * _bar(fitted.tempo_map, time), time - start)
        size = BASE * (new / level - 1)
        if before > 0 and abs(size) >= LEAST:
            yield _Turn(time, size, before, RAMP)


def _bar(tempo_map: TempoMap, time: float) -> float:
    """Return the seconds of the bar before ``time``."""
    lines = np.append(tempo_map.downbeats, tempo_map.starts[-1] / 1e6)
    bar = int(np.clip(np.searchsorted(lines, time - 1e-3), 1, len(lines) - 1))
    return float(lines[bar] - lines[bar - 1])


def phrases(part: Part, tempo_map: TempoMap, dynamics: Dynamics) -> Seconds:
    """Return the (P, 2) seconds at which the phrases of a part begin and end, ascending.

    They are the stretches between its rests, divided where a section begins and every four bars
    from there.
    """
    reached = np.maximum.accumulate(part.offsets)
    first = np.flatnonzero(part.onsets[1:] > reached[:-1] + REST) + 1
    starts = part.onsets[np.append(0, first)]
    ends = reached[np.append(first, len(reached)) - 1]
    marks = _phrase_marks(tempo_map, dynamics)
    spans: list[tuple[float, float]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        inside = marks[(marks > start + SHORTEST) & (marks < end - SHORTEST)].tolist()
        spans += itertools.pairwise([start, *inside, end])
    return np.array(spans)


def _phrase_marks(tempo_map: TempoMap, dynamics: Dynamics) -> Seconds:
    """Return the bar lines at which phrases may be divided: of each section every fourth."""
    lines = tempo_map.downbeats
    firsts = np.searchsorted(lines, np.array(dynamics.times) - 0.03)  # a start is on a line or not
    marks = [
        lines[first:last:BARS] for first, last in itertools.pairwise([*firsts.tolist(), len(lines)])
    ]
    return np.unique(np.concatenate(marks))
