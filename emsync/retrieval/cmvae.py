"""CMVAE: films and music as normal distributions, each decoded from either, in PyTorch.

The paper compares with it (Mao et al., section 3.3, after Yi et al. 2021) and does not describe it.
Our reading: encoders make a mean and a deviation of each side; decoders make each side of its own
and of the other's latent; both stay near the standard normal; a film is nearer to its music than to
other music. What is nearest is told by the 2-Wasserstein distance, which of normal distributions
without correlations is Euclidean: |m - m'|² + |s - s'|², of means and deviations. So these are the
points that embeddings stand for.

Shapes: P parts of films or music, D numbers of a latent.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emsync.retrieval.losses import most_violated
from emsync.retrieval.network import Batch, Network, Parts, asked, kept
from emsync.retrieval.vm_net import mean_and_spread
from emsync.settings import Within, check

LEAST, MOST = -6.0, 6.0  # of the logarithm of a variance


@dataclass(frozen=True)
class CmvaeShape:
    """The settings of CMVAE."""

    width: Annotated[int, Within(1, 4096), "numbers of a latent"] = 256
    hidden: Annotated[int, Within(1, 8192), "numbers between the layers"] = 512
    dropout: Annotated[float, Within(0, 0.95), "share of the activations"] = 0.1
    margin: Annotated[float, Within(0, 16), "by which what belongs together is nearer"] = 0.5
    told: Annotated[float, Within(0, 100), "weight of what can be told back"] = 1.0
    normal: Annotated[float, Within(0, 100), "weight of being near the standard normal"] = 0.01

    def __post_init__(self) -> None:
        check(self)


class Gaussian(nn.Module):
    """Makes the (P, D) means and logarithms of variances."""

    def __init__(self, given: int, settings: CmvaeShape) -> None:
        super().__init__()
        self.begin = nn.Linear(given, settings.hidden)
        self.dropout = nn.Dropout(settings.dropout)
        self.end = nn.Linear(settings.hidden, 2 * settings.width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log = self.end(self.dropout(F.relu(self.begin(x)))).chunk(2, 1)
        return mean, log.clamp(LEAST, MOST)


class Cmvae(Network):
    """Two encoders to normal distributions, and two decoders."""

    name: ClassVar[str] = "cmvae"
    shape = CmvaeShape
    settings: CmvaeShape

    def __init__(self, film: int, music: int, settings: CmvaeShape) -> None:
        super().__init__(film, music, settings)
        self.of_film, self.of_music = (Gaussian(2 * side, settings) for side in (film, music))
        self.to_film, self.to_music = (
            nn.Sequential(
                nn.Linear(settings.width, settings.hidden),
                nn.ReLU(),
                nn.Linear(settings.hidden, 2 * side),
            )
            for side in (film, music)
        )

    def film(self, parts: Parts) -> Tensor:
        return asked(_point(*self.of_film(mean_and_spread(parts))))

    def music(self, parts: Parts) -> Tensor:
        return kept(_point(*self.of_music(mean_and_spread(parts))))

    def loss(self, batch: Batch, share: float) -> Tensor:
        chosen = self.settings
        films, music = mean_and_spread(batch.films), mean_and_spread(batch.music)
        of_films, of_music = self.of_film(films), self.of_music(music)
        told = sum(
            (
                F.mse_loss(self.to_film(latent), films) + F.mse_loss(self.to_music(latent), music)
                for latent in (_drawn(*of_films), _drawn(*of_music))
            ),
            torch.zeros((), device=films.device),
        )
        normal = _from_normal(*of_films) + _from_normal(*of_music)
        away = torch.cdist(of_films[0], of_music[0])
        near = away.diagonal()[:, None]
        same = batch.film[:, None] == batch.film
        met = sum(
            (
                most_violated((near - gone + chosen.margin).masked_fill(same, -torch.inf))
                for gone in (away, away.T)
            ),
            torch.zeros((), device=films.device),
        )
        return met + chosen.told * told + chosen.normal * normal


def _point(mean: Tensor, log: Tensor) -> Tensor:
    """Return means and deviations as one point, (P, 2 D)."""
    return torch.cat([mean, (log / 2).exp()], 1)


def _drawn(mean: Tensor, log: Tensor) -> Tensor:
    """Return a draw of each distribution, through which a gradient passes."""
    return mean + (log / 2).exp() * torch.randn_like(mean)


def _from_normal(mean: Tensor, log: Tensor) -> Tensor:
    """Return how far from the standard normal they are: Kullback and Leibler's, the mean."""
    return (mean.square() + log.exp() - 1 - log).sum(1).mean() / 2
