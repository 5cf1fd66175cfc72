"""What holds the music to a lead sheet: filters that make the next tokens likelier or less likely.

Each is called as a rule of grammar is, after the rules, for scores on the CPU. It is made for one
batch, reads every token once, and changes only what the time or a note has changed, so it costs
microseconds a token.

Shapes: B pieces drawn side by side, T tokens read so far, V vocabulary.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from emsync.plugin import CLASSES, Floats, Seconds
from emsync_tokenizers import vocabulary as v


class Follower(ABC):
    """Keep the time of B pieces, and lean their logits towards what is to be followed."""

    def __init__(self, pieces: int) -> None:
        self.seen = 0  # tokens read
        self.now = [0] * pieces  # steps

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (B, V) scores after (B, T) tokens, of which only the new ones are read."""
        ids = input_ids.numpy()
        for at in range(self.seen, ids.shape[1]):
            for row, token in enumerate(ids[:, at].tolist()):
                if token >= v.NOTE:
                    instrument, place = divmod(token - v.NOTE, 2 * v.KEYS)
                    self.struck(row, instrument, place % v.KEYS, place < v.KEYS)
                elif token >= v.SHIFT:
                    self.now[row] += token - v.SHIFT + 1
                    self.moved(row)
        self.seen = ids.shape[1]
        before = scores.numpy()
        leant = before.copy()
        self.lean(leant, before)
        return torch.from_numpy(leant)

    @abstractmethod
    def moved(self, row: int) -> None:
        """Update what is asked of a piece whose time has moved on."""

    def struck(self, row: int, instrument: int, key: int, begins: bool) -> None:  # noqa: B027
        """Take note of a note that begins or ends."""

    @abstractmethod
    def lean(self, scores: Floats, before: Floats) -> None:
        """Change the (B, V) logits in place; ``before`` are the same, and stay."""


def notes_of(scores: Floats) -> Floats:
    """Return the (B, 5, 2, 88) view of the notes in (B, V) scores: instrument, ON or OFF, key."""
    return scores[:, v.NOTE :].reshape(len(scores), len(CLASSES), 2, v.KEYS)


def steps(times: Seconds) -> list[int]:
    """Return the steps of the grid that are nearest to ``times``."""
    return [round(time * v.STEPS_PER_SECOND) for time in np.asarray(times).tolist()]
