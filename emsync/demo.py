"""The project's own clip: five drawn scenes, from dawn to a night at sea, with hard cuts."""

from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.errors import EmsyncError, InputError, UsageError
from emsync.files import atomic_write, check_target
from emsync.limits import quoted, shown
from emsync.options import Options, Outputs
from emsync.progress import Progress, silent
from emsync.targets import make_folder
from emsync.video.film import open_film

if TYPE_CHECKING:
    from emsync.composition import Composition
    from emsync.outputs import Written

CUTS = (3.4, 7.56, 12.12, 16.4)  # seconds; on no common grid, each at least 4 s after the last
FILES = ("clip.mp4", "score.mid", "clip-with-music.mp4", "report.html")
LENGTH = 20.0  # seconds
WIDTH, HEIGHT = 640, 360  # pixels

Picture: TypeAlias = NDArray[np.uint8]  # (HEIGHT, WIDTH, 3) red, green, blue: OpenCV draws on it
Canvas: TypeAlias = NDArray[np.float32]  # (3, HEIGHT, WIDTH) 0 to 255: light adds up on it
Field: TypeAlias = NDArray[np.float32]  # (HEIGHT, WIDTH)
Points: TypeAlias = NDArray[np.float64]  # (n, 2) x, y in pixels
Colour: TypeAlias = tuple[int, int, int]

Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
PERIOD = 2 * WIDTH  # pixels after which what drifts past comes again
SUBPIXEL = 4  # bits; OpenCV draws at fractions of a pixel, so slow things glide


def draw_clip(path: Path, seconds: float = LENGTH, fps: int = 25) -> None:
    """Draw the first ``seconds`` of the clip and write them as H.264, the same bytes every time."""
    if not 1 <= seconds <= LENGTH:
        raise UsageError(f"the demonstration lasts 1 to {LENGTH:g} seconds, not {seconds:g}")
    from moviepy import VideoClip

    clip = VideoClip(picture, duration=seconds)
    with atomic_write(path) as part:
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
            complete = open_film(part).frames == int(seconds * fps)
        except (OSError, InputError):  # moviepy's own, or it did not see that FFmpeg failed
            complete = False
        if not complete:
            raise EmsyncError(f"FFmpeg could not write {str(path)!r} whole; is the disk full?")


def demonstrate(
    folder: Path, seed: int, progress: Progress = silent
) -> "tuple[Composition, Written]":
    """Draw the clip into ``folder``, compose for it, and write the score and the film with it.

    A page beside them, report.html, plays the film.
    """
    from emsync.outputs import write_outputs
    from emsync.pipeline import generate
    from emsync.report.page import write_html

    make_folder(folder)
    clip, score, film, page = (folder / name for name in FILES)
    outputs = Outputs(score, film)
    held = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    foreign = [name for name in held if name not in FILES]
    if foreign or 0 < len(held) < len(FILES):  # a lone clip.mp4 may well be a person's own
        raise UsageError(
            f"{quoted(folder)} holds {shown((foreign or held)[0])}, which is of no whole "
            "demonstration; choose a new folder"
        )
    for name in FILES:
        check_target(folder / name)
    progress("Drawing", 0.0)
    draw_clip(clip)
    progress("Drawing", 1.0)
    composition = generate(clip, Options(seed=seed), progress=progress)
    written = write_outputs(composition, outputs, progress)
    write_html(page, composition, film.name)
    return composition, written


def picture(time: float) -> Picture:
    """Draw the picture shown at ``time`` seconds."""
    i = bisect_right(CUTS, time + 1e-6)
    return SCENES[i](time - (0.0, *CUTS)[i])


# --- scenes: each draws its picture ``t`` seconds after it began ----------------------------------


def dawn(t: float) -> Picture:
    """The sun rises behind misty hills."""
    canvas = _sky((40, 32, 96), (122, 66, 140), (244, 128, 96), (255, 214, 150), horizon=250).copy()
    sun = np.hypot(X - 400, Y - 236 + 13 * t)
    canvas += (0.3 * _haze(sun, 230) + 0.3 * _haze(sun, 75)) * _tint(200, 150, 80)
    canvas += _drift(_clouds(3, wide=8), 9 * t) * np.clip(1.2 - Y / 230, 0, 1) * _tint(140, 66, 66)
    canvas += np.clip(30 - sun, 0, 1) * (_tint(255, 252, 228) - canvas)
    for i, colour in enumerate(((150, 84, 122), (106, 62, 112), (66, 44, 92), (30, 24, 58))):
        top = 226 + 30 * i + _ridge(i, 4 * (i + 1) * t) * (15 + 4 * i)
        _below(canvas, top, colour, mist=(255, 176, 140) if i < 3 else None)
    image = _shown(canvas)
    for i in range(7):
        x, y = 96 + 26 * i - 11 * abs(i - 2) + 30 * t, 92 + 12 * abs(i - 2) - 6 * t
        flap = 4.5 * np.sin(9 * t + i)
        wings = np.array([[-9, -flap], [-3, -1.5], [0, 1.5], [3, -1.5], [9, -flap]])
        _lines(image, [wings + np.array((x, y))], (48, 30, 70), 1)
    return image


def city(t: float) -> Picture:
    """A neon city rushes past, and its lights lie on the wet road."""
    canvas = _sky((14, 10, 44), (54, 18, 104), (214, 40, 148), (255, 122, 150), horizon=240).copy()
    road = 250
    above = canvas[:, :road]
    for layer, speed in enumerate((70, 220, 560)):
        towers, solid = _towers(layer)
        above += _drift(solid, speed * t)[:road] * (_drift(towers, speed * t)[:, :road] - above)
    y = Y[road:] - road
    columns = X[road:] + 2.5 * np.sin(0.9 * y + 20 * t) * y / 40  # the wet road ripples
    mirrored = above[:, road - 1 - y.astype(np.intp), columns.astype(np.intp) % WIDTH]
    canvas[:, road:] = mirrored * _tint(0.34, 0.28, 0.52)
    streaks = _black()
    for i, (lane, speed, length, start) in enumerate(np.random.default_rng(5).random((34, 4))):
        right = bool(i % 2)
        y = road + 20 + 24 * lane + (36 if right else 0)
        x = (start * 1400 + (900 + 700 * speed) * t) % 1400 - 380
        x, tail = (x, -90 - 190 * length) if right else (WIDTH - x, 90 + 190 * length)
        colour = (255, 60, 70) if right else (170, 205, 235)
        _lines(streaks, [np.array([[x, y], [x + tail, y]])], colour, 1 + round(1.6 * length))
    return _shown(canvas + _light(streaks) + 1.6 * _blur(streaks, 9))


def storm(t: float) -> Picture:
    """Wind bends a lone tree under rain and lightning."""
    canvas = _sky((44, 52, 58), (66, 78, 80), (96, 108, 100), (120, 128, 112), horizon=300).copy()
    heavy = 0.6 * _drift(_clouds(8, wide=3), 120 * t) + 0.4 * _drift(_clouds(9, wide=2), 230 * t)
    canvas *= 1.25 - 0.95 * heavy * np.clip(1.3 - Y / 300, 0, 1)
    for seed, (begin, x) in enumerate(((0.7, 470), (2.1, 150), (2.36, 176), (3.7, 560))):
        if begin <= t < begin + 0.5:
            bolt = _black()
            _lines(bolt, [_bolt(seed, x)], (235, 240, 255), 2)
            glow = 34 * _haze(X - x, 210) * np.clip(1.2 - Y / 320, 0, 1)
            canvas += (_light(bolt) + 2 * _blur(bolt, 25) + glow) * (2 * (begin + 0.5 - t))
    _below(canvas, 296 + _ridge(12, 0) * 12, (38, 46, 44))
    _below(canvas, 318 + _ridge(13, 0) * 9, (18, 22, 24))
    image = _shown(canvas)
    for width, branches in _tree(0.16 + 0.05 * np.sin(3.1 * t) + 0.03 * np.sin(7.7 * t)).items():
        _lines(image, branches, (14, 16, 18), width)
    near, x, y = np.random.default_rng(7).random((3, 420))
    fall = np.stack([x * 900 + 330 * t * (1 + near), y * 460 + 900 * t * (1 + near)], axis=1)
    head = fall % (900, 460) - (130, 60)
    tail = head - (10 + 12 * near)[:, None] * (0.36, 1)
    rain = _black()
    _lines(rain, list(np.stack([head, tail], axis=1)), (74, 86, 94), 1)
    return _shown(_light(image) + _light(rain))


def joy(t: float) -> Picture:
    """Balloons rise and confetti falls on a bright day."""
    canvas = _sky((96, 196, 255), (150, 220, 255), (255, 240, 190), (255, 226, 150), horizon=300)
    angle, away = _polar(320, 330)
    rays = np.clip(4 * np.sin(14 * angle + 1.3 * t), -1, 1) * np.exp(-away / 330)
    canvas = canvas + rays * _tint(60, 44, -6)
    _below(canvas, 300 + _ridge(21, 0) * 14, (126, 206, 92))
    _below(canvas, 326 + _ridge(22, 0) * 10, (84, 176, 84))
    image = _shown(canvas)
    for i, (column, phase) in enumerate(np.random.default_rng(23).random((15, 2))):
        size = 15 + 16 * (i / 14) ** 2
        sway = 1.7 * t + 7 * phase
        y = 470 - (i * 346 + (50 + 3 * size) * t) % 560
        at = (30 + 40 * (i * 4 % 15) + 30 * column + 14 * np.sin(sway), y)
        _balloon(image, at, size, PARTY[i % len(PARTY)], np.sin(sway + 1))
    column, start, speed, spin = np.random.default_rng(24).random((4, 190))
    x = column * 660 + 16 * np.sin(3 * t + 9 * spin) - 10
    y = (start * 400 + (70 + 90 * speed) * t) % 400 - 20
    turn = (4 + 5 * speed) * t + 9 * spin
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 4.6
    across = np.stack([-np.sin(turn), np.cos(turn)], axis=1) * 3 * np.cos(2 * turn)[:, None]
    corners = np.stack([along + across, along - across, -along - across, across - along], axis=1)
    for i, corner in enumerate(corners + np.stack([x, y], axis=1)[:, None]):
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
    canvas += _light(stars) + _moonlight()
    moon = np.hypot(X - 428, Y - 84)
    face = _tint(252, 248, 226) * (1 - 0.16 * _drift(_clouds(34, wide=1), 330))
    canvas += np.clip(26.5 - moon, 0, 1) * (face - canvas)
    x, depth = X[line:], (Y[line:] - line + 1) / (HEIGHT - line)
    far = np.sqrt(1 / (depth + 0.05))  # waves crowd towards the horizon
    wave = np.sin(68 * far + 0.9 * t + 0.6 * np.sin(x / (6 + 40 * depth) - 0.7 * t))
    wave *= np.sin(x / (3 + 26 * depth) + 1.1 * t + 9 * depth)
    path = _haze(x - 428, 16 + 120 * depth)
    glitter = np.clip(3 * (wave - 0.25), 0, 1) * path + 0.22 * path * (1 - depth)
    sea = _tint(26, 62, 108) + depth * _tint(-22, -48, -68)
    sea += wave * (0.3 + 0.7 * depth) * _tint(5, 12, 18)
    canvas[:, line:] = sea + glitter * _tint(192, 189, 162)
    image = _shown(canvas)
    _boat(image, (120 + 13 * t, line + 30 + 1.4 * np.sin(1.5 * t)), 0.03 * np.sin(1.2 * t))
    return image


SCENES: tuple[Callable[[float], Picture], ...] = (dawn, city, storm, joy, night)
PARTY = (
    *((240, 62, 80), (255, 178, 36), (46, 168, 232)),
    *((142, 84, 214), (60, 190, 110), (255, 112, 170)),
)


# --- light ----------------------------------------------------------------------------------------


def _tint(*colour: float) -> NDArray[np.float32]:
    return np.array(colour, np.float32)[:, None, None]


def _black() -> Picture:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def _light(image: Picture) -> Canvas:
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)


def _shown(canvas: Canvas) -> Picture:
    return np.ascontiguousarray(np.clip(canvas, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def _haze(distance: NDArray[np.float32], width: float | NDArray[np.float32]) -> Field:
    """Return a bell of light around where ``distance`` is 0."""
    return np.exp(-((distance / width) ** 2))


def _blur(image: Picture, sigma: float) -> Canvas:
    """Return a blurred ``image``, computed at a quarter of its size."""
    import cv2

    small = cv2.resize(image, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small.astype(np.float32), (0, 0), sigma / 4)
    return np.ascontiguousarray(cv2.resize(soft, (WIDTH, HEIGHT)).transpose(2, 0, 1))


@cache
def _sky(*colours: Colour, horizon: int) -> Canvas:
    """Return a gradient through ``colours`` from the top to the row ``horizon``."""
    rows = np.linspace(0, horizon, len(colours))
    columns = [np.interp(np.arange(HEIGHT), rows, level) for level in zip(*colours, strict=True)]
    grain = np.random.default_rng(0).normal(0, 1.2, (HEIGHT, WIDTH))  # or the steps show
    return (np.stack(columns)[:, :, None] + grain).astype(np.float32)


@cache
def _moonlight() -> Canvas:
    moon = np.hypot(X - 428, Y - 84)
    return (0.22 * _haze(moon, 170) + 0.4 * _haze(moon, 58)) * _tint(190, 205, 235)


@cache
def _polar(x: float, y: float) -> tuple[Field, Field]:
    """Return the angle and the distance of each pixel as seen from a point."""
    return np.arctan2(Y - y, X - x), np.hypot(X - x, Y - y)


# --- land, clouds and houses ----------------------------------------------------------------------


def _seamless(texture: NDArray[Any]) -> NDArray[np.float32]:
    """Return a texture of PERIOD columns with its beginning repeated, for ``_drift``."""
    return np.concatenate([texture, texture[..., : WIDTH + 1]], axis=-1).astype(np.float32)


def _drift(texture: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Return the WIDTH columns of a seamless ``texture`` that begin at ``shift``."""
    column, part = divmod(shift % PERIOD, 1)
    left, right = (texture[..., int(column) + i : int(column) + i + WIDTH] for i in (0, 1))
    return left + np.float32(part) * (right - left)


@cache
def _clouds(seed: int, wide: int) -> NDArray[np.float32]:
    """Return seamless soft noise, 0 to 1, stretched ``wide`` times."""
    import cv2

    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, PERIOD))
    for octave in range(5):
        columns = max(2, (16 << octave) // wide)
        coarse = np.pad(rng.random((4 << octave, columns)), ((0, 0), (columns, columns)), "wrap")
        fine = cv2.resize(coarse, (3 * PERIOD, HEIGHT), interpolation=cv2.INTER_CUBIC)
        total += fine[:, PERIOD : 2 * PERIOD] / 2**octave
    total -= total.min()
    return _seamless(np.clip(total / total.max() * 2.2 - 0.7, 0, 1))


@cache
def _towers(layer: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return seamless houses with lit windows, far (0) to near (2), and where they stand."""
    rng = np.random.default_rng(40 + layer)
    houses, solid = np.zeros((HEIGHT, PERIOD, 3)), np.zeros((HEIGHT, PERIOD))
    body = ((66, 34, 112), (34, 20, 72), (12, 8, 32))[layer]
    pane, dim = (4, 6, 9)[layer], (0.5, 0.75, 1.0)[layer]
    left = 0
    while left < PERIOD:
        right = min(PERIOD, left + int(rng.integers(6, 13)) * pane)
        top = int((120, 96, 60)[layer] + rng.random() ** 0.7 * (100, 110, 150)[layer])
        solid[top:, left:right] = 1
        houses[top:, left:right] = body
        neon = PARTY[rng.integers(len(PARTY))]
        for y in range(top + pane, 250, pane * 2):
            for x in range(left + pane // 2, right - pane, pane + pane // 2):
                if rng.random() < 0.42:
                    lamp = np.array(neon if rng.random() < 0.25 else (255, 214, 140))
                    houses[y : y + pane, x : x + pane - 1] = lamp * dim * rng.uniform(0.5, 1)
        if rng.random() < 0.5:
            houses[top : top + 2, left:right] = neon
        left = right + int(rng.integers(0, 5)) * pane * (1, 2, 5)[layer]
    return _seamless(houses.transpose(2, 0, 1)), _seamless(solid)


def _ridge(seed: int, shift: float) -> NDArray[np.float32]:
    """Return the (WIDTH,) heights of a line of hills, about -1 to 1, moved by ``shift`` pixels."""
    rng = np.random.default_rng(seed)
    lengths = np.array([310, 137, 61, 23]) * rng.uniform(0.8, 1.2, 4)
    waves = np.sin((np.arange(WIDTH)[:, None] + shift) / lengths + rng.uniform(0, 7, 4))
    return (waves @ np.array([1, 0.55, 0.25, 0.08])).astype(np.float32)


def _below(
    canvas: Canvas, top: NDArray[np.float32], colour: Colour, mist: Colour | None = None
) -> None:
    """Fill what is below the line ``top``; ``mist`` gathers at its foot."""
    first = int(top.min())
    ground, depth = canvas[:, first:], Y[first:] - top
    fill = _tint(*colour)
    if mist:
        fill = fill + np.clip(depth / 70, 0, 1) * 0.75 * (_tint(*mist) - fill)
    ground += np.clip(depth, 0, 1) * (fill - ground)


# --- figures --------------------------------------------------------------------------------------


@cache
def _bolt(seed: int, x: float) -> Points:
    """Return the jagged line of a lightning near the column ``x``."""
    steps = np.random.default_rng(50 + seed).normal(0, 9, 18)
    return np.stack([x + np.cumsum(steps), np.linspace(-6, 290, 18)], axis=1)


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
    outline = np.stack([np.sin(turn), (0.1 * np.cos(turn) - 1.14) * np.cos(turn)], axis=1)
    knot = np.array([[0, 1.15], [-0.16, 1.36], [0.16, 1.36]])
    r, g, b = colour
    dark = (r * 5 // 6, g * 5 // 6, b * 5 // 6)
    light = (r * 2 // 3 + 80, g * 2 // 3 + 80, b * 2 // 3 + 80)
    for shape, scale, centre, paint in (
        (knot, 1, (0, 0), dark),
        (outline, 1, (0, 0), dark),
        (outline, 0.88, (-0.07, -0.07), colour),
        (outline, 0.26, (-0.34, -0.42), light),
    ):
        _fill(image, (shape * scale + centre) * size + at, paint)


def _boat(image: Picture, at: tuple[float, float], roll: float) -> None:
    """Draw a sailing boat with a lantern, its waterline at ``at``."""
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    for shape, colour in (
        ([[-1, -68], [1, -68], [1, 0], [-1, 0]], (30, 30, 44)),
        ([[3, -66], [3, -9], [36, -9]], (214, 216, 224)),
        ([[-3, -58], [-3, -9], [-24, -9]], (176, 182, 200)),
        ([[-30, -6], [38, -6], [27, 6], [-21, 6]], (46, 26, 32)),
    ):
        _fill(image, np.array(shape, np.float64) @ turn + at, colour)
    _disc(image, (at[0] - 25, at[1] - 10), 2.2, (255, 206, 120))


def _fixed(points: Points) -> NDArray[np.int32]:
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
