"""Optical flow between two pictures in grey levels."""

from typing import Any

import numpy as np

from emsync.arrays import Picture

FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)  # scale, levels, window, iterations, area, its SD, flags


def farneback_flow(before: Picture, after: Picture) -> Any:
    """Return the (height, width, 2) pixels that each point moves to the right and down.

    Farneback 2003, with the settings of both AV-Align and Mikheev & Makarov (2025).
    """
    import cv2

    return cv2.calcOpticalFlowFarneback(before, after, None, *FARNEBACK)  # type: ignore[call-overload]


def speeds(flow: Any) -> Any:
    """Return the (H, W) lengths of the vectors of (H, W, 2) optical flow.

    Not by OpenCV's magnitude, whose last bits depend on where the picture lies in memory, so that
    two runs would differ.
    """
    x, y = flow[..., 0], flow[..., 1]
    return np.sqrt(x * x + y * y)
