"""The visible impact of a film: how suddenly something begins to move, in whatever direction.

Equations 4 and 5 of Mikheev & Makarov (2025), after Davis & Agrawala (2018): optical flow, its
directogram, and what grows in that from one moment to the next. It is measured on the frames that
``watch`` reduces for all its measurements (160 by 90 pixels, or as many in another shape), in the
same pass. A cut is an impact too. Farneback's flow follows a sixth of the picture's height from
frame to frame; what is faster is seen two frames late, when it has slowed down.
"""

import math
from pathlib import Path

import numpy as np

from emsync.arrays import Float64s, Picture
from emsync.errors import InputError
from emsync.signals import STEP_RATE, accents, bells, directions, flux
from emsync.video.flow import farneback_flow, speeds
from emsync.video.footage import Curve
from emsync.video.observers import DIGITS, PAIR, Frame

BINS = 36  # directions, 10 degrees each, the first one centred on "to the right"
SIDES = 4  # right, down, left and up: what wavers within one of them is no impact
CURVE_STEP = 0.05  # seconds
LEAST_IMPACT = 0.01  # picture heights a second; a film without a stronger impact does not move


class Impact:
    """An observer of ``watch`` that gathers the directogram of the film."""

    def __init__(self) -> None:
        self.times: list[float] = []  # (P,) seconds: the later frame of each pair
        self.directogram: list[Float64s] = []  # (P,) rows of BINS; a row sums to the mean speed
        self._last: tuple[float, Picture] | None = None

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        self.see(frame.time, frame.grey)

    def see(self, time: float, grey: Picture) -> None:
        """Take in what is shown at ``time``; of frames closer than PAIR seconds only some count."""
        if self._last is not None:
            before, earlier = self._last
            if time - before < PAIR:
                return
            flow = farneback_flow(earlier, grey)
            amplitudes, angles = speeds(flow), np.arctan2(flow[..., 1], flow[..., 0])
            # in picture heights a second, so that a dropped frame is no impact
            speed = 1 / (len(grey) * grey.size * (time - before))
            self.times.append(time)
            row = directions(amplitudes, angles, BINS) * speed
            self.directogram.append(np.round(row, DIGITS))
        self._last = (time, grey)

    @property
    def strengths(self) -> Float64s:
        """The (P,) impacts at ``times``, in picture heights a second: equation 5, of SIDES."""
        wide = BINS // SIDES
        rows = np.roll(np.reshape(self.directogram, (-1, BINS)), wide // 2, axis=1)
        return flux(rows.reshape(-1, SIDES, wide).sum(axis=2))

    def envelope(self, duration: float) -> Float64s:
        """Return the visible impact over ``duration`` seconds, STEP_RATE steps a second."""
        length = max(1, math.ceil(duration * STEP_RATE))
        return bells(self.times, self.strengths, length)

    def curve(self, duration: float) -> Curve:
        """Return the strongest impact in each CURVE_STEP of ``duration`` seconds."""
        count = max(1, math.ceil(duration / CURVE_STEP - 1e-9))
        places = np.minimum(np.asarray(self.times, np.float64) / CURVE_STEP, count - 1)
        values = np.zeros(count)
        np.maximum.at(values, places.astype(np.intp), self.strengths)
        return Curve(CURVE_STEP, tuple(np.round(values, 4).tolist()))

    def signal(self, duration: float) -> Float64s:
        """Return the accents of the visible impact: what music is compared with."""
        return accents(self.envelope(duration))


def check_moves(impact: Impact, path: Path) -> None:
    """Refuse a film in which nothing begins to move: it has no rhythm to be matched."""
    if impact.strengths.max(initial=0.0) < LEAST_IMPACT:
        raise InputError(f"nothing moves in {str(path)!r}, so it has no rhythm that music can meet")
