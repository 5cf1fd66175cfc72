"""How loud sound is, as ITU-R BS.1770 and EBU R 128 measure it, and its true peak."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.sound.biquads import at_rest, filtered
from emsync.sound.blocks import BLOCK, Sound, evened

HOPS = 4  # a gating block lasts 0.4 s, and one begins every 0.1 s
SHORT_TERM = 30  # tenths of a second, of which the loudness range is told
OFFSET = -0.691  # LUFS of a weighted power of 1
SILENT = -70.0  # LUFS; what is softer is not counted
OVERSAMPLED = 4  # times, to find the peaks between samples
PIECE = 1024  # samples, of which it is known at once whether a high peak may lie between them
REACH = 12  # samples on each side that tell what is between two of them


@dataclass(frozen=True)
class Loudness:
    """How loud a sound is as a whole. Silence is at minus infinity."""

    integrated: float  # LUFS
    true_peak: float  # dBTP
    range: float = 0.0  # LU between its soft and its loud passages (EBU Tech 3342)

    def amplified(self, decibels: float) -> "Loudness":
        """Return how loud the sound is after a change by ``decibels``."""
        return Loudness(self.integrated + decibels, self.true_peak + decibels, self.range)

    def to_json(self) -> dict[str, float | None]:
        """Return plain values for ``json.dumps``; None for silence."""
        values = {"lufs": self.integrated, "true_peak": self.true_peak, "range": self.range}
        return {name: round(v, 1) if math.isfinite(v) else None for name, v in values.items()}

    def __str__(self) -> str:
        if math.isinf(self.integrated):
            return "silence"
        return f"{self.integrated:.1f} LUFS, true peak {self.true_peak:.1f} dBTP"


def measured(sound: Sound) -> Loudness:
    """Return how loud ``sound`` is; it is heard once, block by block."""
    hop = round(sound.rate / 10)
    size = max(1, BLOCK // hop) * hop
    weighting = Weighting(sound.rate)
    powers: list[Float64s] = []  # of each tenth of a second
    peak, rest = 0.0, np.zeros(0)
    for padded in with_context(evened(sound.blocks(), sound.length, size), REACH):
        peak = max(peak, float(_true_peaks(padded, peak).max()))
        power = weighting(padded[REACH:-REACH])
        whole = len(power) // hop * hop
        powers.append(power[:whole].reshape(-1, hop).mean(axis=1))
        rest = power[whole:]
    tenths = np.concatenate([np.zeros(0), *powers])
    if len(tenths) < HOPS:  # shorter than a gating block: all of it counts
        mean = float(tenths.sum() * hop + rest.sum()) / max(1, sound.length)
        integrated = _mean_loudness(np.full(1, mean))
    else:
        integrated = _mean_loudness(_louder(_sliding(tenths, HOPS), -10.0))
    return Loudness(integrated, _decibels(peak), _range(tenths))


def true_peaks(blocks: Iterable[Float32s], above: float = 0.0) -> Iterator[Float64s]:
    """Yield the largest magnitude of either side at, and next to, each of the (n, 2) samples.

    Beside a sample lie values that the sound has between it and the next, but that no sample has.
    Where none of them can be ``above``, they are left out.
    """
    return (_true_peaks(padded, above) for padded in with_context(blocks, REACH))


def _true_peaks(padded: Float32s, above: float) -> Float64s:
    """Return the true peaks of samples that have REACH more on each side."""
    magnitudes = np.abs(padded).max(axis=1)
    found = magnitudes[REACH - 1 : -REACH].astype(np.float64)  # from the sample before
    phases = _between()
    most = max(float(np.abs(phase).sum()) for phase in phases)  # that samples of 1 can make
    for at in range(0, len(found), PIECE):
        here = slice(at, at + PIECE + 2 * REACH - 1)
        if magnitudes[here].max() * most > above:
            part = found[at : at + PIECE]
            for side in padded[here].T:
                for phase in phases:
                    np.maximum(part, np.abs(np.convolve(side, phase, "valid")), out=part)
    return np.maximum(found[1:], found[:-1])


def with_context(blocks: Iterable[Any], reach: int) -> Iterator[Any]:
    """Yield each of ``blocks`` with ``reach`` samples before and after it; outside there are zeros.

    Each but the last is at least ``reach`` long.

    >>> [a.tolist() for a in with_context([np.array([1, 2]), np.array([3])], 1)]
    [[0, 1, 2, 3], [2, 3, 0]]
    """
    before: Any = None
    for block, following in itertools.pairwise(itertools.chain(blocks, [None])):
        if before is None:
            before = np.zeros((reach, *block.shape[1:]), block.dtype)
        after = np.zeros_like(before)
        if following is not None:
            after[: len(following)] = following[:reach]
        padded = np.concatenate([before, block, after])
        yield padded
        before = padded[len(block) : len(block) + reach]


@cache
def _between() -> list[Float64s]:
    """Return filters that give the values between two samples, of REACH samples on each side."""
    places = np.arange(1 - REACH, REACH + 1)
    filters = []
    for phase in range(1, OVERSAMPLED):
        distances = places - phase / OVERSAMPLED
        window = np.i0(5.0 * np.sqrt(1 - (distances / (REACH + 0.5)) ** 2)) / np.i0(5.0)
        taps = np.sinc(distances) * window
        filters.append((taps / taps.sum())[::-1])
    return filters


class Weighting:
    """The K-weighting of BS.1770: what the head and the ear do to sound; for any rate."""

    def __init__(self, rate: int) -> None:
        self._sections = _sections(rate)
        self._state = at_rest(self._sections, 2)

    def __call__(self, block: Float32s) -> Float64s:
        """Return the power of both sides together, weighted, of the next (n, 2) samples."""
        heard = filtered(self._sections, block, self._state)
        power: Float64s = (heard**2).sum(axis=1)
        return power


@cache
def _sections(rate: int) -> Float64s:
    """Return a high shelf and a high pass, as second-order sections, (2, 6).

    BS.1770 gives them for 48 kHz; these are the analogue filters that they come of.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    high = 10 ** (3.999843853973347 / 20)
    band, q = high**0.4996667741545416, 0.7071752369554196
    first = 1 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / first,
        2 * (k * k - high) / first,
        (high - band * k / q + k * k) / first,
        *(1.0, 2 * (k * k - 1) / first, (1 - k / q + k * k) / first),
    ]
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    first = 1 + k / q + k * k
    passed = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / first, (1 - k / q + k * k) / first]
    return np.array([shelf, passed])


def _sliding(tenths: Float64s, count: int) -> Float64s:
    """Return the mean of every ``count`` neighbours."""
    mean: Float64s = np.lib.stride_tricks.sliding_window_view(tenths, count).mean(axis=1)
    return mean


def _mean_loudness(powers: Float64s) -> float:
    """Return the loudness of the mean of what is above SILENT; minus infinity where none is."""
    heard = powers[lufs(powers) > SILENT]
    return float(lufs(heard.mean())) if len(heard) else -math.inf


def _louder(powers: Float64s, relative: float) -> Float64s:
    """Return the blocks above SILENT, and above ``relative`` LU of the mean of these."""
    heard = powers[lufs(powers) > SILENT]
    if not len(heard):
        return heard
    return heard[lufs(heard) > lufs(heard.mean()) + relative]


def _range(tenths: Float64s) -> float:
    """Return the loudness range, in LU (EBU Tech 3342)."""
    if len(tenths) < SHORT_TERM:
        return 0.0
    heard = _louder(_sliding(tenths, SHORT_TERM), -20.0)
    if not len(heard):
        return 0.0
    low, high = np.percentile(lufs(heard), [10, 95])
    return float(high - low)


def lufs(power: Any) -> Any:
    """Return the loudness of weighted power, in LUFS."""
    with np.errstate(divide="ignore"):
        return OFFSET + 10 * np.log10(power)


def _decibels(magnitude: float) -> float:
    return 20 * math.log10(magnitude) if magnitude > 0 else -math.inf
