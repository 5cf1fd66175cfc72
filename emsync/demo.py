"""The project's own clip: five drawn scenes, from dawn to a night at sea, with hard cuts."""

from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.errors import EmsyncError, UsageError
from emsync.output import whole

CUTS = (3.4, 7.56, 12.12, 16.4)  # seconds; on no common grid, each at least 4 s after the last
LENGTH = 20.0  # seconds
WIDTH, HEIGHT = 640, 360  # pixels

Picture: TypeAlias = NDArray[np.uint8]  # (HEIGHT, WIDTH, 3) red, green, blue: OpenCV draws on it
Canvas: TypeAlias = NDArray[np.float32]  # (HEIGHT, WIDTH, 3) 0 to 255: light adds up on it
Field: TypeAlias = NDArray[np.float32]  # (HEIGHT, WIDTH)
Points: TypeAlias = NDArray[np.float64]  # (n, 2) x, y in pixels
Colour: TypeAlias = tuple[int, int, int]

Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
SUBPIXEL = 4  # bits; OpenCV draws at fractions of a pixel, so slow things glide


def draw_clip(path: Path, seconds: float = LENGTH, fps: int = 25) -> None:
    """Draw the clip and write it as H.264; a shorter one is cut off, a longer one is refused."""
    if not 0 < seconds <= LENGTH:
        raise UsageError(f"the demonstration lasts up to {LENGTH:g} seconds, not {seconds:g}")
    from moviepy import VideoClip

    clip = VideoClip(picture, duration=seconds)
    with whole(path) as part:
        try:
            clip.write_videofile(
                str(part.absolute()),  # FFmpeg takes "concat:x.mp4" for a protocol
                fps=fps,
                codec="libx264",
                audio=False,
                preset="veryfast",
                threads=2,  # the bytes depend on it
                ffmpeg_params=["-crf", "18", "-pix_fmt", "yuv420p"],
                logger=None,
            )
        except OSError as error:  # moviepy's own, which quotes all that FFmpeg printed
            raise EmsyncError(f"FFmpeg cannot write {str(path)!r}: is the disk full?") from error


def picture(time: float) -> Picture:
    """Draw the picture shown at ``time`` seconds."""
    i = bisect_right(CUTS, time + 1e-6)
    return SCENES[i](time - (0.0, *CUTS)[i])


# --- scenes: each draws its picture ``t`` seconds after it began ----------------------------------


def dawn(t: float) -> Picture:
    """The sun rises behind misty hills."""
    canvas = _sky((40, 32, 96), (122, 66, 140), (244, 128, 96), (255, 214, 150), horizon=250).copy()
    y = 236 - 13 * t
    sun = np.hypot(X - 400, Y - y)
    for radius, strength in ((230, 0.35), (90, 0.5)):
        canvas += np.exp(-((sun / radius) ** 2))[..., None] * _tint(255, 190, 110) * strength
    clouds = _drift(_clouds(3, wide=8), 9 * t) * np.clip(1.2 - Y / 230, 0, 1)
    canvas += clouds[..., None] * _tint(255, 120, 120) * 0.55
    canvas += np.clip(30 - sun, 0, 1)[..., None] * (_tint(255, 246, 214) - canvas)
    for i, colour in enumerate(((150, 84, 122), (106, 62, 112), (66, 44, 92), (30, 24, 58))):
        top = 226 + 30 * i + _ridge(i, 4 * (i + 1) * t) * (15 + 4 * i)
        canvas = _below(canvas, top, colour, mist=(255, 176, 140) if i < 3 else None)
    image = _shown(canvas)
    for i in range(7):
        x, y = 96 + 26 * i - 11 * abs(i - 2) + 30 * t, 92 + 12 * abs(i - 2) - 6 * t
        flap = 4.5 * np.sin(9 * t + i)
        wings = np.array([[-9, -flap], [-3, -1.5], [0, 1.5], [3, -1.5], [9, -flap]])
        _lines(image, [wings + (x, y)], (48, 30, 70), 1)
    return image


def city(t: float) -> Picture:
    """A neon city rushes past, and its lights lie on the wet road."""
    street = 250
    canvas = _sky((14, 10, 44), (54, 18, 104), (214, 40, 148), (255, 122, 150), horizon=240).copy()
    for layer, speed in enumerate((70, 220, 560)):
        towers, solid = _towers(layer)
        canvas += _drift(solid, speed * t)[..., None] * (_drift(towers, speed * t) - canvas)
    mirrored = canvas[2 * street - HEIGHT : street][::-1]
    ripple = (2.5 * np.sin(0.9 * Y[street:] + 20 * t) * (Y[street:] - street) / 40).astype(np.intp)
    columns = (X[street:].astype(np.intp) + ripple) % WIDTH
    canvas[street:] = np.take_along_axis(mirrored, columns[..., None], 1) * _tint(0.34, 0.28, 0.52)
    rng = np.random.default_rng(5)
    streaks = _black()
    for i in range(34):
        lane, speed, length, start = rng.random(4)
        right = bool(i % 2)
        y = street + 20 + 24 * lane + (36 if right else 0)
        x = (start * 1400 + (900 + 700 * speed) * t) % 1400 - 380
        x, tail = (x, -90 - 190 * length) if right else (WIDTH - x, 90 + 190 * length)
        colour = (255, 60, 70) if right else (200, 235, 255)
        _lines(streaks, [np.array([[x, y], [x + tail, y]])], colour, 1 + round(2 * length))
    return _shown(canvas + streaks + 1.6 * _blur(streaks, 9))


def storm(t: float) -> Picture:
    """Wind bends a lone tree under rain and lightning."""
    canvas = _sky((44, 52, 58), (66, 78, 80), (96, 108, 100), (120, 128, 112), horizon=300).copy()
    heavy = 0.6 * _drift(_clouds(8, wide=3), 120 * t) + 0.4 * _drift(_clouds(9, wide=2), 230 * t)
    canvas *= (1.25 - 0.95 * heavy * np.clip(1.3 - Y / 300, 0, 1))[..., None]
    for seed, (begin, x) in enumerate(((0.7, 470), (2.1, 150), (2.36, 176), (3.7, 560))):
        if begin <= t < begin + 0.5:
            light = _black()
            _lines(light, [_bolt(seed, x)], (235, 240, 255), 2)
            glow = np.exp(-(((X - x) / 210) ** 2)) * np.clip(1.2 - Y / 320, 0, 1)
            canvas += (light + 2 * _blur(light, 25) + glow[..., None] * 34) * (begin + 0.5 - t) * 2
    canvas = _below(canvas, 296 + _ridge(12, 0) * 12, (38, 46, 44))
    canvas = _below(canvas, 318 + _ridge(13, 0) * 9, (18, 22, 24))
    image = _shown(canvas)
    for width, branches in _tree(0.16 + 0.05 * np.sin(3.1 * t) + 0.03 * np.sin(7.7 * t)).items():
        _lines(image, branches, (14, 16, 18), width)
    near, x, y = np.random.default_rng(7).random((3, 420))
    fall = np.stack([x * 900 - 330 * t * (1 + near), y * 460 + 900 * t * (1 + near)], axis=1)
    head = fall % (900, 460) - (130, 60)
    tail = head + (10 + 12 * near)[:, None] * (0.36, -1)
    rain = _black()
    _lines(rain, list(np.stack([head, tail], axis=1)), (84, 96, 104), 1)
    return _shown(image.astype(np.float32) + rain)


def joy(t: float) -> Picture:
    """Balloons rise and confetti falls on a bright day."""
    canvas = _sky((96, 196, 255), (150, 220, 255), (255, 240, 190), (255, 226, 150), horizon=300)
    rays = np.clip(4 * np.sin(14 * np.arctan2(Y - 330, X - 320) + 1.3 * t), -1, 1)
    rays *= np.exp(-np.hypot(X - 320, Y - 330) / 330)
    canvas = canvas + rays[..., None] * _tint(60, 44, -6)
    canvas = _below(canvas, 300 + _ridge(21, 0) * 14, (126, 206, 92))
    canvas = _below(canvas, 326 + _ridge(22, 0) * 10, (84, 176, 84))
    image = _shown(canvas)
    rng = np.random.default_rng(23)
    for i in range(15):
        column, start, phase = rng.random(3)
        size = 15 + 16 * (i / 14) ** 2
        sway = 1.7 * t + 7 * phase
        y = 470 - (start * 560 + (50 + 3 * size) * t) % 560
        at = (40 + 560 * column + 14 * np.sin(sway), y)
        _balloon(image, at, size, PARTY[i % len(PARTY)], np.sin(sway + 1))
    column, start, speed, spin = rng.random((4, 190))
    turn = (4 + 5 * speed) * t + 9 * spin
    centre = np.stack(
        [column * 660 + 16 * np.sin(3 * t + 9 * spin), (start * 400 + (70 + 90 * speed) * t) % 400],
        axis=1,
    )
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 4.6
    across = np.stack([-np.sin(turn), np.cos(turn)], axis=1) * 3 * np.cos(2 * turn)[:, None]
    corners = np.stack([along + across, along - across, -along - across, across - along], axis=1)
    for i, corner in enumerate(corners + (centre - (0, 20))[:, None]):
        _fill(image, corner, PARTY[i % len(PARTY)])
    return image


def night(t: float) -> Picture:
    """The moon lies on a calm sea, and a boat passes."""
    line = 212
    canvas = _sky((4, 8, 30), (8, 22, 62), (18, 46, 96), (40, 80, 128), horizon=line).copy()
    stars = _black()
    for x, y, size, phase in np.random.default_rng(31).random((170, 4)):
        shine = (0.35 + 0.65 * size**3) * (0.75 + 0.25 * np.sin(2.4 * t + 40 * phase))
        colour = (round(225 * shine), round(232 * shine), round(255 * shine))
        _disc(stars, (x * WIDTH, y**1.3 * (line - 14)), 0.55 + 0.8 * size**4, colour)
    canvas += stars
    moon = np.hypot(X - 428, Y - 84)
    for radius, strength in ((170, 0.22), (58, 0.4)):
        canvas += np.exp(-((moon / radius) ** 2))[..., None] * _tint(190, 205, 235) * strength
    disc = _tint(252, 248, 226) * (1 - 0.16 * _drift(_clouds(34, wide=1), 330))[..., None]
    canvas += np.clip(26.5 - moon, 0, 1)[..., None] * (disc - canvas)
    x, depth = X[line:], (Y[line:] - line + 1) / (HEIGHT - line)
    far = np.sqrt(1 / (depth + 0.05))  # waves crowd towards the horizon
    wave = np.sin(68 * far + 0.9 * t + 0.6 * np.sin(x / (6 + 40 * depth) - 0.7 * t))
    wave *= np.sin(x / (3 + 26 * depth) + 1.1 * t + 9 * depth)
    path = np.exp(-(((x - 428) / (16 + 120 * depth)) ** 2))
    glitter = np.clip(3 * (wave - 0.25), 0, 1) * path + 0.22 * path * (1 - depth)
    sea = _tint(26, 62, 108) + depth[..., None] * _tint(-22, -48, -68)
    sea += (wave * (0.3 + 0.7 * depth))[..., None] * _tint(5, 12, 18)
    canvas[line:] = sea + glitter[..., None] * _tint(192, 189, 162)
    image = _shown(canvas)
    _boat(image, (120 + 13 * t, line + 30 + 1.4 * np.sin(1.5 * t)), 0.03 * np.sin(1.2 * t))
    return image


SCENES: tuple[Callable[[float], Picture], ...] = (dawn, city, storm, joy, night)
PARTY = (
    *((240, 62, 80), (255, 178, 36), (46, 168, 232)),
    *((142, 84, 214), (60, 190, 110), (255, 112, 170)),
)


# --- what the scenes are made of ------------------------------------------------------------------


def _tint(*colour: float) -> NDArray[np.float32]:
    return np.array(colour, np.float32)


def _black() -> Picture:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def _shown(canvas: Canvas) -> Picture:
    return np.clip(canvas, 0, 255).astype(np.uint8)


@cache
def _sky(*colours: Colour, horizon: int) -> Canvas:
    """Return a gradient through ``colours`` from the top to the row ``horizon``."""
    rows = np.linspace(0, 1, len(colours)) * horizon
    columns = [
        np.interp(np.arange(HEIGHT), rows, channel) for channel in zip(*colours, strict=True)
    ]
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 1.2, (HEIGHT, WIDTH, 1))  # or the gradient shows steps
    return (np.stack(columns, axis=1)[:, None, :] + grain).astype(np.float32)


@cache
def _clouds(seed: int, wide: int) -> Field:
    """Return soft noise, 0 to 1, stretched ``wide`` times, seamless from right to left."""
    import cv2

    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, 2 * WIDTH), np.float32)
    for octave in range(5):
        rows, columns = 4 << octave, max(2, (16 << octave) // wide)
        coarse = rng.random((rows, columns)).astype(np.float32)
        coarse = np.concatenate([coarse[:, -2:], coarse, coarse[:, :2]], axis=1)
        scale = 2 * WIDTH // columns
        fine = cv2.resize(coarse, (scale * (columns + 4), HEIGHT), interpolation=cv2.INTER_CUBIC)
        start = 2 * scale
        part = cv2.resize(fine[:, start : start + scale * columns], (2 * WIDTH, HEIGHT))
        total += part / 2**octave
    total -= total.min()
    return np.clip(total / total.max() * 2.2 - 0.7, 0, 1).astype(np.float32)


def _drift(texture: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Return the WIDTH columns of a seamless ``texture`` that begin at ``shift``."""
    column, part = divmod(shift, 1)
    columns = (np.arange(WIDTH + 1) + int(column)) % texture.shape[1]
    seen = texture[:, columns]
    return seen[:, :-1] * np.float32(1 - part) + seen[:, 1:] * np.float32(part)


@cache
def _towers(layer: int) -> tuple[Canvas, Field]:
    """Return a seamless row of houses with lit windows, and where they are solid."""
    rng = np.random.default_rng(40 + layer)
    width = 2 * WIDTH
    towers, solid = np.zeros((HEIGHT, width, 3), np.float32), np.zeros((HEIGHT, width), np.float32)
    body = ((66, 34, 112), (34, 20, 72), (12, 8, 32))[layer]
    pane = (4, 6, 9)[layer]
    left = 0
    while left < width:
        right = min(width, left + int(rng.integers(6, 13)) * pane)
        top = int((120, 96, 60)[layer] + rng.random() ** 0.7 * (100, 110, 150)[layer])
        solid[top:, left:right] = 1
        towers[top:, left:right] = body
        neon = PARTY[int(rng.integers(len(PARTY)))]
        for y in range(top + pane, HEIGHT - 110, pane * 2):
            for x in range(left + pane // 2, right - pane, pane + pane // 2):
                if rng.random() < 0.42:
                    warm = neon if rng.random() < 0.25 else (255, 214, 140)
                    light = _tint(*warm) * (0.5, 0.75, 1.0)[layer] * (0.5 + 0.5 * rng.random())
                    towers[y : y + pane, x : x + pane - 1] = light
        if rng.random() < 0.5:  # a neon edge
            towers[top : top + 2, left:right] = neon
        left = right + int(rng.integers(0, 5)) * pane * (1, 2, 5)[layer]
    return towers, solid


@cache
def _waves(seed: int) -> NDArray[np.float64]:
    """Return the (4, 3) heights, lengths and phases of the waves that make a ridge."""
    rng = np.random.default_rng(seed)
    lengths = np.array([310.0, 137.0, 61.0, 23.0]) * rng.uniform(0.8, 1.2, 4)
    return np.stack([np.array([1, 0.55, 0.25, 0.08]), lengths, rng.uniform(0, 7, 4)], axis=1)


def _ridge(seed: int, shift: float) -> NDArray[np.float32]:
    """Return the (WIDTH,) heights of a line of hills, about -1 to 1, moved by ``shift`` pixels."""
    x = np.arange(WIDTH) + shift
    parts = [height * np.sin(x / length + phase) for height, length, phase in _waves(seed)]
    return np.sum(parts, axis=0).astype(np.float32)


def _below(
    canvas: Canvas, top: NDArray[np.float32], colour: Colour, mist: Colour | None = None
) -> Canvas:
    """Return ``canvas`` with what is below the line ``top`` filled; ``mist`` gathers at its foot."""
    inside = np.clip(Y - top, 0, 1)[..., None]
    fill: NDArray[np.float32] = _tint(*colour)
    if mist:
        thick = np.clip((Y - top) / 70, 0, 1)[..., None] * 0.75
        fill = fill + thick * (_tint(*mist) - fill)
    return canvas + inside * (fill - canvas)


def _blur(image: Picture, sigma: float) -> Canvas:
    """Return a blurred ``image``, computed at a quarter of its size."""
    import cv2

    small = cv2.resize(
        image.astype(np.float32), (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA
    )
    soft = cv2.GaussianBlur(small, (0, 0), sigma / 4)
    return np.asarray(cv2.resize(soft, (WIDTH, HEIGHT)), np.float32)


@cache
def _bolt(seed: int, x: float) -> Points:
    """Return the jagged line of a lightning near the column ``x``."""
    rng = np.random.default_rng(50 + seed)
    y = np.linspace(40, 290, 18)
    return np.stack([x + np.cumsum(rng.normal(0, 9, 18)), y], axis=1)


def _tree(lean: float) -> dict[int, list[Points]]:
    """Return the branches of a bare tree by their width in pixels; wind bends the thin ones."""
    rng = np.random.default_rng(61)
    branches: dict[int, list[Points]] = {}

    def grow(foot: Points, angle: float, length: float, width: float) -> None:
        bent = angle + lean * (1 + 2.4 / width)
        tip = foot + length * np.array([np.sin(bent), -np.cos(bent)])
        branches.setdefault(max(1, round(width)), []).append(np.stack([foot, tip]))
        if length > 7:
            for side in (-1, 1):
                spread = side * rng.uniform(0.2, 0.55)
                grow(tip, angle + spread, length * rng.uniform(0.66, 0.86), width * 0.68)

    grow(np.array([236.0, 330.0]), -0.1, 52, 9)
    return branches


def _balloon(
    image: Picture, at: tuple[float, float], size: float, colour: Colour, sway: float
) -> None:
    """Draw a balloon of radius ``size`` and its swaying string."""
    x, y = at
    along = np.linspace(0, 1, 9)
    string = np.stack([x + 5 * sway * np.sin(4 * along), y + size * (1.2 + 2.6 * along)], axis=1)
    _lines(image, [string], (250, 250, 250), 1)
    turn = np.linspace(0, 2 * np.pi, 48)
    outline = np.stack([np.sin(turn), -np.cos(turn) * (1.14 + 0.1 * -np.cos(turn))], axis=1)
    knot = np.array([[0, 1.15], [-0.16, 1.36], [0.16, 1.36]])
    dark, light = (
        tuple(round(c * f + 255 * a) for c in colour) for f, a in ((0.82, 0), (0.7, 0.3))
    )
    _fill(image, knot * size + at, dark)
    _fill(image, outline * size + at, dark)
    _fill(image, outline * size * 0.88 + at - np.array([0.07, 0.07]) * size, colour)
    _fill(image, outline * size * 0.26 + at - np.array([0.34, 0.42]) * size, light)


def _boat(image: Picture, at: tuple[float, float], roll: float) -> None:
    """Draw a sailing boat whose waterline is at ``at``."""
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    for shape, colour in (
        ([[-1, -68], [1, -68], [1, 0], [-1, 0]], (30, 30, 44)),
        ([[3, -66], [3, -9], [36, -9]], (214, 216, 224)),
        ([[-3, -58], [-3, -9], [-24, -9]], (176, 182, 200)),
        ([[-30, -6], [38, -6], [27, 6], [-21, 6]], (46, 26, 32)),
    ):
        _fill(image, np.array(shape, np.float64) @ turn + at, colour)
    x, y = at
    _disc(image, (x - 25, y - 10), 2.2, (255, 206, 120))


def _fixed(points: NDArray[Any]) -> NDArray[np.int32]:
    return np.round(points * (1 << SUBPIXEL)).astype(np.int32)


def _lines(image: Picture, lines: list[Points], colour: Colour, width: int) -> None:
    """Draw polylines of ``width`` pixels."""
    import cv2

    fixed = [_fixed(line) for line in lines]
    cv2.polylines(image, fixed, False, colour, width, cv2.LINE_AA, SUBPIXEL)


def _fill(image: Picture, outline: Points, colour: Colour) -> None:
    """Fill an outline."""
    import cv2

    cv2.fillPoly(image, [_fixed(outline)], colour, cv2.LINE_AA, SUBPIXEL)


def _disc(image: Picture, at: tuple[float, float], radius: float, colour: Colour) -> None:
    """Fill a circle."""
    import cv2

    x, y, r = (round(v * (1 << SUBPIXEL)) for v in (*at, radius))
    cv2.circle(image, (x, y), r, colour, -1, cv2.LINE_AA, SUBPIXEL)
