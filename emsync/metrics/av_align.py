"""AV-Align: how many peaks of the picture's motion and onsets of the sound fall together.

Conventions
-----------
Times are seconds from the first frame, motion is one value for each frame (that of the first pair
stands for the first frame too), a rate is the frames a second. The score is the intersection over
the union of the two sets of moments, from 0 (also where both are empty: nothing coincides) to 1,
except in v1. It grows with the number of moments: of restless pictures and busy music it is 0.4 by
chance, while music made for its video is published with 0.06 to 0.07. So it stands beside the same
figure for the sound moved around the video (``shifted``), and nothing aims at it.

Variants
--------
v1              Yariv et al. 2024 as published in 2023: motion peaks are local maxima of the mean
                Farneback flow; each onset within a frame of any of them counts, so several share
                one and the score may exceed 1
v2              the same as corrected in February 2025: motion peaks are at least 0.1 pixels a frame
                and every peak is matched once
emsync_frame    AV_f of Sulun, Viana & Davies: Horn-Schunck flow, SuperFlux onsets, one window to
                find local peaks and to match them: a frame
emsync_second   AV_s: the same with a window of one second

Never released, so fixed here: AV_f and AV_s match once; their onsets also exceed the mean of the
0.2 s around by DELTA of the strongest; Horn-Schunck runs on grey levels of 160 x 90 pixels.
Farneback runs on frames of at most PIXELS pixels, its flow given in pixels of the whole frame.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Seconds
from emsync.metrics.events import errors, matched, validate
from emsync.video.film import Film, frames
from emsync.video.flow import farneback_flow, speeds
from emsync.video.observers import pixels

RATE = 22050  # samples a second of the sound
LEAST = 0.1  # pixels a frame; v2 ignores smaller motion peaks
PIXELS = 640 * 360  # Farneback on 1080p takes ten times as long, and moved v2 by 0.007

SMALL = 160 * 90  # pixels for Horn-Schunck
ALPHA, ITERATIONS = 15.0, 64  # its smoothness, in grey levels, and its Jacobi steps

FRAME = 1024  # samples of a spectrum
HOP = 110  # samples between two values of the SuperFlux envelope: about 200 a second
LAG, WIDTH = 2, 3  # frames back, and bins of the maximum filter; Böck & Widmer 2013
BANDS, LOWEST = 138, 27.5  # mel bands, and the lowest in Hz
DELTA, AROUND = 0.07, 0.1  # threshold above the local mean, over so many seconds to either side
SECOND = 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Motion:
    """How much the picture moves at each frame."""

    times: Seconds  # (F,) ascending from 0
    farneback: Floats  # (F,) mean magnitude in pixels of the whole frame, a frame
    horn_schunck: Floats  # (F,) mean magnitude in pixels of the small frame, a frame


@dataclass(frozen=True, eq=False)
class Sound:
    """Where sound begins."""

    onsets: Seconds  # (K,) of librosa's onset_detect
    superflux: Floats  # (N,) envelope, from 0 to 1
    step: float  # seconds between two values of the envelope


def evaluate(motion: Motion, sound: Sound, rate: float) -> dict[str, float]:
    """Return the score of each variant."""
    if not rate > 0:
        raise ValueError(f"the rate is {rate} frames a second; give the video's, above 0")
    frame = 1 / rate
    scores = {
        "v1": v1(sound.onsets, motion.times[peaks(motion.farneback)], frame),
        "v2": v2(sound.onsets, motion.times[peaks(motion.farneback, LEAST)], frame),
    }
    for name, window in (("emsync_frame", frame), ("emsync_second", SECOND)):
        seen = motion.times[summits(motion.horn_schunck, round(window * rate))]
        scores[name] = v2(superflux_onsets(sound, window), seen, window)
    return scores


def v1(onsets: ArrayLike, motion_peaks: ArrayLike, window: float) -> float:
    """Return the score in which several onsets may share a motion peak.

    >>> v1([1.0, 1.01, 1.02], [1.0], 0.04)
    3.0
    """
    heard, seen = validate("onsets", onsets), validate("motion peaks", motion_peaks)
    both = int((np.abs(errors(heard, seen)) < window).sum())
    return _share(both, len(heard) + len(seen) - both)


def v2(onsets: ArrayLike, motion_peaks: ArrayLike, window: float) -> float:
    """Return the score in which each peak is matched once.

    >>> v2([1.0, 1.01, 1.02], [1.0], 0.04) == 1 / 3
    True
    """
    heard, seen = validate("onsets", onsets), validate("motion peaks", motion_peaks)
    both = matched(heard, seen, window)
    return _share(both, len(heard) + len(seen) - both)


def _share(both: int, either: int) -> float:
    return both / either if either else 0.0


def peaks(values: ArrayLike, least: float = 0.0) -> NDArray[np.intp]:
    """Return the indices of the values above both neighbours and not below ``least``.

    >>> peaks([0, 2, 1, 1, 3, 3, 0]).tolist()
    [1]
    """
    v = np.asarray(values, np.float64)
    inner = (v[1:-1] > v[:-2]) & (v[1:-1] > v[2:]) & (v[1:-1] >= least)
    return np.flatnonzero(inner) + 1


def summits(values: ArrayLike, reach: int) -> NDArray[np.intp]:
    """Return the indices of the values that are the largest within ``reach`` steps on each side.

    The first and last value are none, the first of several equal ones is; a plain is no summit.

    >>> summits([0, 2, 1, 1, 3, 3, 0], 2).tolist()
    [1, 4]
    """
    v = np.asarray(values, np.float64)
    if len(v) < 3:
        return np.zeros(0, np.intp)
    reach = max(1, reach)
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(v, reach, constant_values=-np.inf), 2 * reach + 1
    )
    lowest = np.lib.stride_tricks.sliding_window_view(
        np.pad(v, reach, constant_values=np.inf), 2 * reach + 1
    ).min(axis=1)
    found = (around.argmax(axis=1) == reach) & (v > lowest)
    found[[0, -1]] = False
    return np.flatnonzero(found)


def superflux_onsets(sound: Sound, window: float) -> Seconds:
    """Return the onsets in seconds: summits within ``window`` that stand out of their mean."""
    v = sound.superflux
    near = round(AROUND / sound.step)
    sums = np.concatenate([[0.0], np.cumsum(v)])
    at = np.arange(len(v))
    first, last = np.maximum(at - near, 0), np.minimum(at + near + 1, len(v))
    stands_out = v >= (sums[last] - sums[first]) / np.maximum(1, last - first) + DELTA
    found = summits(v, round(window / sound.step))
    return found[stands_out[found]] * sound.step


def listen(samples: ArrayLike, rate: int = RATE) -> Sound:
    """Return where the sound of mono ``samples`` begins; silence has no onsets."""
    import librosa

    y = np.asarray(samples, np.float32)
    step = HOP / RATE
    if not len(y) or not np.abs(y).max() > 0:
        return Sound(np.zeros(0), np.zeros(0), step)
    if rate != RATE:
        y = librosa.resample(y, orig_sr=rate, target_sr=RATE)
    envelope = librosa.onset.onset_strength(y=y, sr=RATE)
    onsets = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE, units="time")
    bands = librosa.feature.melspectrogram(
        y=y, sr=RATE, n_fft=FRAME, hop_length=HOP, n_mels=BANDS, fmin=LOWEST, fmax=RATE / 2
    )
    flux = librosa.onset.onset_strength(
        S=librosa.power_to_db(bands, ref=np.max),
        sr=RATE,
        n_fft=FRAME,
        hop_length=HOP,
        lag=LAG,
        max_size=WIDTH,
    )
    strongest = float(flux.max(initial=0.0))
    flux = flux / strongest if strongest > 0 else flux
    return Sound(np.asarray(onsets, np.float64), np.asarray(flux, np.float64), step)


def shifted(sound: Sound, by: float, duration: float) -> Sound:
    """Return ``sound`` moved by so many seconds around a video of ``duration``: the control."""
    return Sound(
        np.sort((sound.onsets + by) % duration),
        np.roll(sound.superflux, round(by / sound.step)),
        sound.step,
    )


def watch(video: Film, progress: Callable[[float], None] | None = None) -> Motion:
    """Return the motion of ``video``, decoded once; a still picture moves by 0."""
    from av.video.reformatter import VideoReformatter

    times: list[float] = []
    flows: list[tuple[float, float]] = []
    sizes = [_reduced(video, pixels) for pixels in (PIXELS, SMALL)]
    scalers = [VideoReformatter() for _ in sizes]  # kept: costly to set up
    scale = max(1.0, math.sqrt(video.width * video.height / PIXELS))
    last: tuple[Any, Any] | None = None
    for time, _, frame in frames(video):
        times.append(time)
        large, small = (
            pixels(scaler, frame, size, "gray") for scaler, size in zip(scalers, sizes, strict=True)
        )
        if last is not None:
            flows.append((farneback(last[0], large) * scale, horn_schunck(last[1], small)))
        last = (large, small)
        if progress is not None:
            progress(min(1.0, time / video.duration))
    first = flows[:1] or [(0.0, 0.0)]
    values = np.array(first + flows, np.float64)[: len(times)]
    return Motion(np.array(times), values[:, 0], values[:, 1])


def _reduced(video: Film, pixels: int) -> tuple[int, int]:
    """Return width and height, as it is stored, of a frame of at most ``pixels`` pixels."""
    scale = min(1.0, math.sqrt(pixels / (video.width * video.height)))
    width, height = max(8, round(video.width * scale)), max(8, round(video.height * scale))
    return (height, width) if video.rotation % 180 else (width, height)


def farneback(before: Any, after: Any) -> float:
    """Return the mean magnitude of Farneback's flow between two grey pictures, in pixels."""
    return float(speeds(farneback_flow(before, after)).mean(dtype=np.float64))


def horn_schunck(before: Any, after: Any) -> float:
    """Return the mean magnitude of the flow of Horn & Schunck 1981 between two grey pictures.

    Derivatives are their means over a cube of 2 x 2 x 2 (section 7), neighbours weigh 1/6 and
    1/12 (section 8).
    """
    import cv2

    def over(picture: Any, kernel: Any) -> Any:
        return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)

    a, b = before.astype(np.float32), after.astype(np.float32)
    across = np.array([[-1, 1], [-1, 1]], np.float32) / 4
    both = a + b
    x, y = over(both, across), over(both, across.T.copy())
    t = over(b - a, np.full((2, 2), 0.25, np.float32))
    ring = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]], np.float32) / 12
    strength = ALPHA**2 + x * x + y * y
    u, v = np.zeros_like(a), np.zeros_like(a)
    for _ in range(ITERATIONS):
        u, v = over(u, ring), over(v, ring)
        step = (x * u + y * v + t) / strength
        u, v = u - x * step, v - y * step
    return float(np.hypot(u, v).mean())
