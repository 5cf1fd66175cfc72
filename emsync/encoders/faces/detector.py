"""Where the faces of a picture are: a single-shot detector on MobileNet features.

Liu et al. 2016 (SSD) on Howard et al. 2017 (MobileNet), trained on WIDER Face; the weights are
those of ``@vladmandic/face-api``. The network is fully convolutional, so a picture keeps its shape
here, where the original pads it to a square of 512 pixels.

Shapes: B pictures of H × W pixels, K boxes at each cell of a head, N boxes of all heads.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from emsync.arrays import Float64s, Picture
from emsync.encoders.faces.boxes import Box, best
from emsync.encoders.faces.layers import Convolution
from emsync.encoders.weights import read_weights
from emsync.tensors import Shape

SIZE = 512  # pixels of the square that the network was trained on
AREA = 320 * 180  # pixels of the pictures it is shown: in larger ones it misses close faces
SURE = 0.3  # a box of a lower score is no face
OVERLAP = 0.4  # intersection over union above which two boxes are one face

BODY = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # channels
HALVING = (0, 2, 4, 6, 12)  # layers of the body that halve the picture
FINE = 11  # the layer of the body that feeds the first head; the last feeds the second
EXTRA = ((256, 1), (512, 3), (128, 1), (256, 3), (128, 1), (256, 3), (64, 1), (128, 3))
"""Channels and sides of the kernels beyond the body; those of 3 halve, and feed a head each."""
FED = (512, 1024, 512, 256, 256, 128)  # channels that each head is fed
SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)  # of the boxes of the heads, in SIZE; 1 ends them
STRIDE = 16  # pixels between two cells of the first head; each further head doubles them
EPSILON = 0.001  # of the batch norms
NORM = ("gamma", "beta", "mean", "variance")  # what a batch norm has for each channel
DIGITS = 3  # of shares and scores


class FaceDetector:
    """Finds the faces in pictures."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        def plain(name: str, stride: int = 1) -> Convolution:
            weight = weights[f"{name}.weight"].contiguous(memory_format=torch.channels_last)
            return Convolution(weight, weights[f"{name}.bias"], stride)

        body = [plain("body.0.pointwise", 2)]
        for i in range(1, len(BODY)):
            body += [_normed(weights, f"body.{i}.depthwise", 2 if i in HALVING else 1)]
            body += [plain(f"body.{i}.pointwise")]
        extra = [plain(f"extra.{i}.pointwise", 1 + side // 2) for i, (_, side) in enumerate(EXTRA)]
        self._layers = [*body, *extra]
        self._fed = (2 * FINE, len(body) - 1, *range(len(body) + 1, len(self._layers), 2))
        self._boxes = [plain(f"heads.{i}.boxes") for i in range(len(FED))]
        self._scores = [plain(f"heads.{i}.scores") for i in range(len(FED))]

    @classmethod
    def load(cls) -> Self:
        """Return the detector that is shipped; AssetError where its weights are not whole."""
        return cls(read_weights("faces", shapes(), "detector."))

    def detect(self, pictures: Sequence[Picture], sure: float = SURE) -> list[list[Box]]:
        """Return the faces in each of ``pictures``, the surest first.

        The pictures are RGB, upright and of one size.
        """
        if not pictures:
            return []
        reduced = [_reduced(picture) for picture in pictures]
        height, width = reduced[0].shape[:2]
        with torch.inference_mode():
            corners, scores = self(batch(reduced))
        shares = corners.double().numpy() / [width, height, width, height]
        # The last bits are the machine's, and must not decide which of two boxes is the better.
        where, how_sure = shares.clip(0, 1).round(DIGITS), scores.double().numpy().round(DIGITS)
        return [_found(*one, sure) for one in zip(where, how_sure, strict=True)]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corners of all boxes in pixels (B, N, 4) and their scores (B, N).

        ``x`` is (B, 3, H, W), RGB in [-1, 1]; the corners are left, top, right and bottom.
        """
        corners, scores = [], []
        for head, features in enumerate(self._features(x)):
            corners.append(_corners(self._boxes[head](features), head))
            scores.append(_scores(self._scores[head](features)))
        return torch.cat(corners, 1), torch.cat(scores, 1)

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        for i, layer in enumerate(self._layers):
            x = layer(x).clamp_(0, 6)
            if i in self._fed:
                yield x


def shapes() -> dict[str, Shape]:
    """Return the shape of each weight of the detector, by name."""
    named: dict[str, Shape] = {}

    def plain(name: str, outputs: int, inputs: int, side: int) -> None:
        named[f"{name}.weight"] = (outputs, inputs, side, side)
        named[f"{name}.bias"] = (outputs,)

    plain("body.0.pointwise", BODY[0], 3, 3)
    for i in range(1, len(BODY)):
        named[f"body.{i}.depthwise.weight"] = (BODY[i - 1], 1, 3, 3)
        named |= {f"body.{i}.depthwise.{part}": (BODY[i - 1],) for part in NORM}
        plain(f"body.{i}.pointwise", BODY[i], BODY[i - 1], 1)
    inputs = BODY[-1]
    for i, (outputs, side) in enumerate(EXTRA):
        plain(f"extra.{i}.pointwise", outputs, inputs, side)
        inputs = outputs
    for i, inputs in enumerate(FED):
        kinds = len(_forms(i))
        plain(f"heads.{i}.boxes", 4 * kinds, inputs, 1)
        plain(f"heads.{i}.scores", 3 * kinds, inputs, 1)
    return named


def _normed(weights: Mapping[str, Tensor], name: str, stride: int) -> Convolution:
    """Return the convolution of each channel with the batch norm that follows it."""
    gamma, beta, mean, variance = (weights[f"{name}.{part}"] for part in NORM)
    scale = gamma / (variance + EPSILON).sqrt()
    return Convolution(
        weights[f"{name}.weight"] * scale[:, None, None, None], beta - mean * scale, stride
    )


def _forms(head: int) -> list[tuple[float, float]]:
    """Return the width and the height, in pixels, of each box that ``head`` starts from.

    >>> [(round(width), round(height)) for width, height in _forms(0)]
    [(51, 51), (145, 72), (72, 145)]
    """
    scale, above = SCALES[head] * SIZE, SCALES[head + 1] * SIZE
    if head == 0:
        return [(SIZE / 10, SIZE / 10), *(_form(scale, ratio) for ratio in (2, 0.5))]
    square, larger = (scale, scale), (math.sqrt(scale * above),) * 2
    wide = [_form(scale, ratio) for ratio in (2, 0.5, 3, 0.3333)]
    return [square, *wide, larger]


def _form(scale: float, ratio: float) -> tuple[float, float]:
    return scale * math.sqrt(ratio), scale / math.sqrt(ratio)


def _corners(encoded: Tensor, head: int) -> Tensor:
    """Return the corners in pixels (B, H W K, 4) of what ``head`` says, (B, 4 K, H, W)."""
    forms = torch.tensor(_forms(head))  # (K, 2)
    height, width = encoded.shape[-2:]
    stride = STRIDE * 2**head
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cells = (torch.stack((xs, ys), -1) + 0.5)[:, :, None] * stride  # (H, W, 1, 2)
    y, x, h, w = _by_box(encoded, 4).unbind(-1)  # (B, H, W, K) each
    middle = cells + torch.stack((x, y), -1) / 10 * forms
    half = (torch.stack((w, h), -1) / 5).exp() * forms / 2
    return torch.cat((middle - half, middle + half), -1).flatten(1, 3)


def _scores(encoded: Tensor) -> Tensor:
    """Return (B, H W K) chances of a face of (B, 3 K, H, W): the second of each three."""
    return _by_box(encoded, 3)[..., 1].sigmoid().flatten(1)


def _by_box(encoded: Tensor, numbers: int) -> Tensor:
    """Return (B, H, W, K, numbers) of (B, K numbers, H, W)."""
    batch, _, height, width = encoded.shape
    return encoded.permute(0, 2, 3, 1).reshape(batch, height, width, -1, numbers)


def _found(corners: Float64s, scores: Float64s, sure: float) -> list[Box]:
    """Return the boxes of one picture that are ``sure``, each face once."""
    inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)  # not in the black that fills the cells
    likely = np.flatnonzero((scores >= sure) & inside)
    kept = likely[best(corners[likely], scores[likely], OVERLAP)]
    return [Box(*map(float, (*corners[i], scores[i]))) for i in kept]


def _reduced(picture: Picture) -> Picture:
    """Return ``picture`` in AREA pixels, its shape kept."""
    import cv2

    height, width = picture.shape[:2]
    scale = math.sqrt(AREA / (height * width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def batch(pictures: Sequence[Picture]) -> Tensor:
    """Return (B, 3, H, W) in [-1, 1] of pictures of one size; black fills the last cells."""
    height, width = pictures[0].shape[:2]
    room = ((0, 0), (0, -height % (2 * STRIDE)), (0, -width % (2 * STRIDE)), (0, 0))
    stacked = torch.from_numpy(np.pad(np.stack(pictures), room))
    return stacked.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
