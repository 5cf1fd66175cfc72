"""What is measured on each frame while a film is watched: colours, motion and pictures to keep.

An observer is called with every frame in order, and keeps a few numbers of it. Shapes: F frames,
P pairs of frames between which motion is measured.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from emsync.arrays import Float64s, Picture, Seconds
from emsync.video.cuts import Cut
from emsync.video.film import Film
from emsync.video.flow import speeds
from emsync.video.footage import Still
from emsync.video.hdr import as_ordinary, is_foreign

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

REDUCED = 160 * 90  # pixels of the reduced picture on which everything is measured
SHORTEST = 48  # pixels of its sides at least, or optical flow has nothing to stand on
STRIP, STRIP_HEIGHT = 12, 144  # pictures in the film strip, and their height in pixels
STILL_HEIGHT, MOST_STILLS = 224, 512  # pixels of the stills; above so many, every other one goes
PAIR = 1 / 30 - 0.001  # seconds between the two frames of a motion measurement, at least
DIGITS = 6  # of what is measured: the last bits of a sum are the machine's, and decide nothing
VISIBLE = 25  # levels of 255 by which a point has to change to count as changed
PLAIN = 6.0  # levels of 255; a picture of less contrast (SD) holds nothing that could be followed


class Frame(NamedTuple):
    """A frame as the observers see it: as it is stored, so turned if the film is."""

    time: float  # seconds
    picture: Picture  # (h, w, 3) blue, green, red; reduced
    grey: Picture  # (h, w) luma of ``picture``
    decoded: "VideoFrame"  # in full size


Observer: TypeAlias = Callable[[Frame], None]


class Reducer:
    """Makes the reduced frames of a film."""

    def __init__(self, film: Film) -> None:
        from av.video.reformatter import VideoReformatter

        aspect = film.width / film.height
        height = max(SHORTEST, round(math.sqrt(REDUCED / aspect)))
        width = max(SHORTEST, round(math.sqrt(REDUCED * aspect)))
        self._size = (height, width) if film.rotation % 180 == 90 else (width, height)
        self._scaler = VideoReformatter()  # kept, as it is costly to set up

    def __call__(self, time: float, decoded: "VideoFrame") -> Frame:
        """Return the frame that is shown at ``time`` seconds, reduced."""
        import cv2

        picture = pixels(self._scaler, decoded, self._size, "bgr24")
        grey: Any = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        return Frame(time, picture, grey, decoded)


class Colours:
    """Observer of brightness, saturation and colourfulness."""

    def __init__(self) -> None:
        self.brightness = array("d")  # (F,)
        self.saturation = array("d")  # (F,)
        self.colourfulness = array("d")  # (F,)

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        brightness, saturation, colourfulness = colours(frame.picture, frame.grey)
        self.brightness.append(brightness)
        self.saturation.append(saturation)
        self.colourfulness.append(colourfulness)


class Motion:
    """Observer of how far the picture moves, between frames at least PAIR seconds apart.

    And of how much of it changes: fireworks, flicker and cuts do not move, but change.
    """

    def __init__(self) -> None:
        import cv2

        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._last: tuple[float, Picture] | None = None  # time and grey of the last of a pair
        self._spans = array("d")  # (2 P,) start and end of each pair, in turn
        self._speeds = array("d")  # (P,) picture heights a second
        self._changes = array("d")  # (P,) shares of the picture a second

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        if self._last is not None:
            before, earlier = self._last
            if frame.time - before < PAIR:
                return
            seconds = frame.time - before
            self._speeds.append(round(_moved(self._flow, earlier, frame.grey) / seconds, DIGITS))
            self._changes.append(round(_changed(earlier, frame.grey) / seconds, DIGITS))
            self._spans.extend((before, frame.time))
        self._last = (frame.time, frame.grey)

    def changes(self) -> tuple[Seconds, Float64s]:
        """Return the middles of all pairs, and how much changes, which at a cut is much."""
        return self._pairs().mean(axis=1), np.asarray(self._changes, np.float64)

    def within_scenes(self, cuts: Sequence[Cut]) -> tuple[Seconds, Float64s]:
        """Return the middles and the motion of the pairs that no cut divides."""
        spans = self._pairs()
        times = np.asarray([cut.time for cut in cuts], np.float64)
        before, until = (np.searchsorted(times, edge, side="right") for edge in spans.T)
        undivided = before == until
        return spans[undivided].mean(axis=1), np.asarray(self._speeds, np.float64)[undivided]

    def _pairs(self) -> Float64s:
        """Return the (P, 2) starts and ends of the pairs."""
        return np.asarray(self._spans, np.float64).reshape(-1, 2)


class Strip:
    """Observer that keeps STRIP pictures, evenly spread over the film."""

    def __init__(self, film: Film) -> None:
        self.pictures: list[Still] = []
        self._duration = film.duration
        self._upright = Upright(film, STRIP_HEIGHT)

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        n = len(self.pictures)
        if n < STRIP and frame.time >= (n + 0.5) / STRIP * self._duration:
            self.pictures.append(self._upright(frame.time, frame.decoded))


class Stills:
    """Observer that keeps a picture every ``step`` seconds, and none if ``step`` is 0.

    Above MOST_STILLS every other one goes, and the step doubles.
    """

    def __init__(self, film: Film, step: float) -> None:
        self.pictures: list[Still] = []
        self._step = step
        self._upright = Upright(film, STILL_HEIGHT)
        self._room: list[Picture] | None = None  # where further pictures go

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        if self._step and frame.time >= (len(self.pictures) + 0.5) * self._step:
            self._keep(self._upright(frame.time, frame.decoded))
            if len(self.pictures) > MOST_STILLS:
                self._room = [still.pixels for still in self.pictures[::2]]
                self.pictures, self._step = self.pictures[1::2], 2 * self._step

    def _keep(self, still: Still) -> None:
        if self._room is None:
            # One block, of which the system gives what is written to. Were each allocated alone,
            # what goes would leave holes among what stays, and memory would grow with the film.
            block = np.empty((MOST_STILLS + 1, *still.pixels.shape), np.uint8)
            self._room = list(block[::-1])
        pixels = self._room.pop()
        pixels[:] = still.pixels
        self.pictures.append(Still(still.time, pixels))


class Upright:
    """Makes pictures of at most ``height`` pixels, in colour and upright."""

    def __init__(self, film: Film, height: int) -> None:
        from av.video.reformatter import VideoReformatter

        height = min(height, film.height)
        width = max(1, round(height * (film.width / film.height)))
        self._size = (height, width) if film.rotation % 180 == 90 else (width, height)
        self._turns = film.rotation // 90
        self._scaler = VideoReformatter()  # kept, as it is costly to set up

    def __call__(self, time: float, decoded: "VideoFrame") -> Still:
        """Return the picture of a frame that is shown at ``time`` seconds."""
        stored = pixels(self._scaler, decoded, self._size, "rgb24")
        return Still(time, np.ascontiguousarray(np.rot90(stored, self._turns)))


def colours(picture: Picture, grey: Picture) -> tuple[float, float, float]:
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
    brightness, saturation = cv2.mean(grey)[0] / 255, (top - bottom) / max(top, 1.0)
    return round(brightness, DIGITS), round(saturation, DIGITS), round(vivid / 255, DIGITS)


def _moved(flow: Any, before: Any, after: Any) -> float:
    """Return how far the picture moves on average, in picture heights."""
    import cv2

    if cv2.meanStdDev(after)[1][0, 0] < PLAIN:  # such as a fade from black
        return 0.0
    return float(speeds(flow.calc(before, after, None)).mean(dtype=np.float64)) / len(after)


def _changed(before: Picture, after: Picture) -> float:
    """Return the share of the points of a picture in grey that change visibly."""
    import cv2

    return float((cv2.absdiff(before, after) > VISIBLE).mean())


def pixels(
    scaler: "VideoReformatter", frame: "VideoFrame", size: tuple[int, int], layout: str
) -> Picture:
    """Return ``frame`` scaled to ``size`` (width, height) by averaging areas.

    ``layout`` is rgb24, bgr24 or gray. High dynamic range becomes that of an ordinary film.
    """
    width, height = size
    if is_foreign(frame):
        deep = scaler.reformat(frame, width, height, "rgb48le", interpolation="AREA", threads=1)
        levels = np.asarray(deep.to_ndarray(), np.uint16)
        picture = as_ordinary(levels, frame.color_trc, frame.color_primaries)
        return picture if layout == "rgb24" else _laid_out(picture, layout)
    # One thread: to start more for so small a picture takes longer than to scale it.
    scaled = scaler.reformat(frame, width, height, layout, interpolation="AREA", threads=1)
    return scaled.to_ndarray().astype(np.uint8, copy=False)


def _laid_out(picture: Picture, layout: str) -> Picture:
    """Return an RGB ``picture`` as bgr24 or gray."""
    import cv2

    code = cv2.COLOR_RGB2GRAY if layout == "gray" else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(picture, code), np.uint8)
