"""What a drawn film does, moment by moment: a course of its own, and by strength k the music's.

Each channel is mixed by its own k in [0, 1]: with 1 the film follows the music alone, with 0 it has
nothing to do with it, which is how a leak is found. A film's own course is drawn so that it looks
like one that follows some other music: k is not to be seen in the film itself.

Shapes: F frames, H half seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import ndtr

from emsync.arrays import Float64s, Int64s, Seconds
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.retrieval.drawn.course import STEP, Course

CHANNELS = ("motion", "cuts", "pulse", "colour", "words")
RATE = 12.5  # frames a second
FASTEST = 0.9  # picture heights a second, at an energy of 1
SWELL = 0.35  # by which figures grow at a beat
FADE = 0.18  # seconds in which a swell falls to 1/e
SHORTEST = 0.5  # seconds of a shot
OFTEN = (0.08, 0.85)  # share of downbeats that are cut on, where nothing and where most is struck
BAR = 2.0  # seconds between downbeats in a film of its own

Follow = Mapping[str, float]  # channel: strength


@dataclass(frozen=True, eq=False)
class Script:
    """What a film does."""

    speed: Float64s  # (F,) picture heights a second
    bright: Float64s  # (F,) in [0, 1]
    swell: Float64s  # (F,) factor of the size of figures, from 1
    shots: Int64s  # (F,) number of the shot, ascending from 0
    warm: float  # in [0, 1]
    vivid: float  # in [0, 1]
    figure: int  # which of the three of its style
    texture: int  # which of the TEXTURES


def read_follow(text: str) -> dict[str, float]:
    """Return the strength of each channel that ``text`` tells, such as "0.7" or "motion=.7,cuts=1".

    A channel that is not named does not follow.
    """
    named = [part.strip() for part in text.split(",") if part.strip()]
    if "=" not in text:
        return dict.fromkeys(CHANNELS, _strength(text))
    follow = dict.fromkeys(CHANNELS, 0.0)
    for part in named:
        name, _, value = part.partition("=")
        if name.strip() not in CHANNELS:
            raise UsageError(
                f"nothing follows by the channel {shown(name.strip())}; there are "
                f"{', '.join(CHANNELS)}"
            )
        follow[name.strip()] = _strength(value)
    return follow


def _strength(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"a film cannot follow by {shown(text.strip())}; choose from 0 to 1")
    return value


def written(course: Course, follow: Follow, rng: Generator) -> Script:
    """Return what a film to the music of ``course`` does.

    What is a film's own is drawn apart from what it hears: where no channel follows, any music of
    the same length leads to the same film.
    """
    own, hears = rng.spawn(2)
    halves = len(course.energy)
    time = np.arange(round(halves * STEP * RATE)) / RATE
    middles = (np.arange(halves) + 0.5) * STEP
    motion = _mixed(course.energy, _wandering(own, halves), follow["motion"])
    light = _mixed(course.energy, _wandering(own, halves), follow["colour"])
    warm = _mixed(course.major, own.random(), follow["colour"])
    vivid = _mixed(course.density.mean(), own.random(), follow["colour"])
    figure, texture = int(own.integers(3)), int(own.integers(4))
    if hears.random() < follow["words"]:
        figure, texture = course.voice, min(3, int(course.register * 4))
    return Script(
        speed=FASTEST * np.interp(time, middles, motion) ** 1.5,
        bright=np.interp(time, middles, light),
        swell=1 + SWELL * _swells(time, _pulses(course, follow["pulse"], own, hears)),
        shots=_shots(time, _cuts(course, follow["cuts"], own, hears)),
        warm=float(warm),
        vivid=float(vivid),
        figure=figure,
        texture=texture,
    )


def _mixed(music: ArrayLike, own: ArrayLike, strength: float) -> Float64s:
    return strength * np.asarray(music, np.float64) + (1 - strength) * np.asarray(own, np.float64)


def _wandering(rng: Generator, halves: int) -> Float64s:
    """Return (H,) values of a course of its own: a level for the film, and what comes and goes."""
    waves = np.convolve(rng.standard_normal(halves + 8), np.hanning(11)[1:-1], "valid")[:halves]
    waves /= np.linalg.norm(np.hanning(11))
    return ndtr(0.9 * rng.standard_normal() + 0.43 * waves)


def _cuts(course: Course, strength: float, own: Generator, hears: Generator) -> Seconds:
    """Return where the film is cut: on downbeats, and at moments of its own."""
    low, high = OFTEN
    seconds = len(course.energy) * STEP
    middles = (np.arange(len(course.density)) + 0.5) * STEP
    density = np.interp(course.downbeats, middles, course.density)
    chance = strength * (low + (high - low) * density**1.5)
    heard = course.downbeats[hears.random(len(course.downbeats)) < chance]
    heard = heard + hears.standard_normal(len(heard)) / RATE
    wanted = (1 - strength) * (low + (high - low) * own.random() ** 1.5) / BAR
    free = own.random(own.poisson(wanted * seconds)) * seconds
    kept = [0.0]
    for cut in np.sort(np.append(heard, free)).tolist():
        if cut - kept[-1] >= SHORTEST and cut <= seconds - SHORTEST:
            kept.append(cut)
    return np.array(kept[1:])


def _pulses(course: Course, strength: float, own: Generator, hears: Generator) -> Seconds:
    """Return when figures swell: at beats that the film has heard, and at beats of its own."""
    seconds = len(course.energy) * STEP
    step = own.uniform(0.35, 0.75)
    free = np.arange(own.uniform(0, step), seconds, step)
    heard = course.beats[hears.random(len(course.beats)) < strength]
    return np.append(heard, free[own.random(len(free)) < 1 - strength])


def _swells(time: Seconds, beats: Seconds) -> Float64s:
    """Return (F,) how far figures are swollen, in [0, 1]: at once at a beat, then it fades."""
    since = time[:, None] - beats[None, :] + 0.5 / RATE
    return np.where(since >= 0, np.exp(-np.maximum(since, 0) / FADE), 0.0).max(axis=1, initial=0.0)


def _shots(time: Seconds, cuts: Seconds) -> Int64s:
    return np.searchsorted(cuts, time + 1e-9, side="right").astype(np.int64)
