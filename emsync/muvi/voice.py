"""Spectrograms as sound, however long: chunk by chunk, so that an hour needs little memory."""

import numpy as np
import torch
from torch import Tensor

from emsync.arrays import Float32s
from emsync.sound.level import gain_to
from emsync.sound.mel import HOP, ROW_RATE, griffin_lim

CHUNK, OVERLAP = 30 * ROW_RATE, ROW_RATE // 2  # rows; chunks fade into each other
ITERATIONS = 32  # of Griffin and Lim
LEVEL = 10 ** (-23 / 20)  # of passages, about


def voiced(mel: Tensor) -> Float32s:
    """Return the (T HOP,) samples, 24 kHz, of a (T, BANDS) log-mel spectrogram."""
    rows = len(mel)
    samples = np.zeros(rows * HOP, np.float32)
    for start in range(0, rows, CHUNK):
        stop = min(start + CHUNK + OVERLAP, rows)
        if start and stop - start <= OVERLAP:  # the chunk before has sounded it
            break
        part = griffin_lim(mel[start:stop], (stop - start) * HOP, ITERATIONS).cpu().numpy()
        fade = min(OVERLAP, stop - start) * HOP
        turn = (np.arange(fade) + 0.5) / fade * np.pi / 2  # of equal power: phases differ
        if start:
            part[:fade] *= np.sin(turn)
            samples[start * HOP : start * HOP + fade] *= np.cos(turn)
        samples[start * HOP : stop * HOP] += part.astype(np.float32)
    return samples


def heard(samples: Float32s) -> Tensor:
    """Return (N,) samples, 24 kHz, as a tensor at the level of what is learned from."""
    return torch.from_numpy((samples * gain_to(LEVEL, samples)).astype(np.float32))
