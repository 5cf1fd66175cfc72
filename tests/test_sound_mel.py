"""Log-mel spectrograms and the way back."""

import numpy as np
import pytest
import torch
from torch import Tensor

from emsync.sound import mel as module
from emsync.sound.mel import BANDS, FLOOR, HOP, RATE, griffin_lim, istft, log_mel, row_count, stft


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) / 8


def chord(seconds: float) -> Tensor:
    times = torch.arange(round(seconds * RATE)) / RATE
    struck = torch.exp(-3 * (times % 0.5))
    return 0.1 * struck * sum(torch.sin(2 * torch.pi * f * times) for f in (220.0, 277.2, 329.6))


@pytest.mark.parametrize("length", [1, HOP, HOP + 1, 7 * HOP, 12_345])
def test_the_inverse_of_the_transform_gives_the_samples_back(length: int) -> None:
    samples = noise(length)
    spectra = stft(samples)
    assert spectra.shape == (row_count(length), module.FREQUENCIES)
    torch.testing.assert_close(istft(spectra, length), samples, atol=1e-6, rtol=0)


def test_silence_is_the_floor() -> None:
    silent = log_mel(torch.zeros(2 * HOP + 1))
    assert silent.shape == (3, BANDS)
    torch.testing.assert_close(silent, torch.full((3, BANDS), FLOOR).log())


def test_a_batch_is_heard_as_one_by_one() -> None:
    samples = noise(2, 3, 4_000)
    one_by_one = torch.stack([torch.stack([log_mel(s) for s in row]) for row in samples])
    torch.testing.assert_close(log_mel(samples), one_by_one, atol=1e-5, rtol=0)


@pytest.mark.slow  # librosa takes seconds to import
def test_it_is_librosa_s() -> None:
    import librosa

    samples = noise(10 * HOP)
    size = module.SIZE
    bank = librosa.filters.mel(sr=RATE, n_fft=size, n_mels=BANDS, fmax=RATE / 2)
    around = np.pad(samples.numpy(), (size // 2 - HOP // 2, size))
    spectra = librosa.stft(
        around, n_fft=size, hop_length=HOP, win_length=module.WINDOW, center=False
    )
    wanted = np.log(np.maximum(bank @ np.abs(spectra), FLOOR)).T[:10]
    np.testing.assert_allclose(log_mel(samples).numpy(), wanted, atol=1e-4)


def test_a_row_is_centred_on_its_samples() -> None:
    samples = torch.zeros(20 * HOP)
    samples[7 * HOP + HOP // 2] = 1
    loudness = log_mel(samples).mean(1)
    assert loudness.argmax() == 7
    torch.testing.assert_close(loudness[6], loudness[8], atol=2e-2, rtol=0)


def test_neither_depends_on_the_number_of_threads() -> None:
    samples = noise(RATE)
    threads = torch.get_num_threads()
    heard = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            mel = log_mel(samples)
            heard.append((mel, griffin_lim(mel, RATE, 2)))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*heard, strict=True))


def test_sound_comes_back_nearer_with_each_iteration() -> None:
    samples = chord(1.0)
    mel = log_mel(samples)
    lengths = RATE, RATE - 7, RATE + 7
    assert [griffin_lim(mel, length, 1).shape[-1] for length in lengths] == list(lengths)
    far = [(log_mel(griffin_lim(mel, RATE, n)) - mel).abs().mean() for n in (1, 8, 32)]
    assert far[0] > far[1] > far[2]
    assert far[2] < 0.25


def test_the_way_back_is_seeded_and_one_by_one_in_a_batch() -> None:
    mel = log_mel(noise(2, 10 * HOP))
    both = griffin_lim(mel, 10 * HOP, 2, seed=1)
    torch.testing.assert_close(both[1], griffin_lim(mel[1], 10 * HOP, 2, seed=1))
    assert not torch.equal(both, griffin_lim(mel, 10 * HOP, 2, seed=2))


def test_silence_comes_back_as_silence() -> None:
    assert griffin_lim(log_mel(torch.zeros(10 * HOP)), 10 * HOP, 4).abs().max() < 1e-4
