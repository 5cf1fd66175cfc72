"""Where one scene becomes another: PySceneDetect proposes cuts, and three rules confirm them."""

import math
from array import array
from bisect import bisect
from collections import deque
from fractions import Fraction

import numpy as np

from emsync.arrays import Float32s, Float64s, Picture, Seconds
from emsync.video.cuts import Cut
from emsync.video.observers import DIGITS, Frame

GLANCE = (32, 18)  # pixels of the still smaller one that tells scenes apart
HELD = 0.2  # seconds; a frame shown for longer is a still picture, not a moment of a movement

# A cut is proposed by PySceneDetect's adaptive detector, set to propose freely, and confirmed by
# three rules on the step between two frames. It stands out among the steps around it, as camera
# shake does not. The picture afterwards neither comes back, as after a flash, nor goes on as far
# again, as in a fade. It is another picture, not the same one with a title on it. Chosen on contact
# sheets of real clips: explosions, fireworks, stop-motion, film, fades; also without their colours.
RATIO, CONTENT = 1.5, 5.0  # of the detector: score against its neighbours' mean; least score
NEIGHBOURS = 0.13  # seconds: three frames of film
APART, ABOVE = 6.0, 1.9  # levels of 255 above the largest step NEIGHBOURS; multiple of their mean
LATER, LASTING = 0.25, (0.6, 2.0)  # seconds afterwards; the change by then, in steps
OTHER = 0.5  # the least step, in standard deviations of the two pictures
FULL = 128.0  # levels of 255: a step this large, or larger, has strength 1


class SceneDetector:
    """Observer that finds where scenes change."""

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

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        import cv2

        time, picture = frame.time, frame.picture
        glance = cv2.resize(picture, GLANCE, interpolation=cv2.INTER_AREA).astype(np.float32)
        last = self.glances[-1] if self.glances else glance
        if self.previous is not None and time - self.times[-1] > HELD:
            # The detector's window counts frames: a held picture counts as several.
            for share in (0.25, 0.5, 0.75):
                self._detect(self.times[-1] * (1 - share) + time * share, self.previous)
        self.times.append(time)
        self.steps.append(_step(glance, last))
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
            step, change = self.steps[i], _step(glance, before)
            contrast = round(float(before.std() + glance.std()) / 2, DIGITS)
            if LASTING[0] * step <= change <= LASTING[1] * step and step >= OTHER * contrast:
                self.found.append(i)
        self.waiting = [w for w in self.waiting if self.times[w[0]] > until]


def _step(glance: Float32s, before: Float32s) -> float:
    """Return the levels of 255 by which two pictures differ on average."""
    return round(float(np.abs(glance - before).mean()), DIGITS)


def _stands_out(i: int, times: Seconds, steps: Float64s) -> bool:
    """Tell whether the step into frame ``i`` is clearly larger than all others around it."""
    low, high = np.searchsorted(times, (times[i] - NEIGHBOURS, times[i] + NEIGHBOURS))
    others = np.concatenate([steps[low:i], steps[i + 1 : high], [0.0]])
    mean = others.sum() / max(1, len(others) - 1)
    return bool(steps[i] >= max(others.max() + APART, ABOVE * mean))
