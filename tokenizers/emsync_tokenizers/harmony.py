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
from functools import cache

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
from emsync_tokenizers.following import Follower, notes_of, steps

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


class HarmonyFollower(Follower):
    """Lean B pieces towards the chords of their lead sheets.

    ``bar`` is how many steps the bars last, or 0 where they differ: then a half bar may begin at
    every moment.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(len(sheets))
        self.starts = [steps(sheet.harmony.starts) for sheet in sheets]
        self.chords = [sheet.harmony.chords.tolist() for sheet in sheets]
        self.bar = bar
        self.asked = [(NO_CHORD, False, False)] * len(sheets)
        shape = (len(sheets), len(CLASSES) - 1, v.KEYS)  # of the pitched classes
        self.ons, self.gains = np.zeros(shape, np.float32), np.ones(shape, np.float32)
        self.offs = np.zeros((len(sheets), v.KEYS), np.float32)
        self.again = np.zeros(shape, np.bool_)  # keys that may be struck again
        # what each instrument struck last, before now, and the keys a step from it
        self.last, self.near = (np.zeros(shape, np.bool_) for _ in range(2))
        # 1 for the keys that lean, 0 for those that keep their own chance; what leans
        self.free, self.leans = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        self.struck_now: list[dict[int, list[int]]] = [{} for _ in sheets]
        for row in range(len(sheets)):
            self.moved(row)

    def moved(self, row: int) -> None:
        for instrument, keys in self.struck_now[row].items():
            self.last[row, instrument - 1] = False
            self.last[row, instrument - 1, keys] = True
            self.near[row, instrument - 1] = instrument != BASS and _near(keys)
        self.struck_now[row].clear()
        now, starts = self.now[row], self.starts[row]
        at = bisect_right(starts, now) - 1
        chord = self.chords[row][at] if at >= 0 else NO_CHORD
        on_half = not self.bar or now % self.bar in (0, self.bar // 2)
        asked = (chord, on_half, at >= 0 and now < starts[at] + LET_GO)
        if asked != self.asked[row]:
            self.asked[row] = asked
            self.ons[row], self.gains[row], self.offs[row], self.again[row] = leaning(*asked)
        own = self.last[row] & self.again[row]
        if not on_half:
            own |= self.near[row]
        np.logical_not(own, out=self.free[row], casting="unsafe")
        np.multiply(self.ons[row], self.free[row], out=self.leans[row])

    def struck(self, row: int, instrument: int, key: int, begins: bool) -> None:
        if begins and instrument != DRUMS:
            self.struck_now[row].setdefault(instrument, []).append(key)

    def lean(self, scores: Floats, before: Floats) -> None:
        notes = notes_of(scores)
        ons = notes[:, 1:, 0]  # (B, 4, 88)
        most = np.maximum.reduce(ons, axis=2, keepdims=True, initial=_LEAST)
        weights = np.exp(ons - most)
        weights *= self.free
        mass = np.add.reduce(weights, axis=2, keepdims=True, initial=_TINY)
        weights *= self.gains
        gained = np.add.reduce(weights, axis=2, keepdims=True, initial=_TINY)
        leant = ons + self.leans
        leant += self.free * np.log(mass / gained)  # moved back, so that the chance stays
        ons[:] = leant
        for row, (_, _, begins) in enumerate(self.asked):
            if begins:
                notes[row, 1:, 1] += self.offs[row]


def _near(keys: Sequence[int]) -> NDArray[np.bool_]:
    """Return the (88,) keys that are a step from one of ``keys`` and none of them."""
    near: NDArray[np.bool_] = np.logical_or.reduce(_STEPS[keys])
    near[keys] = False
    return near


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
