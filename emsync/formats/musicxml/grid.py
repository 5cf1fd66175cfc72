"""Where notes begin on paper: in each beat on the simplest grid that they are near to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emsync.arrays import Int64s
from emsync.music.bars import TICKS, TempoMap
from emsync.performance.part import Part

STEP = 12  # steps in a quarter note
TICKS_IN_STEP = TICKS // STEP
# Equal parts of a beat, and what they cost to read. A note that is moved by a 24th of a beat costs
# 1, and with the square of that.
GRIDS = {1: 0.0, 2: 0.5, 4: 1.0, 3: 3.0, 6: 6.0}
TERNARY = (3, 6)  # those in threes
LOST = 8.0  # what a note costs that would fall on another of its pitch


class Note(NamedTuple):
    """A note with its written start."""

    start: int  # steps from the beginning
    stop: float  # steps at which it falls silent, not rounded
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Written:
    """The notes of a part where they stand on paper."""

    notes: list[Note]  # by start, each pitch once at a time
    ternary: frozenset[int]  # the beats, from 0, that are in threes


def written(part: Part, tempo_map: TempoMap, beats: int) -> Written:
    """Return the notes of ``part`` on paper, in music of ``beats`` beats."""
    starts, stops = tempo_map.ticks(part.onsets), tempo_map.ticks(part.offsets)
    starts = np.minimum(starts, beats * TICKS - TICKS_IN_STEP)
    found: dict[tuple[int, int], Note] = {}
    ternary = set()
    for beat in np.unique(starts // TICKS).tolist():
        inside = np.flatnonzero(starts // TICKS == beat)
        parts = _grid(starts[inside] - beat * TICKS, part.pitches[inside].tolist())
        if parts in TERNARY:
            ternary.add(beat)
        size = STEP // parts
        places = _nearest(starts[inside] - beat * TICKS, parts) * size + beat * STEP
        for i, place in zip(inside.tolist(), places.tolist(), strict=True):
            start = min(place, beats * STEP - size)
            pitch, velocity = int(part.pitches[i]), int(part.velocities[i])
            stop = max(float(stops[i]) / TICKS_IN_STEP, start + 1.0)
            other = found.get((start, pitch), Note(start, 0.0, pitch, 0))
            found[start, pitch] = Note(
                start, max(stop, other.stop), pitch, max(velocity, other.velocity)
            )
    return Written([found[key] for key in sorted(found)], frozenset(ternary))


def _nearest(ticks: Int64s, parts: int) -> Int64s:
    """Return the nearest of the lines from 0 to ``parts`` to ticks in a beat, the later of two."""
    return (2 * ticks * parts + TICKS) // (2 * TICKS)


def _grid(ticks: Int64s, pitches: Sequence[int]) -> int:
    """Return into how many parts a beat is best divided for notes at ``ticks`` in it."""

    def cost(parts: int) -> float:
        lines = _nearest(ticks, parts)
        away = (ticks - lines * TICKS // parts) / (TICKS / 24)
        lost = len(pitches) - len(set(zip(lines.tolist(), pitches, strict=True)))
        moved = {(line, tick): off**2 for line, tick, off in zip(
            lines.tolist(), ticks.tolist(), away.tolist(), strict=True)}  # fmt: skip
        return GRIDS[parts] + sum(moved.values()) + LOST * lost

    return min(GRIDS, key=cost)
