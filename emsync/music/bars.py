"""Bars and beats of a piece, and the tempo map that writes them.

``find_bars`` counts the beats between the piece's downbeats; ``fit_tempo_map`` turns beats at given
seconds into tempi of whole microseconds, the same over as many bars as the music allows.
Shapes: B beats, K bars, N notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s, Seconds
from emsync.music.piece import BEATS, Piece

TICKS = 480  # a quarter note, which is our beat
METRES = {4: 1.0, 3: 0.8, 2: 0.6, 6: 0.6}  # beats a bar, and how readily each is believed
SHORTEST_BEAT, LONGEST_BEAT = 0.2, 1.2  # seconds a beat may last: 300 to 50 BPM
LIKELY = 0.3, 1.2  # seconds a beat does last, as a rule: 200 to 50 BPM
SHORTEST_BAR = 0.4  # seconds; a bar line sooner than that after another is no bar line
ON_BEAT = 0.025  # seconds; an onset this close to a beat sounds on it
SAME_LENGTH = 0.1  # share of a bar by which its length may differ from its neighbours'
JITTER = 0.005  # seconds; times on an 8 ms grid are off by half a step, and a little for rounding

Beats = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Bars:
    """The beats of a piece as the music has them, evenly spaced within each bar."""

    beats: Seconds  # (B + 1,) seconds at which each beat begins; first 0, last the end of the last
    lines: Beats  # (K,) index of the beat that opens each bar; first 0
    regular: bool  # whether each bar is as long as its neighbours
    note: str = ""  # what was irregular, and what was done about it

    @property
    def downbeats(self) -> Seconds:
        """The (K,) bar lines in seconds."""
        return self.beats[self.lines]


@dataclass(frozen=True, eq=False)
class TempoMap:
    """A tempo map on beats, exact in microseconds, and the bars on it."""

    tempi: Int64s  # (B,) microseconds that each beat lasts
    lines: Beats  # (K,) index of the beat that opens each bar; first 0

    @property
    def starts(self) -> Int64s:
        """The (B + 1,) microseconds at which each beat begins, and the last one ends."""
        return np.concatenate([[0], np.cumsum(self.tempi)])

    @property
    def downbeats(self) -> Seconds:
        """The (K,) bar lines in seconds."""
        return self.starts[self.lines] / 1e6

    @property
    def sizes(self) -> Beats:
        """The (K,) beats of each bar."""
        return np.diff(np.append(self.lines, len(self.tempi)))

    @property
    def changes(self) -> Beats:
        """The beats at which the tempo changes; first 0."""
        return np.flatnonzero(np.diff(self.tempi, prepend=-1))

    def half_bars(self, end: float) -> Seconds:
        """Return the (W + 1,) edges, in seconds, of the half bars up to ``end``, the last one cut.

        >>> TempoMap(np.full(7, 500_000), np.array([0, 4])).half_bars(3.0).tolist()
        [0.0, 1.0, 2.0, 2.75, 3.0]
        """
        lines = self.lines * TICKS
        edges = np.sort(np.concatenate([lines, lines + self.sizes * (TICKS // 2)]))
        seconds = self.seconds(edges)
        return np.append(seconds[seconds < end - 1e-6], end)

    def ticks(self, times: Float64s) -> Int64s:
        """Return the ticks nearest to ``times`` in seconds, which lie within the map."""
        return np.round(self.beats(times) * TICKS).astype(np.int64)

    def beats(self, times: Float64s) -> Float64s:
        """Return the beats, with fractions, at ``times`` in seconds, which lie within the map."""
        micro = np.asarray(times, np.float64) * 1e6
        return np.interp(micro, self.starts, np.arange(len(self.tempi) + 1))

    def seconds(self, ticks: Int64s | Float64s) -> Seconds:
        """Return the times in seconds of ``ticks``, as a reader of the file computes them."""
        beats = np.asarray(ticks, np.float64) / TICKS
        return np.interp(beats, np.arange(len(self.tempi) + 1), self.starts) / 1e6

    def position(self, tick: int) -> str:
        """Return a tick as bar, beat and tick, the first of each bar and beat being 1.

        >>> TempoMap(np.full(8, 500_000), np.array([0, 4])).position(5 * 480 + 7)
        '2|2|007'
        """
        beat, rest = divmod(int(tick), TICKS)
        bar = int(np.searchsorted(self.lines, beat, side="right")) - 1
        return f"{bar + 1}|{beat - self.lines[bar] + 1}|{rest:03d}"


def find_bars(piece: Piece, end: float, beat: float | None = None) -> Bars:
    """Return the beats of ``piece`` from 0 to at least ``end`` seconds.

    Bars shorter than a few tenths of a second are merged, gaps of several bars are divided, and a
    steady pulse fitted to the onsets stands in where there are no bars. Where it is known how many
    seconds a ``beat`` lasts, nothing is guessed: bars have four beats, or as many as their length
    says.
    """
    if beat is not None:
        return _counted(piece.downbeats, beat, end)
    far_enough = np.diff(piece.downbeats, prepend=-np.inf) >= SHORTEST_BAR
    downbeats = piece.downbeats[far_enough]
    merged = len(piece.downbeats) - len(downbeats)
    if len(downbeats) < 2 or not len(piece):
        pulse = _pulse(piece.onsets)
        steady = _until(np.zeros(1), pulse, end, BEATS)
        note = f"the music has no bars; its beats are a steady {60 / pulse:.0f} BPM"
        return Bars(steady, np.arange(0, len(steady) - 1, BEATS), regular=False, note=note)
    lengths = np.diff(downbeats)
    usual = _running_median(lengths)
    metre = _metre(downbeats, piece.onsets)
    likely = np.clip(usual / metre, SHORTEST_BEAT, LONGEST_BEAT)
    counts = np.clip(
        np.round(lengths / likely),
        np.ceil(lengths / LONGEST_BEAT),
        np.maximum(1, np.floor(lengths / SHORTEST_BEAT)),
    ).astype(np.intp)
    odd = int((np.abs(lengths - usual) > SAME_LENGTH * usual).sum())

    lead = round(downbeats[0] * counts[0] / lengths[0])  # beats before the first downbeat
    lead *= downbeats[0] >= SHORTEST_BEAT  # too short for a beat: the first bar begins at 0
    first = downbeats[0] if lead else 0.0
    beats = [np.linspace(0, first, lead, endpoint=False)]
    lines = [np.arange(lead)[:0]] if not lead else [_divide(0, lead, metre, short_first=True)]
    for left, right, at, count in zip(
        downbeats[:-1], downbeats[1:], lead + np.cumsum(counts) - counts, counts, strict=True
    ):
        beats.append(np.linspace(left, right, count, endpoint=False))
        lines.append(_divide(at, count, metre))
    known = np.concatenate([*beats, downbeats[-1:]])
    known[0] = 0.0
    extended = _until(known, float(likely[-1]), end, metre)
    tail = np.arange(len(known) - 1, len(extended) - 1, metre)
    return Bars(
        extended,
        np.concatenate([*lines, tail]).astype(np.intp),
        regular=odd + merged == 0,
        note=_note(odd + merged, len(lengths) + merged),
    )


def _counted(downbeats: Seconds, beat: float, end: float) -> Bars:
    """Return the bars of music whose beat is known."""
    lines = downbeats[downbeats > beat / 2]  # a bar line before that is the beginning
    edges = np.append(0.0, lines)
    counts = np.maximum(1, np.round(np.diff(edges) / beat)).astype(np.intp)
    beats = [
        np.linspace(a, b, n, endpoint=False)
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    known = np.concatenate([*beats, edges[-1:]])
    extended = _until(known, beat, end, BEATS)
    bars = np.append(0, np.cumsum(counts))
    tail = np.arange(len(known) - 1, len(extended) - 1, BEATS)
    odd = int((counts != BEATS).sum())
    note = f"of {len(counts)} bars {odd} with other than {BEATS} beats, for the cuts" if odd else ""
    return Bars(extended, np.union1d(bars, tail).astype(np.intp), regular=not odd, note=note)


def fit_tempo_map(
    beats: Seconds, lines: Beats, exact: Sequence[int] = (), posts: Sequence[int] = ()
) -> TempoMap:
    """Return the tempo map whose beats begin at ``beats`` seconds, with as few tempi as will do.

    Bar lines and ``posts`` may be off by the jitter of their 8 ms grid; the beats in ``exact`` are
    not. The tempo is constant as long as one line passes all of them by (a cone of slopes that
    narrows with each); the next tempo starts from the microsecond that was in fact reached, so
    rounding does not add up.
    """
    last = len(beats) - 1
    stops = np.unique([*lines, *posts, *exact, last])
    stops = stops[stops > 0]
    slack = {int(i): 1e-4 for i in exact}
    tempi = np.zeros(last, np.int64)
    start, now, i = 0, 0, 0
    while i < len(stops):
        low, high, reached = -np.inf, np.inf, i
        for j in range(i, len(stops)):
            steps = stops[j] - start
            room = slack.get(int(stops[j]), JITTER) * 1e6
            target = beats[stops[j]] * 1e6 - now
            low_j, high_j = (target - room) / steps, (target + room) / steps
            if max(low, low_j) > min(high, high_j):
                break
            low, high, reached = max(low, low_j), min(high, high_j), j
        stop = int(stops[reached])
        aim = (beats[stop] * 1e6 - now) / (stop - start)
        tempo = round(float(np.clip(aim, low, high)))
        tempi[start:stop] = tempo
        start, now, i = stop, now + tempo * (stop - start), reached + 1
    return TempoMap(tempi, lines)


def nearest(sorted_times: Seconds, times: Seconds | float) -> Beats:
    """Return the index of the nearest of (N,) ``sorted_times``, N > 0, to each of ``times``."""
    right = np.clip(np.searchsorted(sorted_times, times), 1, max(1, len(sorted_times) - 1))
    right = np.minimum(right, len(sorted_times) - 1)
    left = np.maximum(right - 1, 0)
    closer = times - sorted_times[left] <= sorted_times[right] - times
    return np.where(closer, left, right)


def _until(beats: Seconds, beat: float, end: float, metre: int) -> Seconds:
    """Return ``beats`` continued by whole bars of ``beat`` seconds a beat to at least ``end``."""
    bars = max(1, int(np.ceil((end - beats[-1]) / (beat * metre))))
    return np.concatenate([beats, beats[-1] + beat * np.arange(1, bars * metre + 1)])


def _divide(at: int, count: int, metre: int, short_first: bool = False) -> Beats:
    """Return the bar lines of ``count`` beats from beat ``at``: one bar, unless two would fit."""
    if short_first:  # a lead-in: what does not fill a bar comes before the whole ones
        rest = count % metre
        return at + np.union1d([0], np.arange(rest, count, metre))
    bars = max(1, count // metre)
    return at + metre * np.arange(bars)


def _metre(downbeats: Seconds, onsets: Seconds) -> int:
    """Return the beats of a bar: those that notes fall on, at a tempo that is likely."""
    lengths = np.diff(downbeats)
    usual = float(np.median(lengths))

    def belief(count: int) -> float:
        inner = np.arange(1, count) / count
        places = (downbeats[:-1, None] + lengths[:, None] * inner).ravel()
        likely = LIKELY[0] <= usual / count <= LIKELY[1]
        heard = float(_sounding(onsets, places).mean())
        return METRES[count] * (0.1 + heard) * (1.0 if likely else 0.01)

    return max(METRES, key=belief)


def _sounding(onsets: Seconds, places: Seconds) -> NDArray[np.bool_]:
    """Return for each of ``places`` whether a note begins there."""
    if not len(onsets):
        return np.zeros(len(places), np.bool_)
    return np.abs(onsets[nearest(onsets, places)] - places) <= ON_BEAT


def _running_median(lengths: Seconds, reach: int = 4) -> Seconds:
    """Return the median of each length and its ``reach`` neighbours on both sides."""
    padded = np.pad(lengths, reach, constant_values=np.nan)
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)


def _pulse(onsets: Seconds) -> float:
    """Return the seconds of the beat, counted from 0, that most onsets fall on (0.5 if none)."""
    periods = 60 / np.arange(70, 161)  # BPM
    if not len(onsets):
        return 0.5
    phases = np.exp(2j * np.pi * onsets[:, None] / periods)
    return float(periods[np.argmax(phases.mean(axis=0).real)])


def _note(odd: int, bars: int) -> str:
    if not odd:
        return ""
    return (
        f"{odd} of {bars} bars are not as long as their neighbours; "
        f"their beats are counted at the neighbours' tempo"
    )
