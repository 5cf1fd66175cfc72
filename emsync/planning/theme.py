"""A person's own theme: the first bars of a MIDI file, and what it does to a plan."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from emsync.errors import InputError, UsageError
from emsync.formats.smf import load
from emsync.limits import can_be_read_again, quoted
from emsync.music.chords import MAJOR, MINOR, NONE, chord, heard
from emsync.music.lead_sheet import THEME_BARS
from emsync.music.piece import BEATS, CLASSES, DRUMS, HIGHEST, LOWEST, Piece
from emsync.music.tonality import TONICS, estimate_key, fifths_of, pitch_class, tonic_and_mode
from emsync.options import Mode, PathLike
from emsync.planning.chart import Entry, chart_text
from emsync.planning.plan import Plan
from emsync.planning.players import check_pitched

LETTER = "A"  # of the sections that take it up
LEAST = 3  # pitched notes, of which a theme can be known again
PLACES = np.array([0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1])  # of a beat, where notes begin


@dataclass(frozen=True, eq=False)
class Theme:
    """A theme in even beats of one second, from its first bar line on."""

    piece: Piece
    tonic: str = ""  # such as "F#"; "" where its key is not clear
    minor: bool = False

    @property
    def mode(self) -> Mode:
        """The mode of its key."""
        return "minor" if self.minor else "major"

    def moved(self, semitones: int) -> Self:
        """Return the theme so many semitones higher; beyond the keys it moves by octaves."""
        pitched = self.piece.classes != DRUMS
        pitches = self.piece.pitches.astype(np.int64) + semitones * pitched
        pitches += 12 * (pitches < LOWEST) - 12 * (pitches > HIGHEST)
        tonic = self.tonic and TONICS[(pitch_class(self.tonic) + semitones) % 12]
        return replace(
            self, piece=replace(self.piece, pitches=pitches.astype(np.uint8)), tonic=tonic
        )


def read_theme(path: PathLike) -> Theme:
    """Return the first bars of a MIDI file, from the first one with pitched notes.

    InputError says what is wrong with it.
    """
    path = Path(path)
    if not can_be_read_again(path):
        raise InputError(f"the theme {quoted(path)} is not a file; save it as a .mid first")
    file = load(path)
    from symusic.core import TempoTick, TempoTickList

    file.score.tempos = TempoTickList([TempoTick(0, 60.0)])  # by its own beats, each of one second
    song = file.piece()
    starts = song.onsets[song.classes != DRUMS]
    if len(starts) < LEAST:
        raise InputError(
            f"the theme {quoted(path)} has {len(starts)} notes of bass, guitar, piano and strings; "
            f"give a MIDI file with {LEAST} or more"
        )
    lines = song.downbeats[song.downbeats <= starts[0] + 1e-6]
    start = float(lines[-1]) if len(lines) else 0.0
    later = song.downbeats[song.downbeats > start + 1e-6]
    bars = later[THEME_BARS - 1] if len(later) >= THEME_BARS else song.duration
    end = min(float(bars), start + THEME_BARS * BEATS)
    piece = _on_places(song.since(start).until(end - start))
    pitched = int((piece.classes != DRUMS).sum())
    if pitched < LEAST:
        raise InputError(
            f"the theme {quoted(path)} begins with {pitched} notes of bass, guitar, piano and "
            f"strings in {THEME_BARS} bars; give a MIDI file that begins with {LEAST} or more"
        )
    key = estimate_key(piece) or estimate_key(song) or ""
    return Theme(piece, *(tonic_and_mode(key) if key else ("", False)))


def _on_places(piece: Piece) -> Piece:
    """Return a piece in beats whose notes begin on sixteenths and triplets, as they do here."""
    beats = np.floor(piece.onsets + 1e-6)
    inside = piece.onsets - beats
    onsets = beats + PLACES[np.abs(inside[:, None] - PLACES).argmin(axis=1)]
    rows = piece.rows
    rows[:, 2] = onsets
    rows[:, 3] = np.maximum(piece.offsets, onsets + 1 / 8)
    return Piece.of(rows, piece.downbeats, piece.chords)


def with_theme(plan: Plan, theme: Theme) -> Plan:
    """Return a plan that was made for a film with the theme's players, key and chords.

    Players and chords are those of the sections that take it up. A tonic that the plan has stays,
    and the theme moves to it.
    """
    players = {CLASSES[number] for number in theme.piece.classes.tolist()}
    plan = replace(
        plan,
        sections=tuple(
            replace(s, instruments=tuple(n for n in CLASSES if n in {*s.instruments, *players}))
            if s.theme == LETTER
            else s
            for s in plan.sections
        ),
    )
    if not theme.tonic:
        return plan
    tonic = plan.tonic or theme.tonic
    up = pitch_class(tonic) - pitch_class(theme.tonic)
    fifths = fifths_of(pitch_class(tonic), theme.minor)
    chart = [Entry(number) for number in _chords(theme.moved(up))]
    sections = []
    for section in plan.sections:
        if section.theme == LETTER:
            bars = (section.end - section.start) * plan.tempo / 60 / BEATS
            words = chart_text(chart[: max(1, math.floor(bars) - 1)], fifths)
            section = replace(section, mode=theme.mode, chords=section.chords or words)
        elif section.mode is None:
            section = replace(section, mode=theme.mode)
        sections.append(section)
    return replace(plan, tonic=tonic, sections=tuple(sections))


def _chords(theme: Theme) -> list[int]:
    """Return the chord of each bar of a theme; its tonic's where none is heard."""
    home = chord(pitch_class(theme.tonic), MINOR if theme.minor else MAJOR)
    bars = max(1, math.ceil(theme.piece.duration / BEATS - 1e-6))
    numbers = heard(theme.piece, np.arange(bars + 1.0) * BEATS).tolist()
    return [home if number == NONE else number for number in numbers]


def in_plan(theme: Theme, plan: Plan) -> Piece:
    """Return the theme's notes in the key of a plan's sections that take it up; in beats.

    Where one is major and the other minor, it moves so that both have the same notes. UsageError
    where no section takes it up.
    """
    sections = [section for section in plan.sections if section.theme == LETTER]
    if not sections:
        raise UsageError(
            f"the plan has no section of theme {LETTER} that could take up the theme; name one"
        )
    check_pitched({name for section in sections for name in section.instruments})
    if not theme.tonic or not plan.tonic:
        return theme.piece
    up = pitch_class(plan.tonic) - pitch_class(theme.tonic)
    minor = sections[0].mode == "minor"
    up += 3 * (minor - theme.minor)
    return theme.moved((up + 6) % 12 - 6).piece
