"""musicnn gives what upstream's own graph gives, and hears in real music what is in it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emsync.arrays import Float32s
from emsync.encoders.musicnn import (
    BANDS,
    CHANNELS,
    HOP,
    RATE,
    SIZE,
    TAGS,
    WINDOW,
    load,
    log_mel,
)  # fmt: skip
from emsync.sound.decode import own_sound
from emsync.sound.spectra import mel_bank, powers

# What TensorFlow 2.21 gave with upstream's models.py and checkpoints for ``drawn()``, whose log-mel
# spectrogram librosa 0.11 made in float32: the five likeliest tags of each set.
GOLDEN = {
    "mtt": {"guitar": 0.4045, "slow": 0.3529, "piano": 0.2151, "classical": 0.1194, "solo": 0.1169},
    "msd": {
        "electronic": 0.4108,
        "ambient": 0.1724,
        "instrumental": 0.1403,
        "chillout": 0.1336,
        "electronica": 0.1258,
    },
}
PLACES = [0, 300, 500, 600, 700, 752]  # channels, at step 90
AT_STEP_90 = {
    "mtt": [-0.0002, -0.0437, -0.0000, 2.2437, 1.6641, 1.5701],
    "msd": [0.0000, 0.0000, -0.0000, 0.0004, 9.8092, -1.6784],
}


def drawn() -> Float32s:
    """Three seconds of plucked tones over a bass and a beat of noise."""
    times = np.arange(WINDOW * HOP) / RATE
    sound = np.zeros(len(times))
    for i, semitones in enumerate([0, 4, 7, 12, 7, 4, 0, 5, 9, 12, 9, 5]):
        since = times - 0.25 * i
        partials = sum(np.sin(2 * np.pi * 261.6 * 2 ** (semitones / 12) * k * since) / k**2
                       for k in range(1, 6))  # fmt: skip
        sound += np.where(since >= 0, np.exp(-5 * np.maximum(since, 0)) * partials, 0.0)
    sound += 0.5 * np.sin(2 * np.pi * 65.4 * times)
    noise = np.random.default_rng(7).normal(size=len(times))
    sound += 0.3 * noise * np.exp(-30 * (times % 0.5))
    return (0.2 * sound).astype(np.float32)


def spectrogram(sound: Float32s) -> Float32s:
    """Return the log-mel spectrogram as upstream has it: the first window is around sample 0."""
    return log_mel(powers(np.pad(sound, SIZE // 2), SIZE, HOP))[:WINDOW]


@pytest.mark.parametrize("tags", ["mtt", "msd"])
def test_tags_and_channels_are_those_of_upstreams_graph(tags: str) -> None:
    network, mel = load(tags), torch.from_numpy(spectrogram(drawn()))[None]
    found = dict(zip(TAGS[tags], network(mel)[0].tolist(), strict=True))
    best = sorted(found, key=lambda tag: -found[tag])[:5]
    assert best == list(GOLDEN[tags])
    for tag, probability in GOLDEN[tags].items():
        assert found[tag] == pytest.approx(probability, abs=1e-3)
    channels = network.channels(mel)
    assert channels.shape == (1, WINDOW, CHANNELS)
    assert channels[0, 90, PLACES].tolist() == pytest.approx(AT_STEP_90[tags], abs=0.02)


def test_mel_bands_are_librosas() -> None:
    import librosa.feature

    mel = librosa.feature.melspectrogram(
        y=drawn(), sr=RATE, n_fft=SIZE, hop_length=HOP, n_mels=BANDS
    )
    own = powers(np.pad(drawn(), SIZE // 2), SIZE, HOP) @ mel_bank(RATE, SIZE, BANDS)
    np.testing.assert_allclose(own, mel.T, rtol=1e-3, atol=1e-5 * mel.max())


@pytest.mark.parametrize("level", [0.0, 1.0, 16.0])
def test_silence_and_full_scale_give_finite_tags(level: float) -> None:
    sound = np.full(WINDOW * HOP, level, np.float32)
    sound[::2] *= -1  # the loudest there is
    for tags in TAGS:
        assert torch.isfinite(load(tags)(torch.from_numpy(spectrogram(sound))[None])).all()


def test_a_window_does_not_depend_on_those_beside_it() -> None:
    mel = torch.from_numpy(np.stack([spectrogram(drawn()), np.zeros((WINDOW, BANDS), np.float32)]))
    both, alone = load("msd")(mel), load("msd")(mel[:1])
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("file", "tags", "expected"),
    [
        ("librosa_hungarian_dance5.ogg", "mtt", {"classical", "violin", "strings"}),
        ("mdn_guitar.ogg", "mtt", {"guitar"}),
        ("mdn_viper.ogg", "mtt", {"rock", "guitar"}),
        ("mdn_viper.ogg", "msd", {"rock"}),
        ("librosa_vibe_ace.ogg", "msd", {"jazz"}),
        ("pygame_house_lo.ogg", "msd", {"electronic"}),
    ],
)
def test_real_music_is_tagged_as_what_it_is(
    file: str, tags: str, expected: set[str], shared: Path
) -> None:
    sound = own_sound(shared / "music" / file, RATE).samples.mean(axis=1)
    mel = log_mel(powers(sound, SIZE, HOP))
    windows = torch.from_numpy(np.stack([mel[at : at + WINDOW] for at in (100, 250)]))
    mean = load(tags)(windows).mean(0)
    assert expected <= {TAGS[tags][i] for i in mean.argsort(descending=True)[:5]}
