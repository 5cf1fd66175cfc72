"""Themes as a soft rule: a passage leans towards how the first one of its letter began.

Where the theme begins a note, that note gains in the passage that takes it up; other notes lose,
and so do the waits that would pass the theme's next note over. The theme is what the tokens of the
first passage were, or what a person gives. It moves with the chords where all their roots move by
one interval.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

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
from emsync_tokenizers.following import Follower, steps

GAIN = 2.5  # logits that a note of the theme gains
LOSS = 0.25  # logits that other notes of the pitched instruments lose
WAIT = 1.0  # logits that a wait over the theme's next notes loses
GIVEN = 2.0  # times as much for what a person gives, which the network would not write by itself
STAND_INS = (PIANO, STRINGS, GUITAR, BASS)  # the first of them that plays
BAR = 2.0  # seconds, where the bars do not tell

Moments = dict[int, list[tuple[int, int]]]  # (instrument, key) that begin, by the step


class _Told(NamedTuple):
    """A theme as a passage takes it up."""

    notes: Moments
    moments: Sequence[int]  # of it, ascending
    up: int  # semitones by which it is moved
    weight: float  # of the rule


class _Themed(NamedTuple):
    """Where a piece is in its themes."""

    now: int  # steps
    themes: Mapping[str, tuple[Moments, int]]  # by letter, and the step where each began
    passage: int = -1
    origin: int = 0  # step from which the theme's moments are counted
    end: int = 0  # step at which the theme is over
    # (step, instrument, key) of the theme that is being written
    noted: tuple[tuple[int, int, int], ...] | None = None
    told: _Told | None = None  # the theme that is taken up


class ThemeFollower(Follower[_Themed]):
    """Lean pieces towards the themes of their lead sheets."""

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        super().__init__(sheets, bar)
        self.length = THEME_BARS * (bar or round(BAR * v.STEPS_PER_SECOND))
        self.starts = [steps(np.array([p.start for p in sheet.passages])) for sheet in sheets]
        self.shifts = np.arange(1, v.LONGEST + 1)

    def start(self, piece: int) -> _Themed:
        given = self.sheets[piece].themes.items()
        themes = {letter: (moments_of(theme), -1) for letter, theme in given}
        return self.moved(piece, _Themed(0, themes), 0)

    def moved(self, piece: int, state: _Themed, wait: int) -> _Themed:
        now = state.now + wait
        passage = max(bisect_right(self.starts[piece], now) - 1, 0)
        if passage == state.passage:
            return state._replace(now=now)
        return self._entered(piece, self._themes(piece, state), passage)._replace(now=now)

    def _themes(self, piece: int, state: _Themed) -> Mapping[str, tuple[Moments, int]]:
        """Return the themes that there are once a passage is over."""
        if state.noted is None:
            return state.themes
        moments: Moments = {}
        for step, instrument, key in state.noted:
            moments.setdefault(step, []).append((instrument, key))
        letter = self.sheets[piece].passages[state.passage].theme
        return {**state.themes, letter: (moments, state.origin)}

    def _entered(
        self, piece: int, themes: Mapping[str, tuple[Moments, int]], passage: int
    ) -> _Themed:
        """Return the state of a piece whose passage begins."""
        sheet, start = self.sheets[piece], self.starts[piece][passage]
        letter = sheet.passages[passage].theme
        if not letter:
            return _Themed(0, themes, passage)
        if letter not in themes:
            return _Themed(0, themes, passage, start, start + self.length, noted=())
        moments, first = themes[letter]
        line = max(start, *steps(np.array([sheet.begins])))
        line = line if not self.bar else -(-line // self.bar) * self.bar
        if first < 0:  # it begins on a bar line
            origin, up, weight = line, 0, GIVEN
        else:
            same = not self.bar or first % self.bar == start % self.bar
            origin = start if same else line + first - -(-first // self.bar) * self.bar
            up, weight = interval(sheet, first, origin, self.length), 1.0
        notes = arranged(moments, sheet.passages[passage].classes)
        told = _Told(notes, sorted(notes), up, weight)
        return _Themed(0, themes, passage, origin, origin + self.length, told=told)

    def struck(
        self, piece: int, state: _Themed, instrument: int, key: int, begins: bool
    ) -> _Themed:
        if not begins or state.noted is None or state.now >= state.end:
            return state
        note = state.now - state.origin, instrument, key
        return state._replace(noted=(*state.noted, note))

    def apply(self, state: _Themed, logits: Floats) -> None:
        told, at = state.told, state.now - state.origin
        if told is None or state.now >= state.end:
            return
        gain, loss, wait = (told.weight * logits for logits in (GAIN, LOSS, WAIT))
        notes = v.notes(logits)
        notes[DRUMS + 1 :, 0] -= loss
        for instrument, key in told.notes.get(at, ()):
            if instrument == DRUMS:
                notes[DRUMS, 0, key] += gain
            elif 0 <= key + told.up < v.KEYS:
                notes[instrument, 0, key + told.up] += gain + loss
        after = bisect_right(told.moments, at)
        if after < len(told.moments):
            logits[v.SHIFT : v.NOTE] -= wait * (self.shifts > told.moments[after] - at)


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
