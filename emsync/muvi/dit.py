"""The network of the flow: what it reads is summed frame by frame, then LLaMA's kind of blocks.

"Crucial, as it implies point-to-point precise alignment" (MuVi, section 3.3): noisy latents, their
time and the conditions are each brought to the width D and added; there is no cross-attention.

Shapes: B batch, T latents, c numbers of each, D width, H heads, K = D / H.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emsync.errors import UsageError
from emsync.settings import Within, check

WAVES = 256  # sines and cosines of the time
SLOWEST = 10_000.0  # periods reach from 2 pi to 2 pi times this
SCALE = 1000.0  # of the time, so that its waves tell it apart


@dataclass(frozen=True)
class DitShape:
    """The size of the network. The paper's are 768 x 12, 1024 x 12 and 1280 x 16 (table 6)."""

    width: Annotated[int, Within(2, 8192), "numbers that stand for a latent"] = 256
    depth: Annotated[int, Within(1, 256), "blocks"] = 6
    heads: Annotated[int, Within(1, 1024), "of attention"] = 4
    seconds: Annotated[float, Within(1, 600), "that it learns and draws at once"] = 24.0

    def __post_init__(self) -> None:
        check(self)
        if self.width % (2 * self.heads):
            raise UsageError(
                f"width {self.width} is no multiple of twice the heads, {self.heads}; choose others"
            )


SMOKE = DitShape(64, 2, 2, 4.0)


class DiT(nn.Module):
    """v(x_t, t, c): the velocity of latents, of the same shape."""

    def __init__(self, latent: int, shape: DitShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.latents = nn.Linear(latent, width)
        self.time = nn.Sequential(nn.Linear(WAVES, width), nn.SiLU(), nn.Linear(width, width))
        self.context = nn.Parameter(torch.zeros(width))  # told of latents that are given
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm = nn.RMSNorm(width)
        self.out = nn.Linear(width, latent)
        nn.init.zeros_(self.out.weight)  # at first nothing moves
        nn.init.zeros_(self.out.bias)

    def fused(self, x: Tensor, t: Tensor, conditions: Tensor, context: Tensor) -> Tensor:
        """Return (B, T, D), the sum that the blocks read.

        ``x`` is (B, T, c), ``t`` (B,), ``conditions`` (B, T, D); the (B, T) ``context`` marks the
        latents that are given.
        """
        time = self.time(waves(t))[:, None]
        return self.latents(x) + time + conditions + context[..., None] * self.context

    def forward(self, x: Tensor, t: Tensor, conditions: Tensor, context: Tensor) -> Tensor:
        y = self.fused(x, t, conditions, context)
        turns = rotations(x.shape[1], self.shape.width // self.shape.heads)
        for block in self.blocks:
            y = block(y, turns)
        return self.out(self.norm(y))


class Block(nn.Module):
    """Attention and an MLP, each after an RMS norm and added to what came in: 12 D² weights."""

    def __init__(self, shape: DitShape) -> None:
        super().__init__()
        width, self.heads = shape.width, shape.heads
        self.before_attention, self.before_mlp = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.joined = nn.Linear(width, width, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:  # (B, T, D), (2, T, K)
        b, t, d = x.shape
        parts = self.qkv(self.before_attention(x)).view(b, t, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (B, H, T, K)
        attended = F.scaled_dot_product_attention(turned(q, turns), turned(k, turns), v)
        x = x + self.joined(attended.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.before_mlp(x))


def waves(t: Tensor) -> Tensor:
    """Return the (B, WAVES) sines and cosines of (B,) times in [0, 1]."""
    half = WAVES // 2
    rates = torch.exp(torch.arange(half, device=t.device) * (-math.log(SLOWEST) / half))
    angles = SCALE * t[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rotations(length: int, size: int) -> Tensor:
    """Return the (2, T, K) cosines and sines by which RoPE turns queries and keys."""
    rates = SLOWEST ** (-torch.arange(0, size, 2) / size)
    angles = torch.outer(torch.arange(length), rates).repeat(1, 2)
    return torch.stack([angles.cos(), angles.sin()])


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Return (B, H, T, K) vectors, each pair of numbers turned by its place (Su et al. 2021)."""
    first, second = x.chunk(2, dim=-1)
    cosines, sines = turns.to(x)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines
