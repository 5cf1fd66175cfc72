"""The instruments of each passage as a rule: who rests begins no note, and who plays does begin.

What a resting instrument still plays leans strongly towards its end. The longer an instrument that
is asked for has been silent, the more its ONs gain; at the very beginning, until a tone sounds, as
if it had been silent for long.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emsync.plugin import BEATS, CLASSES, DRUMS, Floats, LeadSheet
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.following import Follower, steps
from emsync_tokenizers.keys import SILENT, Keys, played

ENDING = 8.0  # logits that the OFFs of those who rest gain
BEAT = 0.5  # seconds, where the bars do not tell
REST = 6.0  # beats that an instrument may be silent within a passage
OPENING = 8.0  # beats for which silence seems to have lasted before the first tone
GAIN, MOST = 0.5, 5.0  # logits a beat that a silent instrument gains, and at most


class _Playing(NamedTuple):
    """Who plays in a piece, and what is missed."""

    now: int = 0  # steps
    passage: int = -1
    opened: bool = False  # whether a pitched note has begun
    sounding: Keys = SILENT
    since: tuple[float, ...] = ()  # step from which on each instrument is missed in silence
    resting: tuple[int, ...] = ()  # instruments, in the passage
    ons: tuple[float, ...] = ()  # logits that the ONs of each instrument gain
    gains: Floats = np.zeros(v.SIZE, np.float32)  # (V,) and all others


class PlayersFollower(Follower[_Playing]):
    """Hold pieces to the instruments of their lead sheets.

    A piece in which nothing else could follow may begin a note all the same.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(sheets, bar)
        self.beat = bar / BEATS or BEAT * v.STEPS_PER_SECOND  # steps
        self.starts = [steps(np.array([p.start for p in sheet.passages])) for sheet in sheets]
        self.classes = [[frozenset(p.classes) for p in sheet.passages] for sheet in sheets]

    def start(self, piece: int) -> _Playing:
        return self.moved(piece, _Playing(), 0)

    def moved(self, piece: int, state: _Playing, wait: int) -> _Playing:
        now = state.now + wait
        passage = max(bisect_right(self.starts[piece], now) - 1, 0)
        moved = state._replace(now=now)
        if passage != state.passage:
            moved = self._enter(piece, moved, passage)
        return self._gaining(moved, anew=passage != state.passage)

    def _enter(self, piece: int, state: _Playing, passage: int) -> _Playing:
        """Return the state in which a passage begins."""
        playing = self.classes[piece][passage]
        before = 0.0 if state.opened else OPENING * self.beat
        return state._replace(
            passage=passage,
            resting=tuple(c for c in range(len(CLASSES)) if c not in playing),
            since=(self.starts[piece][passage] - before,) * len(CLASSES),
        )

    def struck(
        self, piece: int, state: _Playing, instrument: int, key: int, begins: bool
    ) -> _Playing:
        since, opened = list(state.since), state.opened or instrument != DRUMS
        if opened and not state.opened:
            start = self.starts[piece][state.passage]
            since = [max(each, start) for each in since]
        since[instrument] = state.now + REST * self.beat
        sounding = played(state.sounding, instrument, key, begins)
        changed = state._replace(opened=opened, sounding=sounding, since=tuple(since))
        return self._gaining(changed, anew=instrument in state.resting)

    def _gaining(self, state: _Playing, anew: bool) -> _Playing:
        """Return the state with what it gains; ``anew``, also where the ONs gain what they did."""
        ons = tuple(self._gained(state, instrument) for instrument in range(len(CLASSES)))
        if ons == state.ons and not anew:
            return state
        gains = np.zeros(v.SIZE, np.float32)
        notes = v.notes(gains)
        notes[:, 0] = np.array(ons)[:, None]
        for instrument in state.resting:
            notes[instrument, 1, list(state.sounding[instrument])] = ENDING
        return state._replace(ons=ons, gains=gains)

    def _gained(self, state: _Playing, instrument: int) -> float:
        """Return the logits that the ONs of an instrument gain."""
        if instrument in state.resting:
            return -math.inf
        waited = state.now - state.since[instrument]  # steps
        if waited <= 0 or state.sounding[instrument]:
            return 0.0
        return min(waited / self.beat * GAIN, MOST)

    def apply(self, state: _Playing, logits: Floats) -> None:
        before = logits.copy() if state.resting else logits
        logits += state.gains
        if state.resting and np.maximum.reduce(logits) == -math.inf:
            logits[:] = before
