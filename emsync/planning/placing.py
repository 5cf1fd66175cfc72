"""From the plan's bars and words to the composed music's seconds: its lead sheet.

The bars are those of the spotting (``emsync.fit.spotting``), in the composed music: even bars of
four beats, those left out later included. Shapes: S sections, B bars of one section.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.fit.bar_grid import ON_BEAT
from emsync.music.chords import MAJOR, MINOR, Harmony, chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BEATS
from emsync.music.tonality import pitch_class
from emsync.planning.chart import Chart
from emsync.planning.plan import Plan


class Placing(Protocol):
    """Where in the composed music a moment of the film is: a spotting, or a kept score's bars."""

    @property
    def tempo(self) -> float:
        """Beats a minute of the composed music."""

    def composed(self, times: Seconds) -> Seconds:
        """Return when in the composed music (T,) ``times`` of the film are."""


def section_bars(plan: Plan, spotting: Placing, last_chord: float | None) -> list[Float64s]:
    """Return for each section the (B + 1,) edges of its bars, in seconds of the composed music.

    A section begins on the beat that its cut was brought onto, else on the nearest bar line. What
    is left of a bar there belongs to its first bar, and less than half a bar at its end to the last
    one. A section that holds no bar has one edge alone; but one of all has a bar, however short the
    film. ``last_chord`` is the film's second from which the last chord sounds, where there is one:
    the last bar of all, however long.
    """
    beat = 60 / spotting.tempo
    starts = np.array([section.start for section in plan.sections])
    edges = np.append(spotting.composed(starts), spotting.composed(np.array([plan.duration])))
    upbeat = np.round(edges[0] / beat) * beat  # it belongs to the first bar
    edges = np.maximum.accumulate(np.append(upbeat, _on_beats(edges[1:], beat)))
    at = math.inf
    if last_chord is not None:
        at = float(_on_beats(spotting.composed(np.array([last_chord])), beat)[0])
        if edges[0] < at >= edges[-1]:  # a film so short that the rounded end is no later
            edges[-1] = at + beat * BEATS / 2
    if edges[-1] == edges[0]:
        edges[-1] += beat * BEATS
    found = [_bars(start, end, beat * BEATS) for start, end in itertools.pairwise(edges)]
    next(edges for edges in found if len(edges) > 1)[0] = 0.0
    last = closing(found)
    if found[last][0] < at < edges[-1]:
        found[last] = np.append(_bars(float(found[last][0]), at, beat * BEATS), edges[-1])
    return found


def closing(bars: Sequence[Float64s]) -> int:
    """Return the index of the last section that holds a bar."""
    return max(index for index, edges in enumerate(bars) if len(edges) > 1)


def _on_beats(times: Seconds, beat: float) -> Seconds:
    """Return ``times`` on the beats that they are on but for rounding, else on bar lines."""
    near = np.round(times / beat)
    on = np.abs(times / beat - near) <= ON_BEAT
    return np.where(on, near, np.round(near / BEATS) * BEATS) * beat


def _bars(start: float, end: float, bar: float) -> Float64s:
    """Return the edges of the bars from ``start`` to ``end``; their lines are multiples of one."""
    lines = np.arange(np.ceil(start / bar - 1e-6) + 1, np.floor(end / bar + 1e-6) + 1) * bar
    inside = lines[(lines >= start + bar - 1e-6) & (lines <= end - bar / 2 + 1e-6)]
    return np.concatenate([[start], inside, [end]] if end > start else [[start]])


def lead_sheet(plan: Plan, spotting: Placing, last_chord: float | None = None) -> LeadSheet:
    """Return the chords and players of a plan whose sections all have chords, a tonic and a mode.

    Of a chart that is longer than its section, the first bars are played. The last chord is the
    tonic's triad. There is a passage and a chord, however short the film.
    """
    tonic = pitch_class(plan.tonic)
    starts: list[float] = []
    chords: list[int] = []
    passages: list[Passage] = []
    bars = section_bars(plan, spotting, last_chord)
    last = closing(bars)
    for index, (section, edges) in enumerate(zip(plan.sections, bars, strict=True)):
        if len(edges) < 2:
            continue
        passages.append(
            Passage(
                float(edges[0]),
                float(edges[-1]),
                section.classes,
                section.theme,
                section.mode == "minor",
                section.density,
            )
        )
        closes = last_chord is not None and index == last  # its last bar has a chord of its own
        times, numbers = _chart_times(section.chart, edges[:-1] if closes else edges)
        starts += times
        chords += numbers
        if closes:
            starts.append(float(edges[-2]))
            chords.append(chord(tonic, MINOR if section.mode == "minor" else MAJOR))
    harmony = Harmony(np.array(starts), np.array(chords, np.intp))
    begins = float(spotting.composed(np.zeros(1))[0])
    return LeadSheet(harmony, tuple(passages), tonic, begins)


def _chart_times(chart: Chart, edges: Float64s) -> tuple[list[float], list[int]]:
    """Return when each chord begins in bars with (B + 1,) ``edges``; the chart is repeated."""
    halves = np.sort(np.concatenate([edges[:-1], (edges[1:] + edges[:-1]) / 2]))
    starts: list[float] = []
    chords: list[int] = []
    at = 0
    for number, length in itertools.cycle(chart):
        if at >= len(halves):
            break
        starts.append(float(halves[at]))
        chords.append(number)
        at += length
    return starts, chords
