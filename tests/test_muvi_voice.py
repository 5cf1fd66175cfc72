"""Spectrograms as sound, in one chunk or in several."""

import numpy as np
import pytest
import torch

from emsync.arrays import Float32s
from emsync.muvi import voice
from emsync.muvi.voice import LEVEL, heard, voiced
from emsync.sound.level import level
from emsync.sound.mel import HOP, RATE, ROW_RATE, log_mel


def tone(seconds: float) -> Float32s:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.4, 3.7])
def test_a_long_sound_is_made_of_chunks_without_a_seam(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "CHUNK", ROW_RATE)
    monkeypatch.setattr(voice, "ITERATIONS", 8)
    samples = tone(seconds)
    found = voiced(log_mel(torch.from_numpy(samples)))
    assert len(found) == -(-len(samples) // HOP) * HOP and np.isfinite(found).all()
    inside = found[RATE // 20 : -RATE // 20]
    loud = [level(part) for part in np.array_split(inside, max(1, len(inside) // 2400))]
    assert min(loud) > 0.7 * level(samples) and max(loud) < 1.4 * level(samples)


def test_a_prompt_is_brought_to_the_level_of_what_is_learned_from() -> None:
    assert level(heard(tone(1.0) * 3).numpy()) == pytest.approx(LEVEL, rel=1e-3)
    assert heard(np.zeros(100, np.float32)).isfinite().all()
