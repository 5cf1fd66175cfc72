"""The interface of a tokenizer: music as integers and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.errors import UsageError
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece

if TYPE_CHECKING:
    from torch import Tensor

Ids: TypeAlias = NDArray[np.int64]
# (B, T) tokens, (B, V) scores -> (B, V) scores; transformers' logits processors are such
LogitsProcessor: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


@dataclass(frozen=True, eq=False)
class Timeline:
    """Where each token of a sequence stands in musical time."""

    times: Seconds  # (T,) seconds of music that have passed once token i is read
    marks: NDArray[np.bool_]  # (T,) whether token i marks a musical boundary


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Music as integers and back; the fields are its settings."""

    name: ClassVar[str]  # the entry point's name, and the key in checkpoints
    summary: ClassVar[str] = ""  # one line for ``emsync plugins``

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """The number of tokens, V."""

    @property
    @abstractmethod
    def durations(self) -> Seconds:
        """(V,) seconds that pass when each token is read."""

    @property
    @abstractmethod
    def mark(self) -> int | None:
        """The token that marks a musical boundary, or None if the scheme has none."""

    @property
    def bar(self) -> int | None:
        """The token that begins a bar, or None if the scheme has none."""
        return None

    @abstractmethod
    def header(self, classes: int) -> Ids:
        """Return the tokens that begin a piece of ``classes`` instrument classes.

        The first one tells how many there are, and alone stands before music from within a piece.
        """

    @abstractmethod
    def encode(self, piece: Piece) -> Ids:
        """Return the (T,) tokens of ``piece``, header first."""

    @abstractmethod
    def decode(self, ids: Ids) -> Piece:
        """Return the music of (T,) tokens; no note is lost, whatever the tokens."""

    @property
    def excluded_ids(self) -> Sequence[int]:
        """The tokens that are never sampled, such as padding."""
        return ()

    def rules(self) -> Mapping[str, Callable[[], LogitsProcessor]]:
        """Return the rules of musical grammar by name; calling one makes a filter for one batch.

        Of several candidates there may be several batches, each read in a thread of its own.
        """
        return {}

    def followers(self, sheets: Sequence[LeadSheet]) -> Mapping[str, LogitsProcessor]:
        """Return filters, by name, that hold one batch to its lead sheets, a sheet for each piece.

        The sheets are in the seconds of the tokens. Filters come after the rules of grammar. Those
        that there are do not depend on the sheets: without any, their names are told.
        """
        return {}

    def at_tempo(self, tempo: float) -> "Tokenizer":
        """Return the tokenizer for music all of one ``tempo``; it may ignore it."""
        return self

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """Return ``ids`` with all pitches but the drums' moved; or, by default, as they are."""
        return ids

    def timeline(self, ids: Ids) -> Timeline:
        """Return the (T,) times and boundary marks of ``ids``."""
        marks = np.zeros(len(ids), np.bool_) if self.mark is None else np.equal(ids, self.mark)
        return Timeline(np.cumsum(self.durations[ids]), marks)


def check_rules(tokenizer: Tokenizer, names: Sequence[str]) -> None:
    """Refuse the name of a rule that ``tokenizer`` does not have."""
    known = [*tokenizer.rules(), *tokenizer.followers(())]
    for name in names:
        if name not in known:
            raise UsageError(f"no rule {name!r}; {tokenizer.name} has {', '.join(known) or 'none'}")
