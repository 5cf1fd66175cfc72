"""Draw the chords of a section: a loop as songs have them, and the close that leads on or ends.

The tonic is C; ``chart.moved`` brings a chart to another. How often each chord follows each other,
by its place in a phrase of four bars, was counted on Lakh by ``scripts/count_chords.py``.

Shapes: P = 4 places of a bar in its phrase, N triads that a mode has.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Float64s
from emsync.music import chords as ch
from emsync.planning.chart import PHRASE, Chart, Entry

TABLES = Path(__file__).with_name("chords.json")

COMMON = 1.5  # power of what was counted: a blend of songs wanders more than each of them
LONGEST = 2  # bars of one chord
DISTINCT = 3  # chords that a phrase has at least
LEADS = {False: ("G", "F"), True: ("G", "Gm", "Bb", "Fm")}  # by minor: what leads to the tonic


Closing: TypeAlias = Literal["open", "half", "tonic"]


@dataclass(frozen=True, eq=False)
class Table:
    """What was counted in the songs of one mode, what is common made commoner (COMMON)."""

    chords: tuple[int, ...]  # N triads, the tonic's first
    shares: Float64s  # (N,) of the bars
    first: Float64s  # (N,) of the first bars of phrases
    moves: Float64s  # (P, N, N) of the chords of the next bar, for each chord of a bar
    split: Float64s  # (P,) of bars with two chords, in music that mostly has one
    within: Float64s  # (N, N) of the second chords of such bars, for each first one
    again: float  # of phrases that begin with the two bars that the one before began with
    colours: tuple[Mapping[int, float], ...]  # N times: the shares of sevenths and sus4, by quality


@cache
def table(minor: bool) -> Table:
    """Return the table of a mode."""
    data = json.loads(TABLES.read_text(encoding="utf-8"))["minor" if minor else "major"]
    qualities = list(ch.QUALITIES)
    return Table(
        chords=tuple(map(ch.parse_chord, data["chords"])),
        shares=np.array(data["shares"]),
        first=_common(data["first"]),
        moves=_common(data["moves"]),
        split=np.array(data["split"]),
        within=_common(data["within"]),
        again=data["again"],
        colours=tuple(
            {qualities.index(suffix): share for suffix, share in data["colours"][name].items()}
            for name in data["chords"]
        ),
    )


def _common(counted: ArrayLike) -> Float64s:
    """Return (..., N) shares with the greater ones raised."""
    raised: Float64s = np.asarray(counted, np.float64) ** COMMON
    return raised / raised.sum(axis=-1, keepdims=True)


def loop(
    rng: np.random.Generator,
    minor: bool,
    bars: int = 4,
    colour: float = 0.1,
    home: bool = False,
    halved: bool = True,
) -> Chart:
    """Return the chords of a loop of whole phrases, which leads back into itself.

    ``colour`` in [0, 1] is how often a chord has the seventh or suspended fourth it has in songs;
    it has it all through the loop. ``home`` begins on the tonic; else it does as often as counted.
    Bars have two chords as often as in songs, or never unless ``halved``.
    """
    if bars < PHRASE or bars % PHRASE:
        raise ValueError(f"a loop of {bars} bars is no whole number of phrases of {PHRASE}")
    counted = table(minor)
    first = 0 if home else _drawn(rng, counted.first)
    while not _varied(states := _bars(rng, counted, first, bars)):
        pass
    halves = _split(rng, counted, states) if halved else [s for s in states for _ in range(2)]
    coloured = {int(s): _coloured(rng, counted, s, colour) for s in dict.fromkeys(halves)}
    return _in_bars([coloured[state] for state in halves])


def closed(
    rng: np.random.Generator,
    loop: Chart,
    bars: int,
    closing: Closing,
    minor: bool,
    onto: int | None = None,
) -> Chart:
    """Return the chords of so many bars: the ``loop`` over and over, and its close.

    "half" closes on a chord that leads to the tonic, "tonic" on the tonic after such a chord, and
    "open" as the loop has it. ``onto`` is the chord that follows: on its root no "half" closes.
    """
    once = [entry.chord for entry in loop for _ in range(entry.halves)]
    halves = [once[i % len(once)] for i in range(2 * bars)]
    if closing == "tonic":
        halves[-2:] = 2 * [table(minor).chords[0]]
        _lead(rng, halves, 2 * bars - 2, minor)
    elif closing == "half":
        _lead(rng, halves, 2 * bars, minor, onto)
    return _in_bars(halves)


def _bars(rng: np.random.Generator, counted: Table, first: int, bars: int) -> list[int]:
    """Return the triads of the bars of a loop from ``first`` on, and back to it, as indices.

    Later phrases may begin with the same two bars as the first.
    """
    again = [False, *(rng.random(bars // PHRASE - 1) < counted.again)]
    heads = [first if same else _drawn(rng, counted.first) for same in again[1:]]
    states: list[int] = []
    for same, head, end in zip(again, [first, *heads], [*heads, first], strict=True):
        if same:
            states += [head, *_walk(rng, counted, 1, states[1], end, PHRASE - 1)]
        else:
            states += _walk(rng, counted, 0, head, end, PHRASE)
    return states


def _walk(
    rng: np.random.Generator, counted: Table, place: int, start: int, end: int, steps: int
) -> list[int]:
    """Return the triads of ``steps`` bars from ``start`` on, after which ``end`` follows."""
    ahead = [np.eye(len(counted.chords))[end]]  # from each triad, the chance to come to the end
    for later in reversed(range(1, steps)):
        ahead.append(counted.moves[(place + later) % PHRASE] @ ahead[-1])
    states = [start]
    for step, chance in enumerate(reversed(ahead[1:])):
        states.append(_drawn(rng, counted.moves[(place + step) % PHRASE, states[-1]] * chance))
    return states


def _split(rng: np.random.Generator, counted: Table, states: Sequence[int]) -> list[int]:
    """Return the triads by half bars: in some bars a second one leads over to the next bar's."""
    halves = []
    for bar, (now, later) in enumerate(zip(states, [*states[1:], states[0]], strict=True)):
        place = bar % PHRASE
        between = counted.within[now] * counted.moves[place][:, later]
        between[[now, later]] = 0.0
        split = rng.random() < counted.split[place]
        halves += [now, _drawn(rng, between) if split else now]
    return halves


def _coloured(rng: np.random.Generator, counted: Table, state: int, colour: float) -> int:
    """Return the chord of a triad, now and then with a seventh or a suspended fourth."""
    triad, colours = counted.chords[state], counted.colours[state]
    if rng.random() >= colour or not colours:
        return triad
    return ch.chord(triad, list(colours)[_drawn(rng, np.array(list(colours.values())))])


def _varied(states: Sequence[int]) -> bool:
    """Return whether a loop moves: enough chords in each phrase, and none for too long."""
    phrases = [states[i : i + PHRASE] for i in range(0, len(states), PHRASE)]
    runs = [len(list(run)) for _, run in groupby([*states, *states])]
    return min(len(set(phrase)) for phrase in phrases) >= DISTINCT and max(runs) <= LONGEST


def _lead(
    rng: np.random.Generator, halves: list[int], end: int, minor: bool, onto: int | None = None
) -> None:
    """Let the bar before half bar ``end`` lead to the tonic, unless its last chord does.

    Of the first bar only the second half, for the loop has to begin as itself.
    """
    counted = table(minor)
    leads = [counted.chords.index(ch.parse_chord(name)) for name in LEADS[minor]]
    roots = [counted.chords[lead] % 12 for lead in leads]
    other = np.array([onto is None or root != onto % 12 for root in roots])
    if end < 2 or (halves[end - 1] % 12 in np.array(roots)[other]):
        return
    begin = max(1, end - 2)
    before = {chord % 12 for chord in halves[max(0, end - 5) : begin]}
    fresh = np.array([before != {root} for root in roots])  # or it sounds for too long
    weights = counted.shares[leads] * counted.moves[-1][leads, 0] * other
    weights = weights * fresh if (weights * fresh).any() else weights
    halves[begin:end] = (end - begin) * [counted.chords[leads[_drawn(rng, weights)]]]


def _in_bars(halves: Sequence[int]) -> Chart:
    """Return chords by half bars as one chord a bar, or two where they differ."""
    chart: list[Entry] = []
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        if first == second:
            chart.append(Entry(first, 2))
        else:
            chart += [Entry(first, 1), Entry(second, 1)]
    return tuple(chart)


def _drawn(rng: np.random.Generator, weights: Float64s) -> int:
    """Return an index, drawn by weights."""
    return int(rng.choice(len(weights), p=weights / weights.sum()))
