"""Laws of music measured as sound: of distances, inception scores and divergences of tags."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.arrays import Float64s
from emsync.metrics import frechet, sound
from emsync.metrics.tags import kl_softmax, softmax

WIDTH = 6


def files(seed: int, count: int, patches: int = 4, moved: float = 0.0) -> list[Float64s]:
    """Return features of files, each of which has its own place, and patches around it."""
    rng = np.random.default_rng(seed)
    return [
        moved + rng.normal(size=WIDTH) + 0.5 * rng.normal(size=(patches, WIDTH))
        for _ in range(count)
    ]


def test_a_set_is_at_no_distance_from_itself() -> None:
    one = files(0, 8)
    found = sound.distance(one, one)
    assert found.patches == 32
    assert found.at_n.value == pytest.approx(0, abs=1e-9)
    assert found.at_n.n == 8


def test_what_was_made_of_the_same_files_is_drawn_with_them() -> None:
    one = files(0, 9)
    found = sound.distance(one, one, together=True)
    figures = [found.endless.value, found.endless.low, found.at_n.high]
    assert figures == pytest.approx([0, 0, 0], abs=1e-9)
    apart = sound.distance(one, one)
    assert apart.endless.value < 0 < apart.at_n.high


def test_it_is_the_distance_of_gaussians_with_as_many_patches_of_both() -> None:
    one, two = files(0, 10), files(1, 30)
    whole = sound.distance(one, two[:10])
    both = np.concatenate(one), np.concatenate(two[:10])
    assert whole.at_n.value == pytest.approx(frechet.distance(*both))
    assert whole.at_n.low < whole.at_n.value < whole.at_n.high
    assert sound.distance(one, two).patches == sound.distance(two, one).patches == 40


def test_led_on_it_is_nearer_to_that_of_endlessly_many_patches() -> None:
    moved, plain, ahead = 1.0, [], []
    for seed in range(6):
        found = sound.distance(files(seed, 40), files(seed + 99, 40, moved=moved))
        assert found.endless.value < found.at_n.value
        plain.append(found.at_n.value - WIDTH * moved**2)
        ahead.append(found.endless.value - WIDTH * moved**2)
    assert abs(np.mean(ahead)) < 0.5 * abs(np.mean(plain))


def test_of_a_single_file_there_is_a_distance_and_no_more() -> None:
    found = sound.distance(files(0, 1), files(1, 5))
    assert found.at_n.value > 0
    assert np.isnan([found.endless.value, found.at_n.low, found.at_n.high]).all()


def test_nothing_is_nearer_to_a_set_than_its_own_halves() -> None:
    real = files(0, 40)
    own = sound.own_distance(real, 80)
    assert own.patches == 80
    assert own.at_n.n == 20
    assert own.at_n.value < sound.distance(real, files(1, 20, moved=1.0)).at_n.value
    assert abs(own.endless.value) < own.at_n.value


def test_the_same_seed_gives_the_same_figures() -> None:
    one, two = files(0, 5), files(1, 9)
    assert sound.distance(one, two, seed=3) == sound.distance(one, two, seed=3)
    assert sound.distance(one, two, seed=3) != sound.distance(one, two, seed=4)


@given(st.integers(2, 12), st.integers(0, 99))
@settings(max_examples=10)
def test_an_inception_score_is_1_of_equal_tags_and_their_number_of_certain_ones(
    count: int, seed: int
) -> None:
    certain = np.eye(count)
    assert sound.inception_score([certain, certain]).value == pytest.approx(count, rel=1e-3)
    alike = np.tile(np.random.default_rng(seed).uniform(size=count), (5, 1))
    assert sound.inception_score([alike]).value == pytest.approx(1)
    drawn = [np.random.default_rng(seed).uniform(size=(4, count)) for _ in range(3)]
    assert 1 <= sound.inception_score(drawn).value <= count


shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)


@given(shares, shares)
def test_the_divergence_of_tags_is_that_of_the_softmax_of_logits(
    p: list[float], q: list[float]
) -> None:
    assert kl_softmax(p, q) >= -1e-9
    assert kl_softmax(p, p) == pytest.approx(0)
    logits = np.log(np.clip(p, 1e-7, 1 - 1e-7)) - np.log1p(-np.clip(p, 1e-7, 1 - 1e-7))
    powers = np.exp(logits - logits.max())
    np.testing.assert_allclose(softmax(p), powers / powers.sum(), rtol=1e-6, atol=1e-12)


def test_divergences_are_of_one_name_and_of_all_others() -> None:
    real = {"a": np.array([[0.5, 0.5]]), "b": np.array([[0.5, 0.8]])}
    made = {"a": np.array([[0.5, 0.4], [0.5, 0.6]]), "c": np.array([[0.2, 0.5]])}
    pairs = sound.of_pairs(real, made)
    assert pairs.n == 1
    assert pairs.value == pytest.approx(0)  # the mean over patches counts
    others = sound.of_others(real, made)
    expected = [
        kl_softmax([0.5, 0.8], [0.5, 0.5]),
        (kl_softmax([0.5, 0.5], [0.2, 0.5]) + kl_softmax([0.5, 0.8], [0.2, 0.5])) / 2,
    ]
    assert others.value == pytest.approx(np.mean(expected))
    assert np.isnan(sound.of_pairs({}, made).value)
