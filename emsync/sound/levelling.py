"""Sound brought to a loudness: one gain for all of it, and a limiter for peaks too high.

The limiter looks ahead, so that a peak is turned down smoothly and not clipped; where no peak is
near, nothing is changed but for the gain. It works on true peaks, of both sides alike.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.errors import warn
from emsync.options import LUFS
from emsync.sound.audio import Audio
from emsync.sound.blocks import BLOCK, Made, Sound, evened
from emsync.sound.loudness import Loudness, measured, true_peaks, with_context

CEILING = -1.0  # dBTP, which R 128 allows
MOST_LIMITED = 6.0  # dB by which a peak may be turned down; more is heard
AHEAD = 0.005  # seconds before a peak in which it is turned down
RELEASE = 40.0  # dB a second by which the limiter lets go
NEAR = 0.05  # LU to the target that are near enough
HEARD = 0.5  # LU below the target that are told
PASSES = 5  # over a limited sound, at most, to find its gain


@dataclass(frozen=True, eq=False)
class Levelled:
    """Sound at a loudness, and the gain by which it is, which fits what goes with it, too."""

    source: Sound
    gain: Sound  # by which each sample of both sides is multiplied
    loudness: Loudness  # what is reached
    is_limited: bool = False  # whether the gain changes

    @property
    def rate(self) -> int:
        """The samples per second."""
        return self.source.rate

    @property
    def length(self) -> int:
        """The number of samples."""
        return self.source.length

    def blocks(self) -> Iterator[Float32s]:
        """Yield all samples, (n, 2) at a time."""
        return multiplied(self.source, self.gain).blocks()


def level_in_place(sound: Audio, lufs: float = LUFS, name: str = "the sound") -> None:
    """Bring the samples of ``sound`` to ``lufs``; see ``level``."""
    at = 0
    for factor in level(sound, lufs, name).gain.blocks():  # reads ahead of what is changed
        part = sound.samples[at : at + len(factor)]
        part *= factor
        at += len(factor)


def level(sound: Sound, lufs: float = LUFS, name: str = "the sound") -> Levelled:
    """Return ``sound`` at an integrated loudness of ``lufs``, its true peak CEILING at most.

    Where peaks would have to be turned down by more than MOST_LIMITED it stays softer, and a
    warning says so of ``name``. Silence stays silence. ``sound`` is heard several times.
    """
    before = measured(sound)
    if math.isinf(before.integrated):
        return Levelled(sound, steady(sound, 0.0), before)
    wanted, room = lufs - before.integrated, CEILING - before.true_peak
    if wanted <= room:
        decibels = round(wanted, 2)
        return Levelled(sound, steady(sound, decibels), before.amplified(decibels))
    most, ceiling = room + MOST_LIMITED, CEILING
    for _ in range(PASSES):
        gain = limited(sound, round(min(wanted, most), 2), ceiling)
        reached = measured(multiplied(sound, gain))
        missing, above = lufs - reached.integrated, reached.true_peak - CEILING
        if above <= NEAR and (abs(missing) <= NEAR or (missing > 0 and wanted >= most)):
            break
        wanted += 1.2 * missing  # of what is added, the limiter takes some
        ceiling -= max(0.0, above)  # between two samples the gain changes, too
    if above > 0:
        gain, reached = multiplied(gain, steady(sound, -above)), reached.amplified(-above)
    if missing > HEARD:
        warn(
            f"{name} reaches {reached.integrated:.1f} LUFS, not {lufs:g}: its peaks would have to "
            f"be turned down by more than {MOST_LIMITED:g} dB"
        )
    return Levelled(sound, gain, reached, is_limited=True)


def multiplied(sound: Sound, gain: Sound) -> Made:
    """Return ``sound`` with each sample times that of ``gain``."""

    def changed() -> Iterator[Float32s]:
        pairs = zip(
            evened(sound.blocks(), sound.length), evened(gain.blocks(), sound.length), strict=True
        )
        return (block * factor for block, factor in pairs)

    return Made(sound.rate, sound.length, changed)


def steady(sound: Sound, decibels: float) -> Made:
    """Return a gain that is the same throughout ``sound``."""
    block = np.full((BLOCK, 2), 10 ** (decibels / 20), np.float32)
    return Made(sound.rate, sound.length, lambda: itertools.repeat(block))


def limited(sound: Sound, decibels: float, ceiling: float = CEILING) -> Made:
    """Return a gain of ``decibels`` for ``sound`` that is less where its peaks pass ``ceiling``."""

    def gains() -> Iterator[Float32s]:
        highest = 10 ** ((ceiling - decibels) / 20)
        peaks = true_peaks(evened(sound.blocks(), sound.length), highest)
        excess = (20 * np.log10(np.maximum(block / highest, 1.0)) for block in peaks)
        for lowered in _reductions(excess, sound.rate):
            factor = (10 ** ((decibels - lowered) / 20)).astype(np.float32)
            yield np.repeat(factor[:, None], 2, axis=1)

    return Made(sound.rate, sound.length, gains)


def _reductions(excess: Iterable[Float64s], rate: int) -> Iterator[Float64s]:
    """Yield by how many dB each sample is lowered: smoothly, and never by less than ``excess``.

    The largest within reach is held, then let go; the mean over the same reach cannot be less
    than what is in its middle.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    half = max(1, round(AHEAD * rate / 2))
    reach = 2 * half

    def held() -> Iterator[Float64s]:
        falls, now = RELEASE / rate, 0.0
        for block in with_context(excess, reach):
            highest = maximum_filter1d(block, 2 * reach + 1)[reach:-reach]
            ramp = falls * np.arange(len(highest) + 1)
            risen = np.maximum.accumulate(np.concatenate([[now], highest]) + ramp) - ramp
            now = max(0.0, float(risen[-1]))
            yield np.maximum(risen[1:], 0.0)

    for block in with_context(held(), reach):
        smooth = uniform_filter1d(uniform_filter1d(block, reach + 1), reach + 1)
        yield np.maximum(smooth[reach:-reach], 0.0)
