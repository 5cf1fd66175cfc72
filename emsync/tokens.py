"""What a tokenizer has to offer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.music.piece import Piece

if TYPE_CHECKING:
    from torch import Tensor

Ids: TypeAlias = NDArray[np.int64]
# (B, T) tokens, (B, V) scores -> (B, V) scores; transformers' logits processors are such
LogitsProcessor: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


@dataclass(frozen=True, eq=False)
class Timeline:
    """Where each token of a sequence stands in musical time."""

    times: Seconds  # (T,) seconds of music that are settled once token i is read
    marks: NDArray[np.bool_]  # (T,) token i marks a musical boundary


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Music as integers and back; the fields are its settings."""

    name: ClassVar[str]  # the entry point's name, and the key in checkpoints
    summary: ClassVar[str] = ""  # one line for ``emsync plugins``

    @property
    @abstractmethod
    def vocab_size(self) -> int: ...

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
        """Return the tokens that stand before a piece of ``classes`` instrument classes."""

    @abstractmethod
    def encode(self, piece: Piece) -> Ids:
        """Return the (T,) tokens of ``piece``, header first."""

    @abstractmethod
    def decode(self, ids: Ids) -> Piece:
        """Return the music of (T,) tokens; no note is lost, whatever the tokens."""

    @property
    def never(self) -> Sequence[int]:
        """The tokens that are never sampled, such as padding."""
        return ()

    def rules(self) -> Mapping[str, Callable[[], LogitsProcessor]]:
        """Return the rules of musical grammar by name; each call makes a filter for one batch."""
        return {}

    def at_tempo(self, tempo: float) -> "Tokenizer":
        """Return the scheme for music all of one ``tempo``; it may make no use of it."""
        return self

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """Return ``ids`` with every pitch but the drums' moved; a scheme may leave them as is."""
        return ids

    def timeline(self, ids: Ids) -> Timeline:
        """Return the (T,) times and boundary marks of ``ids``."""
        marks = np.zeros(len(ids), np.bool_) if self.mark is None else np.equal(ids, self.mark)
        return Timeline(np.cumsum(self.durations[ids]), marks)
