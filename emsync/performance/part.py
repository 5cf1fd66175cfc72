"""A part: what one player does."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.performance.player import Player


class Control(NamedTuple):
    """A controller set to a value."""

    time: float  # seconds of the film
    number: int
    value: int  # 0 to 127


@dataclass(frozen=True, eq=False)
class Part:
    """The notes and controllers of one player, in seconds of the film. N notes, by onset."""

    player: Player
    pitches: NDArray[np.uint8]  # (N,) MIDI pitch
    onsets: Seconds  # (N,) ascending
    offsets: Seconds  # (N,) later than the onset
    velocities: NDArray[np.uint8]  # (N,) 1 to 127
    controls: tuple[Control, ...] = ()

    @classmethod
    def silent(cls, player: Player) -> Self:
        """Return the part of a player who has nothing to play."""
        times, bytes_ = np.zeros(0), np.zeros(0, np.uint8)
        return cls(player, bytes_, times, times, bytes_)
