"""Themes as a soft rule: a passage leans towards how the first one of its letter began.

Where the theme begins a note, that note gains in the passage that takes it up; other notes lose,
and so do the waits that would pass the theme's next note over. The theme is what the tokens of the
first passage were, or what a person gives. It moves with the chords where all their roots move by
one interval.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from emsync.plugin import (
    BASS,
    BEATS,
    DRUMS,
    GUITAR,
    LOWEST,
    NO_CHORD,
    PIANO,
    STRINGS,
    THEME_BARS,
    Floats,
    LeadSheet,
    Piece,
)
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.following import Follower, notes_of, steps

GAIN = 2.5  # logits that a note of the theme gains
LOSS = 0.25  # logits that other notes of the pitched instruments lose
WAIT = 1.0  # logits that a wait over the theme's next notes loses
GIVEN = 2.0  # times as much for what a person gives, which the network would not write by itself
STAND_INS = (PIANO, STRINGS, GUITAR, BASS)  # the first of them that plays
BAR = 2.0  # seconds, where the bars do not tell

Moments = dict[int, list[tuple[int, int]]]  # (instrument, key) that begin, by the step


@dataclass
class _State:
    """Where one piece is."""

    passage: int = -1
    origin: int = 0  # step from which the theme's moments are counted
    end: int = 0  # step at which the theme is over
    noted: Moments | None = None  # the theme that is being written
    told: Moments | None = None  # the theme that is taken up
    moments: list[int] = field(default_factory=list)  # of it, ascending
    up: int = 0  # semitones by which it is moved
    weight: float = 1.0  # of the rule


class ThemeFollower(Follower):
    """Lean B pieces towards the themes of their lead sheets; ``bar`` as for the harmony."""

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(len(sheets))
        self.sheets, self.bar = sheets, bar
        self.length = THEME_BARS * (bar or round(BAR * v.STEPS_PER_SECOND))
        self.starts = [steps(np.array([p.start for p in sheet.passages])) for sheet in sheets]
        self.themes: list[dict[str, tuple[Moments, int]]] = [  # and the step where each began
            {letter: (moments_of(theme), -1) for letter, theme in sheet.themes.items()}
            for sheet in sheets
        ]
        self.states = [_State() for _ in sheets]
        self.shifts = np.arange(1, v.LONGEST + 1)
        for row in range(len(sheets)):
            self.moved(row)

    def moved(self, row: int) -> None:
        passage = max(bisect_right(self.starts[row], self.now[row]) - 1, 0)
        if passage != self.states[row].passage:
            self.states[row] = self._entered(row, passage)

    def _entered(self, row: int, passage: int) -> _State:
        """Return the state of a piece whose passage begins."""
        sheet, start = self.sheets[row], self.starts[row][passage]
        letter = sheet.passages[passage].theme
        if not letter:
            return _State(passage)
        known = self.themes[row].get(letter)
        if known is None:
            moments: Moments = {}
            self.themes[row][letter] = moments, start
            return _State(passage, start, start + self.length, noted=moments)
        moments, first = known
        line = max(start, *steps(np.array([sheet.begins])))
        line = line if not self.bar else -(-line // self.bar) * self.bar
        if first < 0:  # it begins on a bar line
            origin, up, weight = line, 0, GIVEN
        else:
            same = not self.bar or first % self.bar == start % self.bar
            origin = start if same else line + first - -(-first // self.bar) * self.bar
            up, weight = interval(sheet, first, origin, self.length), 1.0
        told = arranged(moments, sheet.passages[passage].classes)
        end, moments_told = origin + self.length, sorted(told)
        return _State(passage, origin, end, None, told, moments_told, up, weight)

    def struck(self, row: int, instrument: int, key: int, begins: bool) -> None:
        state = self.states[row]
        if begins and state.noted is not None and self.now[row] < state.end:
            state.noted.setdefault(self.now[row] - state.origin, []).append((instrument, key))

    def lean(self, scores: Floats, before: Floats) -> None:
        for row, state in enumerate(self.states):
            if state.told is None or self.now[row] >= state.end:
                continue
            at = self.now[row] - state.origin
            gain, loss, wait = (state.weight * logits for logits in (GAIN, LOSS, WAIT))
            notes = notes_of(scores[row : row + 1])[0]
            notes[DRUMS + 1 :, 0] -= loss
            for instrument, key in state.told.get(at, ()):
                if instrument == DRUMS:
                    notes[DRUMS, 0, key] += gain
                elif 0 <= key + state.up < v.KEYS:
                    notes[instrument, 0, key + state.up] += gain + loss
            after = bisect_right(state.moments, at)
            if after < len(state.moments):
                scores[row, v.SHIFT : v.NOTE] -= wait * (self.shifts > state.moments[after] - at)


def arranged(moments: Moments, classes: Sequence[int]) -> Moments:
    """Return a theme for those who play: what others had goes to one of them, but no drums."""
    playing = [c for c in STAND_INS if c in classes]
    parts = {c: c if c in classes else playing[0] for c in STAND_INS} if playing else {}
    if DRUMS in classes:
        parts[DRUMS] = DRUMS
    told = {
        step: list(dict.fromkeys((parts[c], key) for c, key in notes if c in parts))
        for step, notes in moments.items()
    }
    return {step: notes for step, notes in told.items() if notes}


def moments_of(theme: Piece) -> Moments:
    """Return the notes of a theme by the step, from its first bar line, at which they begin."""
    moments: Moments = {}
    notes = zip(steps(theme.onsets), theme.classes.tolist(), theme.pitches.tolist(), strict=True)
    for step, instrument, pitch in notes:
        moments.setdefault(step, []).append((instrument, pitch - LOWEST))
    return moments


def interval(sheet: LeadSheet, first: int, again: int, length: int) -> int:
    """Return the semitones, -6 to 5, by which all roots are higher ``again`` than at ``first``.

    0 where they move by different intervals. Chords are compared every half beat.
    """
    at = np.arange(0, length, max(1, length // (THEME_BARS * BEATS * 2)))
    one, other = (sheet.harmony.at((start + at) / v.STEPS_PER_SECOND) for start in (first, again))
    known = (one != NO_CHORD) & (other != NO_CHORD)
    ups = np.unique((other - one)[known] % 12)
    return int(ups[0] + 6) % 12 - 6 if len(ups) == 1 else 0
