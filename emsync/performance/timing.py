"""When people play: each player's own clock runs a little fast or slow, but for hits and the end.

Shapes: N notes of the part, M moments at which it strikes, K knots of the drift.
"""

import itertools
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.music.moments import near
from emsync.music.piece import BASS, DRUMS
from emsync.performance.part import Part

MOST = 0.02  # seconds by which a note is early or late, at the most
DRIFT, JITTER = 0.007, 0.003  # seconds of deviation: what lasts, and what is new with each stroke
EVERY = 2.0  # seconds between two knots of the drift
STEADY = {DRUMS: 0.4, BASS: 0.6}  # share of it, for those who keep time for all
STRUM = 0.004  # seconds from one string of a guitar to the next
STRUMMED = range(24, 32)  # General MIDI programs: guitars
TOGETHER = 0.001  # seconds within which notes are struck as one
FIXED = 0.03  # seconds around a hit and the last chord in which nobody moves
ROOM = 0.3  # share of the time to the next stroke that may be given away
FINEST = 9  # decimals of a second: what two machines agree on


def humanized(part: Part, amount: float, seed: int, hits: Sequence[float], duration: float) -> Part:
    """Return ``part`` as a person times it, ``amount`` from 0 to 1 of a free one.

    What begins on one of ``hits`` (seconds) does not move, nor what rings to ``duration``, nor
    what is struck with it. All times go through one rising map, so that what is tied stays tied and
    no two notes change their order.
    """
    if amount <= 0 or not len(part.onsets):
        return part
    rng = np.random.default_rng(
        [seed, zlib.crc32(f"{part.player.name} {part.player.program}".encode())]
    )
    moments = part.onsets[np.diff(part.onsets, prepend=-np.inf) > TOGETHER]  # (M,)
    moves = amount * STEADY.get(part.player.instrument, 1.0) * _deviations(moments, duration, rng)
    room = ROOM * np.diff(moments, prepend=0.0, append=duration)
    moves = np.clip(moves, -room[:-1], room[1:])
    moves = np.where(_fixed(part, moments, hits, duration), 0.0, np.round(moves, FINEST))
    # nothing moves at the beginning and at the end
    knots = np.concatenate([[-EVERY], moments, [duration]])
    shifts = np.concatenate([[0.0], moves, [0.0]])
    onsets, offsets = (t + np.interp(t, knots, shifts) for t in (part.onsets, part.offsets))
    part = replace(part, onsets=onsets, offsets=np.minimum(offsets, duration))
    if part.player.instrument != DRUMS and part.player.program in STRUMMED:
        part = _strummed(part, amount, moments[moves != 0] + moves[moves != 0])
    return part


def _deviations(moments: Seconds, duration: float, rng: np.random.Generator) -> Float64s:
    """Return the (M,) seconds by which a free player is late."""
    knots = np.arange(0, duration + EVERY, EVERY)
    drift = np.interp(moments, knots, rng.standard_normal(len(knots)))
    late = DRIFT * drift + JITTER * rng.standard_normal(len(moments))
    return np.clip(late, -MOST, MOST)


def _fixed(
    part: Part, moments: Seconds, hits: Sequence[float], duration: float
) -> NDArray[np.bool_]:
    """Return the (M,) moments that stay where they are."""
    ringing = part.onsets[part.offsets >= duration - TOGETHER]
    return near(moments, [*hits, *ringing], FIXED)


def _strummed(part: Part, amount: float, moments: Seconds) -> Part:
    """Return ``part`` with the chords at these (M,) ``moments`` struck from the lowest string up.

    The lowest tone is in time.
    """
    onsets = part.onsets.copy()
    for moment, after in itertools.pairwise([*moments.tolist(), np.inf]):
        chord = np.flatnonzero(np.abs(part.onsets - moment) <= TOGETHER)
        upward = chord[np.argsort(part.pitches[chord], kind="stable")]
        lengths = part.offsets[chord] - part.onsets[chord]
        longest = ROOM * min(float(lengths.min()), after - moment)
        step = min(STRUM * amount, longest / max(1, len(chord) - 1))
        onsets[upward] += step * np.arange(len(chord))
    order = np.argsort(onsets, kind="stable")
    return Part(
        part.player, part.pitches[order], onsets[order], part.offsets[order],
        part.velocities[order], part.controls,
    )  # fmt: skip
