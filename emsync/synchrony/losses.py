"""How well films and music agree, row by row, and what the towers learn from (MuVi, section 3.2).

Our copy of the paper lost its formulas; they are rebuilt from the words around them.

Shapes: B films and the music of each, X more pieces of music for each film, T rows of D numbers, of
length 1.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Extra = tuple[Tensor, Tensor]  # (B, X, T, D) embedded music, and (B, X) whether it is there


def similarity(films: Tensor, music: Tensor) -> Tensor:
    """Return SIM (...): the mean over the rows of (..., T, D) of their cosines."""
    return (films * music).sum(-1).mean(-1)


def similarities(films: Tensor, music: Tensor) -> Tensor:
    """Return SIM (B, B') of each of the films (B, T, D) and each piece of music (B', T, D)."""
    return films.flatten(1) @ music.flatten(1).T / films.shape[1]


def contrastive(
    films: Tensor, music: Tensor, temperature: Tensor, extra: Extra | None = None
) -> Tensor:
    """Return the loss of finding film ``i`` by music ``i`` and the other way round, equation 1.

    With ``extra``, equation 2: a film has to tell its music from those pieces too, while music has
    only the films to choose of.
    """
    own = among = similarities(films, music) / temperature
    if extra is not None:
        more, there = extra
        against = similarity(films[:, None], more) / temperature
        among = torch.cat([own, against.masked_fill(~there, -torch.inf)], dim=1)
    wanted = torch.arange(len(films), device=films.device)
    return (cross_entropy(among, wanted) + cross_entropy(own.T, wanted)) / 2
