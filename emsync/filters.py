"""Filters of logits that read a piece token by token, several of them in one pass.

A filter remembers nothing itself. It has a state of each piece, a value that is never changed, and
makes the next one of it and of a token.

Shapes: B pieces drawn side by side, T tokens so far, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from emsync.conditioning import Floats
from emsync.tokens import Ids, LogitsProcessor

if TYPE_CHECKING:
    from torch import Tensor

S = TypeVar("S")


class TokenFilter(ABC, Generic[S]):
    """Changes the logits of the next token by a state of the piece; called, a logits processor.

    An object filters one batch, whose pieces only grow. Scores are on the CPU.
    """

    @abstractmethod
    def start(self, piece: int) -> S:
        """Return the state of a piece, by its number in the batch, before its first token."""

    @abstractmethod
    def after(self, piece: int, state: S, token: int) -> S:
        """Return the state once a token was read; ``state`` itself stays as it is."""

    @abstractmethod
    def apply(self, state: S, logits: Floats) -> None:
        """Change the (V,) logits of the next token in place."""

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Return (B, V) scores after (B, T) tokens, of which only the new ones are read."""
        return self._alone(input_ids, scores)

    @cached_property
    def _alone(self) -> "Together":
        return Together([self])


class Together:
    """Filters as one logits processor, which reads every token once for all of them."""

    def __init__(self, filters: Sequence[TokenFilter[Any]]) -> None:
        self.filters = filters
        self.states: list[list[Any]] = []  # of each piece, those of the filters
        self.count = 0  # tokens read

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Return (B, V) scores after (B, T) tokens, each filter's in turn."""
        filtered = scores.clone()
        self.apply(input_ids.numpy(), filtered.numpy())
        return filtered

    def apply(self, ids: Ids, logits: Floats) -> None:
        """Change the (B, V) logits after (B, T) tokens in place, each filter in turn."""
        if not self.states:
            self.states = [[each.start(b) for each in self.filters] for b in range(len(ids))]
        if ids.shape != (len(self.states), max(self.count, ids.shape[1])):
            raise ValueError(
                f"tokens of shape {ids.shape} do not go on from ({len(self.states)}, {self.count}) "
                "that were read; make filters anew for each batch"
            )
        rows = zip(self.states, ids[:, self.count :].tolist(), logits, strict=True)
        for piece, (states, new, row) in enumerate(rows):
            for i, each in enumerate(self.filters):
                for token in new:
                    states[i] = each.after(piece, states[i], token)
                each.apply(states[i], row)
        self.count = ids.shape[1]


def together(filters: Sequence[LogitsProcessor]) -> list[LogitsProcessor]:
    """Return what filters as ``filters`` do, in their order; those read together that can."""
    runs = groupby(filters, lambda each: isinstance(each, TokenFilter))
    return [
        each
        for can, run in runs
        for each in ([Together(list(run))] if can else run)  # type: ignore[arg-type]
    ]
