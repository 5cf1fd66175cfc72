"""Drawn films in which it is known how much the motion follows a beat, and songs for them.

In a dance, a figure strikes another pose at seven beats of ten. Each move falls on it with the
probability ``strength``, as exactly as a human (SD 30 ms), or else anywhere. Between the moves it
sways at a pace of its own; the camera is held by hand, its picture is grainy, and every few seconds
there is a cut, which keeps to the beat as the moves do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.formats.smf import read_score
from emsync.signals import SAMPLE_RATE
from emsync.sound.synthesis import synthesize

Frames: TypeAlias = Iterator[tuple[float, NDArray[np.uint8]]]  # seconds and grey pictures

WIDTH, HEIGHT = 160, 90  # pixels
TEMPI = np.geomspace(60, 180, 30)  # BPM
SECONDS = 60.0  # of a song
HUMAN = 0.03  # seconds; SD of a move about its beat
OFTEN = 0.7  # of the beats have a move
GRAIN = 4.0  # levels; SD of the camera's noise
GRAVITY = 4.0  # picture heights a second, each second: of the ball
LIMBS = 8  # angles of a pose: upper and lower parts of two arms and two legs


@dataclass(frozen=True, eq=False)
class Song:
    """A song played at a tempo; its beats are those of its score."""

    name: str
    tempo: float  # BPM
    samples: NDArray[np.float32]  # (N,), SAMPLE_RATE a second

    @property
    def beats(self) -> NDArray[np.float64]:
        """Seconds of its beats."""
        return np.arange(0, len(self.samples) / SAMPLE_RATE, 60 / self.tempo)


def songs(folder: Path, rng: np.random.Generator) -> Iterator[Song]:
    """Yield a song with drums for each of TEMPI, from those that are written about as fast."""
    from symusic.core import TempoTick, TempoTickList

    paths = sorted(folder.rglob("*.mid"))
    scores = []
    for i in rng.permutation(len(paths)):
        score = read_score(paths[i])
        drums = any(track.is_drum and len(track.notes) > 50 for track in score.tracks)
        timed: Any = score.to("second")
        if drums and len(score.tempos) and timed.end() > 1.3 * SECONDS:
            scores.append((paths[i].stem, score))
    for tempo in TEMPI:
        nearest = min(scores[:90], key=lambda named: abs(np.log(named[1].tempos[0].qpm / tempo)))
        scores.remove(nearest)
        name, score = nearest
        score.tempos = TempoTickList([TempoTick(0, float(tempo))])
        sound = synthesize(score, rate=SAMPLE_RATE).samples.mean(axis=1)
        yield Song(name, float(tempo), sound[: round(SECONDS * SAMPLE_RATE)])


def moments(beats: Sequence[float], seconds: float, strength: float,
            rng: np.random.Generator) -> list[float]:  # fmt: skip
    """Return about when each of ``beats`` is met: with ``strength`` in time, or else anywhere."""
    met = [
        at + rng.normal(0, HUMAN) if rng.uniform() < strength else rng.uniform(0, seconds)
        for at in beats
    ]
    return sorted(met)


def dance(beats: Sequence[float], seconds: float, strength: float, rng: np.random.Generator,
          fps: float = 30.0) -> Frames:  # fmt: skip
    """Yield the frames of a dance to ``beats``, seconds from its start."""
    moves = moments([at for at in beats if rng.uniform() < OFTEN], seconds, strength, rng)
    every = rng.uniform(3, 6)
    near = [min(beats, key=lambda b: abs(b - at)) for at in np.arange(every, seconds - 1, every)]
    cuts = moments(near, seconds, strength, rng)
    pace, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 7)  # Hz, radians: of the sway
    pose = goal = rng.uniform(-1.2, 1.2, LIMBS)
    quick, hop, shake = 0.1, 0.0, np.zeros(2)
    scene = Scene(rng)
    last = 0.0
    for i in range(round(seconds * fps)):
        at = i / fps
        while moves and moves[0] <= at:
            moves.pop(0)
            goal = np.where(rng.uniform(size=LIMBS) < 0.6, rng.uniform(-1.2, 1.2, LIMBS), goal)
            quick, hop = rng.uniform(0.05, 0.15), rng.uniform(-4, 4)  # seconds, pixels
        while cuts and cuts[0] <= at:
            cuts.pop(0)
            scene = Scene(rng)
        pose = pose + (goal - pose) * (1 - np.exp((last - at) / quick))
        sway = 3 * np.sin(2 * np.pi * pace * at + phase)
        shake = 0.97 * shake + rng.normal(0, 0.12, 2)
        yield at, scene.draw(pose, np.array([sway + hop, 0.0]), shake, rng)
        last = at


class Scene:
    """A ground and a dancer of some size on it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.ground = blotches(HEIGHT + 40, WIDTH + 40, rng.uniform(2, 5), rng)
        self.size = rng.uniform(13, 18)  # pixels of a limb's half
        self.middle = np.array([rng.uniform(60, 100), rng.uniform(38, 46)]) + 20

    def draw(self, pose: NDArray[np.float64], at: NDArray[np.float64], shake: NDArray[np.float64],
             rng: np.random.Generator) -> NDArray[np.uint8]:  # fmt: skip
        """Return the picture of the dancer in ``pose``, moved by ``at``, by a shaking camera."""
        import cv2

        picture = self.ground.copy()
        hips = self.middle + at
        neck = hips - [0, 1.5 * self.size]
        thick = round(self.size / 2.2)

        def line(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
            ends = [(round(p[0] * 16), round(p[1] * 16)) for p in (a, b)]
            cv2.line(picture, ends[0], ends[1], 215.0, thick, cv2.LINE_AA, 4)

        line(hips, neck)
        head = neck - [0, 0.5 * self.size]
        cv2.circle(picture, (round(head[0] * 16), round(head[1] * 16)), round(self.size * 7), 235.0,
                   -1, cv2.LINE_AA, 4)  # fmt: skip
        for limb, (joint, rest) in enumerate(
            ((neck, 0.6), (neck, np.pi - 0.6), (hips, 1.1), (hips, np.pi - 1.1))
        ):
            upper = rest + pose[2 * limb] * (1 if limb < 2 else 0.5)
            lower = upper + pose[2 * limb + 1]
            elbow = joint + self.size * np.array([np.cos(upper), np.sin(upper)])
            line(joint, elbow)
            line(elbow, elbow + self.size * np.array([np.cos(lower), np.sin(lower)]))
        moved = np.array([[1, 0, shake[0] - 20], [0, 1, shake[1] - 20]])
        seen = cv2.warpAffine(picture, moved, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        return grainy(seen, rng)


def ball(beats: Sequence[float], seconds: float, rng: np.random.Generator,
         fps: float = 30.0) -> Frames:  # fmt: skip
    """Yield the frames of a ball that bounces on each of ``beats``, the first before the start."""
    import cv2

    ground = blotches(HEIGHT, WIDTH, 3, rng)
    for i in range(round(seconds * fps)):
        next_one = int(np.searchsorted(beats, i / fps, side="right"))
        since, until = i / fps - beats[next_one - 1], beats[next_one] - i / fps
        height = GRAVITY / 2 * since * until  # picture heights: a parabola
        place = (WIDTH * 8, round((0.82 - height) * HEIGHT * 16))
        picture = cv2.circle(ground.copy(), place, 10 * 16, 230.0, -1, cv2.LINE_AA, 4)
        yield i / fps, grainy(picture, rng)


def jumps(beats: Sequence[float], seconds: float, rng: np.random.Generator,
          fps: float = 25.0) -> Frames:  # fmt: skip
    """Yield the frames of a disc that glides to another place at each of ``beats``."""
    import cv2

    ground, left = blotches(HEIGHT, WIDTH, 3, rng), list(beats)
    at, angle = np.array([80.0, 45.0]), 0.0
    goal = at
    for i in range(round(seconds * fps)):
        while left and left[0] <= i / fps:
            left.pop(0)
            angle += 2.4  # radians: each jump is as long as the one before
            goal = np.array([80 + 20 * np.cos(angle), 45 + 15 * np.sin(angle)])
        at = at + (goal - at) * 0.35
        place = (round(at[0] * 16), round(at[1] * 16))
        picture = cv2.circle(ground.copy(), place, 12 * 16, 230.0, -1, cv2.LINE_AA, 4)
        yield i / fps, picture.astype(np.uint8)


def blotches(height: int, width: int, size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a dark ground of soft blotches of about ``size`` pixels."""
    import cv2

    noise = rng.uniform(0, 255, (height, width)).astype(np.float32)
    soft: Any = cv2.GaussianBlur(noise, (0, 0), size)
    return np.asarray(
        cv2.normalize(soft, np.zeros_like(soft), 20, 130, cv2.NORM_MINMAX), np.float32
    )


def grainy(picture: Any, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture as a camera takes it."""
    return np.clip(picture + rng.normal(0, GRAIN, picture.shape), 0, 255).astype(np.uint8)
