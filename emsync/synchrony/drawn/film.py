"""A drawn film: a kind of movement over a ground that drifts, with cuts that mean nothing.

Shapes: T pictures, ten a second.
"""

import numpy as np
from numpy.random import Generator

from emsync.arrays import Float64s, Int64s, Picture, Seconds
from emsync.synchrony.drawn.driving import Drive, aimless, driven, thinned
from emsync.synchrony.drawn.kinds import KINDS, OF_THE_CAMERA, SEEN
from emsync.synchrony.drawn.stage import ACROSS, Stage, disc, pictures
from emsync.synchrony.seen import RATE, row_count

AIMLESS_CUTS = (0.5, 0.5)  # share of films that have any; most of them a second
BESIDE = 0.25  # share of films in which another kind moves to the same impacts, or half of them
ASTRAY = 0.2  # share of films in which something also moves at any moments
DRIFT, SHAKE, TURN = 0.12, 0.02, 0.05  # heights a second; heights; radians a second: SD


def drawn(accents: Float64s, beat: float, seconds: float, kind: str, rng: Generator) -> Picture:
    """Return the (T, 27, 48) pictures of a film to the (A, 3) accents of a song.

    Their times are the film's, some before it and after it; ``beat`` is the seconds of one.
    """
    drive = driven(accents, beat, seconds, rng)
    cuts = _cuts(seconds, rng)
    if kind == "cut":
        cuts = np.union1d(drive.times, cuts[rng.random(len(cuts)) < 0.3])
    stage = Stage(drive, _shots(row_count(seconds), cuts), rng, rich=kind in OF_THE_CAMERA)
    _wander(stage)
    if rng.random() < ASTRAY:
        _move(stage, aimless(seconds, rng), str(rng.choice(("jump", "slide", "grow", "turn"))))
    _pass_by(stage)
    KINDS[kind](stage)
    if kind in SEEN and rng.random() < BESIDE:
        _move(stage, thinned(drive, rng), str(rng.choice(SEEN)))
    return pictures(stage)


def _move(stage: Stage, drive: Drive, kind: str) -> None:
    """Let something else move as well, to impacts of its own."""
    before, stage.drive = stage.drive, drive
    KINDS[kind](stage)
    stage.drive = before


def _cuts(seconds: float, rng: Generator) -> Seconds:
    """Return cuts that mean nothing."""
    share, most = AIMLESS_CUTS
    often = rng.uniform(0, most) if rng.random() < share else 0.0
    return np.sort(rng.uniform(0, seconds, rng.poisson(often * seconds)))


def _shots(count: int, cuts: Seconds) -> Int64s:
    """Return the (T,) number of the shot of each picture, from 0."""
    shots = np.searchsorted(cuts, (np.arange(count) + 0.5) / RATE, side="right")
    return np.unique(shots, return_inverse=True)[1].astype(np.int64)


def _wander(stage: Stage) -> None:
    """Let the camera drift, and shake as in a hand, and the light waver."""
    rng, at = stage.rng, stage.at
    shape = (len(at), 2)
    stage.pan += rng.normal(0, DRIFT * rng.random(), 2) * at[:, None]
    stage.pan += _smooth(rng.normal(0, SHAKE * rng.random(), shape))
    stage.turn += rng.normal(0, TURN * rng.random()) * at
    stage.zoom += rng.normal(0, 0.03) * at + rng.uniform(-0.5, 0.5)
    stage.light *= 1 + rng.uniform(0, 0.12) * np.sin(rng.uniform(0.3, 3) * at + rng.uniform(0, 6))


def _smooth(values: Float64s) -> Float64s:
    """Return (T, 2) values, each with half of those beside it."""
    padded = np.pad(values, ((1, 1), (0, 0)), mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 2


def _pass_by(stage: Stage) -> None:
    """Add figures that glide through the picture, whatever the music does."""
    rng, at = stage.rng, stage.at
    for _ in range(int(rng.integers(3))):
        place = rng.uniform((0, 0), (ACROSS, 1)) + rng.normal(0, 0.2, 2) * at[:, None]
        x, y = (place % (ACROSS + 0.4, 1.4) - 0.2).T
        y = y + 0.1 * rng.random() * np.sin(rng.uniform(1, 9) * at)
        stage.add(disc(x, y, np.full(len(at), rng.uniform(0.04, 0.14))), stage.paint())
