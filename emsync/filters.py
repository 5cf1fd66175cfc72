"""Filters of logits that read a piece token by token, several of them in one pass.

A filter remembers nothing itself. It has a state of each piece, a value that is never changed, and
makes the next one of it and of a token. So a history whose end was replaced, as a draft's is that
was rejected, goes on from the state before that end.

Shapes: B pieces drawn side by side, T tokens so far, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emsync.conditioning import Floats
from emsync.tokens import Ids, LogitsProcessor

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 32  # of the newest tokens of a piece, at least, the states before them are kept

S = TypeVar("S")


class TokenFilter(ABC, Generic[S]):
    """Changes the logits of the next token by a state of the piece; called, a logits processor.

    An object filters one batch, whose pieces only grow but for their last KEPT tokens. Scores are
    on the CPU.
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
        self.histories: list[_History] = []  # of each piece

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Return (B, V) scores after (B, T) tokens, each filter's in turn."""
        filtered = scores.clone()
        if not self.histories:
            self.histories = [_History(self.filters, piece) for piece in range(len(input_ids))]
        rows = zip(self.histories, input_ids.numpy(), filtered.numpy(), strict=True)
        for history, ids, logits in rows:
            for each, state in zip(self.filters, history.states_after(ids), strict=True):
                each.apply(state, logits)
        return filtered


class _History:
    """What some filters have read of a piece."""

    def __init__(self, filters: Sequence[TokenFilter[Any]], piece: int) -> None:
        self.filters, self.piece = filters, piece
        self._begin()

    def _begin(self) -> None:
        """Forget all that was read."""
        self.first = self.count = 0  # tokens that are not remembered; tokens read
        self.newest = b""  # those between
        # of each filter before each of these, and after the last
        self.states: list[list[Any]] = [[each.start(self.piece) for each in self.filters]]

    def states_after(self, ids: Ids) -> list[Any]:
        """Return the state of each filter after (T,) tokens."""
        if ids[self.first : self.count].tobytes() != self.newest:
            self._go_back(ids)
        for token in ids[self.count :].tolist():
            pairs = zip(self.filters, self.states[-1], strict=True)
            self.states.append([each.after(self.piece, state, token) for each, state in pairs])
        if len(self.states) > 2 * KEPT:
            del self.states[: -KEPT - 1]
        self.count = len(ids)
        self.first = self.count + 1 - len(self.states)
        self.newest = ids[self.first :].tobytes()
        return self.states[-1]

    def _go_back(self, ids: Ids) -> None:
        """Forget the newest tokens from the first one on that is not in its place in ``ids``."""
        newest = np.frombuffer(self.newest, ids.dtype)
        again = ids[self.first : self.count]
        other = np.flatnonzero(newest[: len(again)] != again)
        same = int(other[0]) if len(other) else len(again)
        if same == 0:  # and perhaps others differ before
            self._begin()
        self.count = self.first + same
        del self.states[same + 1 :]


def together(filters: Sequence[LogitsProcessor]) -> list[LogitsProcessor]:
    """Return what filters as ``filters`` do, in their order; those read together that can."""
    runs = groupby(filters, lambda each: isinstance(each, TokenFilter))
    return [
        each
        for can, run in runs
        for each in ([Together(list(run))] if can else run)  # type: ignore[arg-type]
    ]
