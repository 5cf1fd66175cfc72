"""Music and a film's own sound together: as loud as each other, or the music giving way.

Both are brought to one loudness first, however loud the film was recorded; but what is much softer
than a recording should be, such as the hiss of a silent room, stays soft.
"""

import math
from collections.abc import Iterator

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.options import LUFS
from emsync.sound.audio import amplified
from emsync.sound.blocks import Made, Sound, evened, summed
from emsync.sound.loudness import measured

RAISED = 12.0  # dB by which a film's own sound is made louder at most
UNDER = 3.0  # LU by which music that gives way is softer than the film, where that pauses
DEPTH = 12.0  # dB by which music gives way to a film's own sound
QUIET, LOUD = -45.0, -33.0  # dBFS of the film at LUFS: music gives way from here, wholly there
AHEAD, HOLD = 0.15, 0.4  # seconds; music gives way before a word, and not between words
ATTACK, RELEASE = 0.06, 0.4  # seconds to cover 63 % of the way down, and up
HOP = 0.01  # seconds between two looks at the film's loudness


def mix(music: Sound, film: Sound) -> Sound:
    """Return both together, as loud as each other, as long as ``music``."""
    _same_rate(music, film)
    parts = [_at(music, LUFS), _at(film, LUFS, RAISED)]
    return summed(parts, music.rate, music.length)


def mix_ducked(music: Sound, film: Sound) -> Sound:
    """Return both together, as long as ``music``, which is UNDER the film, and DEPTH more there.

    So what is said in the film is 15 LU louder than the music under it.
    """
    _same_rate(music, film)
    own = _at(film, LUFS, RAISED)
    return summed([duck(_at(music, LUFS - UNDER), own), own], music.rate, music.length)


def duck(music: Sound, film: Sound) -> Sound:
    """Return ``music`` lowered by up to DEPTH where ``film`` sounds; both begin together."""
    _same_rate(music, film)
    hop = round(HOP * music.rate)
    hops = -(-music.length // hop)
    if not hops:
        return music
    loudness = [_levels(block, hop) for block in evened(film.blocks(), hops * hop, 100 * hop)]
    gain = _give_way(np.concatenate(loudness))
    centres = (np.arange(hops) + 0.5) * hop

    def lowered() -> Iterator[Float32s]:
        at = 0
        for block in music.blocks():
            decibels = np.interp(np.arange(at, at + len(block)), centres, gain)
            yield block * (10 ** (decibels / 20)).astype(np.float32)[:, None]
            at += len(block)

    return Made(music.rate, music.length, lowered)


def _at(sound: Sound, lufs: float, most: float = math.inf) -> Sound:
    """Return ``sound`` at ``lufs``, raised by ``most`` dB at most; silence stays silence."""
    loudness = measured(sound).integrated
    if math.isinf(loudness):
        return sound
    return amplified(sound, 10 ** (min(lufs - loudness, most) / 20))


def _levels(samples: Float32s, hop: int) -> Float64s:
    """Return how loud each ``hop`` of samples is, in dBFS."""
    power = samples.astype(np.float64) ** 2
    levels: Float64s = 10 * np.log10(power.reshape(-1, 2 * hop).mean(axis=1) + 1e-12)
    return levels


def _give_way(levels: Float64s) -> Float64s:
    """Return by how many dB music is changed in each hop of a film as loud as ``levels``."""
    wanted = np.interp(levels, [QUIET, LOUD], [0.0, -DEPTH])
    hold, ahead = round(HOLD / HOP), round(AHEAD / HOP)
    around = np.pad(wanted, (hold, ahead))
    wanted = np.lib.stride_tricks.sliding_window_view(around, hold + ahead + 1).min(axis=1)
    down, up = (1 - np.exp(-HOP / t) for t in (ATTACK, RELEASE))
    gain, now = np.empty(len(wanted)), float(wanted[0])
    for i, goal in enumerate(wanted.tolist()):
        now += (goal - now) * (down if goal < now else up)
        gain[i] = now
    return gain


def _same_rate(a: Sound, b: Sound) -> None:
    if a.rate != b.rate:
        raise ValueError(f"sounds of {a.rate} and {b.rate} samples a second cannot be combined")
