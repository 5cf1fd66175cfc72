"""What holds the music to a lead sheet: filters that make the next tokens likelier or less likely.

Each is made for one batch, comes after the rules of grammar, and makes anew only what the time or a
note has changed, so it costs microseconds a token.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from emsync.plugin import LeadSheet, Seconds, TokenFilter
from emsync_tokenizers import vocabulary as v

S = TypeVar("S")


class Follower(TokenFilter[S]):
    """Leans the logits of pieces towards their lead sheets, by what time and notes change.

    ``bar`` is how many steps the bars last, or 0 where they differ.
    """

    def __init__(self, sheets: Sequence[LeadSheet], bar: int = 0) -> None:
        self.sheets, self.bar = sheets, bar

    def after(self, piece: int, state: S, token: int) -> S:
        if token >= v.NOTE:
            return self.struck(piece, state, *v.parts(token))
        return self.moved(piece, state, token - v.SHIFT + 1) if token >= v.SHIFT else state

    @abstractmethod
    def moved(self, piece: int, state: S, wait: int) -> S:
        """Return the state once ``wait`` steps have passed."""

    @abstractmethod
    def struck(self, piece: int, state: S, instrument: int, key: int, begins: bool) -> S:
        """Return the state once a note has begun or ended."""


def steps(times: Seconds) -> list[int]:
    """Return the steps of the grid that are nearest to ``times``."""
    return [round(time * v.STEPS_PER_SECOND) for time in np.asarray(times).tolist()]
