"""What a drawn film is made of: a ground under a camera that moves, figures, light and grain.

All pictures of a film are drawn at once, each as it is at its own moment. Places are in picture
heights from the upper left corner.

Shapes: T pictures of HEIGHT by WIDTH, S shots, N figures of a kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Float32s, Float64s, Int64s, Picture, Seconds
from emsync.synchrony.drawn.driving import Drive
from emsync.synchrony.seen import HEIGHT, RATE, WIDTH

ACROSS = WIDTH / HEIGHT  # picture heights
TILE = 160  # pixels of a ground, which comes again beyond them
SOFT = 1.0 / HEIGHT  # picture heights: a pixel, over which an edge is drawn
NOISE = 128  # pixels of a piece of noise
GRAIN = (0.0, 9.0)  # SD in levels of 255
X = ((np.arange(WIDTH) + 0.5) / HEIGHT).astype(np.float32)
Y = ((np.arange(HEIGHT) + 0.5) / HEIGHT).astype(np.float32)


@dataclass
class Stage:
    """A film while it is drawn; a kind of movement changes it as its impacts demand."""

    drive: Drive
    shot: Int64s  # (T,) number of the shot, ascending from 0
    rng: Generator
    rich: bool = False  # whether the ground shows well how the camera moves
    tile: Picture = field(init=False)  # (TILE, TILE)
    lowest: Float64s = field(init=False)  # (T,) levels of the ground
    span: Float64s = field(init=False)  # (T,) levels
    pan: Float64s = field(init=False)  # (T, 2) x, y
    turn: Float64s = field(init=False)  # (T,) radians
    zoom: Float64s = field(init=False)  # (T,) logarithm of how much larger things are seen
    light: Float64s = field(init=False)  # (T,) factor
    figures: list[tuple[Float32s, Float64s]] = field(default_factory=list)  # cover, (T,) level

    def __post_init__(self) -> None:
        self.pan = np.zeros((len(self.shot), 2))
        self.turn, self.zoom = np.zeros(len(self.shot)), np.zeros(len(self.shot))
        self.light = np.ones(len(self.shot))
        grounds = GROUNDS if self.rich else (*GROUNDS, _plain)
        self.tile = grounds[int(self.rng.integers(len(grounds)))](self.rng)
        least = 60 if self.rich else 20
        self.lowest = self.by_shot(lambda shots: self.rng.uniform(0, 140, shots))
        self.span = self.by_shot(lambda shots: self.rng.uniform(least, 115, shots))

    @property
    def at(self) -> Seconds:
        """The (T,) moments of the pictures, each in the middle of the time it is shown."""
        return (np.arange(len(self.shot)) + 0.5) / RATE

    def by_shot(self, draw: Callable[[int], NDArray[np.float64]]) -> Float64s:
        """Return (T, ...) what ``draw`` gives each of so many shots."""
        return np.asarray(draw(int(self.shot[-1]) + 1)[self.shot])

    def spot(self, margin: float = 0.15) -> Float64s:
        """Return a (T, 2) place in the picture, another in each shot."""
        low, high = (margin, margin), (ACROSS - margin, 1 - margin)
        return self.by_shot(lambda shots: self.rng.uniform(low, high, (shots, 2)))

    def paint(self) -> Float64s:
        """Return a (T,) level, another in each shot: far from the ground's."""
        ground = self.lowest + self.span / 2
        away = self.by_shot(lambda shots: self.rng.uniform(70, 150, shots))
        dark = self.by_shot(lambda shots: self.rng.normal(128, 40, shots)) < ground
        return np.clip(ground + np.where(dark, -away, away), 0, 255)

    def add(self, cover: Float32s, level: Float64s) -> None:
        """Add figures that cover (T, HEIGHT, WIDTH) shares of the picture in a (T,) level."""
        self.figures.append((cover, level))


# --- figures: shares of each pixel that they cover ------------------------------------------------


def boxes(left: ArrayLike, top: ArrayLike, right: ArrayLike, bottom: ArrayLike) -> Float32s:
    """Return the (T, HEIGHT, WIDTH) cover of (T, N) upright boxes."""
    across = _overlap(X, np.asarray(left, np.float32), np.asarray(right, np.float32))
    down = _overlap(Y, np.asarray(top, np.float32), np.asarray(bottom, np.float32))
    return _laid(down, across)


def dots(x: ArrayLike, y: ArrayLike, radius: ArrayLike, strength: ArrayLike = 1.0) -> Float32s:
    """Return the cover of (T, N) soft dots."""
    size = np.maximum(np.asarray(radius, np.float32), SOFT / 2)[..., None]
    across = np.exp(-(((X - np.asarray(x, np.float32)[..., None]) / size) ** 2))
    down = np.exp(-(((Y - np.asarray(y, np.float32)[..., None]) / size) ** 2))
    return _laid(down * np.asarray(strength, np.float32)[..., None], across)


def disc(x: ArrayLike, y: ArrayLike, radius: ArrayLike, hollow: ArrayLike = 0.0) -> Float32s:
    """Return the cover of a (T,) disc, or of a ring that is so much ``hollow`` of its radius."""
    far = np.sqrt(_from(X, x)[:, None, :] ** 2 + _from(Y, y)[:, :, None] ** 2)
    size = np.asarray(radius, np.float32)[..., None, None]
    cover = np.clip((size - far) / SOFT + 0.5, 0, 1)
    inner = size * np.asarray(hollow, np.float32)[..., None, None]
    return cover * np.clip((far - inner) / SOFT + 0.5, 0, 1) if np.any(hollow) else cover


def stroke(x: ArrayLike, y: ArrayLike, to_x: ArrayLike, to_y: ArrayLike, wide: float) -> Float32s:
    """Return the cover of a (T,) stroke from one place to another."""
    px, py = _from(X, x)[:, None, :], _from(Y, y)[:, :, None]
    dx = (np.asarray(to_x) - x).astype(np.float32)[:, None, None]
    dy = (np.asarray(to_y) - y).astype(np.float32)[:, None, None]
    along = np.clip((px * dx + py * dy) / np.maximum(dx**2 + dy**2, 1e-6), 0, 1)
    far = np.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2)
    return np.asarray(np.clip((wide / 2 - far) / SOFT + 0.5, 0, 1))


def _overlap(middles: Float32s, low: Float32s, high: Float32s) -> Float32s:
    """Return the (T, N, pixels) shares of pixels that lie between (T, N) edges."""
    half = np.float32(SOFT / 2)
    until = np.minimum(high[..., None], middles + half)
    return np.maximum(until - np.maximum(low[..., None], middles - half), 0) / np.float32(SOFT)


def _laid(down: Float32s, across: Float32s) -> Float32s:
    return np.minimum(np.matmul(down.transpose(0, 2, 1), across), 1)


def _from(middles: Float32s, place: ArrayLike) -> Float32s:
    return middles - np.asarray(place, np.float32)[:, None]


# --- the picture ----------------------------------------------------------------------------------


def pictures(stage: Stage) -> Picture:
    """Return the (T, HEIGHT, WIDTH) pictures of a film."""
    rng = stage.rng
    seen = _ground(rng, stage).astype(np.float32)
    seen *= (stage.span / 255).astype(np.float32)[:, None, None]
    seen += stage.lowest.astype(np.float32)[:, None, None]
    for cover, level in stage.figures:
        seen += cover * (level.astype(np.float32)[:, None, None] - seen)
    seen *= stage.light.astype(np.float32)[:, None, None]
    seen += _noise(rng, len(seen))
    return np.clip(seen, 0, 255).astype(np.uint8)


def _ground(rng: Generator, stage: Stage) -> Picture:
    """Return the (T, HEIGHT, WIDTH) levels of the ground as the camera sees it."""
    origin = stage.by_shot(lambda shots: rng.uniform(0, TILE / HEIGHT, (shots, 2)))
    place = ((origin + stage.pan) * HEIGHT).astype(np.float32)
    scale = np.exp(-stage.zoom) * HEIGHT
    cos, sin = (scale * f(stage.turn) for f in (np.cos, np.sin))
    cos, sin = cos.astype(np.float32)[:, None, None], sin.astype(np.float32)[:, None, None]
    right, down = (X - np.float32(ACROSS / 2))[None, None, :], (Y - np.float32(0.5))[None, :, None]
    x = cos * right - sin * down + place[:, :1, None]
    y = sin * right + cos * down + place[:, 1:, None]
    flat = (len(x) * HEIGHT, WIDTH)
    levels = cv2.remap(
        stage.tile, x.reshape(flat), y.reshape(flat), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    return np.asarray(levels, np.uint8).reshape(x.shape)


def _noise(rng: Generator, count: int) -> Float32s:
    """Return (count, HEIGHT, WIDTH) grain, which is another one in each picture."""
    level = rng.uniform(*GRAIN)
    piece = rng.standard_normal((NOISE, NOISE), np.float32) * np.float32(level)
    places = rng.integers(0, (NOISE - HEIGHT, NOISE - WIDTH), (count, 2))
    windows = np.lib.stride_tricks.sliding_window_view(piece, (HEIGHT, WIDTH))
    return windows[places[:, 0], places[:, 1]]


def _clouds(rng: Generator) -> Picture:
    cells = int(rng.integers(8, 32))
    seeds = rng.integers(0, 256, (cells, cells), np.uint8)
    seeds = np.pad(seeds, ((0, 1), (0, 1)), mode="wrap")
    return np.asarray(cv2.resize(seeds, (TILE, TILE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _stripes(rng: Generator) -> Picture:
    turns = rng.integers(-6, 7, 2)
    turns[0] = turns[0] or 3
    place = np.arange(TILE) * (2 * np.pi / TILE)
    wave = np.sin(place[None, :] * turns[0] + place[:, None] * turns[1])
    return (127.5 + 127.5 * np.tanh(wave * rng.uniform(1, 6))).astype(np.uint8)


def _tiles(rng: Generator) -> Picture:
    cells = int(rng.choice((4, 8, 16, 20)))
    levels = rng.integers(0, 256, (cells, cells), np.uint8)
    return np.asarray(cv2.resize(levels, (TILE, TILE), interpolation=cv2.INTER_NEAREST), np.uint8)


def _spots(rng: Generator) -> Picture:
    tile = np.full((TILE, TILE), int(rng.integers(30, 200)), np.uint8)
    for _ in range(int(rng.integers(8, 40))):
        x, y = rng.integers(0, TILE, 2).tolist()
        size, level = int(rng.integers(3, 18)), int(rng.integers(256))
        cv2.circle(tile, (x, y), size, level, -1, cv2.LINE_AA)
    return tile


def _plain(rng: Generator) -> Picture:
    return np.full((TILE, TILE), int(rng.integers(256)), np.uint8)


GROUNDS: tuple[Callable[[Generator], Picture], ...] = (
    _clouds, _clouds, _stripes, _tiles, _spots
)  # fmt: skip
