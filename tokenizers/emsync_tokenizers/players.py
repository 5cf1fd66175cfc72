"""The instruments of each passage as a rule: who rests begins no note, and who plays does begin.

What a resting instrument still plays leans strongly towards its end. The longer an instrument that
is asked for has been silent, the more its ONs gain; at the very beginning, until a tone sounds, as
if it had been silent for long.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from emsync.plugin import BEATS, CLASSES, DRUMS, Floats, LeadSheet
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.following import Follower, notes_of, steps

ENDING = 8.0  # logits that the OFFs of those who rest gain
BEAT = 0.5  # seconds, where the bars do not tell
REST = 6.0  # beats that an instrument may be silent within a passage
OPENING = 8.0  # beats for which silence seems to have lasted before the first tone
GAIN, MOST = 0.5, 5.0  # logits a beat that a silent instrument gains, and at most


class PlayersFollower(Follower):
    """Hold B pieces to the instruments of their lead sheets; ``bar`` as for the harmony.

    A piece in which nothing else could follow may begin a note all the same.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(len(sheets))
        self.beat = bar / BEATS or BEAT * v.STEPS_PER_SECOND  # steps
        self.starts = [steps(np.array([p.start for p in sheet.passages])) for sheet in sheets]
        self.classes = [[frozenset(p.classes) for p in sheet.passages] for sheet in sheets]
        self.passage = [-1] * len(sheets)
        self.resting: list[list[int]] = [[] for _ in sheets]  # instruments, in the passage
        self.opened = [False] * len(sheets)  # whether a pitched note has begun
        # of each instrument, the keys that sound and the step from which on it is missed in silence
        self.sounding: list[list[set[int]]] = [[set() for _ in CLASSES] for _ in sheets]
        self.since = [[0.0] * len(CLASSES) for _ in sheets]
        self.gains = np.zeros((len(sheets), v.SIZE), np.float32)
        self.ons, self.offs = notes_of(self.gains).transpose(2, 0, 1, 3)  # (B, 5, 88) views
        for row in range(len(sheets)):
            self.moved(row)

    def moved(self, row: int) -> None:
        passage = max(bisect_right(self.starts[row], self.now[row]) - 1, 0)
        if passage != self.passage[row]:
            self._enter(row, passage)
        self._gain(row, range(len(CLASSES)))

    def _enter(self, row: int, passage: int) -> None:
        """Begin a passage of a piece."""
        playing, self.passage[row] = self.classes[row][passage], passage
        self.resting[row] = [c for c in range(len(CLASSES)) if c not in playing]
        before = 0.0 if self.opened[row] else OPENING * self.beat
        self.since[row] = [self.starts[row][passage] - before] * len(CLASSES)
        self.offs[row] = 0.0
        for instrument in self.resting[row]:
            self.offs[row, instrument, list(self.sounding[row][instrument])] = ENDING

    def struck(self, row: int, instrument: int, key: int, begins: bool) -> None:
        keys = self.sounding[row][instrument]
        (keys.add if begins else keys.discard)(key)
        if instrument in self.resting[row]:
            self.offs[row, instrument, key] = ENDING if begins else 0.0
        changed: Sequence[int] = [instrument]
        if not self.opened[row] and instrument != DRUMS:
            self.opened[row] = True
            start = self.starts[row][self.passage[row]]
            self.since[row] = [max(since, start) for since in self.since[row]]
            changed = range(len(CLASSES))
        self.since[row][instrument] = self.now[row] + REST * self.beat
        self._gain(row, changed)

    def _gain(self, row: int, instruments: Sequence[int]) -> None:
        """Update what the ONs of some instruments of a piece gain."""
        for instrument in instruments:
            self.ons[row, instrument] = self._gained(row, instrument)

    def _gained(self, row: int, instrument: int) -> float:
        """Return the logits that the ONs of an instrument gain."""
        if instrument in self.resting[row]:
            return -math.inf
        waited = self.now[row] - self.since[row][instrument]  # steps
        if waited <= 0 or self.sounding[row][instrument]:
            return 0.0
        return min(waited / self.beat * GAIN, MOST)

    def lean(self, scores: Floats, before: Floats) -> None:
        scores += self.gains
        for row, resting in enumerate(self.resting):
            if resting and scores[row].max() == -math.inf:
                scores[row] = before[row]
