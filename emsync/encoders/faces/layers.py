"""Convolutions as TensorFlow pads them."""

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
        groups = x.shape[1] // self.weight.shape[1]
        if self.stride == 1:
            # To dilate a kernel of one cell changes nothing, but PyTorch then takes oneDNN on one
            # thread as well as on several: twice as fast, and the same sums.
            dilation = 2 if side == 1 else 1
            return F.conv2d(
                x, self.weight, self.bias, 1, side // 2, dilation=dilation, groups=groups
            )
        # The windows begin at 0, 2, 4, ...: what the last ones lack is added, right and below. Of
        # an odd number TensorFlow would begin before the first; all that was trained is even.
        right, below = (max(0, side - 2 + n % 2) for n in (x.shape[-1], x.shape[-2]))
        return F.conv2d(F.pad(x, (0, right, 0, below)), self.weight, self.bias, 2, groups=groups)
