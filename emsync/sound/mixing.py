"""Music and a film's own sound together: one above the other, or the music giving way."""

from collections.abc import Iterator

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.sound.blocks import Made, Sound, evened, peak, summed

DEPTH = 12.0  # dB by which music gives way to a film's own sound
QUIET, LOUD = -45.0, -33.0  # dBFS of the film: music gives way from here, wholly there
AHEAD, HOLD = 0.15, 0.4  # seconds; music gives way before a word, and not between words
ATTACK, RELEASE = 0.06, 0.4  # seconds to cover 63 % of the way down, and up
HOP = 0.01  # seconds between two looks at the film's loudness


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


def mix(music: Sound, film: Sound) -> Sound:
    """Return both together, as long as ``music``; all is lowered if the sum would clip."""
    _same_rate(music, film)
    total = summed([music, film], music.rate, music.length)
    loudest = np.float32(max(1.0, peak(total)))
    return Made(music.rate, music.length, lambda: (block / loudest for block in total.blocks()))


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
