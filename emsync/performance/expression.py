"""Loudness between the strokes: controller 11 over time, and the fade at the end."""

import numpy as np

from emsync.fit.dynamics import Dynamics
from emsync.formats.general_midi import EXPRESSION, FULL
from emsync.performance.part import Control

STEPS = 64  # of a fade


def expression(duration: float, dynamics: Dynamics) -> tuple[Control, ...]:
    """Return controller 11 of a part in music of ``duration`` seconds: the fade at the end."""
    return tuple(Control(time, EXPRESSION, value) for time, value in ramp(duration, dynamics.fade))


def ramp(duration: float, fade: float) -> list[tuple[float, int]]:
    """Return the seconds and the values of controller 11 over the last ``fade`` seconds."""
    if fade <= 0:
        return []
    steps = np.linspace(0, 1, STEPS + 1)
    times = duration - min(fade, duration) * (1 - steps)
    values = np.round(FULL * (1 - steps)).astype(int)
    return list(zip(times.tolist(), values.tolist(), strict=True))
