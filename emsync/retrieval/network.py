"""What a network that embeds films and music offers, and what it is given.

Shapes: P parts of films or tracks, each of at most L tokens of F numbers, one token a second;
D numbers an embedding. The score of a film's part and of music is the product of their embeddings;
that of a film is the mean over its parts.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from emsync.arrays import Int64s
from emsync.matching.matcher import Columns
from emsync.retrieval.regimes import Stretch


@dataclass(frozen=True, eq=False)
class Parts:
    """Stretches of films, or of music, as tokens."""

    tokens: Tensor  # (P, L, F), 0 where there is none
    real: Tensor  # (P, L) whether there is one; each part has at least one
    marks: Tensor | None = None  # (P, C, K) of each 4 s: what ``Network.marks`` told, then 0

    @classmethod
    def of(cls, rows: Sequence[Tensor], marks: Sequence[Int64s] = ()) -> Self:
        """Return parts of (n, F) tokens each, n of at least 1; ``marks`` are those of each part."""
        tokens = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        lengths = torch.tensor([len(row) for row in rows], device=tokens.device)
        real = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        if not marks:
            return cls(tokens, real)
        told = [torch.from_numpy(own).to(tokens.device) for own in marks]
        return cls(tokens, real, nn.utils.rnn.pad_sequence(told, batch_first=True))


@dataclass(frozen=True, eq=False)
class Batch:
    """The parts of several films, each with the music that sounds under it."""

    films: Parts
    music: Parts
    film: Tensor  # (P,) the number of the film that each part is of, ascending from 0
    place: Tensor  # (P,) by its flow among the parts of its film: 0 is the fastest
    last: Tensor  # (P,) the place of the slowest part of its film: 0 where it has one part alone
    label: Tensor | None = None  # (P,) the number of the unified tag of its music, -1 for none


class Network(nn.Module, ABC):
    """Two towers: one embeds films, the other music."""

    name: ClassVar[str]
    shape: ClassVar[type[Any]]  # the dataclass of its settings, each with a default
    looks_at: ClassVar[tuple[str, ...]] = ()  # columns that it reads beside its tokens
    passage: ClassVar[int] = 28  # seconds of music that are embedded as one, as in training
    hop: ClassVar[int] = 14  # seconds from one passage of a track to the next

    @abstractmethod
    def __init__(self, film: int, music: int, settings: Any) -> None:
        """Make towers for tokens of ``film`` and ``music`` numbers; ``settings`` is a ``shape``."""
        super().__init__()
        self.settings = settings

    def divide(self, film: Columns, seconds: int) -> list[Stretch]:
        """Return the parts of a film, in their order; all of it is one by default."""
        return [(0, seconds)]

    def marks(self, columns: Columns, stretch: Stretch) -> Int64s:
        """Return what a network is told beside the tokens of a stretch of a film or of a track.

        (C, K) classes, a row each 4 s (the last may be shorter); K is 0 where it needs nothing.
        """
        return np.zeros((-(-(stretch[1] - stretch[0]) // 4), 0), np.int64)

    @abstractmethod
    def film(self, parts: Parts) -> Tensor:
        """Return the (P, D) embeddings of parts of films."""

    @abstractmethod
    def music(self, parts: Parts) -> Tensor:
        """Return the (P, D) embeddings of parts of music."""

    @abstractmethod
    def loss(self, batch: Batch, share: float) -> Tensor:
        """Return the loss once a ``share`` in [0, 1] of the training is over."""


def asked(points: Tensor) -> Tensor:
    """Return (P, D + 3) embeddings of films that are to be near music: e as (2 e, -|e|², 1, 1).

    Their products with those ``kept`` are the negative squares of the distances of the points.
    """
    squares = points.square().sum(1, keepdim=True)
    ones = torch.ones_like(squares)
    return torch.cat([2 * points, -squares, ones, ones], 1)


def kept(points: Tensor) -> Tensor:
    """Return (P, D + 3) embeddings of music: e as (e, 1, -|e|²), of numbers in half precision.

    An index keeps them as they are. The square is in two numbers, and is that of the rounded e.
    """
    points = points.half().float()
    squares = -points.square().sum(1, keepdim=True)
    rough = squares.half().float()
    return torch.cat([points, torch.ones_like(squares), rough, (squares - rough).half().float()], 1)
