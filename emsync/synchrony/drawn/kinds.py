"""Kinds of movement. Each has its impacts when its drive says so, and goes on in between.

Shapes: T pictures, E impacts, N figures.
"""

from collections.abc import Callable, Mapping

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.synchrony.drawn.stage import ACROSS, Stage, boxes, disc, dots, stroke

Movement = Callable[[Stage], None]


def jump(stage: Stage) -> None:
    """A figure leaps to another place."""
    places = stage.rng.uniform((0.15, 0.15), (ACROSS - 0.15, 0.85), (len(stage.drive.times) + 1, 2))
    x, y = _led(stage, places).T
    _figure(stage, x, y, np.full(len(x), stage.rng.uniform(0.08, 0.2)))


def zoom(stage: Stage) -> None:
    """The camera leaps towards what it sees, or away from it, and comes back."""
    kick = stage.drive.kick(stage.at, stage.rng.uniform(0.12, 0.35))
    stage.zoom += stage.rng.choice((-1, 1)) * stage.rng.uniform(0.2, 0.6) * kick


def slide(stage: Stage) -> None:
    """The camera moves on by leaps."""
    away = _headings(stage, len(stage.drive.times)) * stage.rng.uniform(0.25, 0.7)
    arrived = stage.drive.arrived(stage.at, stage.rng.uniform(0.04, 0.15))
    stage.pan += arrived @ (away * stage.drive.strengths[:, None])


def shake(stage: Stage) -> None:
    """The camera is struck, and trembles."""
    kick = stage.drive.kick(stage.at, stage.rng.uniform(0.08, 0.2))
    stage.pan += _headings(stage, len(stage.at)) * (stage.rng.uniform(0.12, 0.35) * kick)[:, None]
    stage.turn += stage.rng.normal(0, 0.12, len(stage.at)) * kick


def turn(stage: Stage) -> None:
    """A bar, or all that is seen, is turned on by leaps."""
    angles = stage.rng.choice((-1, 1)) * stage.rng.uniform(0.4, 1.3) * stage.drive.strengths
    arrived = stage.drive.arrived(stage.at, stage.rng.uniform(0.04, 0.15)) @ angles
    if stage.rng.random() < 0.35:
        stage.turn += arrived
        return
    (x, y), angle = stage.spot(0.3).T, arrived + stage.rng.uniform(0, np.pi)
    size, wide = stage.rng.uniform(0.2, 0.42), stage.rng.uniform(0.08, 0.2)
    dx, dy = size * np.cos(angle), size * np.sin(angle)
    stage.add(stroke(x - dx, y - dy, x + dx, y + dy, wide), stage.paint())


def flash(stage: Stage) -> None:
    """The light flares up, or fails, in all of the picture or in a part of it."""
    kick = stage.drive.kick(stage.at, stage.rng.uniform(0.08, 0.3))
    if stage.rng.random() < 0.5:
        stage.light *= 1 + stage.rng.choice((-0.7, 0.6, 1.2)) * kick
        return
    (x, y), size = stage.spot().T, stage.rng.uniform(0.15, 0.45)
    stage.add(disc(x, y, size * np.ones(len(x))) * _thick(kick), stage.paint())


def swarm(stage: Stage) -> None:
    """Many dots, each on its own way, take another way all at once."""
    count, impacts = int(stage.rng.integers(8, 28)), len(stage.drive.times)
    away = _headings(stage, impacts * count).reshape(impacts, 2 * count)
    away *= stage.rng.uniform(0.12, 0.35)
    arrived = stage.drive.arrived(stage.at, stage.rng.uniform(0.06, 0.2))
    start = stage.rng.uniform((0, 0), (ACROSS, 1), (count, 2))
    drift = stage.rng.normal(0, 0.04, (count, 2)) * stage.at[:, None, None]
    places = start + (arrived @ away).reshape(-1, count, 2) + drift
    size = np.full(places.shape[:2], stage.rng.uniform(0.02, 0.06))
    x, y = np.moveaxis(places % (ACROSS, 1), 2, 0)
    stage.add(dots(x, y, size), stage.paint())


def bounce(stage: Stage) -> None:
    """Balls fall, strike the ground and rise again."""
    phase = stage.drive.phase(stage.at) % 1
    count, size = int(stage.rng.integers(1, 4)), stage.rng.uniform(0.07, 0.14)
    high, floor = stage.rng.uniform(0.3, 0.65), stage.rng.uniform(0.75, 0.95)
    level, squashed = stage.paint(), 0.5 * stage.drive.kick(stage.at, 0.05)
    x = stage.spot()[:, 0]
    for ball in range(count):
        y = floor - size - 4 * high * stage.rng.uniform(0.6, 1) * phase * (1 - phase)
        wide, tall = size * (1 + squashed), size * (1 - squashed)
        place = (x + ball * 0.5) % ACROSS
        edges = place - wide, y - tall + size * squashed, place + wide, y + tall + size * squashed
        stage.add(boxes(*(edge[:, None] for edge in edges)), level)


def typed(stage: Stage) -> None:
    """Letters appear one by one; where a page is full, the next one begins."""
    per_line, lines = int(stage.rng.integers(4, 11)), int(stage.rng.integers(2, 5))
    page = per_line * lines
    shown = (stage.drive.last(stage.at) + int(stage.rng.integers(page))) % page + 1
    place = np.arange(page)
    wide, tall = 1.5 / per_line, 0.8 / lines
    left = 0.13 + place % per_line * wide
    top = 0.1 + place // per_line * tall
    width = wide * stage.rng.uniform(0.5, 0.8, page) * (place < shown[:, None])
    edges = left + 0 * width, top + 0 * width, left + width, top + 0.7 * tall + 0 * width
    stage.add(boxes(*edges), stage.paint())


def grow(stage: Stage) -> None:
    """A figure swells and shrinks again."""
    kick = stage.drive.kick(stage.at, stage.rng.uniform(0.1, 0.35))
    size = stage.rng.uniform(0.08, 0.2)
    x, y = stage.spot().T
    _figure(stage, x, y, size * (1 + stage.rng.uniform(0.6, 1.6) * kick))


def meters(stage: Stage) -> None:
    """Columns beside each other leap up and sink."""
    count = int(stage.rng.integers(3, 12))
    impacts = len(stage.drive.times)
    high = stage.rng.uniform(0.2, 0.85, (impacts + 1, count))[stage.drive.last(stage.at)]
    fallen = np.exp(-stage.drive.since(stage.at) / stage.rng.uniform(0.15, 0.5))
    top = 0.97 - 0.05 - high * fallen[:, None]
    left = np.arange(count) * (ACROSS / count) + 0.02 + 0 * top
    stage.add(boxes(left, top, left + 0.75 * ACROSS / count, 0.97 + 0 * top), stage.paint())


def blink(stage: Stage) -> None:
    """Fields of a board change sides."""
    rows, columns = int(stage.rng.integers(2, 5)), int(stage.rng.integers(3, 7))
    share = stage.rng.uniform(0.2, 0.7)
    impacts = len(stage.drive.times)
    changed = stage.rng.random((impacts + 1, rows * columns)) < share
    lit = (np.cumsum(changed, axis=0) % 2)[stage.drive.last(stage.at)]
    place = np.arange(rows * columns)
    wide, tall = ACROSS / columns, 1 / rows
    left, top = place % columns * wide + 0.04, place // columns * tall + 0.04
    edges = (
        left + 0.0 * lit,
        top + 0.0 * lit,
        left + (wide - 0.08) * lit,
        top + tall - 0.08 + 0.0 * lit,
    )
    stage.add(boxes(*edges), stage.paint())


def ripple(stage: Stage) -> None:
    """A ring sets out from a point."""
    since = stage.drive.since(stage.at)
    spots = stage.rng.uniform((0.2, 0.2), (ACROSS - 0.2, 0.8), (len(stage.drive.times) + 1, 2))
    if stage.rng.random() < 0.5:
        spots[:] = spots[0]
    x, y = spots[stage.drive.last(stage.at)].T
    radius = stage.rng.uniform(0.1, 0.2) + stage.rng.uniform(0.5, 1.4) * np.minimum(since, 2)
    cover = disc(x, y, radius, 1 - np.minimum(0.15 / radius, 0.9))
    stage.add(cover * _thick(np.exp(-since / stage.rng.uniform(0.1, 0.3))), stage.paint())


def clap(stage: Stage) -> None:
    """Two blocks move towards each other, meet, and go apart."""
    closing = np.minimum(stage.drive.until(stage.at) / stage.rng.uniform(0.08, 0.2), 1)
    opened = -np.expm1(-stage.drive.since(stage.at) / stage.rng.uniform(0.1, 0.3))
    apart = np.minimum(closing, opened) * stage.rng.uniform(0.35, 0.75)
    size, tall = stage.rng.uniform(0.12, 0.25), stage.rng.uniform(0.12, 0.4)
    (x, y), level = stage.spot(0.35).T, stage.paint()
    left, right = x - apart / 2, x + apart / 2
    edges = (left - size, y - tall, left, y + tall), (right, y - tall, right + size, y + tall)
    for block in edges:
        stage.add(boxes(*(edge[:, None] for edge in block)), level)


def arrive(stage: Stage) -> None:
    """A figure sets out for another place, and is there at an impact."""
    places = stage.rng.uniform((0.15, 0.15), (ACROSS - 0.15, 0.85), (len(stage.drive.times) + 1, 2))
    gone = _gone(stage, stage.rng.uniform(0.15, 0.35)) ** stage.rng.uniform(1, 2)
    last = stage.drive.last(stage.at)
    next_ = np.minimum(last + 1, len(places) - 1)
    x, y = (places[last] + gone[:, None] * (places[next_] - places[last])).T
    _figure(stage, x, y, np.full(len(x), stage.rng.uniform(0.08, 0.2)))


def strike(stage: Stage) -> None:
    """A hammer comes down at each impact, and is raised slowly."""
    raised = -np.expm1(-stage.drive.since(stage.at) / stage.rng.uniform(0.3, 0.6))
    down = _gone(stage, stage.rng.uniform(0.12, 0.3)) ** 2
    angle = stage.rng.choice((-1, 1)) * stage.rng.uniform(0.7, 1.4) * raised * (1 - down)
    long, (x, y) = stage.rng.uniform(0.35, 0.6), stage.spot(0.35).T
    to_x, to_y = x + long * np.cos(angle), y - long * np.abs(np.sin(angle))
    level = stage.paint()
    stage.add(stroke(x, y, to_x, to_y, stage.rng.uniform(0.04, 0.09)), level)
    stage.add(disc(to_x, to_y, stage.rng.uniform(0.08, 0.15) * np.ones(len(x))), level)


def halt(stage: Stage) -> None:
    """The camera goes on and on, and stands still for a moment at each impact."""
    speed = 1 - stage.drive.kick(stage.at, stage.rng.uniform(0.1, 0.25))
    way = np.cumsum(speed) * stage.rng.uniform(0.06, 0.14)
    stage.pan += way[:, None] * _headings(stage, 1)


def wipe(stage: Stage) -> None:
    """An edge sweeps on through the picture by leaps."""
    part = stage.rng.uniform(0.2, 0.5)
    arrived = stage.drive.arrived(stage.at, stage.rng.uniform(0.04, 0.12)).sum(axis=1) * part
    place = (arrived + stage.rng.random()) % 2
    start, end = np.maximum(place - 1, 0), np.minimum(place, 1)
    nothing, level = 0 * place, stage.paint()
    if stage.rng.random() < 0.5:
        edges = start * ACROSS, nothing, end * ACROSS, nothing + 1
    else:
        edges = nothing, start, nothing + ACROSS, end
    stage.add(boxes(*(edge[:, None] for edge in edges)), level)


def stack(stage: Stage) -> None:
    """Blocks fall, each on the one before; a new heap is begun once it is high."""
    tall, wide = stage.rng.uniform(0.08, 0.16), stage.rng.uniform(0.15, 0.5)
    fall, most = stage.rng.uniform(0.25, 0.5), int(0.75 / tall)
    landed = stage.drive.last(stage.at)
    heap = landed % most
    x = stage.spot(0.3)[:, 0]
    block = np.arange(most + 1)
    top = 0.97 - (block + 1) * tall + 0 * x[:, None]
    falling = 1.2 * np.minimum(stage.drive.until(stage.at) / fall, 1)  # heights above its place
    top = np.where(block == heap[:, None], top - falling[:, None], top)
    there = (block <= heap[:, None]) * wide
    left = x[:, None] - there / 2
    stage.add(boxes(left, top, left + there, top + 0.85 * tall), stage.paint())


def swing(stage: Stage) -> None:
    """A pendulum turns back at each impact, quickly."""
    phase = stage.drive.phase(stage.at)
    gone = 1 - (1 - phase % 1) ** stage.rng.uniform(1.5, 3.0)
    side = np.cos(np.pi * (np.floor(phase) + gone))
    angle, long = stage.rng.uniform(0.5, 1.1) * side, stage.rng.uniform(0.5, 0.85)
    x, y = stage.spot(0.4)[:, 0], stage.rng.uniform(-0.1, 0.15) * np.ones(len(phase))
    to_x, to_y = x + long * np.sin(angle), y + long * np.cos(angle)
    level = stage.paint()
    stage.add(stroke(x, y, to_x, to_y, stage.rng.uniform(0.04, 0.08)), level)
    stage.add(disc(to_x, to_y, stage.rng.uniform(0.07, 0.14) * np.ones(len(x))), level)


def walk(stage: Stage) -> None:
    """Somebody walks; a foot comes down at each impact."""
    phase = stage.drive.phase(stage.at)
    phase = np.floor(phase) + (phase % 1) ** stage.rng.uniform(1.5, 2.5)
    long, size = stage.rng.uniform(0.3, 0.42), stage.rng.uniform(0.07, 0.1)
    wide = stage.rng.uniform(0.05, 0.09)
    x = stage.spot(0.3)[:, 0] + 0.1 * np.sin(stage.at)
    stride = 0.5 * np.cos(np.pi * phase)  # radians; widest as a foot comes down
    hip = 0.93 - long * np.cos(stride)
    level = stage.paint()
    for side in (-1, 1):
        lifted = 0.25 * long * np.maximum(side * np.sin(np.pi * phase), 0)
        foot = x + side * long * np.sin(stride)
        stage.add(stroke(x, hip, foot, 0.93 - lifted, wide), level)
    stage.add(stroke(x, hip, x, hip - 0.3, 1.6 * wide), level)
    stage.add(disc(x, hip - 0.3 - size, size * np.ones(len(x))), level)


def particles(stage: Stage) -> None:
    """Sparks burst from a point and fall."""
    count, impacts = int(stage.rng.integers(10, 26)), len(stage.drive.times)
    since, burst = np.minimum(stage.drive.since(stage.at), 2), stage.drive.last(stage.at)
    spots = stage.rng.uniform((0.25, 0.2), (ACROSS - 0.25, 0.7), (impacts + 1, 1, 2))
    speeds = _headings(stage, (impacts + 1) * count).reshape(impacts + 1, count, 2)
    speeds *= stage.rng.uniform(0.5, 1.6, (impacts + 1, count, 1))
    flown = 0.25 * -np.expm1(-since / 0.25)
    places = (spots + 0 * speeds)[burst] + speeds[burst] * flown[:, None, None]
    places[..., 1] += 0.5 * (since**2)[:, None]
    fade = np.exp(-since / stage.rng.uniform(0.25, 0.6))[:, None] + np.zeros(count)
    size = np.full(places.shape[:2], stage.rng.uniform(0.025, 0.05))
    stage.add(dots(places[..., 0], places[..., 1], size, fade), stage.paint())


def cut(stage: Stage) -> None:
    """The picture is cut to another: ``film.drawn`` begins a shot at each impact."""


KINDS: Mapping[str, Movement] = {
    "jump": jump, "cut": cut, "zoom": zoom, "slide": slide, "shake": shake, "turn": turn,
    "flash": flash, "swarm": swarm, "bounce": bounce, "type": typed, "grow": grow,
    "meters": meters, "blink": blink, "ripple": ripple, "clap": clap, "wipe": wipe,
    "stack": stack, "swing": swing, "walk": walk, "particles": particles, "arrive": arrive,
    "strike": strike, "halt": halt,
}  # fmt: skip
OF_THE_CAMERA = ("zoom", "slide", "shake", "turn", "halt")
UNSEEN = ("walk", "particles", "stack")  # never trained on
SEEN = tuple(name for name in KINDS if name not in UNSEEN)


def _led(stage: Stage, places: Float64s) -> Float64s:
    """Return the (T, 2) place of what sets out for the next of (E + 1, 2) places at each impact."""
    arrived = stage.drive.arrived(stage.at, stage.rng.uniform(0.02, 0.12))
    return np.asarray(places[0] + arrived @ np.diff(places, axis=0))


def _gone(stage: Stage, seconds: float) -> Float64s:
    """Return the (T,) shares of a way of so many ``seconds`` that ends at the next impact."""
    return np.asarray(1 - np.minimum(stage.drive.until(stage.at) / seconds, 1))


def _headings(stage: Stage, count: int) -> Float64s:
    """Return (count, 2) unit vectors."""
    angles = stage.rng.uniform(0, 2 * np.pi, count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _figure(stage: Stage, x: Float64s, y: Float64s, size: Float64s) -> None:
    """Add a disc, a ring or a box around (T,) places."""
    shape = int(stage.rng.integers(3))
    if shape < 2:
        stage.add(disc(x, y, size, 0.6 * shape * np.ones(len(x))), stage.paint())
        return
    wide = size * stage.rng.uniform(0.7, 1.4)
    edges = (x - wide, y - size, x + wide, y + size)
    stage.add(boxes(*(edge[:, None] for edge in edges)), stage.paint())


def _thick(strength: Float64s) -> Float32s:
    """Return (T,) shares as they cover the picture."""
    return np.clip(strength, 0, 1).astype(np.float32)[:, None, None]
