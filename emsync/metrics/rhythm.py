"""Rhythm that pictures and music share: CM and DM of Mikheev & Makarov (2025), equations 2 to 7.

Conventions
-----------
A signal holds values of 0 or more in even steps, STEP_RATE a second: the accents of the onset
strength of music, and of the visible impact of pictures (``signals.accents``). Beats and delays are
seconds. A delay is the place in the music at which the pictures start; before the music and after
it is silence. By default all delays are tried at which the pictures begin and end within the music,
or 0 alone where the music is the shorter.

Metrics
-------
cm    the largest cross-correlation, over the delays, of both signals raised to a power; from 0 to
      1. The paper's power is 5; of the accents, as they are, 1 is the best (docs/matching.md). The
      paper says "normalized", not how. Variants:
      "local"  the music under the pictures has the norm 1 at each delay anew: a cosine. The more
               delays, the higher the best of them, so long music is favoured a little
      "whole"  the whole music has the norm 1, as the pictures have: long music is put back
dm    1 / (the sum over the beats of the pictures of the distance to the nearest beat of the music,
      in seconds, + epsilon), the largest over the delays

A signal without any onset has cm 0, and where either side has no beat, dm is 0.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Float64s
from emsync.signals import STEP_RATE

Variant: TypeAlias = Literal["local", "whole"]

POWER = 1.0  # equation 6; the paper has 5, of signals whose accents are not taken
EPSILON = 1e-3  # seconds; equation 7 does not tell it: a perfect fit scores its inverse. No rank
# depends on it, nor on whether the distances are summed or averaged: the pictures' beats are the
# same for all music.
QUIET = 1e-10  # energy over that of the strongest onset, raised: a passage of less is silence


@dataclass(frozen=True)
class Best:
    """The best of several delays."""

    score: float
    delay: float  # seconds of music that are skipped


def cm(
    music: ArrayLike,
    pictures: ArrayLike,
    power: float = POWER,
    delays: ArrayLike | None = None,
    variant: Variant = "local",
) -> Best:
    """Return the best continuous match of two signals: equation 6. Delays round to steps."""
    sound, sight = validate(music, "music"), validate(pictures, "pictures")
    if delays is None:
        steps = np.arange(max(0, len(sound) - len(sight)) + 1)
    else:
        steps = np.rint(np.asarray(delays, np.float64) * STEP_RATE).astype(np.int64)
    if not len(steps) or not len(sight):
        return Best(0.0, 0.0)
    before = max(0, -int(steps.min()))
    after = max(0, len(sight) + int(steps.max()) - len(sound))
    curve = continuous(np.pad(sound, (before, after)), sight, power, variant)[steps + before]
    best = int(curve.argmax())
    return Best(float(curve[best]), float(steps[best] / STEP_RATE))


def validate(signal: ArrayLike, name: str) -> Float64s:
    """Return a signal as an array, or refuse it."""
    values = np.asarray(signal, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"the signal of the {name} must be one row of numbers of 0 or more")
    return values


def continuous(
    music: NDArray[np.floating], pictures: Float64s, power: float, variant: Variant
) -> Float64s:
    """Return the (..., N - M + 1) correlations of (..., N) music with (M,) pictures, M <= N.

    The value at i is that of the delay of i steps; many pieces are done at once.
    """
    if power <= 0:
        raise ValueError(f"the power is {power:g}; choose one above 0, such as 1")
    sound, sight = _raised(music, power), _raised(pictures, power)
    products = slide(sound, sight / max(float(np.linalg.norm(sight)), 1e-300))
    if variant == "whole":
        energy = np.broadcast_to((sound**2).sum(axis=-1, keepdims=True), products.shape)
    elif variant == "local":
        total = np.cumsum(sound**2, axis=-1)
        energy = total[..., len(sight) - 1 :].copy()
        energy[..., 1:] -= total[..., : -len(sight)]
    else:
        raise ValueError(f"the variant {variant!r} is neither 'local' nor 'whole'")
    sounding = energy > QUIET
    return np.where(sounding, np.clip(products / np.sqrt(np.where(sounding, energy, 1)), 0, 1), 0)


def discrete(nearness: Float64s, comb: Float64s, epsilon: float = EPSILON) -> Float64s:
    """Return the (..., N - M + 1) values of equation 7, many pieces and all delays at once.

    ``nearness`` holds the (..., N) seconds from each step of the music to its nearest beat,
    ``comb`` the (M,) number of beats of the pictures in each step.
    """
    return 1 / (np.maximum(slide(nearness, comb), 0) + epsilon)


def distances(beats: Float64s, times: Float64s) -> Float64s:
    """Return the seconds from each of ``times`` (any shape) to the nearest of ascending beats."""
    after = np.searchsorted(beats, times)
    later = beats[np.minimum(after, len(beats) - 1)]
    earlier = beats[np.maximum(after - 1, 0)]
    return np.minimum(np.abs(later - times), np.abs(earlier - times))


def slide(rows: NDArray[np.floating], template: Float64s) -> Float64s:
    """Return sum_i rows[..., k + i] template[i] for every k at which the (M,) template fits in."""
    n, m = rows.shape[-1], len(template)
    size = 1 << (n - 1).bit_length()  # what wraps around lies where the template does not fit
    spectrum = np.fft.rfft(rows, size) * np.conj(np.fft.rfft(template, size))
    return np.fft.irfft(spectrum, size)[..., : n - m + 1]


def _raised(signal: NDArray[np.floating], power: float) -> Float64s:
    """Return a signal over its largest value, raised to ``power``; silence stays silence."""
    values = np.asarray(signal, np.float64)
    top = values.max(axis=-1, keepdims=True, initial=0.0)
    return (values / np.where(top > 0, top, 1.0)) ** power
