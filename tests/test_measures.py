"""What is measured on the notes of a piece: right values on small pieces."""

import math

import numpy as np
import pytest

from emsync.metrics.agreement import agreement_of
from emsync.metrics.bass import bass_of
from emsync.metrics.melody import lines, melody_of, upper_line
from emsync.metrics.register import register_of
from emsync.metrics.texture import texture_of
from emsync.metrics.velocity import velocity_of
from emsync.metrics.voicing import voicing_of
from emsync.music.chords import Harmony, heard, parse_chord
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Piece

Note = tuple[int, int, float, float]  # class, pitch, onset, length


def played(*notes: Note) -> Piece:
    return Piece.of(np.array([(c, p, at, at + n) for c, p, at, n in notes], np.float64))


def tune(instrument: int, *pitches: int, length: float = 1.0) -> list[Note]:
    return [(instrument, p, k * length, length) for k, p in enumerate(pitches)]


NOTHING = Piece.of(np.zeros((0, 4)))
C_MAJOR = Harmony(np.zeros(1), np.array([parse_chord("C")]))


def test_a_melody_is_counted_as_one_reads_it() -> None:
    found = melody_of(played(*tune(PIANO, 60, 60, 62, 64, 69, 67, 65, 64)))
    assert (found.repeats, found.steps, found.leaps) == (1 / 7, 5 / 7, 1 / 7)
    assert (found.range, found.rests, found.pace) == (9, 0, 1)
    assert found.turns == 1 / 5, "up to the top, and down from there"
    assert found.arch > 2
    assert math.isnan(found.distinct) and math.isnan(melody_of(NOTHING).steps)
    falls = melody_of(played(*tune(PIANO, 60, 62, 64, 62, 60, 64, 67, 72)))
    assert falls.arch < 0
    scale = melody_of(played(*tune(PIANO, *([60, 62, 64, 65] * 8))))
    assert scale.distinct == 4


def test_the_melody_is_the_line_on_top_that_moves() -> None:
    pad = [(STRINGS, p, at, 4.0) for at in (0.0, 4.0) for p in (48, 55, 64)]
    lead = tune(GUITAR, 72, 74, 76, 77, 79, 77, 76, 74)
    (line,) = lines(played(*pad, *lead, *tune(BASS, *[36] * 8)))
    assert line.pitches.tolist() == [p for _, p, _, _ in lead]
    first, second = lines(played(*pad, *lead), [(0.0, 4.0), (4.0, 8.0)])
    assert len(first) == len(second) == 4


def test_what_sounds_under_a_held_tone_is_no_melody() -> None:
    line = upper_line(played((PIANO, 72, 0.0, 4.0), *tune(PIANO, 60, 64, 67), (PIANO, 74, 4, 1)))
    assert line.pitches.tolist() == [72, 74]
    line = upper_line(played(*tune(PIANO, 72, 74, 76, 40, 77), (PIANO, 79, 4.0, 1)))
    assert line.pitches.tolist() == [72, 74, 76, 79], "an octave below is accompaniment"


def test_a_rest_of_a_bar_is_no_interval() -> None:
    apart = played((PIANO, 60, 0.0, 1.0), (PIANO, 62, 1.0, 1.0), (PIANO, 79, 7.0, 1.0))
    assert melody_of(apart).leaps == 0 and melody_of(apart).rests == 5 / 8


def test_a_bass_walks_or_stands_on_roots() -> None:
    walks = bass_of(played(*tune(BASS, 36, 38, 40, 41, 43, 41, 40, 38)), C_MAJOR)
    assert (walks.steps, walks.repeats, walks.roots, walks.pace) == (1, 0, 0.5, 1)
    stands = bass_of(played(*tune(BASS, 36, 36, 36, 36, 48, 48, 48, 48)), C_MAJOR)
    assert (stands.steps, stands.roots) == (0, 1) and stands.repeats == pytest.approx(6 / 7)
    assert math.isnan(bass_of(played(*tune(PIANO, 72, 74, 76, 77)), C_MAJOR).steps)


def test_registers_are_those_of_the_instruments() -> None:
    found = register_of(played((BASS, 36, 0, 2), (PIANO, 60, 0, 2), (GUITAR, 30, 0, 1)))
    assert found["outside"] == 1 / 3 and found["bass"] == 36 and math.isnan(found["strings"])
    assert found["crossing"] == 0.5


def test_what_grates_is_counted_by_the_time_it_sounds() -> None:
    found = voicing_of(played((PIANO, 60, 0, 4), (PIANO, 61, 0, 1), (PIANO, 73, 1, 1)))
    assert found.clashes == 0.5
    low = voicing_of(played((PIANO, 40, 0, 2), (PIANO, 43, 0, 1), (PIANO, 50, 1, 1)))
    assert (low.muddy, low.seconds, low.clashes, low.thick) == (0.5, 0, 0, 2)
    assert voicing_of(played((PIANO, 50, 0, 1), (PIANO, 52, 0, 1))).seconds == 1
    assert math.isnan(voicing_of(played((DRUMS, 36, 0, 1))).clashes)


def test_who_is_stuck_and_who_plays_how_much() -> None:
    still, moving = tune(PIANO, *[60] * 8), tune(STRINGS, *range(60, 76), length=0.5)
    found = texture_of(played(*still, *moving), 8.0)
    assert (found["piano"], found["strings"], found["stuck"]) == (1, 2, 1)
    assert found["sounding"] == 1 and found["instruments"] == 2
    assert texture_of(played(*still), 16.0)["sounding"] == 0.5
    assert texture_of(played(*still), 8.0)["entropy"] == 0 == texture_of(NOTHING, 8.0)["sounding"]


def test_a_voice_in_another_key_shows() -> None:
    chords = [(PIANO, p, at, 2.0) for at in (0, 2, 4, 6) for p in (60, 64, 67)]
    own = tune(STRINGS, 72, 74, 76, 77, 79, 77, 76, 74)
    edges = np.arange(9.0)

    def agreement(up: int) -> tuple[float, float, float]:
        piece = played(*chords, *((c, p + up, at, n) for c, p, at, n in own))
        found = agreement_of(piece, heard(piece, edges), edges)
        return found.scale, found.least, found.apart

    assert agreement(0)[0] == 1 and agreement(0)[2] == 0
    assert agreement(1)[0] < 0.9 and agreement(1)[1] < agreement(0)[1] and agreement(1)[2] < -0.1


def test_velocities_spread_by_class_and_bar() -> None:
    beats, classes = np.arange(16.0), np.zeros(16, np.uint8)
    flat = velocity_of(np.full(16, 80, np.uint8), classes, beats)
    assert (flat.spread, flat.within, flat.downbeats, flat.levels) == (0, 0, 0, 1)
    accents = velocity_of(np.tile([100, 70, 80, 70], 4).astype(np.uint8), classes, beats)
    assert accents.levels == 3 and accents.within == accents.spread > 10
    assert accents.downbeats == pytest.approx(100 - 220 / 3)
    assert math.isnan(velocity_of(np.zeros(0, np.uint8), classes[:0], beats[:0]).spread)
