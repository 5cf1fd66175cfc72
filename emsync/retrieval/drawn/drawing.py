"""Films that are drawn to a script: figures on a ground that a camera moves over, in four styles.

They are no films that anybody would shoot. They serve to learn from, and to see whether what was
learned from one style holds for another: each has its own figures, palette, ground and camera.

Shapes: F frames of HEIGHT by WIDTH pixels, blue, green, red.
"""

import colorsys
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emsync.arrays import Float64s, Picture
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.retrieval.drawn.following import RATE, Script

WIDTH, HEIGHT = 160, 90  # pixels
TILE = 256  # pixels of a ground, which comes again beyond them
SUBPIXEL = 4  # bits; OpenCV draws at fractions of a pixel, so slow things glide
FIGURES = 9  # that are seen at a time
MARGIN = 0.25  # picture heights around the picture in which figures wait
AROUND = 0.52  # picture heights: the mean distance of a point of the picture from its middle
CLOSEST = 0.7  # natural logarithm: how far a camera zooms in before it turns back
TEXTURES = ("smooth", "grainy", "striped", "dotted")
GRAIN = (0.0, 5.0)  # SD in levels of 255, of the noise in a film

Outline: TypeAlias = NDArray[np.float64]  # (n, 2) x, y, about 1 from the middle
Ground: TypeAlias = Picture  # (TILE, TILE)


@dataclass(frozen=True)
class Style:
    """A way to draw."""

    figures: tuple[str, str, str]  # of FIGURE
    ground: Callable[[Generator], Float64s]  # (TILE, TILE), any range
    hues: tuple[float, float]  # degrees: of a cold and of a warm film
    camera: tuple[float, float, float]  # how much it pans, turns and zooms
    contrast: float  # of the ground, in [0, 1]
    size: tuple[float, float]  # of figures, in picture heights
    spread: float  # degrees between the hues of ground and figures


@dataclass
class _Shot:
    """What stays from one cut to the next."""

    colours: Picture  # (256, 3) of the ground, by its levels
    paints: list[tuple[float, float, float]]  # of the figures
    at: Float64s  # (FIGURES, 2) picture heights
    going: Float64s  # (FIGURES, 2) unit vectors
    pace: Float64s  # (FIGURES,) times the speed
    sizes: Float64s  # (FIGURES,) picture heights
    angles: Float64s  # (FIGURES,) radians
    heading: float  # radians
    turning: int  # 1 or -1
    origin: Float64s  # (2,) pixels of the ground


def check_styles(names: tuple[str, ...]) -> None:
    """Refuse a style that there is not."""
    for name in names:
        if name not in STYLES:
            raise UsageError(f"there is no style {shown(name)}; choose of {', '.join(STYLES)}")


def drawn(script: Script, name: str, rng: Generator) -> Iterator[Picture]:
    """Yield the pictures of a film in a style, RATE a second."""
    style = STYLES[name]
    ground = _textured(style.ground(rng), TEXTURES[script.texture], style.contrast, rng)
    outline = FIGURE[style.figures[script.figure]]
    hue = float(np.interp(script.warm, (0.15, 0.85), style.hues))
    noise = rng.normal(0, rng.uniform(*GRAIN), (2 * HEIGHT, 2 * WIDTH, 1)).repeat(3, 2)
    noise = noise.astype(np.int16)
    moved = np.cumsum(script.speed) / RATE  # picture heights
    gone = moved - script.speed / RATE
    shot, number = _shot(style, hue, script.vivid, rng), 0
    began = 0.0
    for i in range(len(moved)):
        if script.shots[i] != number:
            number, began = int(script.shots[i]), float(gone[i])
            shot = _shot(style, hue, script.vivid, rng)
        way = float(moved[i]) - began  # picture heights since the cut
        picture = shot.colours[_seen(ground, style, shot, way)]
        _add_figures(picture, outline, shot, way, float(script.swell[i]))
        lit = 0.4 + 0.6 * float(script.bright[i])
        y, x = rng.integers((HEIGHT, WIDTH))
        grained = picture * np.float32(lit) + noise[y : y + HEIGHT, x : x + WIDTH]
        yield np.clip(grained, 0, 255).astype(np.uint8)


# --- the camera -----------------------------------------------------------------------------------


def _seen(ground: Ground, style: Style, shot: _Shot, way: float) -> Picture:
    """Return the (HEIGHT, WIDTH) levels that a camera sees which has gone ``way``."""
    pan, turn, zoom = style.camera
    angle = shot.turning * turn * way / AROUND
    far = zoom * way / AROUND
    scale = math.exp(-abs((far + CLOSEST) % (4 * CLOSEST) - 2 * CLOSEST) + CLOSEST)
    x, y = np.array([math.cos(shot.heading), math.sin(shot.heading)]) * pan * way * HEIGHT
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    centre = shot.origin + np.array([x, y])
    across = np.array([[cos, -sin], [sin, cos]])
    shift = centre - across @ (WIDTH / 2, HEIGHT / 2)
    matrix = np.column_stack([across, shift % TILE])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(ground, matrix, (WIDTH, HEIGHT), flags=how, borderMode=cv2.BORDER_WRAP)
    )


def _shot(style: Style, hue: float, vivid: float, rng: Generator) -> _Shot:
    """Return a new shot: another place, way and light, of the same palette."""
    base = hue + rng.normal(0, 14)
    dark, light = rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.95)
    if rng.random() < 0.3:
        dark, light = light, dark
    saturation = 0.1 + 0.85 * vivid
    low, high = (_colour(base + off, saturation, v) for off, v in ((0, dark), (12, light)))
    levels = np.linspace(0, 1, 256)[:, None]
    angles = rng.uniform(0, 2 * np.pi, FIGURES)
    paints = [
        _colour(base + style.spread * rng.uniform(0.6, 1.4), saturation, rng.uniform(0.5, 1))
        for _ in range(FIGURES)
    ]
    return _Shot(
        colours=(np.array(low) * (1 - levels) + np.array(high) * levels).astype(np.uint8),
        paints=paints,
        at=rng.random((FIGURES, 2)) * _field(),
        going=np.column_stack([np.cos(angles), np.sin(angles)]),
        pace=rng.uniform(0.5, 1.5, FIGURES),
        sizes=rng.uniform(*style.size, FIGURES),
        angles=rng.uniform(0, 2 * np.pi, FIGURES),
        heading=rng.uniform(0, 2 * np.pi),
        turning=int(rng.choice((-1, 1))),
        origin=rng.random(2) * TILE,
    )


def _field() -> Float64s:
    """Return the width and the height, in picture heights, of where figures are."""
    return np.array([WIDTH / HEIGHT + 2 * MARGIN, 1 + 2 * MARGIN])


def _add_figures(picture: Picture, outline: Outline, shot: _Shot, way: float, swell: float) -> None:
    places = (shot.at + shot.going * (shot.pace * way)[:, None]) % _field() - MARGIN
    turned = shot.angles + shot.turning * 0.8 * way
    cos, sin = np.cos(turned), np.sin(turned)
    turns = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)  # (FIGURES, 2, 2)
    sizes = shot.sizes * swell
    points = outline @ turns.transpose(0, 2, 1) * sizes[:, None, None] + places[:, None]
    fixed = np.round(points * (HEIGHT << SUBPIXEL)).astype(np.int32)
    for figure, paint in zip(fixed, shot.paints, strict=True):
        cv2.fillPoly(picture, [figure], paint, cv2.LINE_AA, SUBPIXEL)


def _colour(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Return blue, green and red, 0 to 255."""
    red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1, min(saturation, 1.0), value)
    return 255 * blue, 255 * green, 255 * red


# --- grounds --------------------------------------------------------------------------------------


def _textured(ground: Float64s, texture: str, contrast: float, rng: Generator) -> Ground:
    """Return a ground as levels, with a texture laid over it."""
    ground = (ground - ground.mean()) / max(float(ground.std()), 1e-9) * contrast
    y, x = np.mgrid[:TILE, :TILE] * (2 * np.pi / TILE)
    over: Float64s = np.zeros((TILE, TILE))  # smooth
    if texture == "grainy":
        over = rng.standard_normal((TILE, TILE))
    elif texture == "striped":
        over = 1.2 * np.sign(np.sin(16 * x + 4 * y))
    elif texture == "dotted":
        over = 2.2 * (np.sin(20 * x) * np.sin(20 * y) > 0.45)
    return np.clip(128 + 46 * (ground + 0.6 * over), 0, 255).astype(np.uint8)


def _noise(rng: Generator, power: float) -> Float64s:
    """Return seamless noise whose spectrum falls by ``power``."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) * TILE
    frequency[0, 0] = np.inf
    waves = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    return np.asarray(np.fft.irfft2(waves / frequency**power, (TILE, TILE)), np.float64)


def _patches(rng: Generator) -> Float64s:
    """Return seamless cells, each of one level: what is nearest to one of some points."""
    points = rng.random((28, 2)) * TILE
    y, x = np.mgrid[:TILE, :TILE]
    away = [
        ((x - px + TILE / 2) % TILE - TILE / 2) ** 2 + ((y - py + TILE / 2) % TILE - TILE / 2) ** 2
        for px, py in points
    ]
    return rng.random(len(points))[np.argmin(away, axis=0)]


def _waves(rng: Generator) -> Float64s:
    """Return seamless waves of a few directions."""
    y, x = np.mgrid[:TILE, :TILE] * (2 * np.pi / TILE)
    total = np.zeros((TILE, TILE))
    for _ in range(5):
        across, down = rng.integers(-7, 8, 2)
        total += np.sin(across * x + down * y + rng.uniform(0, 2 * np.pi))
    return total


# --- figures --------------------------------------------------------------------------------------


def _round(radii: Callable[[Float64s], Float64s], points: int = 24) -> Outline:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False, dtype=np.float64)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radii(angles)[:, None]


def _even(angles: Float64s) -> Float64s:
    return np.ones(len(angles))


@cache
def _arc() -> Outline:
    angles = np.linspace(0, np.pi, 12)
    circle = np.column_stack([np.cos(angles), np.sin(angles) - 0.5])
    return np.concatenate([circle, 0.72 * circle[::-1] - (0, 0.14)])


FIGURE: dict[str, Outline] = {
    "discs": _round(_even),
    "squares": np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.88,
    "crosses": np.array(
        [[1, 3], [-1, 3], [-1, 1], [-3, 1], [-3, -1], [-1, -1],
         [-1, -3], [1, -3], [1, -1], [3, -1], [3, 1], [1, 1]]
    ) / 2.8,
    "triangles": _round(_even, 3) * 1.25,
    "stars": _round(lambda a: np.where(np.arange(len(a)) % 2, 0.45, 1.2), 10),
    "shards": np.array([[-1.5, -0.2], [0.2, -0.6], [1.6, 0.3]]),
    "strokes": np.array([[-2, -0.1], [2, -0.1], [2, 0.1], [-2, 0.1]]),
    "zigzags": np.array(
        [[-2, 0.4], [-1, -0.5], [0, 0.4], [1, -0.5], [2, 0.4],
         [2, 0.7], [1, -0.2], [0, 0.7], [-1, -0.2], [-2, 0.7]]
    ),
    "arcs": _arc(),
    "clouds": _round(lambda a: 1 + 0.22 * np.cos(5 * a)),
    "leaves": _round(lambda a: 1 / (1 + 1.3 * np.abs(np.sin(a)))) * (1.5, 1),
    "stones": _round(lambda a: 1 + 0.2 * np.cos(2 * a + 1) + 0.1 * np.cos(3 * a)),
}  # fmt: skip

STYLES: dict[str, Style] = {
    "shapes": Style(
        ("discs", "squares", "crosses"), lambda rng: _noise(rng, 1.0), (225, 20), (1.0, 0.15, 0.0),
        0.7, (0.05, 0.14), 70.0,
    ),
    "plates": Style(
        ("clouds", "leaves", "stones"), lambda rng: _noise(rng, 1.7), (200, 40), (0.7, 0.0, 0.6),
        1.1, (0.06, 0.2), 25.0,
    ),
    "triangles": Style(
        ("triangles", "stars", "shards"), _patches, (250, -10), (0.6, 0.6, 0.25),
        0.9, (0.06, 0.15), 150.0,
    ),
    "lines": Style(
        ("strokes", "zigzags", "arcs"), _waves, (180, 55), (0.35, 0.9, 0.0),
        0.8, (0.06, 0.12), 180.0,
    ),
}  # fmt: skip
