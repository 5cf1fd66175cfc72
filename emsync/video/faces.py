"""Faces in a film, each followed through one shot."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Face:
    """One face, followed through one shot."""

    start: float  # seconds
    end: float  # seconds
    looks: int  # how often it was seen
    height: float  # mean, in picture heights
    sharpness: float  # 0 blurred
    expression: Mapping[str, float]  # shares that sum to 1
