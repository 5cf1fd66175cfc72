"""What faces express: seven shares of each, by a small network of densely added convolutions.

The weights are those of ``@vladmandic/face-api``. Shapes: N faces of SIDE × SIDE pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from emsync.arrays import Float64s, Picture
from emsync.encoders.faces.layers import Convolution
from emsync.encoders.weights import read_weights
from emsync.tensors import Shape

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SIDE = 112  # pixels
MEAN = (122.782, 117.001, 104.298)  # levels of red, green and blue that are subtracted
BLOCKS = (32, 64, 128, 256)  # channels of the dense blocks, each of which halves the picture
DEPTH = 4  # convolutions in a block
ZOOMS = (1.0, 0.85)  # sides of the views of a face, in its own; each is mirrored, too
DIGITS = 3  # of the shares: the last bits are the machine's


class Expressions:
    """Tells what faces express."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._blocks = [
            [_separable(weights, f"dense{b}.conv{i}", 1 + (i == 0)) for i in range(DEPTH)]
            for b in range(len(BLOCKS))
        ]
        self._weight, self._bias = weights["fc.weight"], weights["fc.bias"]

    @classmethod
    def load(cls) -> Self:
        """Return the network that is shipped; AssetError where its weights are not whole."""
        return cls(read_weights("faces", shapes(), "expressions."))

    def of(self, faces: Sequence[Picture]) -> Float64s:
        """Return the shares of EXPRESSIONS, (N, 7), in ``faces``: RGB, upright, of any sizes.

        Each is the mean of several views, as the network is easily swayed by where the edges of
        the picture are. A face and its mirror image express the same.
        """
        if not faces:
            return np.zeros((0, len(EXPRESSIONS)))
        with torch.inference_mode():
            shares = self(batch([view for face in faces for view in _views(face)]))
        views = shares.double().numpy().reshape(len(faces), -1, len(EXPRESSIONS))
        return np.asarray(views.mean(1).round(DIGITS))

    def __call__(self, x: Tensor) -> Tensor:
        """Return shares (N, 7) of faces (N, 3, SIDE, SIDE), RGB with MEAN subtracted, over 255."""
        for block in self._blocks:
            x = total = _through(block[0], x).relu()
            for layers in block[1:]:
                total = total + _through(layers, x)
                x = total.relu()
        pooled = x.mean((2, 3))  # of 7 × 7 cells
        return (pooled @ self._weight.T + self._bias).softmax(1)


def shapes() -> dict[str, Shape]:
    """Return the shape of each weight of the expression network, by name."""
    named: dict[str, Shape] = {"fc.weight": (len(EXPRESSIONS), BLOCKS[-1])}
    named["fc.bias"] = (len(EXPRESSIONS),)
    inputs = 3
    for b, outputs in enumerate(BLOCKS):
        for i in range(DEPTH):
            name = f"dense{b}.conv{i}"
            named[f"{name}.bias"] = (outputs,)
            if inputs == 3:
                named[f"{name}.weight"] = (outputs, inputs, 3, 3)
            else:
                named[f"{name}.depthwise"] = (inputs, 1, 3, 3)
                named[f"{name}.pointwise"] = (outputs, inputs, 1, 1)
            inputs = outputs
    return named


def _separable(weights: Mapping[str, Tensor], name: str, stride: int) -> list[Convolution]:
    """Return the convolutions of ``name``: of each channel, then across them; or a plain one."""
    bias = weights[f"{name}.bias"]
    if f"{name}.weight" in weights:
        return [Convolution(weights[f"{name}.weight"], bias, stride)]
    depthwise = weights[f"{name}.depthwise"]
    return [
        Convolution(depthwise, torch.zeros(len(depthwise)), stride),
        Convolution(weights[f"{name}.pointwise"], bias),
    ]


def _through(layers: Sequence[Convolution], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def batch(faces: Sequence[Picture]) -> Tensor:
    """Return what the network takes, (N, 3, SIDE, SIDE), of faces of any sizes."""
    squares = torch.from_numpy(np.stack([_square(face) for face in faces]))
    return (squares.permute(0, 3, 1, 2) - torch.tensor(MEAN)[:, None, None]) / 255


def _views(face: Picture) -> Iterator[Picture]:
    height, width = face.shape[:2]
    for zoom in ZOOMS:
        y, x = round(height * (1 - zoom) / 2), round(width * (1 - zoom) / 2)
        view = face[y : height - y, x : width - x]
        yield view
        yield view[:, ::-1]


def _square(face: Picture) -> Picture:
    """Return ``face`` as SIDE × SIDE pixels, its shape kept, black beside or above and below it."""
    import cv2

    height, width = face.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    shown = cv2.resize(np.ascontiguousarray(face), size, interpolation=how)
    square[top : top + size[1], left : left + size[0]] = shown
    return square
