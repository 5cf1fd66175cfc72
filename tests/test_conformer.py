"""Conformers, against slow and obvious versions of themselves."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emsync.retrieval.clips import BANDS, FRAMES, filterbank, pictures
from emsync.retrieval.conformer import (
    SIZES,
    Attention,
    Conformer,
    Convolution,
    Labels,
    Size,
    halved,
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def tiny(features: int = 16, blocks: int = 2) -> Conformer:
    """Return a small Conformer whose every weight matters."""
    network = Conformer(features, blocks, 24, 3)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return network


def test_a_clip_of_a_film_has_its_pictures_side_by_side() -> None:
    stills = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 224, 224), np.uint8)
    clip = pictures(stills)
    assert clip.shape == (224, 896)
    np.testing.assert_allclose(clip[7, ::224] * 255, [0, 1, 2, 3], atol=1e-5)
    np.testing.assert_array_equal(pictures(stills[:2])[0, ::224] * 255, [0, 1, 1, 1])


def test_a_clip_of_music_is_a_filter_bank_and_loudness_has_no_part_in_it() -> None:
    samples = np.random.default_rng(0).normal(size=64_000).astype(np.float32)
    bank = filterbank(samples)
    assert bank.shape == (FRAMES, BANDS) == (398, 80)
    softer = samples / np.float32(64)
    np.testing.assert_allclose(filterbank(softer), bank, atol=1e-5)
    np.testing.assert_array_equal(filterbank(np.zeros(0, np.float32)), np.zeros((398, 80)))


def test_a_tone_is_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(64_000) / 16_000).astype(np.float32)
    bank = filterbank(tone)
    mel = 2595 * np.log10(1 + np.array([20, 1000, 8000]) / 700)
    at = (mel[1] - mel[0]) / (mel[2] - mel[0]) * (BANDS + 1) - 1
    assert abs(bank.mean(axis=0).argmax() - at) <= 1


@pytest.mark.parametrize("length", [7, 8, 10, 11, 56, 224, 398])
def test_the_subsampling_leaves_the_frames_that_it_says(length: int) -> None:
    network = tiny()
    assert network.subsampling(torch.randn(1, length, 16)).shape == (1, halved(halved(length)), 24)


@pytest.mark.parametrize("training", [False, True])
def test_masked_frames_change_nothing(training: bool) -> None:
    network = tiny().train(training)
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    clips = torch.randn(3, 40, 16)
    lengths = torch.tensor([23, 23, 23])
    found = network(clips, lengths)
    other = clips.clone()
    other[:, 23:] = 1e3
    torch.testing.assert_close(network(other, lengths), found)
    torch.testing.assert_close(network(clips[:, :23]), found)


def test_a_clip_does_not_depend_on_those_beside_it() -> None:
    network = tiny().eval()
    clips, lengths = torch.randn(4, 40, 16), torch.tensor([40, 7, 23, 31])
    found = network(clips, lengths)
    for clip, length, own in zip(clips, lengths, found, strict=True):
        torch.testing.assert_close(network(clip[None, :length])[0], own)


def test_masked_frames_have_no_part_in_the_statistics_of_the_norm() -> None:
    whole, masked = Convolution(8), Convolution(8)
    masked.load_state_dict(whole.state_dict())
    x = torch.randn(2, 12, 8)
    whole(x, torch.ones(2, 12, dtype=torch.bool))
    longer = torch.cat([x, torch.full((2, 5, 8), 9.0)], 1)
    masked(longer, torch.arange(17).expand(2, -1) < 12)
    torch.testing.assert_close(masked.norm.running_mean, whole.norm.running_mean)
    torch.testing.assert_close(masked.norm.running_var, whole.norm.running_var)


def slowly(attention: Attention, x: Tensor, length: int) -> Tensor:
    """Return what attention makes of one clip, (N, W), frame by frame."""
    heads, width = attention.heads, x.shape[1] // attention.heads
    x = attention.norm(x)
    rates = [10_000 ** (-2 * i / x.shape[1]) for i in range(x.shape[1] // 2)]
    rows = []
    for i in range(len(x)):
        parts = []
        for head in range(heads):
            own = slice(head * width, (head + 1) * width)
            q = attention.query(x[i])[own]
            scores = []
            for j in range(length):
                angles = torch.tensor([(i - j) * rate for rate in rates])
                far = attention.distance(torch.cat([angles.sin(), angles.cos()]))[own]
                content = (q + attention.by_content[head, 0]) @ attention.key(x[j])[own]
                distance = (q + attention.by_distance[head, 0]) @ far
                scores.append((content + distance) / width**0.5)
            shares = torch.stack(scores).softmax(0)
            parts.append(sum(s * attention.value(x[j])[own] for j, s in enumerate(shares)))
        rows.append(attention.out(torch.cat(parts)))
    return torch.stack(rows)


def test_attention_is_what_a_loop_over_all_pairs_says() -> None:
    attention = Attention(12, 3).eval()
    with torch.no_grad():
        for weight in attention.parameters():
            weight.copy_(torch.randn_like(weight) * 0.5)
    x = torch.randn(2, 6, 12)
    real = torch.arange(6) < torch.tensor([[6], [4]])
    found = attention(x, real)
    torch.testing.assert_close(found[0], slowly(attention, x[0], 6))
    torch.testing.assert_close(found[1], slowly(attention, x[1], 4))


def test_the_order_of_the_frames_matters() -> None:
    network = tiny().eval()
    clip = torch.randn(1, 40, 16)
    assert not torch.allclose(network(clip), network(clip.flip(1)), atol=1e-3)


def test_it_learns_8_clips_by_heart() -> None:
    network = Labels(8, Size(1, 1, 24, 3, 8))
    films, music, labels = torch.rand(8, 8, 32), torch.randn(8, 40, 80), torch.arange(8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        network.loss(films, music, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval()
    for scores in network(films, music):
        assert (scores.argmax(1) == labels).all()


@pytest.mark.parametrize(
    ("size", "film", "music"), [("paper", 41_605_984, 12_968_800), ("small", 1_276_624, 1_110_736)]
)
def test_the_presets_have_as_many_weights_as_ever(size: str, film: int, music: int) -> None:
    with torch.device("meta"):
        network = Labels(578, SIZES[size])
    assert (parameters(network.film), parameters(network.music)) == (film, music)
