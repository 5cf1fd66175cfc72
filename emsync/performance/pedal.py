"""The sustain pedal of a piano, controller 64: by the chords that were planned and what is struck.

Legato pedalling: the foot goes up as the chord changes and down again just after. It is up while a
tone that is foreign to the chord is struck or held, in rests, and where the keys are played short.
Shapes: N notes of the part.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.fit.time_map import Fitted
from emsync.music.chords import NONE, TONES, Harmony
from emsync.music.general_midi import FULL, PEDAL
from emsync.music.moments import near
from emsync.music.piece import DRUMS
from emsync.performance.part import Control, Part
from emsync.performance.player import Player

PIANOS = frozenset(range(6))  # General MIDI programs; harpsichord and clavinet have no such pedal

LEGATO = 0.08  # seconds from a new chord to the foot that catches it
DAMPED = 0.03  # seconds from a key's release until its string is silent
NEAR = 0.03  # seconds; what is struck so shortly before a chord belongs to it
SHORTEST = 0.4  # seconds; a foot that is down for less is not worth while
HELD = 0.5  # share of the time in which keys are held, below which they are played short
REST = 1.0  # beats without a key held, which are heard as a rest

Span = tuple[float, float]  # from when to when, seconds


def pedalled(part: Part, harmony: Harmony | None, fitted: Fitted) -> tuple[Control, ...]:
    """Return controller 64 of ``part``; none where it has no pedal, or no chords were planned.

    ``harmony`` is in the film's time. The pedal is up at the end.
    """
    if harmony is None or not has_pedal(part.player):
        return ()
    spans = list(pedal_spans(part, harmony, fitted))
    if not spans:
        return ()
    moves = ((Control(down, PEDAL, FULL), Control(up, PEDAL, 0)) for down, up in spans)
    return (Control(0.0, PEDAL, 0), *itertools.chain.from_iterable(moves))


def has_pedal(player: Player) -> bool:
    """Return whether a player has a sustain pedal."""
    return player.instrument != DRUMS and player.program in PIANOS


def pedal_spans(part: Part, harmony: Harmony, fitted: Fitted) -> Iterator[Span]:
    """Yield from when to when the pedal is down, ascending."""
    for start, end in itertools.pairwise(_edges(part, harmony, fitted)):
        chord = int(harmony.at(np.array([start]))[0])
        if chord != NONE:
            beat = fitted.tempo_map.tempi[int(fitted.tempo_map.beats(np.array([start]))[0])] / 1e6
            yield from _within(part, TONES[chord], start, end, REST * beat)


def _edges(part: Part, harmony: Harmony, fitted: Fitted) -> list[float]:
    """Return when the pedal has to change: with the chords, and on bar lines that are struck."""
    lines = fitted.tempo_map.downbeats
    turns = np.flatnonzero(np.diff(harmony.chords, prepend=NONE))
    changes = harmony.starts[turns]
    struck = lines[near(lines, part.onsets, NEAR) & ~near(lines, changes, NEAR)]
    edges = np.unique(np.clip([*changes, *struck], 0, fitted.duration))
    return [*edges[edges < fitted.duration - SHORTEST].tolist(), fitted.duration]


def _within(
    part: Part, tones: NDArray[np.float64], start: float, end: float, rest: float
) -> Iterator[Span]:
    """Yield the spans of one pedalled stretch of a chord with these (12,) ``tones``."""
    sounds = (part.onsets < end - NEAR) & (part.offsets > start + NEAR)
    begins = part.onsets[sounds & (part.onsets >= start - NEAR)]
    if not len(begins):
        return
    keys = _joined(part.onsets[sounds], np.minimum(part.offsets[sounds], end))
    first = max(start, keys[0][0])
    held = sum(off - max(on, first) for on, off in keys)
    if held < HELD * (end - first):
        return
    foreign = sounds & (tones[part.pitches % 12] == 0)
    lifted = [
        *zip(part.onsets[foreign], part.offsets[foreign] + DAMPED, strict=True),
        *((off, on + LEGATO) for off, on in _rests(keys, end, rest)),
    ]
    free = first + LEGATO
    for up, down in [*sorted(lifted), (end, end)]:
        if up - free >= SHORTEST:
            yield free, float(up)
        free = max(free, float(down))


def _rests(keys: list[Span], end: float, rest: float) -> list[Span]:
    """Return the stretches of at least ``rest`` seconds up to ``end`` in which no key is held."""
    gaps = [(off, on) for (_, off), (on, _) in itertools.pairwise([*keys, (end, end)])]
    return [(off, on) for off, on in gaps if on - off >= rest]


def _joined(onsets: Seconds, offsets: Seconds) -> list[Span]:
    """Return the stretches in which any key is held, ascending."""
    found: list[Span] = []
    for on, off in zip(onsets.tolist(), offsets.tolist(), strict=True):
        if found and on <= found[-1][1]:
            found[-1] = found[-1][0], max(off, found[-1][1])
        else:
            found.append((on, off))
    return found
