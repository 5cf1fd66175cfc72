"""The instruments of each passage as a rule: who rests begins no note, and who plays does begin.

What a resting instrument still plays leans strongly towards its end. The longer an instrument that
is asked for has been silent, the more its ONs gain.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from emsync.plugin import BEATS, CLASSES, Floats, LeadSheet
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.following import Follower, notes_of, steps

ENDING = 8.0  # logits that the OFFs of those who rest gain
BEAT = 0.5  # seconds, where the bars do not tell
REST = 6.0  # beats that an instrument may be silent within a passage
GAIN, MOST = 0.5, 5.0  # logits a beat that a silent instrument gains, and at most


class Players(Follower):
    """Hold B pieces to the instruments of their lead sheets; ``bar`` as for the harmony.

    A piece in which nothing else could follow may begin a note all the same.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(len(sheets))
        beat = bar / BEATS or BEAT * v.STEPS_PER_SECOND
        self.rest, self.gain = round(REST * beat), np.float32(GAIN / beat)
        self.starts = [steps(np.array([p.start for p in sheet.passages])) for sheet in sheets]
        self.playing = [[p.classes for p in sheet.passages] for sheet in sheets]
        self.passage = [-1] * len(sheets)
        shape = (len(sheets), len(CLASSES))
        self.asked = np.ones(shape, np.bool_)
        self.since = np.zeros(shape, np.int64)  # steps from which on a silent one is missed
        self.sounding = np.zeros((*shape, v.KEYS), np.bool_)
        self.count = np.zeros(shape, np.int64)  # of notes that sound
        for row in range(len(sheets)):
            self.moved(row)

    def moved(self, row: int) -> None:
        starts = self.starts[row]
        passage = max(bisect_right(starts, self.now[row]) - 1, 0)
        if passage != self.passage[row]:
            self.passage[row] = passage
            self.asked[row] = np.isin(range(len(CLASSES)), self.playing[row][passage])
            self.since[row] = starts[passage]

    def struck(self, row: int, instrument: int, key: int, begins: bool) -> None:
        if self.sounding[row, instrument, key] != begins:
            self.sounding[row, instrument, key] = begins
            self.count[row, instrument] += 1 if begins else -1
        self.since[row, instrument] = self.now[row] + self.rest

    def lean(self, scores: Floats) -> None:
        notes = notes_of(scores)
        waited = np.array(self.now)[:, None] - self.since
        missed = self.asked & (self.count == 0) & (waited > 0)
        if missed.any():
            gained = np.minimum(self.gain * waited, MOST) * missed
            notes[:, :, 0] += gained[:, :, None].astype(np.float32)
        for row in np.flatnonzero(~self.asked.all(axis=1)).tolist():
            resting = ~self.asked[row]
            notes[row, resting, 1] += ENDING * self.sounding[row, resting]
            begun = notes[row, resting, 0]
            notes[row, resting, 0] = -np.inf
            if scores[row].max() == -np.inf:
                notes[row, resting, 0] = begun
