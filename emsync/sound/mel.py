"""Log-mel spectrograms of sound at 24 kHz, 80 rows a second, and the way back by Griffin and Lim.

As in MuVi (Li et al. 2024, 4.1); what the paper leaves open is as in HiFi-GAN at this rate. It runs
where the tensors are; on a CPU on one thread, so that sums do not depend on how many there are.

Shapes: ... batches, N > 0 samples, T = ceil(N / HOP) rows, FREQUENCIES of a spectrum, BANDS of the
mel scale.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emsync.encoders.threads import one_thread
from emsync.sound.spectra import triangles

RATE, HOP, BANDS = 24_000, 300, 160  # samples a second and of a row; bands from 0 Hz to 12 kHz
ROW_RATE = RATE // HOP  # rows a second
SIZE, WINDOW = 2048, 1200  # samples of a transform, and of those under the Hann window
FREQUENCIES = SIZE // 2 + 1
FLOOR = 1e-5  # the least amplitude of a band
SILENCE = math.log(FLOOR)  # of a band in which nothing sounds
BEFORE = (WINDOW - HOP) // 2  # samples of the first window before the first sample
NEARER = 8  # updates that bring amplitudes to the bands they were inverted from
MOMENTUM = 0.99  # of the fast algorithm (Perraudin, Balazs & Sondergaard 2013)


def row_count(length: int) -> int:
    """Return the number of rows of ``length`` samples."""
    return -(-length // HOP)


@one_thread()
def log_mel(samples: Tensor) -> Tensor:
    """Return the (..., T, BANDS) log-mel spectrogram of (..., N) samples.

    Row i is about [i / 80, (i + 1) / 80) s: its window is centred there.
    """
    return (stft(samples).abs() @ _bank(samples.device)[0]).clamp_min(FLOOR).log()


def stft(samples: Tensor) -> Tensor:
    """Return the (..., T, FREQUENCIES) spectra of (..., N) samples; silence lies around them."""
    length = samples.shape[-1]
    rows = row_count(length)
    padded = F.pad(samples, (BEFORE, rows * HOP - length + BEFORE))
    windows = padded.unfold(-1, WINDOW, HOP)  # (..., T, WINDOW)
    return torch.fft.rfft(windows * _hann(samples.device), SIZE)


def istft(spectra: Tensor, length: int) -> Tensor:
    """Return the (..., length) samples whose spectra are nearest to (..., T, FREQUENCIES)."""
    hann = _hann(spectra.device)
    windows = torch.fft.irfft(spectra, SIZE)[..., :WINDOW] * hann
    samples = _laid(windows) / _laid((hann**2).expand(spectra.shape[-2], -1)).clamp_min(FLOOR)
    samples = samples[..., BEFORE : BEFORE + length]
    return F.pad(samples, (0, length - samples.shape[-1]))


@one_thread()
def griffin_lim(log_mel: Tensor, length: int, iterations: int = 32, seed: int = 0) -> Tensor:
    """Return (..., length) samples that sound like a (..., T, BANDS) log-mel spectrogram.

    The amplitudes are the spectrogram's; phases begin at random, the same ones for all of a batch,
    and become those of a sound, iteration by iteration.
    """
    amplitudes = _amplitudes(log_mel.float().exp())
    drawn = torch.Generator().manual_seed(seed)
    turns = torch.rand(amplitudes.shape[-2:], generator=drawn).to(amplitudes.device)
    spectra = torch.polar(amplitudes, (2 * torch.pi * turns).expand_as(amplitudes))
    whole = amplitudes.shape[-2] * HOP
    before = torch.zeros_like(spectra)
    for _ in range(iterations):
        now = stft(istft(spectra, whole))
        faster = now + MOMENTUM * (now - before)
        spectra = amplitudes * faster / faster.abs().clamp_min(1e-12)
        before = now
    return istft(spectra, length)


def _amplitudes(mel: Tensor) -> Tensor:
    """Return (..., T, FREQUENCIES) amplitudes, none negative, whose bands are (..., T, BANDS) ones.

    The inverse, its negative numbers left out, is brought nearer by Lee and Seung's updates.
    """
    bank, inverse = _bank(mel.device)
    shares = (bank / bank.sum(1, keepdim=True).clamp_min(1e-12)).mT
    amplitudes = (mel @ inverse).clamp_min(0)
    for _ in range(NEARER):
        amplitudes = amplitudes * ((mel / (amplitudes @ bank).clamp_min(FLOOR)) @ shares)
    return amplitudes


def _laid(windows: Tensor) -> Tensor:
    """Return the (..., (T + 3) HOP) sums of (..., T, WINDOW) windows, each HOP after the last."""
    hops = torch.split(windows, HOP, -1)
    last = len(hops) - 1
    laid = [F.pad(hop, (0, 0, i, last - i)) for i, hop in enumerate(hops)]  # (..., T + last, HOP)
    return torch.stack(laid).sum(0).flatten(-2)


@cache
def _hann(device: torch.device) -> Tensor:
    return torch.hann_window(WINDOW, device=device)


@cache
def _bank(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the (FREQUENCIES, BANDS) weights of the bands, and their inverse."""
    bank = torch.from_numpy(triangles(np.linspace(0.0, RATE / 2, FREQUENCIES), BANDS))
    return bank.float().to(device), torch.linalg.pinv(bank).float().to(device)
