"""What one pass over the frames of a film tells: cuts, motion, colour, a film strip.

``watch`` decodes every frame once, and everything about the pictures that anyone asks for comes
from that pass. Memory does not grow with the pictures: a few numbers stay of each frame. Times are
seconds from the first frame, by presentation timestamps, so a variable frame rate is safe.

Shapes: F frames, P pairs of frames between which motion was measured.
"""

import math
from array import array
from bisect import bisect, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from emsync.arrays import Float32s, Float64s, Picture, Seconds
from emsync.video.fades import fades
from emsync.video.film import Film, average_rate, frames, nothing_decodes, only_a_picture

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

CutKind: TypeAlias = Literal["cut", "fade", "ending"]
Observer: TypeAlias = Callable[[float, Picture], None]  # a frame's seconds, its (h, w) grey

GAP = 4.0  # seconds between two cuts that the music is asked to answer
MARGIN = 0.5  # seconds at either end in which no cut can be answered: the music begins and ends

LOOK = 160 * 90  # pixels of the reduced picture on which everything is measured
SHORTEST = 48  # pixels of its sides at least, or optical flow has nothing to stand on
GLANCE = (32, 18)  # pixels of the still smaller one that tells scenes apart
FADE_REACH = 0.2  # seconds around a fade in which a cut belongs to it
STRIP, STRIP_HEIGHT = 12, 144  # pictures in the film strip, and their height in pixels
STILL_HEIGHT, MOST_STILLS = 224, 512  # pixels of the stills; above so many, every other one goes

PAIR = 1 / 30 - 0.001  # seconds between the two frames of a motion measurement, at least
PLAIN = 6.0  # levels of 255; a picture of less contrast (SD) holds nothing that could be followed
HELD = 0.2  # seconds; a frame shown for longer is a still picture, not a moment of a movement

# A cut is proposed by PySceneDetect's adaptive detector, set to propose freely, and confirmed by
# three laws on the step between two frames. It stands out among the steps around it, as camera
# shake does not. The picture afterwards neither comes back, as after a flash, nor goes on as far
# again, as in a fade. It is another picture, not the same one with a title on it. Chosen on contact
# sheets of real clips: explosions, fireworks, stop-motion, film, fades; also without their colours.
RATIO, CONTENT = 1.5, 5.0  # of the detector: score against its neighbours' mean; least score
NEAR = 0.13  # seconds: three frames of film
APART, ABOVE = 6.0, 1.9  # levels of 255 above the largest step NEAR; multiple of their mean
LATER, LASTING = 0.25, (0.6, 2.0)  # seconds afterwards; the change by then, in steps
OTHER = 0.5  # the least step, in standard deviations of the two pictures
FULL = 128.0  # levels of 255: a step this large, or larger, has strength 1


@dataclass(frozen=True)
class Cut:
    """A moment that the music may answer: where the picture changes to another scene."""

    time: float  # seconds: the presentation time of the first frame of the new scene
    strength: float = 1.0  # in [0, 1]; how much the picture changes
    kept: bool = True  # whether the music is asked to answer it
    reason: str = ""  # why it was dropped, or where it comes from
    frame: int | None = None  # index of that first frame, where the video was read
    kind: CutKind = "cut"  # "ending" is the last chord, a boundary without a picture


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
    scenes = _Scenes(film.fps)
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


def with_fades(cuts: Iterable[Cut], times: Seconds, brightness: Float64s) -> tuple[Cut, ...]:
    """Return ``cuts`` and the fades through black or white, each one boundary at its middle.

    Cuts found within a fade belong to it. Its strength is the light that goes and comes, doubled.
    """
    rows = fades(times, brightness)
    own = [
        cut
        for cut in cuts
        if not any(start - FADE_REACH <= cut.time <= end + FADE_REACH for start, _, end in rows)
    ]
    for start, middle, end in rows:
        around = brightness[(times >= start - 1.0) & (times <= end + 1.0)]
        own.append(
            Cut(
                middle,
                round(min(1.0, 2 * float(np.ptp(around))), 3),
                reason="a fade",
                frame=int(np.searchsorted(times, middle)),
                kind="fade",
            )
        )
    return tuple(sorted(own, key=lambda cut: cut.time))


def thin(cuts: Iterable[Cut], duration: float = math.inf, gap: float = GAP) -> tuple[Cut, ...]:
    """Drop the cuts too near either end, and each that is within ``gap`` s of a stronger kept one.

    Returns all cuts in order of time, the dropped ones with their reason. Cuts that come dropped
    stay so. Of two equally strong ones the earlier is kept.

    >>> [c.kept for c in thin([Cut(2.0, 0.5), Cut(5.0, 0.9), Cut(9.0, 0.4)])]
    [False, True, True]
    """
    result: list[Cut] = []
    kept: list[float] = []
    for cut in sorted(cuts, key=lambda c: (-c.strength, c.time)):
        if cut.kept and (reason := _dropped(cut.time, kept, duration, gap)):
            cut = replace(cut, kept=False, reason=reason)
        elif cut.kept:
            insort(kept, cut.time)
        result.append(cut)
    return tuple(sorted(result, key=lambda c: c.time))


def _dropped(time: float, kept: Sequence[float], duration: float, gap: float) -> str:
    """Return why a cut at ``time`` is not kept beside the ``kept`` ones, or nothing."""
    if time < MARGIN:
        return f"within {MARGIN:g} s of the start"
    if time > duration - MARGIN:
        return f"within {MARGIN:g} s of the end"
    i = bisect(kept, time)
    nearest = min(kept[max(i - 1, 0) : i + 1], key=lambda k: abs(k - time), default=-math.inf)
    if abs(nearest - time) < gap:
        return f"within {gap:g} s of the stronger cut at {nearest:.2f} s"
    return ""


class _Scenes:
    """Tell where scenes change, frame by frame."""

    def __init__(self, fps: Fraction) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self.fps = fps
        self.detector = AdaptiveDetector(
            adaptive_threshold=RATIO, min_content_val=CONTENT, min_scene_len=0
        )
        self.times = array("d")  # (F,) seconds
        self.steps = array("d")  # (F,) levels of 255 by which a frame differs from the one before
        self.glances: deque[Float32s] = deque(maxlen=4)  # the detector lags by two
        self.previous: Picture | None = None
        self.waiting: list[tuple[int, Float32s]] = []  # a cut's frame, the glance before
        self.found: list[int] = []  # frames where another scene begins, and lasts

    def see(self, time: float, picture: Picture) -> None:
        """Take the next frame in."""
        import cv2

        glance = cv2.resize(picture, GLANCE, interpolation=cv2.INTER_AREA).astype(np.float32)
        last = self.glances[-1] if self.glances else glance
        if self.previous is not None and time - self.times[-1] > HELD:
            # The detector's window counts frames: a held picture counts as several.
            for share in (0.25, 0.5, 0.75):
                self._detect(self.times[-1] * (1 - share) + time * share, self.previous)
        self.times.append(time)
        self.steps.append(float(np.abs(glance - last).mean()))
        self.glances.append(glance)
        self.previous = picture
        self._detect(time, picture)
        self._settle(glance, time - LATER)

    def cuts(self) -> tuple[Cut, ...]:
        """Return the cuts, after the last frame."""
        if self.previous is not None:
            for later in (1, 2):  # the detector waits for two frames after a cut
                self._detect(self.times[-1] + later / float(self.fps), self.previous)
            self._settle(self.glances[-1], math.inf)
        times, steps = np.asarray(self.times), np.asarray(self.steps)
        return tuple(
            Cut(float(times[i]), round(min(1.0, steps[i] / FULL), 3), frame=i)
            for i in sorted(self.found)
            if _stands_out(i, times, steps)
        )

    def _detect(self, time: float, picture: Picture) -> None:
        from scenedetect import FrameTimecode
        from scenedetect.common import Timecode

        code = Timecode(round(time * 1_000_000), Fraction(1, 1_000_000))
        for proposed in self.detector.process_frame(FrameTimecode(code, self.fps), picture):
            # A held picture has no change of its own, so a proposal is always at a frame's time.
            i = bisect(self.times, proposed.seconds + 1e-6) - 1
            age = len(self.times) - i  # of the frame: 1 is the newest
            if i > 0 and age < len(self.glances):
                self.waiting.append((i, self.glances[-age - 1]))

    def _settle(self, glance: Float32s, until: float) -> None:
        """Decide on the cuts before ``until``: ``glance`` is the picture some time later."""
        for i, before in [w for w in self.waiting if self.times[w[0]] <= until]:
            step, change = self.steps[i], float(np.abs(glance - before).mean())
            contrast = float(before.std() + glance.std()) / 2
            if LASTING[0] * step <= change <= LASTING[1] * step and step >= OTHER * contrast:
                self.found.append(i)
        self.waiting = [w for w in self.waiting if self.times[w[0]] > until]


def _stands_out(i: int, times: Seconds, steps: Float64s) -> bool:
    """Tell whether the step into frame ``i`` is clearly larger than all others around it."""
    low, high = np.searchsorted(times, (times[i] - NEAR, times[i] + NEAR))
    others = np.concatenate([steps[low:i], steps[i + 1 : high], [0.0]])
    mean = others.sum() / max(1, len(others) - 1)
    return bool(steps[i] >= max(others.max() + APART, ABOVE * mean))


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
