"""Boxes around faces: their overlap, the best of several, and what is cut out of the picture."""

from dataclasses import dataclass

import numpy as np

from emsync.arrays import Float64s, Picture


@dataclass(frozen=True)
class Box:
    """Where a face is, in shares of the picture's width and height, and how sure that is."""

    left: float  # in [0, 1]
    top: float  # in [0, 1]
    right: float  # in [0, 1], above left
    bottom: float  # in [0, 1], above top
    score: float  # in [0, 1]

    @property
    def height(self) -> float:
        """Return the height in picture heights."""
        return self.bottom - self.top


def cut_out(picture: Picture, box: Box) -> Picture:
    """Return the part of ``picture`` in ``box``, at least one pixel of it."""
    height, width = picture.shape[:2]
    left, top = min(int(box.left * width), width - 1), min(int(box.top * height), height - 1)
    right, bottom = max(int(box.right * width), left + 1), max(int(box.bottom * height), top + 1)
    return picture[top:bottom, left:right]


def best(corners: Float64s, scores: Float64s, overlap: float) -> list[int]:
    """Return which boxes stay, best first: none overlaps a better one by more than ``overlap``.

    Greedy non-maximum suppression. ``corners`` (N, 4) are left, top, right and bottom; an overlap
    is the intersection over the union.

    >>> boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 1.8], [3, 0, 4, 1.0]])
    >>> best(boxes, np.array([0.5, 0.9, 0.6]), 0.5)
    [1, 2]
    """
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(overlap_of(corners[i], corners[k]) <= overlap for k in kept):
            kept.append(int(i))
    return kept


def overlap_of(a: Float64s, b: Float64s) -> float:
    """Return the intersection over the union of two boxes: left, top, right, bottom.

    >>> overlap_of(np.array([0, 0, 2, 1]), np.array([1, 0, 3, 1]))
    0.3333333333333333
    """
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared, 1e-12)
