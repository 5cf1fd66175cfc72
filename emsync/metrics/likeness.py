"""Likeness: how little in a piece is unlike real songs, each measure of its portrait by itself.

    likeness = sounding x exp(-cost / SCALE), cost = the sum of weight x distance

A measure's distance is how far it lies from the median of real songs of that length, in units of
how far the outer tenth of them does on that side, at most FAR. Below and above the median have
weights of their own, most of them 0: few measures can be both too high and too low. What a piece
does not have costs nothing. ``sounding`` is the share of its time in which something pitched does.

The weights, in ``likeness.json``, are those by which a song costs less than the same one damaged.
They were chosen on one half of songs that no checkpoint was trained on, and the file says how often
they are right about the other half. ``scripts/portraits.py`` makes it.
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from emsync.metrics.harmony import Range
from emsync.metrics.portrait import UNKNOWN, Portrait, songs_like

WEIGHTS = Path(__file__).with_name("likeness.json")
FAR = 3.0  # outer tenths
NARROW = 0.25  # of the range, the least that an outer tenth is away
FINE = 1e-3  # the least difference that is one
SOUNDING = "texture.sounding"


def likeness(found: Portrait, bars: float) -> float:
    """Return how like real songs a piece of so many ``bars`` is, from 0 to 1."""
    heard = found[SOUNDING]
    cost = sum(costs(found, bars).values())
    return heard * math.exp(-cost / judge()[1]) if heard > 0 else 0.0


def costs(found: Portrait, bars: float) -> dict[str, float]:
    """Return what each measure costs a piece of so many ``bars``, the dearest first."""
    ranges = songs_like(bars)
    told = {}
    for name, (below, above) in judge()[0].items():
        under, over = distances(found[name], ranges.get(name, UNKNOWN))
        told[name] = below * under + above * over
    return dict(sorted(told.items(), key=lambda item: -item[1]))


def distances(value: float, real: Range) -> tuple[float, float]:
    """Return how far a value lies below and above the median of real songs; 0 where either is NaN.

    >>> distances(5.0, Range(2.0, 4.0, 6.0)), distances(0.0, Range(2.0, 4.0, 6.0))
    ((0.0, 0.5), (2.0, 0.0))
    """
    if math.isnan(value) or math.isnan(real.median):
        return 0.0, 0.0
    least = max(NARROW * (real.high - real.low), FINE)
    below = (real.median - value) / max(real.median - real.low, least)
    above = (value - real.median) / max(real.high - real.median, least)
    return min(max(below, 0.0), FAR), min(max(above, 0.0), FAR)


@cache
def judge() -> tuple[Mapping[str, tuple[float, float]], float]:
    """Return the weights below and above the median, by measure, and the scale of the cost."""
    data = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return {name: (below, above) for name, (below, above) in data["weights"].items()}, data["scale"]
