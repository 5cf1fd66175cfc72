"""How pieces end."""

import math

import numpy as np
import pytest

from emsync.metrics.cadence import Cadence, cadence, closed, is_triad, last_chord
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, DRUMS, PIANO, Piece

BAR = 2.0


def played(*chords: tuple[int, ...], last: tuple[int, ...] = (60, 64, 67), bass: int = 36) -> Piece:
    """A bar of each of the chords, then the last one over a bass."""
    rows = [(PIANO, p, BAR * k, BAR * k + BAR) for k, tones in enumerate(chords) for p in tones]
    end = BAR * len(chords)
    rows += [(PIANO, p, end, end + BAR) for p in last] + [(BASS, bass, end, end + BAR)]
    rows += [(DRUMS, 36, end + 1, end + 1.1)]
    return Piece.of(np.array(rows), downbeats=np.arange(0, end + BAR + 1, BAR))


G, F, D_MINOR = (55, 59, 62, 67), (53, 57, 60, 65), (50, 53, 57)


def test_a_full_close_has_all_of_it() -> None:
    assert cadence(played(F, G)) == Cadence(3, 1, 1, 0.0, 0, 1, 1, 1)
    assert cadence(played(F, G), parse_chord("C")) == cadence(played(F, G))
    assert cadence(played(G, F)).dominant == 0.0


def test_each_fault_of_an_ending_shows_in_its_measure() -> None:
    cluster = cadence(played(F, G, last=(60, 61, 62, 64, 66, 69, 71)))
    assert (cluster.tones, cluster.triad, cluster.home, cluster.clash) == (7, 0, 0, 1)
    assert cluster.foreign == pytest.approx(5 / 7)
    assert cadence(played(F, G, bass=40)).root == 0
    assert cadence(played(F, G, last=(60, 64, 67, 74))).melody == 0
    elsewhere = cadence(played(F, G, last=(57, 60, 64), bass=45), parse_chord("C"))
    assert (elsewhere.triad, elsewhere.home, elsewhere.root) == (1, 0, 0)
    seventh = cadence(played(F, D_MINOR, last=(59, 62, 65), bass=43), parse_chord("G7"))
    assert (seventh.tones, seventh.home, seventh.triad, seventh.foreign) == (4, 1, 0, 0)


def test_the_last_chord_is_what_sounds_at_the_last_onset() -> None:
    rows = [(PIANO, 48, 0.0, 4.0), (PIANO, 62, 0.0, 2.02), (PIANO, 64, 2.0, 4.0),
            (DRUMS, 36, 3.0, 3.1)]  # fmt: skip
    assert sorted(last_chord(Piece.of(np.array(rows))).pitches.tolist()) == [48, 64]
    drums = Piece.of(np.array([(DRUMS, 36, 0.0, 1.0)]))
    assert all(math.isnan(value) for value in vars(cadence(drums)).values())


def test_sections_close_on_the_tonic_or_its_fifth() -> None:
    piece = played(F, G, F, D_MINOR, G)
    sections = tuple(Passage(4.0 * k, 4.0 * k + 4) for k in range(3))
    sheet = LeadSheet(Harmony(np.zeros(1), np.zeros(1, np.intp)), sections, tonic=0)
    assert closed(sheet, piece, np.arange(0.0, 13.0)) == 0.5  # on G, and on D minor


def test_a_fifth_and_a_cluster_are_no_triads() -> None:
    assert is_triad({9, 1}) and not is_triad({9, 4}) and not is_triad({0, 1, 2})
