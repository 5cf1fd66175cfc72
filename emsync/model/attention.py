"""Relative attention over all queries at once, in PyTorch's fused kernels: for training on a GPU.

The reference implementation is ``transformer.RelativeAttention``; these give the same numbers. Both
first compute the products of all queries and distance vectors, (B, H, N, N) in the dtype of the
queries. On a CPU the reference is faster, since it works less on keys that lie in the future.

Shapes: B batch, H heads, N positions, K width of a head.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from emsync.errors import UsageError

# (B, H, N, K) scaled queries, keys, values, (N+, K) distance vectors, dropout -> (B, H, N, K)
Attend: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]


def biased(q: Tensor, k: Tensor, v: Tensor, distance: Tensor, dropout: float) -> Tensor:
    """Attend by ``scaled_dot_product_attention``; the products of distances are its bias."""
    n = q.shape[2]
    # one row more than there are distances: the skewed products are then a view, not a copy
    far = F.pad(distance[-n:].to(q.dtype), (0, 0, 1, 0))  # (N + 1, K)
    bias = (q @ far.mT).flatten(-2)[..., n:].view(*q.shape[:2], n, n)
    future = torch.ones(n, n, dtype=torch.bool, device=q.device).triu(1)
    bias = bias.masked_fill(future, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, bias, dropout, scale=1.0)


def flexible(q: Tensor, k: Tensor, v: Tensor, distance: Tensor, dropout: float) -> Tensor:
    """Return FlexAttention, which skips the keys in the future and cannot drop weights."""
    if dropout:
        raise UsageError(
            f"attention 'flexible' cannot drop {dropout} of the weights; set dropout = 0, or "
            "attention = 'biased'"
        )
    n = q.shape[2]
    far = F.pad(distance[-n:].to(q.dtype), (0, 0, -n % 8, 0))  # tensor cores want multiples of 8
    step = len(far) - 1
    products = (q @ far.mT).flatten(-2)  # (B, H, N * (step + 1)), skewed as it is read

    def relative(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score + products[b, h, (i + 1) * step + j]

    kernel, mask = _flex(q.is_cuda), _causal(n, q.device)
    return kernel(q, k, v, score_mod=relative, block_mask=mask, scale=1.0)


@lru_cache
def _flex(on_gpu: bool) -> Any:
    """Return the FlexAttention function, compiled to a fused kernel on a GPU."""
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention) if on_gpu else flex_attention


@lru_cache
def _causal(n: int, device: torch.device) -> Any:
    """Return the mask of the blocks of N x N with a key no later than its query."""
    from torch.nn.attention.flex_attention import create_block_mask

    return create_block_mask(lambda b, h, i, j: i >= j, None, None, n, n, device)


ATTENTIONS: Mapping[str, Attend | None] = {
    "plain": None,  # the reference
    "biased": biased,
    "flexible": flexible,
}
