"""Which token comes next, of those that are likely enough.

What is kept is what transformers' warpers of temperature, top-k and top-p keep, in this order
(Holtzman et al. 2020, section 3.1). Compiled, since it is done for every token.

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
def likeliest(
    scores: Floats, temperature: float, top_p: float, top_k: int
) -> tuple[Tokens, Doubles]:
    """Return (N,) tokens of (V,) logits, the likeliest first, and the mass up to each.

    A ``top_p`` of 1 and a ``top_k`` of 0 keep all tokens. Raises EmsyncError if there is none.
    """
    peak = -np.inf
    for score in scores:
        peak = max(peak, score)
    tokens, shares = np.empty(len(scores), np.int64), np.empty(len(scores), np.float64)
    n = 0
    for token in range(len(scores)):
        if scores[token] > -np.inf:
            tokens[n] = token
            shares[n] = -math.exp((scores[token] - peak) / temperature)  # negative: sorted upwards
            n += 1
    if n == 0:
        raise EmsyncError("no token can come next: all logits are NaN or minus infinity")
    order = np.argsort(shares[:n])
    n = min(n, top_k) if top_k > 0 else n
    kept, mass, total = np.empty(n, np.int64), np.empty(n, np.float64), 0.0
    for i in range(n):
        total -= shares[order[i]]
        kept[i], mass[i] = tokens[order[i]], total
    few = 1
    while few < n and mass[few - 1] < top_p * total:
        few += 1
    return kept[:few], mass[:few]


@compiled
def draw(scores: Floats, points: Doubles, temperature: float, top_p: float, top_k: int) -> Tokens:
    """Draw (B,) tokens from (B, V) logits; (B,) ``points`` in [0, 1) decide."""
    drawn = np.empty(len(scores), np.int64)
    for b in range(len(scores)):
        tokens, mass = likeliest(scores[b], temperature, top_p, top_k)
        # the last where rounding has made the point as large as all mass
        at = 0
        while at < len(mass) - 1 and mass[at] <= points[b] * mass[-1]:
            at += 1
        drawn[b] = tokens[at]
    return drawn
