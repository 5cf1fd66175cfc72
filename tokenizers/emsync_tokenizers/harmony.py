"""The planned chord as a soft rule: which pitch an instrument plays, never whether it plays.

The ONs of an instrument lean towards the chord's tones, the bass towards its root; then they are
moved back together, so that the instrument's chance to begin a note is what it was. Two kinds of
tones keep their own chance instead: a tone of the chord that it has just struck, for if that grew
for want of foreign tones, the network would hammer one chord over and over; and, between half bars,
a step from what it has just struck, for melodies move by step. Where a chord begins, tones of the
last one that still sound lean towards their end.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import (
    BASS,
    CLASSES,
    DRUMS,
    LOWEST,
    NO_CHORD,
    ROOTS,
    TONES,
    Floats,
    LeadSheet,
)
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.following import Follower, steps

# logits that a chord's tones gain and foreign tones lose: where half bars begin, as chords do, and
ON_HALF, BETWEEN = 3.5, 1.5
STEP = 2  # semitones of a step, at most
ROOT = 5.0  # logits that the root gains once more in the bass
ROOT_ABOVE = 1.5  # and above it, for the bass may rest
COLOUR = 2.0  # logits that third and seventh gain once more above the bass, or none would hear them
COLOURS = (3, 4, 10, 11)  # semitones above the root
LETTING_GO = 4.0  # logits that the OFFs of foreign tones gain where a chord begins
LET_GO = 12  # steps, so long

_PITCH_CLASSES = (np.arange(v.KEYS) + LOWEST) % 12
_APART = np.abs(np.subtract.outer(np.arange(v.KEYS), np.arange(v.KEYS)))  # semitones
_STEPS = _APART <= STEP  # (88, 88) whether keys are a step apart, or none
_LEAST = np.float32(-1e30)  # a finite logit below all others
_TINY = np.float32(1e-30)  # of a chance, so that the impossible is no 0 / 0


class _Sounded(NamedTuple):
    """What a piece has struck, and how it leans; arrays are (4, 88), of the pitched classes."""

    now: int  # steps
    struck: tuple[tuple[int, int], ...]  # (instrument, key) that began now
    last: NDArray[np.bool_]  # what each instrument struck last, before now
    near: NDArray[np.bool_]  # the keys a step from it
    asked: "_Asked"
    free: Floats  # 1 for the keys that lean, 0 for those that keep their own chance
    leans: Floats  # logits that the free ONs gain


class _Asked(NamedTuple):
    """What the sheet asks for at a moment."""

    chord: int
    on_half: bool  # a half bar may begin
    begins: bool  # the chord has just begun


class HarmonyFollower(Follower[_Sounded]):
    """Lean pieces towards the chords of their lead sheets.

    Where the bars differ, a half bar may begin at every moment.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(sheets, bar)
        self.starts = [steps(sheet.harmony.starts) for sheet in sheets]
        self.chords = [sheet.harmony.chords.tolist() for sheet in sheets]

    def start(self, piece: int) -> _Sounded:
        nothing = np.zeros((len(CLASSES) - 1, v.KEYS), np.bool_)
        return _leaning_now(0, (), nothing, nothing, self._asked(piece, 0))

    def moved(self, piece: int, state: _Sounded, wait: int) -> _Sounded:
        now, last, near = state.now + wait, state.last, state.near
        asked = self._asked(piece, now)
        if not state.struck and asked == state.asked:
            return state._replace(now=now)
        if state.struck:
            last, near = last.copy(), near.copy()
        for row in {instrument - 1 for instrument, _ in state.struck}:
            keys = tuple(key for instrument, key in state.struck if instrument - 1 == row)
            last[row], near[row] = _heard(keys)
            near[row] &= row != BASS - 1
        return _leaning_now(now, (), last, near, asked)

    def _asked(self, piece: int, now: int) -> _Asked:
        """Return what is asked of a piece at a step."""
        starts = self.starts[piece]
        at = bisect_right(starts, now) - 1
        on_half = not self.bar or now % self.bar in (0, self.bar // 2)
        if at < 0:
            return _Asked(NO_CHORD, on_half, False)
        return _Asked(self.chords[piece][at], on_half, now < starts[at] + LET_GO)

    def struck(
        self, piece: int, state: _Sounded, instrument: int, key: int, begins: bool
    ) -> _Sounded:
        if not begins or instrument == DRUMS:
            return state
        return state._replace(struck=(*state.struck, (instrument, key)))

    def apply(self, state: _Sounded, logits: Floats) -> None:
        _, gains, offs, _ = leaning(*state.asked)
        notes, free = v.notes(logits), state.free
        ons = notes[1:, 0]  # (4, 88)
        weights = ons - np.maximum.reduce(ons, axis=1, keepdims=True, initial=_LEAST)
        np.exp(weights, out=weights)
        weights *= free
        mass = np.add.reduce(weights, axis=1, keepdims=True, initial=_TINY)
        weights *= gains
        mass /= np.add.reduce(weights, axis=1, keepdims=True, initial=_TINY)
        ons += state.leans
        ons += free * np.log(mass)  # moved back, so that the chance stays
        if state.asked.begins:
            notes[1:, 1] += offs


def _leaning_now(
    now: int,
    struck: tuple[tuple[int, int], ...],
    last: NDArray[np.bool_],
    near: NDArray[np.bool_],
    asked: _Asked,
) -> _Sounded:
    """Return a state with what leans by the rest of it."""
    ons, _, _, again = leaning(*asked)
    own = last & again
    if not asked.on_half:
        own |= near
    free = (~own).astype(np.float32)
    return _Sounded(now, struck, last, near, asked, free, ons * free)


@lru_cache(4096)
def _heard(keys: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the (88,) ``keys``, and those that are a step from one of them and none of them."""
    own = np.zeros(v.KEYS, np.bool_)
    own[list(keys)] = True
    return own, np.logical_or.reduce(_STEPS[own]) & ~own


@cache
def leaning(
    chord: int, on_half: bool, begins: bool
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return what a chord adds to (4, 88) ONs of the pitched classes, its powers, and (88,) OFFs.

    And (4, 88) which keys may be struck again: tones of the chord, in the bass the root alone.
    ``begins`` is for the first moments of the chord. No chord adds nothing.
    """
    ons = np.zeros((len(CLASSES) - 1, v.KEYS), np.float32)
    offs = np.zeros(v.KEYS, np.float32)
    again = np.zeros(ons.shape, np.bool_)
    if chord != NO_CHORD:
        tones, strength = TONES[chord][_PITCH_CLASSES] > 0, ON_HALF if on_half else BETWEEN
        ons[:] = np.where(tones, strength, -strength)
        root = ROOTS[chord][_PITCH_CLASSES]
        colours = TONES[chord] * sum(np.roll(ROOTS[chord], up) for up in COLOURS)
        again[BASS - 1], again[BASS:] = root > 0, tones
        ons[BASS - 1] += ROOT * root
        ons[BASS:] += ROOT_ABOVE * root + COLOUR * colours[_PITCH_CLASSES]
        offs = np.where(tones | (not begins), 0.0, LETTING_GO).astype(np.float32)
    return ons, np.exp(ons), offs, again
