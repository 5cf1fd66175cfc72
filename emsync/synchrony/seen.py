"""What is seen of a film ten times a second: small grey pictures, upright, whatever their shape.

``observers`` is for the one pass of ``watch`` or ``watch_drawn``, and ``see`` makes the columns of
what that gathered. Row i covers the tenth of a second from i / RATE on, and its picture is the last
one that is shown before its middle. A film of any shape is squeezed to WIDTH by HEIGHT.

======  ================  ==============================
luma    (T, 27, 48)       uint8
======  ================  ==============================
"""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from emsync.arrays import Picture
from emsync.matching.matcher import Columns
from emsync.video.footage import Footage
from emsync.video.observers import Frame, Observer

RATE = 10  # rows a second
HEIGHT, WIDTH = 27, 48  # pixels
HAIR = 1e-6  # rows by which a duration may be longer, or a picture later, as rounding makes it
COLUMNS = ("luma",)


def row_count(seconds: float) -> int:
    """Return the number of rows of a film, or of music, that lasts so long."""
    return max(1, math.ceil(RATE * seconds - HAIR))


class Luma:
    """An observer that keeps a small grey picture for each row of a film."""

    def __init__(self) -> None:
        self._rows: list[tuple[Picture, Picture]] = []  # as wide as it is stored, and as narrow
        self._grey: Picture | None = None  # of the last frame
        self._small: tuple[Picture, Picture] | None = None  # of it, once it is wanted

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        if self._grey is not None:
            self._until(math.ceil(frame.time * RATE - 0.5 - HAIR))
        self._grey, self._small = frame.grey, None

    def luma(self, duration: float, rotation: int) -> Picture:
        """Return the (T, HEIGHT, WIDTH) pictures, turned upright by degrees counter-clockwise."""
        count = row_count(duration)
        self._until(count)
        turned = rotation % 180 == 90
        kept = np.stack([narrow if turned else wide for wide, narrow in self._rows[:count]])
        return np.ascontiguousarray(np.rot90(kept, rotation // 90, axes=(1, 2)))

    def _until(self, count: int) -> None:
        """Let all rows up to ``count`` show the last frame."""
        while len(self._rows) < count:
            if self._small is None:
                assert self._grey is not None  # ``watch`` refuses a film without a frame
                self._small = shrunk(self._grey, WIDTH, HEIGHT), shrunk(self._grey, HEIGHT, WIDTH)
            self._rows.append(self._small)


def shrunk(grey: Picture, width: int, height: int) -> Picture:
    """Return a grey picture scaled by averaging areas."""
    import cv2

    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def observers(columns: Collection[str] = COLUMNS) -> list[Observer]:
    """Return who has to look at each frame, so that ``see`` can make the ``columns``."""
    return [Luma()] if "luma" in columns else []


def see(footage: Footage, observers: Sequence[Observer]) -> Columns:
    """Return what ``observers``, others among them or not, have seen of a film."""
    found: dict[str, Any] = {}
    for observer in observers:
        if isinstance(observer, Luma):
            found["luma"] = observer.luma(footage.film.duration, footage.film.rotation)
    return found
