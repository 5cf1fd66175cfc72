"""The frame rate of a film: what a camera would count, whatever frames are missing.

Timecode needs a rate that time agrees with. A phone that leaves out some frames of 30 a second has
28.3 on average, and still counts 30.
"""

import math
from fractions import Fraction

import numpy as np

from emsync.arrays import Seconds
from emsync.video.timecode import NTSC, RATES, exact_rate

ALIKE = 0.25  # share of the usual step by which steps differ that rounded times make unlike
SNAP = 0.01  # relative distance within which a measured rate is a standard one
SLOWEST, USUAL = 5, Fraction(25)  # frames a second: counted slower, a number says nothing
FASTEST = 240  # frames a second; above, timestamps are those of packets, not of pictures


def nominal_rate(declared: Fraction | None, times: Seconds, duration: float) -> Fraction:
    """Return the frames a second to count ``times`` by, (F,) ascending seconds of the frames.

    That is the ``declared`` average where the frames bear it out and come evenly, or it is a rate
    that cameras have.
    """
    measured = len(times) / duration if duration else 0.0
    if declared and measured:
        borne_out = abs(float(declared) / measured - 1) < max(SNAP, 1.5 / len(times))
        even = exact_rate(declared) in RATES or declared.denominator == 1 or _even(times, declared)
        if borne_out and even:
            return _countable(Fraction(declared))
    return _countable(_of_steps(times, measured))


def _even(times: Seconds, rate: Fraction) -> bool:
    """Return whether each frame is where an even ``rate`` has it, within half a frame."""
    away = times - times[0] - np.arange(len(times)) / float(rate)
    return bool(np.ptp(away) * float(rate) <= 0.5)


def _of_steps(times: Seconds, measured: float) -> Fraction:
    """Return the rate of the usual step; where there is none, a usual one not below average."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if len(steps):
        usual = np.median(steps)
        alike = steps[np.abs(steps - usual) <= ALIKE * usual]
        rate = float(1 / alike.mean()) if 2 * len(alike) >= len(steps) else 0.0
        if 0 < rate <= FASTEST:
            whole = Fraction(round(rate))
            near = exact_rate(rate, SNAP)
            return whole if near not in RATES and abs(whole / rate - 1) <= SNAP else near
    least = max(float(USUAL), measured * (1 - SNAP))
    above = [rate for rate in RATES if rate.denominator == 1 and rate >= least]
    return min(above, default=Fraction(120))


def _countable(rate: Fraction) -> Fraction:
    """Return a rate at which timecode agrees with the clock, and no two frames have one number."""
    if rate < SLOWEST:
        return USUAL
    if rate.denominator == 1 or (rate / NTSC).denominator == 1:
        return rate
    return 2 * rate if rate.denominator == 2 else Fraction(math.ceil(rate))
