"""VM-Net: a film and a track as one vector each, told apart by layers alone.

Hong, Im & Yang 2018 ("Content-based video-music retrieval using soft intra-modal structure
constraint"), the network that Merrill and others compare with. What it is fed is ours: mean and SD
of the tokens in place of features of a whole film.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from emsync.retrieval.losses import kept_order, ranked
from emsync.retrieval.network import Batch, Network, Parts
from emsync.settings import Within, check

STRUCTURED = 64  # of a batch, for the order of distances: its cost grows by the third power
FLAT = 1e-6  # added to variances, whose root has no slope at 0


@dataclass(frozen=True)
class VmNetShape:
    """The settings of VM-Net."""

    width: Annotated[int, Within(1, 4096), "numbers of an embedding"] = 512
    hidden: Annotated[int, Within(2, 8192), "numbers between the layers"] = 2048
    dropout: Annotated[float, Within(0, 0.95), "share of the activations"] = 0.1
    margin: Annotated[float, Within(0, 4), "by which what belongs together is nearer"] = 0.1
    violated: Annotated[int, Within(1, 100_000), "of each anchor, the worst that count"] = 100
    film_found: Annotated[float, Within(0, 100), "weight of finding films by music"] = 3.0
    music_found: Annotated[float, Within(0, 100), "weight of finding music by films"] = 1.0
    structure: Annotated[float, Within(0, 100), "weight of the order of distances"] = 0.2

    def __post_init__(self) -> None:
        check(self)


class VmNet(Network):
    """Two towers of fully connected layers."""

    name: ClassVar[str] = "vm-net"
    shape = VmNetShape
    settings: VmNetShape

    def __init__(self, film: int, music: int, settings: VmNetShape) -> None:
        super().__init__(film, music, settings)
        wide, width, dropout = settings.hidden, settings.width, settings.dropout
        self.of_film = _layers((2 * film, wide, width), dropout)
        self.of_music = _layers((2 * music, wide, wide // 2, width), dropout)

    def film(self, parts: Parts) -> Tensor:
        return nn.functional.normalize(self.of_film(mean_and_spread(parts)), dim=1)

    def music(self, parts: Parts) -> Tensor:
        return nn.functional.normalize(self.of_music(mean_and_spread(parts)), dim=1)

    def loss(self, batch: Batch, share: float) -> Tensor:
        films, music, chosen = self.film(batch.films), self.music(batch.music), self.settings
        structure = sum(
            kept_order(mean_and_spread(parts)[:STRUCTURED], embedded[:STRUCTURED])
            for parts, embedded in ((batch.films, films), (batch.music, music))
        )
        return (
            chosen.film_found * ranked(music, films, chosen.margin, chosen.violated)
            + chosen.music_found * ranked(films, music, chosen.margin, chosen.violated)
            + chosen.structure * structure
        )


class Cbvmr(VmNet):
    """CBVMR: the same network, as Mao et al. call it; what it reads is told by its checkpoint."""

    name: ClassVar[str] = "cbvmr"


def mean_and_spread(parts: Parts) -> Tensor:
    """Return the (P, 2 F) mean and SD of the tokens of each part."""
    real = parts.real[:, :, None]
    count = real.sum(dim=1)
    mean = (parts.tokens * real).sum(dim=1) / count
    variance = ((parts.tokens - mean[:, None]) ** 2 * real).sum(dim=1) / count
    return torch.cat([mean, (variance + FLAT).sqrt()], dim=1)


def _layers(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Return fully connected layers, and a batch normalisation at their end."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2], nn.BatchNorm1d(widths[-1]))
