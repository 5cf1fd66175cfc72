"""Rectified flow: from noise to music along straight lines (MuVi, section 3.3, eq. 3, rebuilt).

On the way from noise x_0 to a sample x_1, x_t = (1 - t) x_0 + t x_1, and a network learns the
velocity x_1 - x_0. To generate, noise follows the velocity from t = 0 to 1. Latents that are given,
the context, stay as they are (section 4.3).

Shapes: B batch, T latents, c numbers of each.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Velocity: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (B, T, c) x_t, (B,) t -> (B, T, c)
Times: TypeAlias = Literal["uniform", "logit-normal"]
Solver: TypeAlias = Literal["euler", "heun"]


def between(noise: Tensor, data: Tensor, t: Tensor) -> Tensor:
    """Return (B, T, c): x_t at the (B,) times ``t`` from 0, noise, to 1, data."""
    share = t[:, None, None]
    return (1 - share) * noise + share * data


def draw_times(batch: int, times: Times) -> Tensor:
    """Return (B,) times in (0, 1) to learn at, from torch's own generator.

    "logit-normal" is more often in the middle, where the velocity is hardest to tell (Esser et al.
    2024).
    """
    if times == "uniform":
        return torch.rand(batch)
    return torch.randn(batch).sigmoid()


def loss(predicted: Tensor, noise: Tensor, data: Tensor, context: Tensor) -> Tensor:
    """Return the mean squared error of the (B, T, c) ``predicted`` velocity, eq. 3.

    The (B, T) latents of the context do not count.
    """
    squared = (predicted - (data - noise)).square().mean(-1)  # (B, T)
    counted = ~context
    return (squared * counted).sum() / counted.sum().clamp(min=1)


def guided(conditional: Velocity, unconditional: Velocity, guidance: float) -> Velocity:
    """Return v(none) + guidance (v(c) - v(none)); at 1 and at 0 it is one of the two alone."""
    if guidance == 1.0:
        return conditional
    if guidance == 0.0:
        return unconditional

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        without = unconditional(x, t)
        return without + guidance * (conditional(x, t) - without)

    return velocity


def solve(
    velocity: Velocity,
    noise: Tensor,
    steps: int,
    solver: Solver = "euler",
    context: Tensor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Return the (B, T, c) data to which (B, T, c) ``noise`` flows in ``steps`` of equal size.

    The (B, K, c) ``context`` stands in the place of the first K latents at every step, and in the
    result. A step of "heun" asks for the velocity twice. ``progress`` is told the share that is
    done.
    """
    x, size = _with(context, noise), 1.0 / steps
    for step in range(steps):
        now = torch.full((len(x),), step * size, dtype=x.dtype)
        here = velocity(x, now)
        ahead = _with(context, x + size * here)
        if solver == "heun":
            there = velocity(ahead, torch.full_like(now, (step + 1) * size))
            ahead = _with(context, x + size / 2 * (here + there))
        x = ahead
        if progress is not None:
            progress((step + 1) / steps)
    return x


def _with(context: Tensor | None, x: Tensor) -> Tensor:
    """Return ``x`` with the context written over its first latents."""
    return x if context is None else torch.cat([context, x[:, context.shape[1] :]], dim=1)
