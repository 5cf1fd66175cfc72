"""What one pass over the frames of a film tells: cuts, motion, colour, a film strip.

``watch`` decodes every frame once, and everything about the pictures that anyone asks for comes
from that pass. Memory does not grow with the pictures: a few numbers stay of each frame. Times are
seconds from the first frame, by presentation timestamps, so a variable frame rate is safe.

Shapes: F frames, P pairs of frames between which motion was measured.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from emsync.arrays import Float64s, Picture, Seconds
from emsync.video.cuts import Cut, with_fades
from emsync.video.film import Film, average_rate, frames, nothing_decodes, only_a_picture
from emsync.video.scenes import SceneDetector

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

Observer: TypeAlias = Callable[[float, Picture], None]  # a frame's seconds, its (h, w) grey

LOOK = 160 * 90  # pixels of the reduced picture on which everything is measured
SHORTEST = 48  # pixels of its sides at least, or optical flow has nothing to stand on
STRIP, STRIP_HEIGHT = 12, 144  # pictures in the film strip, and their height in pixels
STILL_HEIGHT, MOST_STILLS = 224, 512  # pixels of the stills; above so many, every other one goes

PAIR = 1 / 30 - 0.001  # seconds between the two frames of a motion measurement, at least
PLAIN = 6.0  # levels of 255; a picture of less contrast (SD) holds nothing that could be followed


@dataclass(frozen=True)
class Curve:
    """A value over time, in even steps."""

    step: float  # seconds between two values; value i holds from i * step on
    values: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Still:
    """One picture of the film strip."""

    time: float  # seconds
    pixels: Picture  # RGB, upright


@dataclass(frozen=True, eq=False)
class Footage:
    """What one pass over the frames of a film saw."""

    film: Film  # with the duration, rate and number of the frames that could be decoded
    times: Seconds  # (F,) presentation times, ascending from 0
    brightness: Float64s  # (F,) mean luma, in [0, 1]
    saturation: Float64s  # (F,) mean HSV saturation weighted by value, in [0, 1]
    colourfulness: Float64s  # (F,) Hasler & Süsstrunk 2003: 0 grey, 0.4 vivid
    motion_times: Seconds  # (P,) the middle of each pair
    motion: Float64s  # (P,) mean optical flow, in picture heights a second
    cuts: tuple[Cut, ...]  # all that were found, none thinned
    strip: tuple[Still, ...]  # at most STRIP, evenly spread
    stills: tuple[Still, ...] = ()  # where they were asked for: evenly spread, MOST_STILLS at most

    def curve(self, times: Seconds, values: Float64s, step: float) -> Curve:
        """Return ``values`` at ``times`` averaged over even steps of the whole video.

        A step without a measurement takes the value between its neighbours.
        """
        n = max(1, math.ceil(self.film.duration / step - 1e-9))
        if not len(times):
            return Curve(step, (0.0,) * n)
        bins = np.minimum((times / step).astype(np.int64), n - 1)
        count = np.bincount(bins, minlength=n)
        mean = np.bincount(bins, values, minlength=n) / np.maximum(count, 1)
        known = np.flatnonzero(count)
        filled = np.interp(np.arange(n), known, mean[known])
        return Curve(step, tuple(float(v) for v in np.round(filled, 4)))


def watch(
    film: Film,
    progress: Callable[[float], None] | None = None,
    observers: Sequence[Observer] = (),
    stills: float = 0.0,
) -> Footage:
    """Decode ``film`` once and measure cuts, motion and colours on reduced frames.

    ``progress`` is called now and then with the share that is done, in [0, 1]. Each observer is
    shown every reduced frame, in grey levels, as it is stored: turned if the film is. ``stills``
    is the seconds between the colour pictures to keep; 0 keeps none but the strip.
    """
    import cv2
    from av.video.reformatter import VideoReformatter

    aspect = film.width / film.height
    sideways = film.rotation % 180 == 90
    height = max(SHORTEST, round(math.sqrt(LOOK / aspect)))
    width = max(SHORTEST, round(math.sqrt(LOOK * aspect)))
    size = (height, width) if sideways else (width, height)  # of the picture as it is stored
    strip_size = _strip_size(film, aspect, sideways, STRIP_HEIGHT)
    still_size = _strip_size(film, aspect, sideways, STILL_HEIGHT)

    times = array("d")
    colours = (array("d"), array("d"), array("d"))  # brightness, saturation, colourfulness
    pairs, speeds = array("d"), array("d")  # start and end of each pair, in turn; its motion
    strip: list[Still] = []
    kept: list[Still] = []
    scenes = SceneDetector(film.fps)
    # Kept, as they are costly to set up.
    scaler, strip_scaler, still_scaler = (VideoReformatter() for _ in range(3))
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    last: tuple[float, Any] | None = None  # the time and the luma of the last frame of a pair
    end, reported = 0.0, 0.0  # seconds; share

    for time, end, frame in frames(film):
        picture = pixels(scaler, frame, size, "bgr24")
        grey: Any = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        times.append(time)
        for values, value in zip(colours, _colours(picture, grey), strict=True):
            values.append(value)
        scenes.see(time, picture)
        for observer in observers:
            observer(time, grey)
        if last is None or time - last[0] >= PAIR:
            if last is not None:
                speeds.append(_moved(flow, last[1], grey) / (time - last[0]))
                pairs.extend((last[0], time))
            last = (time, grey)
        if len(strip) < STRIP and time >= (len(strip) + 0.5) / STRIP * film.duration:
            strip.append(Still(time, _upright(strip_scaler, frame, strip_size, film.rotation)))
        if stills and time >= (len(kept) + 0.5) * stills:
            kept.append(Still(time, _upright(still_scaler, frame, still_size, film.rotation)))
            if len(kept) > MOST_STILLS:
                kept, stills = kept[1::2], 2 * stills
        if progress and film.duration and (share := min(1.0, end / film.duration)) > reported:
            progress(share)
            reported = share + 0.01
    if not times:
        raise nothing_decodes(film.path)
    if len(times) == 1:
        raise only_a_picture(film.path)
    cuts = scenes.cuts()
    brightness, saturation, colourfulness = (np.asarray(c, np.float64) for c in colours)
    shown = np.asarray(times, np.float64)
    spans = np.asarray(pairs, np.float64).reshape(-1, 2)
    middles, motion = _within_scenes(spans, np.asarray(speeds, np.float64), cuts)
    return Footage(
        film=replace(
            film, duration=end, fps=average_rate(film.fps, len(times), end), frames=len(times)
        ),
        times=shown,
        brightness=brightness,
        saturation=saturation,
        colourfulness=colourfulness,
        motion_times=middles,
        motion=motion,
        cuts=with_fades(cuts, shown, brightness),
        strip=tuple(strip),
        stills=tuple(kept),
    )


def _colours(picture: Picture, grey: Picture) -> tuple[float, float, float]:
    """Return brightness, saturation and colourfulness of a BGR picture.

    Saturation is HSV's, weighted by value, so that noise in black does not count as colour.
    Colourfulness is the M of Hasler & Süsstrunk 2003 on levels in [0, 1].
    """
    import cv2

    blue, green, red = cv2.split(picture)
    top = cv2.mean(cv2.max(cv2.max(blue, green), red))[0]
    bottom = cv2.mean(cv2.min(cv2.min(blue, green), red))[0]
    opponent = (
        cv2.subtract(red, green, dtype=cv2.CV_32F),
        cv2.addWeighted(
            cv2.addWeighted(red, 0.5, green, 0.5, 0.0, dtype=cv2.CV_32F),
            1.0,
            blue.astype(np.float32),
            -1.0,
            0.0,
        ),
    )
    means, spreads = zip(*(cv2.meanStdDev(o) for o in opponent), strict=True)
    vivid = math.hypot(*(float(s[0, 0]) for s in spreads))
    vivid += 0.3 * math.hypot(*(float(m[0, 0]) for m in means))
    return cv2.mean(grey)[0] / 255, (top - bottom) / max(top, 1.0), vivid / 255


def _moved(flow: Any, before: Any, after: Any) -> float:
    """Return how far the picture moves on average, in picture heights."""
    import cv2

    if cv2.meanStdDev(after)[1][0, 0] < PLAIN:  # such as a fade from black
        return 0.0
    x, y = cv2.split(flow.calc(before, after, None))
    return float(cv2.mean(cv2.magnitude(x, y))[0]) / len(after)


def _within_scenes(
    spans: Float64s, speeds: Float64s, cuts: Sequence[Cut]
) -> tuple[Seconds, Float64s]:
    """Return the middles and the motion of the (P, 2) pairs that no cut divides."""
    times = np.asarray([cut.time for cut in cuts], np.float64)
    before, until = (np.searchsorted(times, edge, side="right") for edge in spans.T)
    whole = before == until
    return spans[whole].mean(axis=1), speeds[whole]


def pixels(
    scaler: "VideoReformatter", frame: "VideoFrame", size: tuple[int, int], layout: str
) -> Picture:
    """Return ``frame`` scaled to ``size`` (width, height) by averaging areas."""
    width, height = size
    # One thread: to start more for so small a picture takes longer than to scale it.
    scaled = scaler.reformat(frame, width, height, layout, interpolation="AREA", threads=1)
    return scaled.to_ndarray().astype(np.uint8, copy=False)


def _upright(
    scaler: "VideoReformatter", frame: "VideoFrame", size: tuple[int, int], rotation: int
) -> Picture:
    """Return ``frame`` in colour, as a picture of ``size`` as it is stored, turned upright."""
    return np.ascontiguousarray(np.rot90(pixels(scaler, frame, size, "rgb24"), rotation // 90))


def _strip_size(film: Film, aspect: float, sideways: bool, height: int) -> tuple[int, int]:
    """Return the size as stored of a picture that is ``height`` high when it is upright."""
    height = min(height, film.height)
    width = max(1, round(height * aspect))
    return (height, width) if sideways else (width, height)
