"""Columns of the rhythm: those that CM and DM have of the same sound and film."""

import numpy as np

from emsync.retrieval.pulses import RATE, heard, seen
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.rhythm import rhythm_of
from emsync.video.impact import Impact


def clicks(rate: int, seconds: float = 8.0, gap: float = 0.5) -> np.ndarray:
    """Return a short tone every ``gap`` seconds."""
    times = np.arange(round(seconds * rate)) / rate
    since = times % gap
    return (np.sin(2 * np.pi * 440 * times) * np.exp(-40 * since)).astype(np.float32)


def test_music_has_the_rhythm_that_is_heard_at_the_papers_rate() -> None:
    at_16, at_22 = heard(clicks(RATE)), rhythm_of(clicks(SAMPLE_RATE))
    found = at_16["rhythm"]
    assert abs(len(found) - len(at_22.signal)) <= 1
    n = min(len(found), len(at_22.signal))
    assert np.corrcoef(found[:n], at_22.signal[:n])[0, 1] > 0.9
    gaps = np.diff(at_16["pulse"])
    assert np.allclose(gaps, 0.5, atol=0.05)


def test_loudness_has_no_part_and_silence_has_columns() -> None:
    sound = clicks(RATE)
    soft, loud = heard(sound * np.float32(0.25)), heard(sound)
    assert np.allclose(soft["rhythm"], loud["rhythm"], atol=1e-3)
    silence = heard(np.zeros(RATE, np.float32))
    assert np.isfinite(silence["rhythm"]).all() and len(silence["pulse"]) == 0


def test_a_film_has_a_step_for_each_of_the_signal() -> None:
    impact, rng = Impact(), np.random.default_rng(0)
    still, noise = np.zeros((90, 160), np.uint8), rng.integers(0, 255, (90, 160)).astype(np.uint8)
    for i in range(25):
        impact.see(i * 0.08, noise if i > 12 else still)
    column = seen(impact, 2.0)["impact"]
    assert column.dtype == np.float16 and len(column) == int(np.ceil(2.0 * STEP_RATE))
    assert column.max() > 0
