"""EfficientNet-Lite0: what a picture shows, as 1280 features and as the 1000 classes of ImageNet.

Tan & Le 2019, in the variant for small processors (no squeeze-and-excitation, ReLU6), trained on
ImageNet by its authors. Inference alone, its batch norms folded into the convolutions. Whole
pictures are squeezed to SIZE pixels, and each is looked at alone, so that what is said of it does
not depend on the others.

Shapes: N pictures, C channels, H and W pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emsync.arrays import Float32s, Picture
from emsync.encoders.threads import one_thread_each
from emsync.encoders.weights import read_weights

if TYPE_CHECKING:
    import torch

NAME = "lite0"
SIZE = 224  # pixels of both sides, as in training
STEM, HEAD, CLASSES = 32, 1280, 1000  # channels
LARGEST = 6.0  # of ReLU6


class Block(NamedTuple):
    """An inverted bottleneck: widened, convolved channel by channel, narrowed."""

    kernel: int  # pixels
    stride: int
    widened: int  # channels
    narrow: int  # channels before
    out: int  # channels after


def _blocks() -> list[Block]:
    """Return the 16 blocks in order."""
    blocks, narrow = [], STEM
    for repeats, kernel, stride, times, out in (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ):
        for i in range(repeats):
            blocks.append(Block(kernel, 1 if i else stride, times * narrow, narrow, out))
            narrow = out
    return blocks


BLOCKS = tuple(_blocks())


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight, by name."""
    kernels: dict[str, tuple[int, ...]] = {"stem": (STEM, 3, 3, 3)}
    for i, block in enumerate(BLOCKS):
        if block.widened > block.narrow:
            kernels[f"blocks.{i}.expand"] = (block.widened, block.narrow, 1, 1)
        kernels[f"blocks.{i}.depthwise"] = (block.widened, 1, block.kernel, block.kernel)
        kernels[f"blocks.{i}.project"] = (block.out, block.widened, 1, 1)
    kernels["head"] = (HEAD, BLOCKS[-1].out, 1, 1)
    both = {f"{name}.weight": shape for name, shape in kernels.items()}
    both |= {f"{name}.bias": shape[:1] for name, shape in kernels.items()}
    return both | {"classes.weight": (CLASSES, HEAD), "classes.bias": (CLASSES,)}


def features(pictures: Sequence[Picture]) -> Float32s:
    """Return the (N, 1280) features of RGB pictures of any size, each at least 0."""
    return _each(_features, pictures, HEAD)


def classes(pictures: Sequence[Picture]) -> Float32s:
    """Return the (N, 1000) probabilities of the classes of ImageNet in RGB pictures."""
    return _each(_classes, pictures, CLASSES)


def _each(
    run: "Callable[[torch.Tensor, Mapping[str, torch.Tensor]], torch.Tensor]",
    pictures: Sequence[Picture],
    width: int,
) -> Float32s:
    """Return the (N, width) rows that ``run`` makes of prepared pictures and the weights."""

    def row(picture: Picture) -> Float32s:
        import torch

        with torch.inference_mode():
            return np.asarray(run(_prepared(picture), weights)[0].numpy())

    with one_thread_each() as workers:
        weights = _weights()
        rows = list(workers.map(row, pictures))
    return np.array(rows, np.float32).reshape(-1, width)


@cache
def _weights() -> "dict[str, torch.Tensor]":
    import torch

    read = read_weights(NAME, shapes())
    last = torch.channels_last  # the order in which these convolutions are fastest
    return {
        name: weight.contiguous(memory_format=last) if weight.ndim == 4 else weight
        for name, weight in read.items()
    }


def _prepared(picture: Picture) -> "torch.Tensor":
    """Return the (1, 3, SIZE, SIZE) input, from -1 to 1."""
    import cv2
    import torch

    how = cv2.INTER_AREA if min(picture.shape[:2]) > SIZE else cv2.INTER_LINEAR
    squeezed = np.asarray(cv2.resize(picture, (SIZE, SIZE), interpolation=how), np.float32)
    return torch.from_numpy((squeezed - 127) / 128).permute(2, 0, 1)[None]


def _features(x: "torch.Tensor", weights: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
    """Return the (1, 1280) features of one prepared picture."""

    def convolved(x: "torch.Tensor", name: str, stride: int = 1, groups: int = 1) -> "torch.Tensor":
        return _convolved(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, groups)

    x = convolved(x, "stem", stride=2).clamp_(0, LARGEST)  # (1, C, H, W)
    for i, block in enumerate(BLOCKS):
        before = x
        if block.widened > block.narrow:
            x = convolved(x, f"blocks.{i}.expand").clamp_(0, LARGEST)
        x = convolved(x, f"blocks.{i}.depthwise", block.stride, block.widened).clamp_(0, LARGEST)
        x = convolved(x, f"blocks.{i}.project")
        if block.stride == 1 and block.narrow == block.out:
            x = x + before
    return convolved(x, "head").clamp_(0, LARGEST).mean(dim=(2, 3))


def _classes(x: "torch.Tensor", weights: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
    """Return the (1, 1000) probabilities of one prepared picture."""
    logits = _features(x, weights) @ weights["classes.weight"].T + weights["classes.bias"]
    return logits.softmax(dim=1)


def _convolved(
    x: "torch.Tensor", kernel: "torch.Tensor", bias: "torch.Tensor", stride: int, groups: int
) -> "torch.Tensor":
    """Convolve with the padding that TensorFlow calls "same": an odd pixel goes right and below."""
    from torch.nn import functional as F

    side = kernel.shape[-1]
    extra = [max((-(-n // stride) - 1) * stride + side - n, 0) for n in x.shape[-2:]]
    if extra[0] % 2 or extra[1] % 2:
        (top, left), (bottom, right) = zip(*((n // 2, n - n // 2) for n in extra), strict=True)
        x = F.pad(x, (left, right, top, bottom))
        extra = [0, 0]
    return F.conv2d(x, kernel, bias, stride, (extra[0] // 2, extra[1] // 2), groups=groups)
