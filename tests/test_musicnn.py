"""musicnn gives what upstream's own graph gives, and hears in real music what is in it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emsync.arrays import Float32s
from emsync.encoders.musicnn import CHANNELS, WINDOW, load
from emsync.encoders.tags import MSD_TAGS, TAGS
from emsync.sound.decode import own_sound
from emsync.sound.spectra import BANDS, HOP, RATE, SIZE, log_mel, mel_bank, powers

# What TensorFlow 2.21 gave with upstream's models.py and checkpoints for ``drawn()``, whose log-mel
# spectrogram librosa 0.11 made in float32: the five likeliest tags, and some of the features.
GOLDEN = {"guitar": 0.4045, "slow": 0.3529, "piano": 0.2151, "classical": 0.1194, "solo": 0.1169}
GOLDEN_MSD = {
    "electronic": 0.4108, "ambient": 0.1724, "instrumental": 0.1403, "chillout": 0.1336,
    "electronica": 0.1258,
}  # fmt: skip
EVERY_50TH = [0, 50, 100, 150, 199]
FEATURES = {
    "mtt": [-0.0800, 0.4232, 0.2937, -0.0552, 0.8205],
    "msd": [-0.1772, -0.1488, -0.3526, 2.1004, -0.2934],
}
PLACES = [0, 300, 500, 600, 700, 752]  # channels, at step 90
AT_STEP_90 = [-0.0002, -0.0437, -0.0000, 2.2437, 1.6641, 1.5701]


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
    return log_mel(powers(np.pad(sound, SIZE // 2)))[:WINDOW]


@pytest.mark.parametrize(
    ("tagger", "tags", "golden"), [("mtt", TAGS, GOLDEN), ("msd", MSD_TAGS, GOLDEN_MSD)]
)
def test_tags_and_features_are_those_of_upstreams_graph(
    tagger: str, tags: tuple[str, ...], golden: dict[str, float]
) -> None:
    mel = torch.from_numpy(spectrogram(drawn()))[None]
    features, shares = load(tagger).heard(mel)
    assert torch.equal(shares, load(tagger)(mel))
    found = dict(zip(tags, shares[0].tolist(), strict=True))
    best = sorted(found, key=lambda tag: -found[tag])[:5]
    assert best == list(golden)
    for tag, probability in golden.items():
        assert found[tag] == pytest.approx(probability, abs=1e-3)
    assert features[0, EVERY_50TH].tolist() == pytest.approx(FEATURES[tagger], abs=0.01)


def test_channels_are_those_of_upstreams_graph() -> None:
    channels = load().channels(torch.from_numpy(spectrogram(drawn()))[None])
    assert channels.shape == (1, WINDOW, CHANNELS)
    assert channels[0, 90, PLACES].tolist() == pytest.approx(AT_STEP_90, abs=0.02)


def test_mel_bands_are_librosas() -> None:
    import librosa.feature

    mel = librosa.feature.melspectrogram(
        y=drawn(), sr=RATE, n_fft=SIZE, hop_length=HOP, n_mels=BANDS
    )
    own = powers(np.pad(drawn(), SIZE // 2)) @ mel_bank()
    np.testing.assert_allclose(own, mel.T, rtol=1e-3, atol=1e-5 * mel.max())


def test_a_spectrogram_is_the_same_to_the_last_bit_on_any_number_of_threads() -> None:
    from threadpoolctl import threadpool_limits

    power = powers(np.random.default_rng(0).normal(size=12 * RATE).astype(np.float32))
    made = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            made.append(log_mel(power))
    assert all((mel == made[0]).all() for mel in made)


@pytest.mark.parametrize("level", [0.0, 1.0, 16.0])
def test_silence_and_full_scale_give_finite_tags(level: float) -> None:
    sound = np.full(WINDOW * HOP, level, np.float32)
    sound[::2] *= -1  # the loudest there is
    assert torch.isfinite(load()(torch.from_numpy(spectrogram(sound))[None])).all()


def test_a_window_does_not_depend_on_those_beside_it() -> None:
    mel = torch.from_numpy(np.stack([spectrogram(drawn()), np.zeros((WINDOW, BANDS), np.float32)]))
    both, alone = load()(mel), load()(mel[:1])
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("librosa_hungarian_dance5.ogg", {"classical", "violin", "strings"}),
        ("mdn_guitar.ogg", {"guitar"}),
        ("mdn_viper.ogg", {"rock", "guitar"}),
        ("librosa_sugar_plum.ogg", {"classical"}),
        ("pygame_house_lo.ogg", {"techno", "electronic", "beat"}),
    ],
)
def test_real_music_is_tagged_as_what_it_is(file: str, expected: set[str], shared: Path) -> None:
    sound = own_sound(shared / "music" / file, RATE).samples.mean(axis=1)
    mel = log_mel(powers(sound))
    windows = torch.from_numpy(np.stack([mel[at : at + WINDOW] for at in (100, 250)]))
    mean = load()(windows).mean(0)
    assert expected <= {TAGS[i] for i in mean.argsort(descending=True)[:5]}
