"""What no piece of events can contain, as filters of the next token's logits.

Each rule is one of transformers' logits processors for the events vocabulary, made anew for each
batch; it reads every token once, as it comes.
"""

from abc import abstractmethod
from functools import cache

import torch
from torch import Tensor
from transformers.generation.logits_process import LogitsProcessor

from emsync.music import CLASSES
from emsync_tokenizers import vocabulary as v

# notes of one instrument at once: six strings of a guitar, ten fingers; drums and sections ring on
VOICES = {"drums": 8, "bass": 2, "guitar": 6, "piano": 10, "strings": 12}


class Rule(LogitsProcessor):  # type: ignore[misc]
    """Set the logits of impossible tokens to minus infinity."""

    def __init__(self) -> None:
        self.seen = 0  # tokens read

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (B, V) scores after (B, T) tokens, of which those not read before are read."""
        for column in range(self.seen, input_ids.shape[1]):
            self.read(input_ids[:, column])
        self.seen = input_ids.shape[1]
        return scores.masked_fill(self.impossible(len(input_ids)), -torch.inf)

    @abstractmethod
    def read(self, ids: Tensor) -> None:
        """Take in the (B,) tokens that came."""

    @abstractmethod
    def impossible(self, batch: int) -> Tensor:
        """Return the (B, V) mask of tokens that cannot come next."""


class _Sounding(Rule):
    """A rule that knows which notes sound."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: Tensor | None = None  # (B, 5, 88) bool

    def read(self, ids: Tensor) -> None:
        notes = self._notes(len(ids))
        for row, token in enumerate(ids.tolist()):
            if token >= v.NOTE:
                instrument, place = divmod(token - v.NOTE, 2 * v.KEYS)
                notes[row, instrument, place % v.KEYS] = place < v.KEYS

    def _notes(self, batch: int) -> Tensor:
        if self.notes is None:
            self.notes = torch.zeros(batch, len(CLASSES), v.KEYS, dtype=torch.bool)
        return self.notes


class Sounding(_Sounding):
    """No OFF for a note that does not sound."""

    def impossible(self, batch: int) -> Tensor:
        mask = torch.zeros(batch, v.SIZE, dtype=torch.bool)
        silent = ~self._notes(batch)
        mask[:, v.NOTE :].view(batch, len(CLASSES), 2, v.KEYS)[:, :, 1] = silent
        return mask


class Polyphony(_Sounding):
    """No more notes at once than an instrument has voices."""

    def impossible(self, batch: int) -> Tensor:
        mask = torch.zeros(batch, v.SIZE, dtype=torch.bool)
        most = torch.tensor([VOICES[name] for name in CLASSES])
        full = self._notes(batch).sum(-1) >= most  # (B, 5)
        mask[:, v.NOTE :].view(batch, len(CLASSES), 2, v.KEYS)[:, :, 0] = full[:, :, None]
        return mask


class Order(Rule):
    """At one instant OFFs, BAR, CHORD, then ONs, each once and upwards; then time moves on.

    So no run without a TIMESHIFT is endless. Only a whole second may be followed by another shift.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None  # (B,) place of the last token in the order; -1 after a shift
        self.moved: Tensor | None = None  # (B,) the last token was a shift of less than a second

    def read(self, ids: Tensor) -> None:
        shift = (ids >= v.SHIFT) & (ids < v.NOTE)
        header = (ids < v.SHIFT) & (ids != v.BAR) & (ids != v.CHORD)
        self.last = torch.where(shift | header, -1, _places()[ids])
        self.moved = shift & (ids < v.NOTE - 1)

    def impossible(self, batch: int) -> Tensor:
        if self.last is None or self.moved is None:
            return torch.zeros(batch, v.SIZE, dtype=torch.bool)
        mask = _places() <= self.last[:, None]
        mask[:, v.SHIFT : v.NOTE] = self.moved[:, None]
        return mask


@cache
def _places() -> Tensor:
    """Return the (V,) place of each token in the order of one instant; shifts have none."""
    token = torch.arange(v.SIZE)
    place = torch.full((v.SIZE,), 10**6)
    on = (token >= v.NOTE) & ((token - v.NOTE) % (2 * v.KEYS) < v.KEYS)
    off = (token >= v.NOTE) & ~on
    place[off] = token[off]
    place[v.BAR], place[v.CHORD] = v.SIZE, v.SIZE + 1
    place[on] = token[on] + v.SIZE + 2
    return place


RULES: dict[str, type[Rule]] = {"sounding": Sounding, "polyphony": Polyphony, "order": Order}
