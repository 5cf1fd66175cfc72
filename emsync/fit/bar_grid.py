"""The bars of a score that is kept: in place of spotting, which finds bars for music to come.

The score stands on its film already, so no time is bent. Each of its bars is composed as whole bars
of four beats (quarters), of which the beats that it does not have are left out: the last ones, or
those before an upbeat. Shapes: K bars.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.arrays import Float64s, Int64s, Seconds
from emsync.formats.midi_raw import RawMidi
from emsync.music.bars import TempoMap
from emsync.music.piece import BEATS
from emsync.music.ticks import bar_lines, tick_seconds, ticks_at
from emsync.video.footage import Curve

ON_BEAT = 0.05  # beats by which what was brought onto a beat may miss it: rounding
NEAR = 1e-6  # beats
CURVES = (
    "motion", "brightness", "saturation", "colourfulness", "valence_curve", "arousal_curve",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class BarGrid:
    """The bars of a score, between the film's time, its ticks, and the composed music's beats."""

    lines: Int64s  # (K + 1,) ticks at which the bars begin, and the last one ends
    tempi: dict[int, int]  # microseconds a quarter from each tick on
    resolution: int  # ticks a quarter
    tempo: float  # beats a minute of the composed music

    @classmethod
    def of(cls, score: RawMidi, duration: float, tempo: float | None = None) -> Self:
        """Return the bars of ``score`` to the end of a film of ``duration`` seconds.

        ``tempo`` is that of the composed music; None is the score's own, on the average.
        """
        end = max(score.end, math.ceil(ticks_at(duration, score.tempi, score.resolution)))
        metres = [(0, 4, 4)] + [
            (tick, m.numerator or 4, m.denominator) for tick, _, m in score.events("time_signature")
        ]
        held = {tick: (tick, top, bottom) for tick, top, bottom in metres}  # the last at a tick
        starts = bar_lines(held.values(), score.resolution, end)
        _, top, bottom = held[max(held)]
        last = max(1, score.resolution * 4 * top // bottom)
        lines = np.append(starts, starts[-1] + last)
        if tempo is None:
            tempo = float(60 * end / score.resolution / max(score.seconds([end])[0], 1e-9))
        return cls(lines, score.tempi, score.resolution, tempo)

    @cached_property
    def sizes(self) -> Float64s:
        """The (K,) beats of each bar."""
        return np.diff(self.lines) / self.resolution

    @cached_property
    def starts(self) -> Float64s:
        """The (K + 1,) beats of the composed music at which each bar begins, and the last ends."""
        widths = np.ceil(self.sizes / BEATS - NEAR) * BEATS
        return np.concatenate([[0.0], np.cumsum(widths)])

    @cached_property
    def leads(self) -> Float64s:
        """The (K,) beats that are left out at the beginning of each bar: before an upbeat."""
        leads = np.zeros(len(self.sizes))
        if len(leads) > 1 and self.sizes[0] < min(BEATS, self.sizes[1]) - NEAR:
            leads[0] = BEATS - self.sizes[0]
        return leads

    def beats(self, ticks: Int64s | Float64s) -> Float64s:
        """Return the beats of the composed music at (T,) ``ticks``."""
        i = np.clip(np.searchsorted(self.lines, ticks, "right") - 1, 0, len(self.sizes) - 1)
        return self.starts[i] + self.leads[i] + (ticks - self.lines[i]) / self.resolution

    def ticks(self, beats: Float64s) -> Int64s:
        """Return the ticks nearest to (T,) ``beats``; those left out are at an end of their bar."""
        i, inside = self._places(beats)
        within = np.clip(inside, 0, self.sizes[i])
        return self.lines[i] + np.round(within * self.resolution).astype(np.int64)

    def left_out(self, beats: Float64s) -> NDArray[np.bool_]:
        """Return (T,) whether ``beats`` of the composed music have no place in the score."""
        i, inside = self._places(beats)
        return (inside < -NEAR) | (inside > self.sizes[i] - NEAR)

    def _places(self, beats: Float64s) -> tuple[NDArray[np.intp], Float64s]:
        """Return the bar of each of (T,) ``beats``, and where in the bar of the score it is."""
        i = np.searchsorted(self.starts, beats + NEAR, side="right") - 1
        i = np.clip(i, 0, len(self.sizes) - 1)
        return i, beats - self.starts[i] - self.leads[i]

    def seconds(self, ticks: Int64s | Float64s) -> Seconds:
        """Return when in the film (T,) ``ticks`` are."""
        return tick_seconds(ticks, self.tempi, self.resolution)

    def nearest_ticks(self, times: Seconds) -> Int64s:
        """Return the ticks nearest to (T,) ``times`` of the film."""
        return np.round(ticks_at(times, self.tempi, self.resolution)).astype(np.int64)

    def nearest_tick(self, time: float) -> int:
        """Return the tick nearest to a time of the film."""
        return int(self.nearest_ticks(np.array([time]))[0])

    def composed(self, times: Seconds) -> Seconds:
        """Return when in the composed music (T,) ``times`` of the film are, in seconds."""
        ticks = ticks_at(times, self.tempi, self.resolution)
        return self.beats(ticks) * 60 / self.tempo

    def film(self, times: Seconds) -> Seconds:
        """Return when in the film (T,) ``times`` of the composed music are."""
        return self.seconds(self.ticks(times * self.tempo / 60))

    def bars(self, start: int, end: int) -> tuple[int, int]:
        """Return the bars, first and one past the last, that hold the ticks from start to end."""
        first = int(np.searchsorted(self.lines, start, side="right")) - 1
        stop = int(np.searchsorted(self.lines, end, side="left"))
        first = min(first, len(self.sizes) - 1)
        return first, min(max(stop, first + 1), len(self.sizes))

    def asked(self, video: Analysis, since: float = 0.0) -> Analysis:
        """Return ``video`` in the composed music's time, counted from its second ``since``.

        Of the cuts it asks for those that are on beats; those before are left out.
        """
        second = 60 / self.tempo
        cuts = []
        for cut in video.cuts:
            beat = self.beats(ticks_at([cut.time], self.tempi, self.resolution))
            near = np.round(beat)
            on = bool(np.abs(beat - near) <= ON_BEAT) and not self.left_out(near)
            time = float((near if on else beat)[0]) * second - since
            cuts.append(replace(cut, time=time, kept=cut.kept and on))
        edges = self.composed(np.array([(s.start, s.end) for s in video.arc]).ravel()) - since
        arc = tuple(
            replace(state, start=float(start), end=float(end))
            for state, (start, end) in zip(
                video.arc, np.maximum(edges, 0).reshape(-1, 2), strict=True
            )
            if end > 0
        )
        arc = (replace(arc[0], start=0.0), *arc[1:])
        duration = arc[-1].end
        curves: dict[str, Any] = {
            name: self._curve(curve, since, duration)
            for name in CURVES
            if (curve := getattr(video, name))
        }
        return replace(
            video, duration=duration, cuts=tuple(cut for cut in cuts if cut.time >= 0), arc=arc,
            tempo=self.tempo, music_time=lambda times: self.composed(times) - since, **curves,
        )  # fmt: skip

    def _curve(self, curve: Curve, since: float, duration: float) -> Curve:
        """Return a curve over the film as one over the composed music, in the same steps."""
        times = np.arange(math.ceil(duration / curve.step), dtype=np.float64) * curve.step
        places = self.film(since + times) / curve.step
        values = np.interp(places, np.arange(len(curve.values)), curve.values)
        return Curve(curve.step, tuple(values.tolist()))

    def tempo_map(self) -> TempoMap:
        """Return the bars as whole beats: exact where bars and tempi of the score are on beats."""
        count = math.ceil(self.lines[-1] / self.resolution)
        beats = self.seconds(np.arange(count + 1) * self.resolution)
        lines = np.unique(np.round(self.lines[:-1] / self.resolution).astype(np.intp))
        micro = np.round(beats * 1e6).astype(np.int64)
        return TempoMap(micro[1:] - micro[:-1], lines[lines < count])
