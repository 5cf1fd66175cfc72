"""Convolutions as TensorFlow pads them, with what follows them folded in."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution over as many cells as there are, or half of them if the stride is 2."""

    weight: Tensor  # (outputs, inputs, side, side), or (outputs, 1, side, side) for each channel
    bias: Tensor  # (outputs,)
    stride: int = 1

    def __call__(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W) of (B, inputs, H, W), or half the H and W, rounded up."""
        side = self.weight.shape[-1]
        if self.stride == 1:
            pad = side // 2
        else:  # the windows begin at 0, 2, 4, ...: what lacks is added at the right and below
            pad = 0
            lacks = [max(0, side - 2 + n % 2) for n in (x.shape[-1], x.shape[-2])]
            x = F.pad(x, (0, lacks[0], 0, lacks[1]))
        groups = x.shape[1] // self.weight.shape[1]
        return F.conv2d(x, self.weight, self.bias, self.stride, pad, groups=groups)
