"""Statistics of a piece: each equals a slow count, note by note."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync.music.statistics import (
    density,
    onset_density,
    pitch_class_seconds,
    polyphony,
    sounded,
)

NOTES = st.tuples(
    st.sampled_from([DRUMS, BASS, PIANO]),
    st.integers(21, 108),
    st.integers(0, 30),
    st.integers(1, 10),
).map(lambda note: (*note[:3], note[2] + note[3]))
SILENCE = Piece.of(np.zeros((0, 4)))


def test_density_is_notes_a_second_of_each_instrument_that_plays() -> None:
    rows = [(PIANO, 60, t, t + 0.5) for t in range(8)] + [(BASS, 40, t, t + 1.0) for t in range(4)]
    piece = Piece.of(np.array(rows))
    assert density(piece) == pytest.approx(12 / 7.5 / 2)
    assert density(piece, 12.0) == 0.5
    assert onset_density(piece, 4.0) == 2.0
    assert density(SILENCE) == density(SILENCE, 5.0) == onset_density(SILENCE, 5.0) == 0.0


@given(st.lists(NOTES, min_size=1, max_size=12))
def test_polyphony_is_the_mean_count_where_any_note_sounds(
    notes: list[tuple[int, int, int, int]],
) -> None:
    counts = [sum(on <= t < off for c, _, on, off in notes if c != DRUMS) for t in range(41)]
    found = polyphony(Piece.of(np.array(notes)))
    if any(counts):
        assert found == pytest.approx(np.mean([count for count in counts if count]))
    else:
        assert np.isnan(found)


@given(st.lists(NOTES, max_size=12), st.sampled_from([1.0, 2.5, 99.0]))
def test_pitch_classes_sound_as_long_as_their_notes(
    notes: list[tuple[int, int, int, int]], longest: float
) -> None:
    piece = Piece.of(np.array(notes))
    seconds = np.zeros(12)
    held = np.zeros(12)
    for c, pitch, on, off in notes:
        seconds[pitch % 12] += min(off - on, longest) * (c != DRUMS)
        held[pitch % 12] += max(off - on, 2) * (c != DRUMS)
    assert pitch_class_seconds(piece, longest=longest) == pytest.approx(seconds)
    assert pitch_class_seconds(piece, shortest=2.0) == pytest.approx(held)
    assert sounded(piece, np.array([50.0]), longest)[0] == pytest.approx(seconds)
    past = [t for _, _, *ends in notes for t in ends if t <= 15]
    at = np.array([0.0, *sorted(past), 15.0])
    assert (np.diff(sounded(piece, at, longest), axis=0) >= -1e-9).all()
