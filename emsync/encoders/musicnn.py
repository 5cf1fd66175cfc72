"""musicnn: tags of music, three seconds at a time, and the channels that they are read from.

Pons & Serra 2019 (arXiv:1909.06654): filters as wide as a timbre and as long as a rhythm, three
convolutions over time, and what is greatest and mean in time. Two sets of weights tell different
tags: "mtt" (MagnaTagATune: how it sounds) and "msd" (Million Song Dataset: genre and mood).

Shapes: B windows, T steps of HOP, BANDS of the mel scale, CHANNELS before the pooling.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from emsync.arrays import Float32s
from emsync.encoders.weights import read_weights
from emsync.sound.spectra import mel_bank

RATE, HOP, SIZE, BANDS = 16000, 256, 512, 96  # samples a second; of a step; of a spectrum; bands
WINDOW = 187  # steps: the 3 s that it was trained with
CHANNELS = 753  # 561 of the first filters, and 64 of each convolution over time
MIDDLE = 64
TIMBRES = {204: (38, 67)}  # filters of each width in bands, all 7 steps long
RHYTHMS = {51: (128, 64, 32)}  # filters of each length in steps, all one band wide

TAGS = {
    "mtt": (
        "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
        "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
        "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
        "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir",
        "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
        "no voice", "weird", "country", "metal", "female voice", "choral",
    ),
    "msd": (
        "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
        "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
        "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s",
        "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
        "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
        "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock",
        "60s", "rnb", "indie pop", "sad", "House", "happy",
    ),
}  # fmt: skip


def log_mel(powers: Float32s) -> Float32s:
    """Return the (T, BANDS) spectrogram that the network takes of (T, SIZE // 2 + 1) powers.

    Upstream takes the logarithm in float16, where the spectra of loud music overflow.
    """
    mel = powers @ mel_bank(RATE, SIZE, BANDS)
    return np.log10(1.0 + 10000.0 * mel).astype(np.float32)


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
        found = self.conv(padded[:, None]).relu()  # (B, C, T, bands)
        return self.norm(found.permute(0, 2, 3, 1)).amax(2)  # (B, T, C)


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
    """The network, for one of the two sets of tags."""

    def __init__(self) -> None:
        super().__init__()
        timbres = [Filters(n, 7, width) for n, widths in TIMBRES.items() for width in widths]
        rhythms = [Filters(n, length, 1) for n, lengths in RHYTHMS.items() for length in lengths]
        self.first = nn.ModuleList(timbres + rhythms)
        self.norm = Norm(1)
        self.middle = nn.ModuleList([Middle(CHANNELS - 3 * MIDDLE), Middle(MIDDLE), Middle(MIDDLE)])
        self.dense = nn.Linear(2 * CHANNELS, 200)
        self.head = nn.Linear(200, 50)

    def channels(self, mel: Tensor) -> Tensor:
        """Return the (B, T, CHANNELS) before the pooling of a (B, T, BANDS) log-mel spectrogram."""
        x = self.norm(mel[..., None])[..., 0]
        first = torch.cat([filters(x) for filters in self.first], 2)
        one = self.middle[0](first)
        two = self.middle[1](one) + one
        three = self.middle[2](two) + two
        return torch.cat([first, one, two, three], 2)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the (B, 50) probabilities of the tags."""
        channels = self.channels(mel)
        pooled = torch.stack([channels.amax(1), channels.mean(1)], 2).flatten(1)  # (B, 1506)
        return self.head(self.dense(pooled).relu()).sigmoid()


@cache
def load(tags: str) -> Musicnn:
    """Return the network that tells the tags "mtt" or "msd"; AssetError without its weights."""
    model = Musicnn().eval().requires_grad_(False)
    names = {f"{tags}.{name}": tuple(value.shape) for name, value in model.state_dict().items()}
    weights = read_weights("musicnn", names)
    model.load_state_dict({name.removeprefix(f"{tags}."): w for name, w in weights.items()})
    return model
