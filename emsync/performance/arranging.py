"""Who plays which note of a piece."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.music.piece import Piece
from emsync.performance.player import PLAIN, Casting, Player


@dataclass(frozen=True, eq=False)
class Role:
    """The notes of one player. n notes, of N in the piece."""

    player: Player
    notes: NDArray[np.intp]  # (n,) their places in the piece, ascending
    pitches: NDArray[np.uint8]  # (n,) MIDI pitches at which they are played


def arranged(piece: Piece, casting: Casting = PLAIN) -> list[Role]:
    """Return the roles of those who play anything, in the order of the players."""
    _, players = casting[0]
    found = []
    for player in players:
        notes = np.flatnonzero(piece.classes == player.instrument)
        if len(notes):
            found.append(Role(player, notes, piece.pitches[notes]))
    return found
