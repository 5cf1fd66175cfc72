"""Beat scores: do generated and original music of one video beat together.

Conventions
-----------
Times are seconds, a duration is the video's. Coverage (BCS) and hit (BHS) scores are shares; where
there is nothing to divide by (music without beats), a score is 0, as in LORIS's own code.

Variants, each with its own beats
---------------------------------
cdcd    Zhu et al. 2023, after 2022: bins of one second that hold an onset. cover = generated bins /
        original bins (may pass 1), hit = bins with both / original bins
loris   Yu et al. 2023: the same bins from onsets picked more sparsely. cover = bins with both /
        generated bins, hit = bins with both / original bins
muvi    Li et al. 2025: beats by dynamic programming (Ellis 2007) on a tempo that may vary from 30
        to 240 BPM, in windows of 8 s. cover = generated beats / original beats (may pass 1), hit =
        beats matched once within 100 ms / original beats
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Seconds
from emsync.metrics.events import matched, validate

RATE = 22050  # samples a second
BIN = 1.0  # seconds
TOLERANCE = 0.1  # seconds
SLOWEST, FASTEST, WINDOW = 30.0, 240.0, 8.0  # BPM and seconds
# of librosa's onset_detect, in frames of 512 samples, as in both codes
CDCD = {"wait": 1, "delta": 0.2, "pre_avg": 1, "post_avg": 1, "post_max": 1}
LORIS = {"wait": 1, "delta": 0.2, "pre_avg": 3, "post_avg": 3, "pre_max": 3, "post_max": 3}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """How much of the original's beats the music has, and how many it meets."""

    cover: float  # beats coverage score
    hit: float  # beats hit score


def bins(times: ArrayLike, duration: float) -> NDArray[np.bool_]:
    """Return for each second up to ``duration`` whether a beat lies in it."""
    beats = validate("beats", times)
    filled = np.zeros(max(1, math.ceil(duration / BIN)), np.bool_)
    inside = beats[(beats >= 0) & (beats < len(filled) * BIN)]
    filled[(inside / BIN).astype(np.int64)] = True
    return filled


def cdcd(original: ArrayLike, generated: ArrayLike, duration: float) -> Scores:
    """Return the scores of CDCD.

    >>> cdcd([0.5, 1.5], [0.1, 0.9, 2.5, 3.5], 4.0)
    Scores(cover=1.5, hit=0.5)
    """
    theirs, ours = bins(original, duration), bins(generated, duration)
    total = int(theirs.sum())
    return Scores(_share(int(ours.sum()), total), _share(int((ours & theirs).sum()), total))


def loris(original: ArrayLike, generated: ArrayLike, duration: float) -> Scores:
    """Return the scores of LORIS.

    >>> loris([0.5, 1.5], [0.1, 0.9, 2.5, 3.5, 3.9], 4.0).hit
    0.5
    """
    theirs, ours = bins(original, duration), bins(generated, duration)
    both = int((ours & theirs).sum())
    return Scores(_share(both, int(ours.sum())), _share(both, int(theirs.sum())))


def muvi(original: ArrayLike, generated: ArrayLike) -> Scores:
    """Return the scores of MuVi.

    >>> muvi([1.0, 2.0], [1.05, 1.06, 2.2])
    Scores(cover=1.5, hit=0.5)
    """
    theirs, ours = validate("original", original), validate("generated", generated)
    both = matched(theirs, ours, TOLERANCE)
    return Scores(_share(len(ours), len(theirs)), _share(both, len(theirs)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def evaluate(original: ArrayLike, generated: ArrayLike, duration: float) -> dict[str, Any]:
    """Return {variant: cover and hit} of two mono sounds at RATE, cut to ``duration`` seconds."""
    if not duration > 0:
        raise ValueError(f"the duration is {duration} s; give the video's length, above 0")
    sounds = [np.asarray(s, np.float32)[: round(duration * RATE)] for s in (original, generated)]
    seconds: tuple[tuple[str, Callable[..., Seconds], Callable[[Any, Any], Scores]], ...] = (
        ("cdcd", lambda y: onsets(y, CDCD), lambda a, b: cdcd(a, b, duration)),
        ("loris", lambda y: onsets(y, LORIS), lambda a, b: loris(a, b, duration)),
        ("muvi", track, muvi),
    )
    report: dict[str, Any] = {}
    for name, beats, score in seconds:
        found = score(*(beats(sound) for sound in sounds))
        report[name] = {"cover": found.cover, "hit": found.hit}
    return report


def onsets(samples: ArrayLike, settings: dict[str, Any]) -> Seconds:
    """Return librosa's onsets of mono ``samples`` at RATE, picked with ``settings``."""
    import librosa

    y = np.asarray(samples, np.float32)
    if _silent(y):
        return np.zeros(0)
    return np.asarray(librosa.onset.onset_detect(y=y, sr=RATE, units="time", **settings))


def track(samples: ArrayLike) -> Seconds:
    """Return the beats of mono ``samples`` at RATE (Ellis 2007), their tempo varying."""
    import librosa

    y = np.asarray(samples, np.float32)
    if _silent(y):
        return np.zeros(0)
    envelope = librosa.onset.onset_strength(y=y, sr=RATE)
    tempo = librosa.feature.tempo(
        onset_envelope=envelope, sr=RATE, ac_size=WINDOW, max_tempo=FASTEST, aggregate=None
    )
    tempo = np.clip(tempo, SLOWEST, FASTEST)
    _, beats = librosa.beat.beat_track(onset_envelope=envelope, sr=RATE, bpm=tempo, units="time")
    return np.asarray(beats, np.float64)


def _silent(y: NDArray[np.float32]) -> bool:
    return not len(y) or not bool(np.abs(y).max() > 0)
