"""The planned chord as a soft rule: which pitch an instrument plays, never whether it plays.

The ONs of an instrument lean towards the chord's tones, most of all its root; then they are
moved back together, so that the instrument's chance to begin a note is what it was. Where a chord
begins, tones of the last one that still sound lean towards their end.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

import numpy as np

from emsync.plugin import BASS, BEATS, CLASSES, LOWEST, NO_CHORD, ROOTS, TONES, Floats, LeadSheet
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.following import Follower, notes_of, steps

ON_BEAT, BETWEEN = 3.0, 1.0  # logits that a chord's tones gain and foreign tones lose
ROOT = 5.0  # logits that the root gains once more in the bass
ROOT_ABOVE = 1.0  # and above it, for the bass may rest
SEVENTH = 2.0  # logits that a seventh gains once more above the bass, or none would hear it
LETTING_GO = 4.0  # logits that the OFFs of foreign tones gain where a chord begins
LET_GO = 12  # steps, so long

_PITCH_CLASSES = (np.arange(v.KEYS) + LOWEST) % 12
_LEAST = np.float32(-1e30)  # a finite logit below all others
_TINY = np.float32(1e-30)  # of a chance, so that the impossible is no 0 / 0


class HarmonyFollower(Follower):
    """Lean B pieces towards the chords of their lead sheets.

    ``bar`` is how many steps the bars last, or 0 where they differ: then every moment is a beat.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(len(sheets))
        self.starts = [steps(sheet.harmony.starts) for sheet in sheets]
        self.chords = [sheet.harmony.chords.tolist() for sheet in sheets]
        self.beats = frozenset(round(beat * bar / BEATS) for beat in range(BEATS))
        self.bar = bar
        self.asked = [(NO_CHORD, False, False)] * len(sheets)
        shape = (len(sheets), len(CLASSES) - 1, v.KEYS)  # of the pitched classes
        self.ons, self.gains = np.zeros(shape, np.float32), np.ones(shape, np.float32)
        self.offs = np.zeros((len(sheets), v.KEYS), np.float32)
        for row in range(len(sheets)):
            self.moved(row)

    def moved(self, row: int) -> None:
        now, starts = self.now[row], self.starts[row]
        at = bisect_right(starts, now) - 1
        chord = self.chords[row][at] if at >= 0 else NO_CHORD
        on_beat = not self.bar or now % self.bar in self.beats
        asked = (chord, on_beat, at >= 0 and now < starts[at] + LET_GO)
        if asked != self.asked[row]:
            self.asked[row] = asked
            self.ons[row], self.gains[row], self.offs[row] = leaning(*asked)

    def lean(self, scores: Floats) -> None:
        notes = notes_of(scores)
        ons = notes[:, 1:, 0]  # (B, 4, 88)
        most = np.maximum.reduce(ons, axis=2, keepdims=True, initial=_LEAST)
        weights = np.exp(ons - most)
        before = np.add.reduce(weights, axis=2, keepdims=True, initial=_TINY)
        weights *= self.gains
        after = np.add.reduce(weights, axis=2, keepdims=True, initial=_TINY)
        ons += self.ons + np.log(before / after)  # moved back, so that the chance stays
        for row, (_, _, begins) in enumerate(self.asked):
            if begins:
                notes[row, 1:, 1] += self.offs[row]


@cache
def leaning(chord: int, on_beat: bool, begins: bool) -> tuple[Floats, Floats, Floats]:
    """Return what a chord adds to (4, 88) ONs of the pitched classes, its powers, and (88,) OFFs.

    ``begins`` is for the first moments of the chord. No chord adds nothing.
    """
    ons = np.zeros((len(CLASSES) - 1, v.KEYS), np.float32)
    offs = np.zeros(v.KEYS, np.float32)
    if chord != NO_CHORD:
        tones, strength = TONES[chord][_PITCH_CLASSES] > 0, ON_BEAT if on_beat else BETWEEN
        ons[:] = np.where(tones, strength, -strength)
        root = ROOTS[chord][_PITCH_CLASSES]
        sevenths = TONES[chord] * (np.roll(ROOTS[chord], 10) + np.roll(ROOTS[chord], 11))
        ons[BASS - 1] += ROOT * root
        ons[BASS:] += ROOT_ABOVE * root + SEVENTH * sevenths[_PITCH_CLASSES]
        offs = np.where(tones | (not begins), 0.0, LETTING_GO).astype(np.float32)
    return ons, np.exp(ons), offs
