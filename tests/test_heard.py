"""Columns of tracks: what a second of sound gives, whatever its level and its length."""

import sys

import numpy as np
import pytest

from emsync.arrays import Float32s
from emsync.matching.matcher import Columns
from emsync.retrieval.heard import BEATEN, BLOCK, RATE, STAMPS, STEPS, USUAL, hear

PLAIN = ("onsets", "chroma", "mel")
TEMPO = 120.0


def made(seconds: float = 7.4, tempo: float = TEMPO, seed: int = 0) -> Float32s:
    """Make a beat of noise over plucked tones of A minor, from C on in the last second or two."""
    times = np.arange(round(seconds * RATE)) / RATE
    beat = 60 / tempo
    noise = np.random.default_rng(seed).normal(size=len(times))
    sound = 0.3 * noise * np.exp(-40 * (times % beat))
    for semitones in (9, 12, 16):
        tone = np.sin(2 * np.pi * 261.63 * 2 ** (semitones / 12) * times)
        sound += 0.3 * tone * np.exp(-2 * (times % (4 * beat)))
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def track() -> Columns:
    return hear(made())


def test_each_second_has_a_row(track: Columns) -> None:
    rows = {name: track[name].shape for name in USUAL}
    assert rows == {name: (8, width) for name, width in USUAL.items()}
    assert track.keys() == STAMPS.keys() - {"handcrafted"}
    assert track["musicnn"].dtype == np.float16
    assert track["beats"].shape == track["strength"].shape


def test_pitches_beats_and_onsets_are_those_that_were_made(track: Columns) -> None:
    strongest = np.argsort(track["chroma"][:7], axis=1)[:, -3:]
    assert (np.sort(strongest, axis=1) == [0, 4, 9]).all()  # C, E, A
    beats, strength = track["beats"], track["strength"]
    np.testing.assert_allclose(np.diff(beats), 60 / TEMPO, atol=1.01 / STEPS)
    nearest = np.rint(beats * TEMPO / 60) * 60 / TEMPO
    assert np.abs(beats - nearest).max() < 1.01 / STEPS
    mean, greatest, spread = track["onsets"].T
    assert (strength[1:] > 3 * mean[:1]).all()
    assert (greatest[1:] > 5 * mean[1:]).all() and (spread > mean).all()


@pytest.mark.parametrize("tempo", [80.0, 100.0, 144.0])
def test_beats_are_found_in_any_tempo(tempo: float) -> None:
    beats = hear(made(20.0, tempo), ())["beats"]
    steps = np.diff(beats[:-2]) * tempo / 60  # librosa is drawn to the end by the last ones
    assert np.abs(steps - np.rint(steps)).max() < 0.1
    assert np.median(steps) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("gain", [1e-3, 0.25, 100.0])
def test_loudness_has_no_part(track: Columns, gain: float) -> None:
    names = PLAIN if gain != 0.25 else tuple(USUAL)
    again = hear((gain * made()).astype(np.float32), names)
    for name, values in again.items():
        np.testing.assert_allclose(values, track[name], rtol=1e-2, atol=1e-2)


def test_a_column_does_not_depend_on_the_others(track: Columns) -> None:
    for name in USUAL:
        alone = hear(made(), (name,))
        assert alone.keys() == {name, "beats", "strength"}
        for column, values in alone.items():
            assert (values == track[column]).all(), column


@pytest.mark.parametrize("samples", [0, 1, 1000, RATE, RATE + 1, 3 * RATE, 3 * RATE + 100])
def test_silence_and_what_is_short_has_columns(samples: int) -> None:
    for sound in (np.zeros(samples, np.float32), made(4.0)[:samples]):
        columns = hear(sound)
        for name, width in USUAL.items():
            assert columns[name].shape == (max(1, -(-samples // RATE)), width)
        assert all(np.isfinite(values).all() for values in columns.values())
    silent = hear(np.zeros(samples, np.float32))
    assert not silent["mel"].any() and not silent["onsets"].any() and not silent["chroma"].any()
    assert not len(silent["beats"])


def test_the_noise_of_sixteen_bits_is_no_sound(track: Columns) -> None:
    coarse = (np.round(made() * 32767) / 32767).astype(np.float32)
    for name in ("onsets", "mel"):
        assert np.abs(hear(coarse, PLAIN)[name] - track[name]).max() < 0.5  # decibels


@pytest.mark.slow
def test_a_long_track_is_heard_in_blocks_that_do_not_show() -> None:
    """The first half of what is repeated has one level with the whole."""
    half = made(BLOCK + 3.0)
    short, long = hear(half), hear(np.tile(half, 2))
    whole = BLOCK + 2
    for name in USUAL:
        np.testing.assert_allclose(
            long[name][:whole], short[name][:whole], rtol=1e-2, atol=1e-2, err_msg=name
        )
    repeated = BLOCK + 3
    np.testing.assert_allclose(long["mel"][repeated + 1 :], short["mel"][1:], rtol=1e-2, atol=2e-2)


def test_beats_go_on_across_the_stretches_in_which_they_are_sought() -> None:
    beats = hear(made(BEATEN + 40.0), ())["beats"]
    np.testing.assert_allclose(np.diff(beats), 60 / TEMPO, atol=2.01 / STEPS)
    assert beats[-1] > BEATEN + 38


# some numbers of the fourth second
GOLDEN = {
    "musicnn": {35: 5.207, 77: 5.617, 167: 5.797, 389: 4.93, 600: 1.919, 700: 0.643},
    "onsets": {0: 2.449, 1: 27.005, 2: 7.303},
    "chroma": {0: 0.894, 4: 0.992, 5: 0.343, 9: 0.91, 10: 0.341, 11: 0.334},
    "mel": {0: 13.924, 5: 51.526, 7: 45.361, 20: 13.438, 45: 4.845, 70: 18.53},
}


@pytest.mark.parametrize("name", GOLDEN)
def test_columns_of_the_sound_are_as_they_were(track: Columns, name: str) -> None:
    for place, value in GOLDEN[name].items():
        assert track[name][3, place] == pytest.approx(value, abs=0.02, rel=0.02), place


def test_without_musicnn_torch_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    hear(made(3.0), PLAIN)
