"""Notes as rows in time: what the tower of notes hears of a piece (MuVi's z_m of a score).

Row j covers [start + j / RATE, start + (j + 1) / RATE). Its columns are three blocks of one number
for each instrument class: how many notes begin, how many sound, and how high those are on average.
The counts are plain sums over notes, so that the rows of music played at once are added.
"""

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Seconds
from emsync.music.piece import CLASSES, Piece

RATE = 40  # rows a second
COLUMNS = 3 * len(CLASSES)
ONSETS, SOUNDING, PITCH = (slice(k * len(CLASSES), (k + 1) * len(CLASSES)) for k in range(3))
MIDDLE, OCTAVES = 60.0, 24.0  # MIDI pitch that is 0, and how much higher is 1
HAIR = 1e-6  # rows by which rounding may put a time before its row


def rows(piece: Piece, start: float, count: int) -> Float32s:
    """Return the (count, COLUMNS) rows of ``piece`` from ``start`` seconds on.

    What is before the piece, or after it, is silence. A note sounds in each row that it reaches,
    in one at least; where nothing of a class sounds, its pitch is 0. A piece that is moved by a
    tenth of a second has its rows moved by four.
    """
    first = np.floor(_in_rows(piece.onsets, start) + HAIR).astype(np.intp)
    last = np.ceil(_in_rows(piece.offsets, start) - HAIR).astype(np.intp)
    last = np.maximum(last, first + 1)
    begins = (first >= 0) & (first < count)
    heard = (last > 0) & (first < count)
    high = (piece.pitches - MIDDLE) / OCTAVES
    found = np.zeros((count, COLUMNS), np.float32)
    np.add.at(found[:, ONSETS], (first[begins], piece.classes[begins]), 1.0)
    classes = piece.classes[heard]
    spans = np.maximum(first[heard], 0), np.minimum(last[heard], count)
    sounding = _held(*spans, classes, np.ones(len(classes)), count)
    pitches = _held(*spans, classes, high[heard], count)
    found[:, SOUNDING] = sounding
    found[:, PITCH] = np.where(sounding > 0, pitches / np.maximum(sounding, 1.0), 0.0)
    return found


def _in_rows(times: Seconds, start: float) -> Float64s:
    return (times - start) * RATE


def _held(
    first: NDArray[np.intp],
    last: NDArray[np.intp],
    classes: NDArray[np.uint8],
    values: NDArray[np.floating],
    count: int,
) -> Float64s:
    """Return the (count, classes) sums of the values of the notes that sound in each row."""
    changes = np.zeros((count + 1, len(CLASSES)))
    np.add.at(changes, (first, classes), values)
    np.add.at(changes, (last, classes), -values)
    return np.cumsum(changes[:count], axis=0)
