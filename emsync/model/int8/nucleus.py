"""Nucleus sampling: draw from the likeliest tokens (Holtzman et al. 2020, section 3.1).

Temperature, top-k and top-p, in this order, keep the tokens that transformers' warpers keep.
Compiled where that is possible, since it is done for every token.

Shapes: B pieces, V vocabulary, N tokens that are kept.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.conditioning import Floats
from emsync.errors import EmsyncError
from emsync.model.int8.compiler import compiled, compiles

Doubles: TypeAlias = NDArray[np.float64]
Tokens: TypeAlias = NDArray[np.int64]


@compiled
def nucleus(scores: Floats, temperature: float, top_p: float, top_k: int) -> tuple[Tokens, Doubles]:
    """Return the (N,) tokens kept of (V,) logits, the likeliest first, and their cumulative mass.

    A ``top_p`` of 1 and a ``top_k`` of 0 keep all tokens. Raises EmsyncError if no logit is finite.
    """
    peak = -np.inf
    for score in scores:
        peak = max(peak, float(score))
    tokens, weights = np.empty(len(scores), np.int64), np.empty(len(scores), np.float64)
    n = 0
    for token in range(len(scores)):
        if scores[token] > -np.inf:
            tokens[n] = token
            weights[n] = -math.exp(
                (float(scores[token]) - peak) / temperature
            )  # so that they ascend
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


@cache
def suited_nucleus() -> Callable[[Floats, float, float, int], tuple[Tokens, Doubles]]:
    """Return ``nucleus``, or the Python function behind it where Numba cannot compile it."""
    possible = compiles(lambda: nucleus(np.zeros(1, np.float32), 1.0, 1.0, 0))
    return nucleus if possible else getattr(nucleus, "py_func", nucleus)


def draw(scores: Floats, uniforms: Doubles, temperature: float, top_p: float, top_k: int) -> Tokens:
    """Return (B,) tokens of (B, V) logits, drawn by (B,) ``uniforms`` in [0, 1)."""
    drawn = np.empty(len(scores), np.int64)
    for b, (row, uniform) in enumerate(zip(scores, uniforms, strict=True)):
        tokens, mass = suited_nucleus()(row, temperature, top_p, top_k)
        at = int(mass.searchsorted(uniform * mass[-1], "right"))
        drawn[b] = tokens[min(at, len(tokens) - 1)]  # rounding may make the product the whole mass
    return drawn
