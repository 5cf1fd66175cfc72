"""Log-mel spectrograms as few numbers ten times a second, the latents, and back.

Two codecs: a linear one, whose latents are the principal components of patches, and a variational
autoencoder of one-dimensional convolutions, which says what the linear one misses.

Shapes: ... batches, T rows of BANDS, L = ceil(T / STRIDE) latents of c numbers, C channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Annotated, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from emsync.errors import UsageError
from emsync.settings import Within, check
from emsync.sound.mel import BANDS, ROW_RATE

STRIDE = 8  # rows of a latent
RATE = ROW_RATE // STRIDE  # latents a second
PATCH = STRIDE * BANDS
MIDDLE, SPREAD = -5.0, 3.0  # of a log-mel spectrogram of music, about
QUIET, LEAST, MOST = -6.0, -30.0, 20.0  # log-variance of a latent: at first, and its bounds


class Codec(nn.Module, ABC):
    """Between spectrograms and latents, each number of which has a variance of 1 in music."""

    width: int  # c

    @property
    @abstractmethod
    def described(self) -> "Described":
        """What ``codec_of`` makes one like it of, without its weights."""

    @abstractmethod
    def encode(self, mel: Tensor) -> Tensor:
        """Return the (..., L, c) latents of a (..., T, BANDS) spectrogram.

        Its last row is repeated to the end of the last latent.
        """

    @abstractmethod
    def decode(self, latents: Tensor, rows: int | None = None) -> Tensor:
        """Return the (..., T, BANDS) spectrogram of (..., L, c) latents, or its first ``rows``."""


class LinearCodec(Codec):
    """The principal components of patches of STRIDE rows."""

    mean: Tensor  # (PATCH,)
    basis: Tensor  # (PATCH, c), columns of length 1
    scale: Tensor  # (c,) standard deviations of the components

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(PATCH))
        self.register_buffer("basis", torch.zeros(PATCH, width))
        self.register_buffer("scale", torch.ones(width))

    @property
    def described(self) -> "Described":
        return self.width

    def fit(self, mels: Iterable[Tensor]) -> None:
        """Take the components of (T, BANDS) spectrograms."""
        count, total, squares = 0, torch.zeros(PATCH).double(), torch.zeros(PATCH, PATCH).double()
        for mel in mels:
            seen = patches(mel.cpu()).double()
            count += len(seen)
            total += seen.sum(0)
            squares += seen.mT @ seen
        mean = total / count
        variances, vectors = torch.linalg.eigh(squares / count - torch.outer(mean, mean))
        basis = vectors[:, -self.width :].flip(1)
        signs = basis.gather(0, basis.abs().argmax(0, keepdim=True)).sign()  # else left to chance
        self.mean.copy_(mean)
        self.basis.copy_(basis * signs)
        self.scale.copy_(variances[-self.width :].flip(0).clamp_min(1e-12).sqrt())

    def encode(self, mel: Tensor) -> Tensor:
        return (patches(mel) - self.mean) @ self.basis / self.scale

    def decode(self, latents: Tensor, rows: int | None = None) -> Tensor:
        seen = (latents * self.scale) @ self.basis.mT + self.mean
        return seen.reshape(*seen.shape[:-2], -1, BANDS)[..., :rows, :]


def patches(mel: Tensor) -> Tensor:
    """Return the (..., L, PATCH) patches of a (..., T, BANDS) spectrogram, the last one filled."""
    whole = filled(mel)
    return whole.reshape(*whole.shape[:-2], -1, PATCH)


def filled(mel: Tensor) -> Tensor:
    """Return (..., STRIDE L, BANDS): the last row is repeated to the end of its latent."""
    missing = -mel.shape[-2] % STRIDE
    return torch.cat([mel, mel[..., -1:, :].expand(*mel.shape[:-2], missing, BANDS)], -2)


@dataclass(frozen=True)
class CodecShape:
    """The size of an autoencoder. The paper's is 8 numbers and 256 x [1, 2, 4, 8] channels."""

    width: Annotated[int, Within(1, 1024), "numbers of a latent"] = 64
    channels: Annotated[tuple[int, ...], Within(1, 8192), "of the levels"] = (128, 256, 384)
    strides: Annotated[tuple[int, ...], Within(1, STRIDE), "before each level"] = (2, 2, 2)
    blocks: Annotated[int, Within(1, 64), "of each level"] = 2
    linear: Annotated[bool, "whether a linear codec does what it can"] = True

    def __post_init__(self) -> None:
        check(self)
        if len(self.channels) != len(self.strides) or prod(self.strides) != STRIDE:
            raise UsageError(
                f"strides are {self.strides}: choose one for each of the {len(self.channels)} "
                f"levels in channels, {STRIDE} multiplied"
            )


Described: TypeAlias = CodecShape | int  # an autoencoder's shape, or the width of a linear codec
SMOKE = CodecShape(8, (16, 32), (4, 2), 1)
PAPER = CodecShape(8, (256, 512, 1024, 2048), (1, 2, 2, 2), linear=False)


class Posterior(NamedTuple):
    """A Gaussian for each number of each latent."""

    mean: Tensor  # (B, L, c)
    log_variance: Tensor  # (B, L, c)

    def drawn(self) -> Tensor:
        """Return latents by torch's own generator."""
        return self.mean + (self.log_variance / 2).exp() * torch.randn_like(self.mean)

    def divergence(self) -> Tensor:
        """Return the mean divergence from the unit Gaussian, in nats of one number."""
        excess = self.mean**2 + self.log_variance.exp() - 1 - self.log_variance
        return excess.mean() / 2


class Vae(Codec):
    """The autoencoder of latent diffusion (Rombach et al. 2022) in one dimension.

    No attention, and nothing is normalised over time: a latent depends on what is around it alone.
    """

    scale: Tensor  # (c,) standard deviations of the numbers

    def __init__(self, shape: CodecShape) -> None:
        super().__init__()
        self.shape, self.width = shape, shape.width
        self.linear = LinearCodec(shape.width) if shape.linear else None
        self.reader = _reader(shape)
        self.writer = _writer(shape)
        self.register_buffer("scale", torch.ones(shape.width))

    @property
    def described(self) -> Described:
        return self.shape

    def posterior(self, mel: Tensor) -> Posterior:
        """Return what the latents of a (B, T, BANDS) spectrogram may be, before ``scale``."""
        read = self.reader(_eased(filled(mel)).mT).mT
        mean, log_variance = read.chunk(2, -1)
        if self.linear is not None:
            mean = mean + self.linear.encode(mel)
        return Posterior(mean, (log_variance + QUIET).clamp(LEAST, MOST))

    def written(self, latents: Tensor) -> Tensor:
        """Return the (B, STRIDE L, BANDS) spectrogram of (B, L, c) latents before ``scale``."""
        mel = self.writer(latents.mT).mT * SPREAD
        return mel + (MIDDLE if self.linear is None else self.linear.decode(latents))

    def encode(self, mel: Tensor) -> Tensor:
        found = self.posterior(mel.reshape(-1, *mel.shape[-2:])).mean / self.scale
        return found.reshape(*mel.shape[:-2], *found.shape[-2:])

    def decode(self, latents: Tensor, rows: int | None = None) -> Tensor:
        mel = self.written((latents * self.scale).reshape(-1, *latents.shape[-2:]))
        return mel.reshape(*latents.shape[:-2], *mel.shape[-2:])[..., :rows, :]

    def measure(self, mels: Iterable[Tensor]) -> None:
        """Set ``scale`` by the latents of (T, BANDS) spectrograms."""
        with torch.inference_mode():
            found = torch.cat(
                [self.posterior(mel[None].to(self.scale.device)).mean[0] for mel in mels]
            )
        self.scale.copy_(found.std(0).clamp_min(1e-3))


def codec_of(described: Described) -> Codec:
    """Return a codec that has learned nothing yet."""
    return LinearCodec(described) if isinstance(described, int) else Vae(described)


def _eased(mel: Tensor) -> Tensor:
    return (mel - MIDDLE) / SPREAD


class Block(nn.Module):
    """Two convolutions beside what passes, (B, C, T) to (B, C, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            Norm(channels), _conv(channels, channels), nn.SiLU(), _conv(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.steps(x)


class Norm(nn.Module):
    """A normalisation over the channels of one moment."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, T) of (B, C, T)."""
        return self.norm(x.mT).mT


def _reader(shape: CodecShape) -> nn.Sequential:
    """Return what makes (B, 2 c, L) of (B, BANDS, T)."""
    return nn.Sequential(*_down(shape), _end(shape.channels[-1], 2 * shape.width, shape.linear))


def _down(shape: CodecShape) -> Iterator[nn.Module]:
    now = BANDS
    for channels, stride in zip(shape.channels, shape.strides, strict=True):
        yield _conv(now, channels) if stride == 1 else nn.Conv1d(now, channels, stride, stride)
        yield from (Block(channels) for _ in range(shape.blocks))
        now = channels


def _writer(shape: CodecShape) -> nn.Sequential:
    """Return what makes (B, BANDS, T) of (B, c, L)."""
    return nn.Sequential(
        _conv(shape.width, shape.channels[-1]),
        *_up(shape),
        _end(shape.channels[0], BANDS, shape.linear),
    )


def _up(shape: CodecShape) -> Iterator[nn.Module]:
    below = (*shape.channels[-2::-1], shape.channels[0])
    for now, stride, after in zip(shape.channels[::-1], shape.strides[::-1], below, strict=True):
        yield from (Block(now) for _ in range(shape.blocks))
        yield _conv(now, after) if stride == 1 else nn.ConvTranspose1d(now, after, stride, stride)


def _conv(before: int, after: int) -> nn.Conv1d:
    return nn.Conv1d(before, after, 3, padding=1)


def _end(channels: int, out: int, quiet: bool) -> nn.Conv1d:
    """Return the last convolution, which says nothing at first where it is to be ``quiet``."""
    last = _conv(channels, out)
    if quiet:
        for weight in last.parameters():
            nn.init.zeros_(weight)
    return last
