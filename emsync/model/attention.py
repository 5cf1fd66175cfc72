"""Relative attention over all queries at once, in PyTorch's fused kernels: for training on a GPU.

The reference implementation is ``transformer.RelativeAttention``; these give the same numbers.
``biased`` and ``flexible`` first compute the products of all queries and distance vectors,
(B, H, N, N) in the dtype of the queries; ``skewed`` computes them where it needs them. On a CPU the
reference is faster, since it works less on keys that lie in the future.

Shapes: B batch, H heads, N positions, K width of a head.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
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
    _check_dropout("flexible", dropout)
    n = q.shape[2]
    far = F.pad(distance[-n:].to(q.dtype), (0, 0, -n % 8, 0))  # tensor cores want multiples of 8
    step = len(far) - 1
    products = (q @ far.mT).flatten(-2)  # (B, H, N * (step + 1)), skewed as it is read

    def relative(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score + products[b, h, (i + 1) * step + j]

    kernel, mask = _flex(q.is_cuda), _causal(n, q.device)
    return kernel(q, k, v, score_mod=relative, block_mask=mask, scale=1.0)


def skewed(q: Tensor, k: Tensor, v: Tensor, distance: Tensor, dropout: float) -> Tensor:
    """Attend by ``emsync.model.skewed``, which keeps no matrix of scores and drops no weights."""
    _check_dropout("skewed", dropout)
    from emsync.model.skewed import attend

    return attend(q, k, v, distance[-q.shape[2] :].to(q.dtype))[0]


def _check_dropout(attention: str, dropout: float) -> None:
    if dropout:
        raise UsageError(
            f"attention {attention!r} cannot drop {dropout} of the weights; set dropout = 0, or "
            "attention = 'biased'"
        )


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
    "skewed": skewed,
}


def check_attention(attention: str, device: torch.device) -> None:
    """Refuse a form of attention that ``device`` cannot compute."""
    if attention == "skewed" and not (device.type == "cuda" and find_spec("triton")):
        raise UsageError(
            "attention 'skewed' needs an NVIDIA GPU and Triton, which comes with PyTorch for CUDA; "
            "set attention = 'plain'"
        )
