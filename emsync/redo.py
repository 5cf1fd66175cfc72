"""A span of a score that is composed anew, while all else stays as it is: which bars, and where.

The bars and the tempo map of the score stay, within the span, too: they stand on the cuts.
``emsync.drafts`` composes it.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Float64s, Seconds
from emsync.errors import InputError, UsageError, warn
from emsync.fit.bar_grid import NEAR, BarGrid
from emsync.formats.midi_raw import RawMidi
from emsync.formats.played import parts
from emsync.formats.splice import KeptScore, piece_of
from emsync.limits import quoted
from emsync.music.piece import BEATS, Piece
from emsync.music.statistics import pitch_class_seconds
from emsync.music.tonality import TONICS, key_fits, pitch_class
from emsync.options import FASTEST, SLOWEST, Options
from emsync.performance.palette import Palette, names
from emsync.planning.chart import chart_text, shortened, turned
from emsync.planning.feeling import modes_of
from emsync.planning.placing import section_bars
from emsync.planning.plan import Plan
from emsync.planning.planner import plan_of
from emsync.span import Span, read_span
from emsync.video.film import same_length

MOMENTS = 24  # in a beat, on which the composed music's notes begin and end
KEY = re.compile(r"\b([A-G][#b]?) (?:major|minor)\b")  # in the words on a section of ours
SAME_END = 0.5  # seconds by which a span may go beyond the film, as of a rounded number


@dataclass(frozen=True, eq=False)
class Redo:
    """A score, the bars of it that are composed anew, and how they are placed in time."""

    score: KeptScore
    grid: BarGrid
    bars: tuple[int, int]  # the first, and one past the last
    duration: float  # seconds of the film

    @classmethod
    def of(cls, options: Options, duration: float, tempo: float | None) -> Self | None:
        """Return what ``options`` want anew in a film of ``duration`` seconds; None for all of it.

        ``tempo`` is that of the composer's music, where it has one.
        """
        if options.keep is None or options.redo is None:
            return None
        score = KeptScore.read(Path(options.keep))
        grid = BarGrid.of(score.raw, duration, tempo)
        bars = _bars(grid, _within(read_span(options.redo), duration), duration)
        return cls(score, grid, bars, duration)

    @property
    def raw(self) -> RawMidi:
        """The events of the score."""
        return self.score.raw

    @property
    def closes(self) -> bool:
        """Whether the span reaches the end of the film, so that its music ends the piece."""
        return int(self.grid.lines[self.bars[1]]) >= self.last

    @property
    def last(self) -> int:
        """The tick at which the film ends."""
        return self.grid.nearest_tick(self.duration)

    @property
    def ticks(self) -> tuple[int, int]:
        """The ticks of the span, from and to."""
        first, stop = (int(self.grid.lines[bar]) for bar in self.bars)
        return first, max(stop, self.raw.end + 1) if self.closes else stop

    @property
    def seconds(self) -> Span:
        """The span in the film."""
        first, stop = self.grid.seconds(np.array(self.ticks))
        return float(first), min(float(stop), self.duration)

    @cached_property
    def composed(self) -> Piece:
        """The kept notes in seconds of the composed music, on its moments."""
        second = 60 / self.grid.tempo

        def time(ticks: Float64s) -> Seconds:
            return np.round(self.grid.beats(ticks) * MOMENTS) / MOMENTS * second

        bars = np.arange(0, self.grid.starts[-1], BEATS) * second
        piece = piece_of(self.raw, time, bars.tolist())
        first, stop = self.ticks
        span = time(np.array([first, stop]))
        return piece.where((piece.onsets < span[0] - NEAR) | (piece.onsets >= span[1] - NEAR))

    def at(self, bar: int) -> float:
        """Return the second of the composed music at which a bar of the score begins."""
        return float(self.grid.starts[bar]) * 60 / self.grid.tempo

    def plan(self, analysis: Analysis, options: Options) -> Plan:
        """Return the plan of the film on the score's bars, by default in the score's key."""
        given = options.tonic or options.chords or options.plan is not None or analysis.tonic
        if not given:
            options = replace(options, tonic=self.tonic(analysis, options.mode))
        if options.palette is None and options.plan is None:
            options = replace(options, palette=self.palette())
        tempo = BarGrid.of(self.raw, self.duration).tempo
        plan = plan_of(replace(analysis, tempo=tempo), options, self.grid)
        plan = self.led(plan) if options.chords else plan
        return replace(plan, tempo=tempo)

    def led(self, plan: Plan) -> Plan:
        """Return ``plan`` with the loop of the section in which the span begins begun with it."""
        start, sections = self.at(self.bars[0]), list(plan.sections)
        for number, edges in enumerate(section_bars(plan, self.grid, None)):
            if edges[0] - NEAR <= start < edges[-1] - NEAR:
                before = int(np.sum(edges < start - NEAR))
                section = sections[number]
                chart = shortened(turned(section.chart, before), len(edges) - 1)
                sections[number] = replace(section, chords=chart_text(chart, plan.fifths(section)))
        return replace(plan, sections=tuple(sections))

    def palette(self) -> str | None:
        """Return the palette that is shipped whose players the score's tracks are, if there is one.

        Of several it is the one with most of their volumes and places, then that of fewest players.
        """
        played = [part.player for part in parts(self.raw)]
        found = []
        for name in names():
            cast = Palette.named(name).players
            sounds = {(player.name, player.instrument, player.program) for player in cast}
            if all((p.name, p.instrument, p.program) in sounds for p in played):
                same = {p.track for p in played} & {player.track for player in cast}
                found.append((-len(same), len(cast), name))
        return min(found)[2] if played and found else None

    def tonic(self, analysis: Analysis, mode: str | None) -> str:
        """Return the tonic that the score says it has, or else has by its notes.

        These are heard in the modes that the film's feeling asks for.
        """
        said = (KEY.search(words) for _, _, words in self.raw.sections())
        if key := next(filter(None, said), None):
            return TONICS[pitch_class(key[1])]
        piece = piece_of(self.raw, self.grid.seconds)
        total = np.zeros(12)
        asked = modes_of([state.valence for state in analysis.arc])
        for state, own in zip(analysis.arc, asked, strict=True):
            part = piece.where((piece.onsets >= state.start) & (piece.onsets < state.end))
            sounding = pitch_class_seconds(part)
            major, minor = key_fits(sounding).reshape(2, 12)
            fits = {"major": major, "minor": minor, None: np.maximum(major, minor)}
            total += sounding.sum() * fits[mode or own]
        return TONICS[int(total.argmax())]


def check_redo(options: Options, duration: float) -> None:
    """Refuse a score, or a span of it, that does not fit a film of ``duration`` seconds."""
    if options.keep is None or options.redo is None:
        return
    span = _within(read_span(options.redo), duration)
    score, name = KeptScore.read(Path(options.keep)), quoted(options.keep)
    if score.raw.repairs:
        warn(
            f"{name} was repaired before it is kept; it holds {'; '.join(score.raw.repairs)}"[:500]
        )
    if score.origin is not None and not same_length(score.duration, duration):
        raise UsageError(
            f"the kept score {name} is of a film of {score.duration:.2f} s, the video has "
            f"{duration:.2f} s; keep a score of this video"
        )
    grid = BarGrid.of(score.raw, duration)
    edges = grid.lines[list(_bars(grid, span, duration))]
    pace = 60 * np.ptp(edges) / grid.resolution / np.ptp(grid.seconds(edges))
    if not SLOWEST / 2 <= pace <= FASTEST * 2:
        raise InputError(
            f"the kept score {name} has {pace:.4g} beats a minute there, which no music has; "
            "export it with its tempo map"
        )
    bar = float(np.max(np.diff(grid.seconds(grid.lines))[-2:]))
    lasts = float(score.raw.seconds([score.raw.end])[0])  # ours, too, if its tempo was edited
    if abs(lasts - duration) > bar:
        warn(
            f"the kept score {name} lasts {lasts:.2f} s, the video {duration:.2f} s; it "
            "is taken to begin with the video, and ends with it where the span does"
        )


def _within(span: Span, duration: float) -> Span:
    start, end = span
    if start >= duration or (end > duration + SAME_END and not math.isinf(end)):
        words = f"{start:g}-" + ("" if math.isinf(end) else f"{end:g}")
        raise UsageError(
            f"redo is {words} s, but the video has {duration:.2f} s; choose a span within it"
        )
    return start, min(end, duration)


def _bars(grid: BarGrid, span: Span, duration: float) -> tuple[int, int]:
    """Return the bars, first and one past the last, that hold a span of a film's ``duration``."""
    start, end, last = map(int, grid.nearest_ticks(np.array([*span, duration])))
    return grid.bars(min(start, last - 1), end)  # a bar that begins as the film ends holds none
