"""What is seen in each second of a film, as columns: what it shows, how it moves, its colours.

``observers`` and ``needs`` are for the one pass of ``watch`` or ``watch_drawn``, and ``see`` makes
the columns of what that gathered. Shapes: F frames, S = ceil(duration) seconds. In a second without
a frame or a pair of frames the values go on evenly from those before it to those after it.

========  ============  =========================================================================
lite0     (S, 1280)     float16: what EfficientNet-Lite0 sees in the still nearest to its middle
motion    (S, 40)       float32: the mean directogram (36 directions), the mean of the flow, its SD,
                        its 95th percentile, and whether there is a cut
colour    (S, 20)       float32: 12 hues, contrast, blue, green, red, brightness, how much that
                        changes, saturation, colourfulness
flow      (4 S,)        float32: the mean flow of each quarter of a second, picture heights a second
========  ============  =========================================================================

Speeds in ``motion`` are log(1 + speed / SLOW): few films are as fast as the fastest. Pairs of
frames that a cut divides have no part in it.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Picture, Seconds
from emsync.matching.matcher import Columns
from emsync.signals import directions
from emsync.video.footage import Footage, Needs
from emsync.video.impact import BINS, Impact
from emsync.video.observers import DIGITS, Frame, Observer

HUES = 12  # 30 degrees each, the first one centred on red
GLANCE = 64, 36  # pixels of the smaller picture whose hues are counted
QUARTERS = 4  # values of ``flow`` a second
SLOW = 0.01  # picture heights a second, below which speeds are taken as they are
WIDTHS = {"lite0": 1280, "motion": BINS + 4, "colour": HUES + 8}
STAMPS = {"lite0": "lite0 1", "motion": "motion 1", "colour": "colour 1", "flow": "flow 1"}


class Look:
    """An observer of the directions in which a film moves, and of its hues.

    The directogram is that of ``Impact``, of pictures of half the size: a quarter of the cost.
    """

    def __init__(self) -> None:
        self.times: list[float] = []  # (F,) seconds
        self.hues: list[Float64s] = []  # (F,) rows of HUES + 4
        self.impact = Impact()

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        import cv2

        self.times.append(frame.time)
        self.hues.append(_hues(frame.picture, frame.grey))
        height, width = frame.grey.shape
        half = cv2.resize(frame.grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        self.impact.see(frame.time, np.asarray(half, np.uint8))


def observers(columns: Collection[str] = tuple(WIDTHS)) -> list[Observer]:
    """Return who has to look at each frame, so that ``see`` can make the ``columns``."""
    return [Look()] if {"motion", "colour"} & set(columns) else []


def needs(columns: Collection[str] = tuple(WIDTHS)) -> Needs:
    """Return what else has to be gathered of a film for the ``columns``."""
    return Needs(stills=1.0 if "lite0" in columns else 0.0)


def see(
    footage: Footage,
    observers: Sequence[Observer],
    columns: Collection[str] = tuple(WIDTHS),
) -> Columns:
    """Return the ``columns`` of a film, and always ``flow``.

    ``observers`` are those of the same columns once they have looked, others among them or not.
    Without ``lite0`` no network runs.
    """
    seconds = max(1, math.ceil(footage.film.duration - 10**-DIGITS))
    makers: dict[str, Callable[[], NDArray[Any]]] = {
        "lite0": lambda: _lite0(footage, seconds),
        "motion": lambda: _motion(footage, _look(observers), seconds),
        "colour": lambda: _colour(footage, _look(observers), seconds),
    }
    seen = {name: makers[name]() for name in columns}
    times = footage.motion_times * QUARTERS
    flow = _each(times, footage.motion[:, None], QUARTERS * seconds, _mean)[:, 0]
    return {**seen, "flow": flow.astype(np.float32)}


def _look(observers: Sequence[Observer]) -> Look:
    return next(observer for observer in observers if isinstance(observer, Look))


def _lite0(footage: Footage, seconds: int) -> NDArray[np.float16]:
    """Return the (S, 1280) features of the still nearest to the middle of each second."""
    from emsync.encoders import lite0

    times = np.array([still.time for still in footage.stills])
    middles = np.arange(seconds) + 0.5
    nearest = np.abs(times - middles[:, None]).argmin(axis=1)
    wanted, place = np.unique(nearest, return_inverse=True)
    found = lite0.features([footage.stills[i].pixels for i in wanted])
    return found.astype(np.float16)[place]


def _motion(footage: Footage, look: Look, seconds: int) -> Float32s:
    """Return the (S, 40) directions, the speed and the cuts."""
    cuts = np.array([cut.time for cut in footage.cuts])
    spans = np.concatenate([look.times[:1], look.impact.times])  # both ends of the pairs
    before, until = (
        np.searchsorted(cuts, spans[:-1], "right"),
        np.searchsorted(cuts, spans[1:], "right"),
    )
    undivided = before == until
    middles = (spans[1:] + spans[:-1])[undivided] / 2
    directogram = np.reshape(look.impact.directogram, (-1, BINS))[undivided]
    directogram = np.roll(directogram, -BINS * footage.film.rotation // 360, axis=1)  # upright
    speeds = footage.motion[:, None]
    measured = np.concatenate(
        [
            _each(middles, directogram, seconds, _mean),
            *(
                _each(footage.motion_times, speeds, seconds, measure)
                for measure in (_mean, _spread, _fast)
            ),
        ],
        axis=1,
    )
    cut = np.bincount(cuts.astype(np.int64), minlength=seconds)[:seconds] > 0
    rows = np.concatenate([np.log1p(measured / SLOW), cut[:, None]], axis=1)
    return rows.astype(np.float32)


def _colour(footage: Footage, look: Look, seconds: int) -> Float32s:
    """Return the (S, 20) hues, contrast, and light."""
    light = footage.brightness[:, None]
    rest = np.stack([footage.saturation, footage.colourfulness], axis=1)
    parts = [
        _each(np.array(look.times), np.array(look.hues), seconds, _mean),
        _each(footage.times, light, seconds, _mean),
        _each(footage.times, light, seconds, _spread),
        _each(footage.times, rest, seconds, _mean),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _hues(picture: Picture, grey: Picture) -> Float64s:
    """Return the shares of HUES, contrast, and mean blue, green and red, in [0, 1].

    Each point has a share in its hue as it is coloured and bright, so the shares do not add up to 1
    but in a picture of full colours.
    """
    import cv2

    small = cv2.resize(picture, GLANCE, interpolation=cv2.INTER_AREA)
    hue, saturation, value = cv2.split(cv2.cvtColor(small, cv2.COLOR_BGR2HSV))
    weights = saturation.astype(np.float64) * value
    shares = directions(weights, hue * (np.pi / 90), HUES) / (255**2 * hue.size)
    contrast = cv2.meanStdDev(grey)[1][0, 0] / 255
    means = np.array(cv2.mean(small)[:3]) / 255
    return np.concatenate([shares, [contrast], means]).round(DIGITS)


# --- measures of the (n, K) values of a second ----------------------------------------------------


def _mean(values: Float64s) -> Float64s:
    return np.asarray(values.mean(axis=0), np.float64)


def _spread(values: Float64s) -> Float64s:
    return np.asarray(values.std(axis=0), np.float64)


def _fast(values: Float64s) -> Float64s:
    return np.asarray(np.quantile(values, 0.95, axis=0), np.float64)


def _each(
    times: Seconds, values: Float64s, steps: int, measure: Callable[[Float64s], Float64s]
) -> Float64s:
    """Return the (steps, K) measures of the (N, K) values from each whole time to the next.

    Between steps that have any they go on evenly; without any at all they are 0.
    """
    parts = np.split(values, np.searchsorted(times, np.arange(1, steps)))
    known = [i for i, part in enumerate(parts) if len(part)]
    if not known:
        return np.zeros((steps, values.shape[1]))
    measured = np.array([measure(parts[i]) for i in known])
    if len(known) == steps:
        return measured
    return np.stack([np.interp(np.arange(steps), known, row) for row in measured.T], axis=1)
