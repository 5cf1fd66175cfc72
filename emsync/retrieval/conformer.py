"""Conformers that tell the label of a clip of 4 s, of a film or of music, in PyTorch.

A Conformer (Gulati et al. 2020, *Conformer: Convolution-augmented Transformer for Speech
Recognition*) is a transformer whose blocks have a convolution beside attention. One for films and
one for music are taught the same labels (Mao et al., *Unified Pretraining Target Based Video-Music
Retrieval*, sections 2.1 and 3.2); what they make of a clip before they name it is its embedding.

Shapes: B clips, T frames of F numbers, N frames of W numbers after the subsampling, H heads.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNEL = 31  # frames of the convolution in a block
CHANNELS = 32  # of the subsampling. The paper is silent; as many as the width would cost 58 M
EXPANSION = 4  # of the feed-forward parts
DROPOUT = 0.1
FEWEST = 7  # frames of a clip: fewer leave none after the subsampling


@dataclass(frozen=True)
class Size:
    """The sizes of the two Conformers."""

    film_blocks: int
    music_blocks: int
    width: int
    heads: int
    side: int  # pixels of the square pictures


SIZES = {"paper": Size(6, 2, 512, 8, 224), "small": Size(2, 2, 144, 4, 56)}


class Subsampling(nn.Module):
    """Two convolutions of stride 2 over frames and numbers: a quarter of the frames."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, CHANNELS, 3, 2)
        self.second = nn.Conv2d(CHANNELS, CHANNELS, 3, 2)
        self.out = nn.Linear(CHANNELS * int(halved(halved(features))), width)

    def forward(self, frames: Tensor) -> Tensor:
        """Return (B, N, W) of (B, T, F)."""
        x = F.relu(self.second(F.relu(self.first(frames[:, None]))))  # (B, C, N, F / 4)
        out: Tensor = self.out(x.transpose(1, 2).flatten(2))
        return out


def halved(length: int | Tensor) -> int | Tensor:
    """Return how many frames a convolution of 3 with stride 2 leaves: none sees the padding."""
    return (length - 3) // 2 + 1


def feed_forward(width: int) -> nn.Sequential:
    """Return the feed-forward part of a block, which counts half."""
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, EXPANSION * width),
        nn.SiLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(EXPANSION * width, width),
        nn.Dropout(DROPOUT),
    )


class Attention(nn.Module):
    """Self-attention that knows how far apart two frames are (Transformer-XL)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.distance = nn.Linear(width, width, bias=False)
        self.by_content = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.by_distance = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Return (B, N, W); no frame attends to one that is not ``real``, (B, N)."""
        frames = x.shape[1]
        x = self.norm(x)
        q, k, v = (self.apart(part(x)) for part in (self.query, self.key, self.value))
        far = self.apart(self.distance(sinusoids(frames, x.shape[2]).to(x))[None])
        steps = torch.arange(frames, device=x.device)
        distances = (steps[:, None] - steps + frames - 1).expand(*q.shape[:2], -1, -1)  # from key
        scores = (q + self.by_content) @ k.mT
        scores = scores + ((q + self.by_distance) @ far.mT).gather(-1, distances)
        scores = (scores / k.shape[-1] ** 0.5).masked_fill(~real[:, None, None], -torch.inf)
        mixed = self.dropout(scores.softmax(-1)) @ v
        out: Tensor = self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return out

    def apart(self, x: Tensor) -> Tensor:
        """Return (B, H, N, W / H) of (B, N, W)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def sinusoids(frames: int, width: int) -> Tensor:
    """Return (2 N - 1, W) vectors of the distances from 1 - N to N - 1."""
    distances = torch.arange(1 - frames, frames)[:, None]
    rates = 10_000 ** (-torch.arange(0, width, 2) / width)
    return torch.cat([torch.sin(distances * rates), torch.cos(distances * rates)], 1)


class Convolution(nn.Module):
    """The convolution of a block: gated, one channel at a time, with batch norm.

    What is not real is zero to the convolution, and has no part in the statistics of the norm.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.gated = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.BatchNorm1d(width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Return (B, N, W); 0 where it is not ``real``, (B, N)."""
        x = F.glu(self.gated(self.before(x)), -1) * real[..., None]
        mixed = self.depthwise(x.mT).mT[real]  # (frames that are real, W)
        out: Tensor = self.dropout(self.out(F.silu(self.norm(mixed))))
        return torch.zeros_like(x).masked_scatter(real[..., None], out.to(x))


class Block(nn.Module):
    """Half a feed-forward part, attention, convolution, the other half, and a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = feed_forward(width), feed_forward(width)
        self.attention = Attention(width, heads)
        self.convolution = Convolution(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Return (B, N, W)."""
        x = x + self.first(x) / 2
        x = x + self.attention(x, real)
        x = x + self.convolution(x, real)
        out: Tensor = self.norm(x + self.second(x) / 2)
        return out


class Conformer(nn.Module):
    """Makes one embedding of W numbers of a clip."""

    def __init__(self, features: int, blocks: int, width: int, heads: int) -> None:
        super().__init__()
        self.subsampling = Subsampling(features, width)
        self.dropout = nn.Dropout(DROPOUT)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the (B, W) embeddings of (B, T, F) frames: the mean over what is real.

        Of each clip the first of ``lengths`` frames are, (B,), at least 7; all by default.
        """
        x = self.dropout(self.subsampling(frames))
        left = None if lengths is None else halved(halved(lengths))
        steps = torch.arange(x.shape[1], device=x.device)
        real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        if isinstance(left, Tensor):
            real = steps < left[:, None]
        for block in self.blocks:
            x = block(x, real)
        return (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)


class Labels(nn.Module):
    """The two Conformers and what names the label of a clip, for each by itself."""

    def __init__(self, labels: int, size: Size) -> None:
        super().__init__()
        side, width, heads = size.side, size.width, size.heads
        self.film = Conformer(4 * side, size.film_blocks, width, heads)
        self.music = Conformer(80, size.music_blocks, width, heads)
        self.film_head, self.music_head = nn.Linear(width, labels), nn.Linear(width, labels)

    def forward(self, films: Tensor, music: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, labels) scores of clips of films and of clips of music."""
        return self.film_head(self.film(films)), self.music_head(self.music(music))

    def loss(self, films: Tensor, music: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of the (B,) labels, that of films and that of music added."""
        return sum(
            (F.cross_entropy(scores, labels) for scores in self(films, music)), torch.zeros(())
        )
