"""musicnn: tags of music, three seconds at a time, and the features that they are read from.

Pons & Serra 2019 (arXiv:1909.06654): filters as wide as a timbre and as long as a rhythm, three
convolutions over time, and what is greatest and mean in time. One of its networks was taught by
MagnaTagATune ("mtt"), which serves wherever none is named, one by the Million Song Dataset
("msd"), whose tags are more of styles and moods.

Shapes: B windows, T steps and BANDS of a log-mel spectrogram, CHANNELS before the pooling.
"""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from emsync.encoders.weights import check_weights, read_weights
from emsync.memoryless import memoryless
from emsync.tensors import Shape

FOLDERS: Mapping[str, str] = {"msd": "musicnn-msd", "mtt": "musicnn"}  # of each tagger's weights
FEATURES = 200  # before the tags
WINDOW = 187  # steps: the 3 s that it was trained with
CHANNELS = 753  # 561 of the first filters, and 64 of each convolution over time
MIDDLE = 64
TIMBRES = {204: (38, 67)}  # filters of each width in bands, all 7 steps long
RHYTHMS = {51: (128, 64, 32)}  # filters of each length in steps, all one band wide


class Filters(nn.Module):
    """Filters over time and bands; each gives the greatest of its bands, normalised."""

    def __init__(self, count: int, steps: int, bands: int) -> None:
        super().__init__()
        self.before = (steps - 1) // 2  # TensorFlow's "same": an even filter reaches further on
        self.after = steps - 1 - self.before
        self.conv = nn.Conv2d(1, count, (steps, bands))
        self.norm = Norm(count)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the (B, T, count) channels of (B, T, BANDS)."""
        padded = nn.functional.pad(mel, (0, 0, self.before, self.after))
        found = self.conv(padded[:, None])  # (B, count, T, bands)
        # where the factor of the normalisation is negative, the least becomes the greatest
        greatest = torch.where(self.norm.weight > 0, found.amax(3).mT, found.amin(3).mT)
        return self.norm(greatest.relu())


class Norm(nn.Module):
    """A batch normalisation that has been learned: a factor and a term for each channel."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(count))
        self.bias = nn.Parameter(torch.zeros(count))

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., count) of (..., count)."""
        return x * self.weight + self.bias


class Middle(nn.Module):
    """A convolution over 7 steps of time."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(count, MIDDLE, 7, padding=3)
        self.norm = Norm(MIDDLE)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, MIDDLE) of (B, T, count)."""
        return self.norm(self.conv(x.mT).relu().mT)


class Musicnn(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        timbres = [Filters(n, 7, width) for n, widths in TIMBRES.items() for width in widths]
        rhythms = [Filters(n, length, 1) for n, lengths in RHYTHMS.items() for length in lengths]
        self.first = nn.ModuleList(timbres + rhythms)
        self.norm = Norm(1)
        self.middle = nn.ModuleList([Middle(CHANNELS - 3 * MIDDLE), Middle(MIDDLE), Middle(MIDDLE)])
        self.dense = nn.Linear(2 * CHANNELS, FEATURES)
        self.features = Norm(FEATURES)  # whose factors and terms ``head`` holds, too
        self.head = nn.Linear(FEATURES, 50)

    def channels(self, mel: Tensor) -> Tensor:
        """Return the (B, T, CHANNELS) before the pooling of a (B, T, BANDS) log-mel spectrogram."""
        x = self.norm(mel[..., None])[..., 0]
        first = torch.cat([filters(x) for filters in self.first], 2)
        one = self.middle[0](first)
        two = self.middle[1](one) + one
        three = self.middle[2](two) + two
        return torch.cat([first, one, two, three], 2)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the (B, 50) probabilities of its tags."""
        return self.head(self._dense(mel)).sigmoid()

    def heard(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, FEATURES) features, as upstream has them, and the (B, 50) tags."""
        dense = self._dense(mel)
        return self.features(dense), self.head(dense).sigmoid()

    def _dense(self, mel: Tensor) -> Tensor:
        channels = self.channels(mel)
        pooled = torch.stack([channels.amax(1), channels.mean(1)], 2).flatten(1)  # (B, 1506)
        return self.dense(pooled).relu()


def check(tagger: str = "mtt") -> None:
    """Refuse weights that are missing or broken with an AssetError."""
    check_weights(FOLDERS[tagger], _shapes(_bare()))


@cache
def load(tagger: str = "mtt") -> Musicnn:
    """Return the network with its weights; AssetError where they are missing or broken."""
    model = _bare()
    model.load_state_dict(read_weights(FOLDERS[tagger], _shapes(model)), assign=True)
    return model.eval().requires_grad_(False)


def _bare() -> Musicnn:
    """Return the network without weights: none are drawn, which would move random numbers on."""
    with memoryless():
        return Musicnn()


def _shapes(model: Musicnn) -> dict[str, Shape]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}
