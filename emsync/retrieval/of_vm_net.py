"""OF-VM-Net: parts of a film, divided where its motion changes, and the music under each.

Merrill, "Optical Flow Matching for Video-to-Music Retrieval". Where the paper is silent: layers are
normalised before each block, positions are sinusoids, the mean is over real tokens alone, the
margin is not 0, and all violated triplets count while the training warms up.

Shapes: P parts of L tokens, D the width within a tower.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from emsync.arrays import Float64s
from emsync.errors import UsageError
from emsync.matching.matcher import Columns
from emsync.retrieval.losses import gathered, matched, most_violated, ordered
from emsync.retrieval.network import Batch, Network, Parts
from emsync.retrieval.regimes import Stretch, regimes
from emsync.settings import Within, check

MOST_PARTS = 10  # of a film
LEAST, LONGEST = 10, 200  # seconds of a part; a longer one is left out
EMBEDDED = 32  # numbers of an embedding
LAYERS, HEADS, FORWARD = 4, 4, 128
PRESETS = {
    "retrieval": (1.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    "balanced": (1.0, 1.0, 0.5, 0.5, 0.5, 0.5),
    "flow": (0.33, 0.33, 0.33, 0.33, 0.33, 0.33),
}


@dataclass(frozen=True)
class OfVmNetShape:
    """The settings of OF-VM-Net."""

    width: Annotated[int, Within(HEADS, 4096), "numbers that stand for a token"] = 32
    dropout: Annotated[float, Within(0, 0.95), "share of the activations"] = 0.1
    margin: Annotated[float, Within(0, 4), "by which what belongs together is more alike"] = 0.1
    preset: Annotated[
        Literal["retrieval", "balanced", "flow"], "what the six terms of the loss weigh"
    ] = "retrieval"
    weights: Annotated[
        tuple[float, ...], Within(0, 100), "of the six terms, in place of a preset's"
    ] = ()
    violated: Annotated[int, Within(1, 1_000_000), "triplets of a term that count, the worst"] = 10
    warm: Annotated[float, Within(0, 1), "share of the training in which all count"] = 0.3

    def __post_init__(self) -> None:
        check(self)
        if self.width % HEADS:
            raise UsageError(f"width is {self.width}, which is no multiple of {HEADS}")
        if self.weights and len(self.weights) != len(PRESETS["flow"]):
            raise UsageError(f"weights are {len(self.weights)}; give none, or all six")


class OfVmNet(Network):
    """Two transformer encoders."""

    name: ClassVar[str] = "of-vm-net"
    shape = OfVmNetShape
    settings: OfVmNetShape
    looks_at = ("flow",)
    passage = 10
    hop = 5

    def __init__(self, film: int, music: int, settings: OfVmNetShape) -> None:
        super().__init__(film, music, settings)
        self.of_film = Tower(film, settings.width, settings.dropout)
        self.of_music = Tower(music, settings.width, settings.dropout)

    def divide(self, film: Columns, seconds: int) -> list[Stretch]:
        """Return the regimes of the film's flow; where all are too long, the beginning of each."""
        parts = regimes(flow_of_seconds(film, seconds)[:, None], MOST_PARTS, LEAST)
        fit = [(start, stop) for start, stop in parts if stop - start <= LONGEST]
        return fit or [(start, start + LONGEST) for start, _ in parts]

    def film(self, parts: Parts) -> Tensor:
        return self.of_film(parts)

    def music(self, parts: Parts) -> Tensor:
        return self.of_music(parts)

    def loss(self, batch: Batch, share: float) -> Tensor:
        films, music = self.film(batch.films), self.music(batch.music)
        divided = batch.last > 0
        fast, slow = divided & (batch.place == 0), divided & (batch.place == batch.last)
        margin = self.settings.margin
        terms = [
            matched(films, music, margin),
            matched(music, films, margin),
            ordered(films[fast], music[fast], music[slow], margin),
            ordered(music[fast], films[fast], films[slow], margin),
            gathered(films[fast], films[slow], margin),
            gathered(music[fast], music[slow], margin),
        ]
        weights = self.settings.weights or PRESETS[self.settings.preset]
        most = None if share < self.settings.warm else self.settings.violated
        losses = [most_violated(hinges, most) for hinges in terms]
        return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum()


class Tower(nn.Module):
    """A transformer encoder of one side."""

    def __init__(self, tokens: int, width: int, dropout: float) -> None:
        super().__init__()
        self.begin = nn.Linear(tokens, width)
        block = nn.TransformerEncoderLayer(
            width, HEADS, FORWARD, dropout, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(
            block, LAYERS, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.end = nn.Linear(width, EMBEDDED)

    def forward(self, parts: Parts) -> Tensor:
        """Return the (P, EMBEDDED) embeddings of parts; none sees another."""
        x = self.begin(parts.tokens)
        x = x + sinusoids(x.shape[1], x.shape[2]).to(x)
        x = self.blocks(x, src_key_padding_mask=~parts.real)
        real = parts.real[:, :, None]
        mean = (x * real).sum(dim=1) / real.sum(dim=1)
        return nn.functional.normalize(self.end(mean), dim=1)


def flow_of_seconds(film: Columns, seconds: int) -> Float64s:
    """Return the mean flow in each of the ``seconds`` of a film, in picture heights a second."""
    flow = np.asarray(film["flow"], np.float64)
    return flow[: 4 * seconds].reshape(seconds, 4).mean(axis=1)


def sinusoids(length: int, width: int) -> Tensor:
    """Return the (length, width) positions of Vaswani et al. 2017, sines and cosines in turn."""
    times = torch.arange(length, dtype=torch.float32)[:, None]
    slow = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2) / width)
    both = torch.stack([(times * slow).sin(), (times * slow).cos()], dim=2)
    return both.reshape(length, -1)
