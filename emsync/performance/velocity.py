"""How loud each note is struck."""

import numpy as np
from numpy.typing import NDArray

from emsync.fit.dynamics import LOUDEST, Dynamics
from emsync.music.piece import ACCENT, VELOCITY, Piece, velocities


def struck(piece: Piece, dynamics: Dynamics) -> NDArray[np.uint8]:
    """Return the (N,) velocities of a piece, its boundary chords accented."""
    accents = velocities(piece) == ACCENT
    plain = dynamics.at(piece.onsets) + np.where(accents, ACCENT - VELOCITY, 0)
    return np.round(np.clip(plain, 1, LOUDEST)).astype(np.uint8)
