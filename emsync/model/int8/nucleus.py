"""Nucleus sampling: draw from the likeliest tokens (Holtzman et al. 2020, section 3.1).

Temperature, top-k and top-p, in this order, keep the tokens that transformers' warpers keep.
Compiled, since it is done for every token.

Shapes: B pieces, V vocabulary, N tokens that are kept.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.errors import EmsyncError
from emsync.model.int8.kernels import Floats, compiled

Doubles: TypeAlias = NDArray[np.float64]
Tokens: TypeAlias = NDArray[np.int64]


@compiled
def nucleus(scores: Floats, temperature: float, top_p: float, top_k: int) -> tuple[Tokens, Doubles]:
    """Return the (N,) tokens kept of (V,) logits, the likeliest first, and their cumulative mass.

    A ``top_p`` of 1 and a ``top_k`` of 0 keep all tokens. Raises EmsyncError if no logit is finite.
    """
    peak = -np.inf
    for score in scores:
        peak = max(peak, score)
    tokens, weights = np.empty(len(scores), np.int64), np.empty(len(scores), np.float64)
    n = 0
    for token in range(len(scores)):
        if scores[token] > -np.inf:
            tokens[n] = token
            weights[n] = -math.exp((scores[token] - peak) / temperature)  # negative: sorted upwards
            n += 1
    if n == 0:
        raise EmsyncError("no token can come next: all logits are NaN or minus infinity")
    order = np.argsort(weights[:n])
    n = min(n, top_k) if top_k > 0 else n
    kept, mass, total = np.empty(n, np.int64), np.empty(n, np.float64), 0.0
    for i in range(n):
        total -= weights[order[i]]
        kept[i], mass[i] = tokens[order[i]], total
    few = 1
    while few < n and mass[few - 1] < top_p * total:
        few += 1
    return kept[:few], mass[:few]


@compiled
def draw(scores: Floats, uniforms: Doubles, temperature: float, top_p: float, top_k: int) -> Tokens:
    """Return (B,) tokens of (B, V) logits, drawn by (B,) ``uniforms`` in [0, 1)."""
    drawn = np.empty(len(scores), np.int64)
    for b in range(len(scores)):
        tokens, mass = nucleus(scores[b], temperature, top_p, top_k)
        # the last token where rounding makes the product as large as the whole mass
        at = 0
        while at < len(mass) - 1 and mass[at] <= uniforms[b] * mass[-1]:
            at += 1
        drawn[b] = tokens[at]
    return drawn
