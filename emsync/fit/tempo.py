"""How fast the music goes: by the arousal, tuned so that the cuts come near beats and bars.

A composer trained on music of one tempo writes at that tempo; its music is then stretched.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emsync.analysis import Analysis
from emsync.music.piece import BEATS
from emsync.video.cuts import Cut

MIDDLE = 108.0  # beats a minute at an arousal of zero
OCTAVE = 0.35  # octaves faster at an arousal of one
TUNING = 0.12  # share by which the tempo may move so that cuts come near beats
DOWNBEAT = 0.35  # what an unreached downbeat weighs beside an unreached beat


def tempo_of(video: Analysis, requested: float | None = None) -> float:
    """Return the beats a minute: ``requested``, else those of the analysis, else by its arousal."""
    if requested is not None:
        return requested
    if not math.isnan(video.tempo):
        return video.tempo
    return fit_tempo(tempo_by(video.arousal), video.kept)


def tempo_by(arousal: float) -> float:
    """Return the beats a minute that suit an arousal; NaN is in the middle.

    >>> tempo_by(0.0)
    108.0
    """
    return float(MIDDLE * 2 ** (OCTAVE * (0.0 if math.isnan(arousal) else arousal)))


def fit_tempo(tempo: float, cuts: Sequence[Cut]) -> float:
    """Return the tempo near ``tempo`` whose beats, and less so its bars, come nearest to ``cuts``.

    >>> round(fit_tempo(100.0, [Cut(2.4), Cut(7.2), Cut(12.0)]))
    100
    """
    if not cuts:
        return tempo
    choices = tempo * np.linspace(1 - TUNING, 1 + TUNING, 97)
    beats = np.outer(choices / 60, [cut.time for cut in cuts])  # (choices, cuts)
    strengths = np.array([0.2 + cut.strength for cut in cuts])
    off_beat = np.abs(beats - np.round(beats)) * 2  # 0 to 1
    bars = beats / BEATS
    off_bar = np.abs(bars - np.round(bars)) * 2
    away = np.abs(np.log(choices / tempo)) / TUNING  # of equals, the nearest to what was wanted
    cost = (off_beat + DOWNBEAT * off_bar) @ strengths / strengths.sum() + 0.1 * away
    return float(choices[np.argmin(cost)])


def at_tempo(video: Analysis, own: float, tempo: float) -> Analysis:
    """Return ``video`` in the time of a composer whose music has ``own`` beats a minute.

    Played at ``tempo`` its music then lasts as long as the video.
    """
    return replace(video.retimed(tempo / own), tempo=own)
