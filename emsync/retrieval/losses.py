"""What towers learn from: triplets of which the order is wrong, and how wrong.

A triplet is an anchor, what belongs to it, and what does not. Embeddings have length 1, so that
their product is their likeness.

Shapes: P embeddings of films and of the music that belongs to them, of D numbers; H films that have
a fastest and a slowest part.
"""

import torch
from torch import Tensor


def most_violated(hinges: Tensor, most: int | None = None) -> Tensor:
    """Return the mean of those of ``hinges`` that are above 0; at most of the ``most`` largest.

    A mean, where papers write a sum: so terms of few and of many triplets weigh alike.
    """
    flat = hinges.flatten()
    if most is not None and most < len(flat):
        flat = flat.topk(most).values
    return flat.clamp(min=0).sum() / (flat > 0).sum().clamp(min=1)


def matched(anchors: Tensor, others: Tensor, margin: float) -> Tensor:
    """Return the (P, P) hinges of (a_i, b_i, b_k): row i of ``others`` belongs to that of anchors.

    Merrill, section 4.4, λ1 and λ2.
    """
    likeness = anchors @ others.T
    return _without_diagonal(margin + likeness - likeness.diagonal()[:, None])


def ordered(anchors: Tensor, fast: Tensor, slow: Tensor, margin: float) -> Tensor:
    """Return the (H, H) hinges of (a_i, fast_j, slow_j): a fast part and music of another kind.

    Merrill, section 4.4, λ3 and λ4: ``anchors`` are the fastest parts of one side, the others are
    of the other side.
    """
    return margin + anchors @ slow.T - anchors @ fast.T


def gathered(fast: Tensor, slow: Tensor, margin: float) -> Tensor:
    """Return the (H, H, H) hinges of (fast_i, fast_j, slow_k), j not i, all of one side.

    Merrill, section 4.4, λ5 and λ6.
    """
    wrong = _without_diagonal(-fast @ fast.T)  # (i, j)
    return margin + wrong[:, :, None] + (fast @ slow.T)[:, None]


def ranked(anchors: Tensor, others: Tensor, margin: float, most: int) -> Tensor:
    """Return the loss of finding ``others`` by squared distance: of each anchor the ``most`` worst.

    Hong, Im & Yang 2018, section 3.2; Merrill, equation 1.
    """
    away = 2 - 2 * anchors @ others.T
    hinges = _without_diagonal(margin + away.diagonal()[:, None] - away)
    worst = hinges.topk(max(1, min(most, len(hinges) - 1)), dim=1).values
    return worst.clamp(min=0).mean()


def kept_order(inputs: Tensor, embedded: Tensor) -> Tensor:
    """Return how far embeddings change the order of the distances of what was embedded.

    The soft structure of Hong, Im & Yang 2018, section 3.3: (i, j, k) counts where j is nearer to i
    than k before, and k nearer than j afterwards.
    """
    before, after = torch.cdist(inputs, inputs), 2 - 2 * embedded @ embedded.T
    gap = after[:, :, None] - after[:, None]  # (i, j, k)
    order = (before[:, :, None] - before[:, None]).sign() - gap.detach().sign()
    return (-order * gap).mean()


def _without_diagonal(hinges: Tensor) -> Tensor:
    """Return square hinges without those of what belongs together."""
    return hinges.masked_fill(torch.eye(len(hinges), device=hinges.device).bool(), -torch.inf)
