"""Nucleus sampling: draw from the likeliest tokens (Holtzman et al. 2020, section 3.1).

Temperature, top-k and top-p, in this order, keep the tokens that transformers' warpers keep.

Shapes: B pieces, V vocabulary, N tokens that are kept.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.conditioning import Floats
from emsync.errors import EmsyncError

Doubles: TypeAlias = NDArray[np.float64]
Tokens: TypeAlias = NDArray[np.int64]


def nucleus(scores: Floats, temperature: float, top_p: float, top_k: int) -> tuple[Tokens, Doubles]:
    """Return the (N,) tokens kept of (V,) logits, the likeliest first, and their cumulative mass.

    A ``top_p`` of 1 and a ``top_k`` of 0 keep all tokens. Raises EmsyncError if no logit is finite.
    """
    tokens = np.flatnonzero(scores > -np.inf)
    if not len(tokens):
        raise EmsyncError("no token can come next: all logits are NaN or minus infinity")
    possible = scores[tokens].astype(np.float64)
    weights = np.exp((possible - possible.max()) / temperature)
    order = np.argsort(-weights, kind="stable")[: top_k or None]
    mass = np.cumsum(weights[order])
    few = min(int(mass.searchsorted(top_p * mass[-1])) + 1, len(order))
    return tokens[order[:few]], mass[:few]


def draw(scores: Floats, uniforms: Doubles, temperature: float, top_p: float, top_k: int) -> Tokens:
    """Return (B,) tokens of (B, V) logits, drawn by (B,) ``uniforms`` in [0, 1)."""
    drawn = np.empty(len(scores), np.int64)
    for b, (row, uniform) in enumerate(zip(scores, uniforms, strict=True)):
        tokens, mass = nucleus(row, temperature, top_p, top_k)
        at = int(mass.searchsorted(uniform * mass[-1], "right"))
        drawn[b] = tokens[min(at, len(tokens) - 1)]  # rounding may make the product the whole mass
    return drawn
