"""The outermost lines of music: of the notes that begin at each sixteenth, the highest or lowest.

A piece in beats goes in.
"""

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Int64s
from emsync.music.piece import Piece

PER_BEAT = 4  # sixteenths


def sixteenths(piece: Piece) -> Int64s:
    """Return the (N,) sixteenths at which the notes begin."""
    return np.round(piece.onsets * PER_BEAT).astype(np.int64)


def outermost(piece: Piece, highest: bool) -> NDArray[np.intp]:
    """Return the places of the highest, or lowest, notes of each sixteenth, one each, in order.

    >>> chord = Piece.of(np.array([(3, 60, 0, 1), (3, 64, 0, 1), (3, 62, 1, 2)]))
    >>> outermost(chord, highest=True).tolist(), outermost(chord, highest=False).tolist()
    ([1, 2], [0, 2])
    """
    at, pitches = sixteenths(piece), piece.pitches.astype(np.int64)
    order = np.lexsort((-pitches if highest else pitches, at))
    _, first = np.unique(at[order], return_index=True)
    return order[first]
