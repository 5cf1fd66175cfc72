"""Major or minor, moment by moment: what of the notes tells pleasant from unpleasant."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Cursor, Floats, Place
from emsync.music import DRUMS, Piece, Seconds
from emsync.tokens import Timeline
from emsync.tonality import mode_of

NEAR = 1e-6  # steps; a sum of waits may end a hair below an edge
LONGEST = 2.0  # seconds of a note that count

# The mode asked for a valence: quantiles of 4-s passages of 400 songs, of which 0.09 is the median
MODES = (-0.9, -0.6, -0.2, 0.0, 0.2, 0.6, 0.9), (-0.26, -0.11, 0.03, 0.09, 0.15, 0.25, 0.33)


@dataclass(frozen=True)
class Mode(Conditioner):
    """How much rather major than minor the next seconds sound, beside each token.

    Targets are (F,), one for the ``window`` from each ``step`` on: the fit of the best major key
    less that of the best minor one (``emsync.tonality``), NaN where nothing pitched sounds or
    nothing is asked.
    """

    name: ClassVar[str] = "mode"
    summary: ClassVar[str] = "how much rather major than minor the next seconds sound"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 1

    window: float = 4.0  # seconds
    step: float = 0.5  # seconds
    most: float = 0.5  # difference of the fits that counts as full

    def from_music(self, piece: Piece) -> Floats:
        steps = math.ceil(piece.duration / self.step) + 1
        starts: Seconds = np.arange(steps, dtype=np.float64) * self.step
        sounding = _sounding(piece, starts + self.window) - _sounding(piece, starts)  # (F, 12)
        silent = sounding.sum(axis=1) < NEAR
        return np.where(silent, np.nan, mode_of(sounding)).astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        """Ask, in every state, for the mode of a share of real music that fits its valence."""
        times = np.arange(math.ceil(video.duration / self.step) + 1) * self.step
        states = np.searchsorted([state.start for state in video.arc[1:]], times, side="right")
        valence = np.array([state.valence for state in video.arc])[states]
        return np.interp(valence, *MODES).astype(np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        now = np.floor(timeline.times / self.step + NEAR).astype(np.intp)  # (T,)
        inside = now < len(target)
        rows = np.full((len(now), 1), np.nan, np.float32)  # nothing is asked after the end
        rows[inside, 0] = np.clip(target[now[inside]] / self.most, -1, 1)
        return rows

    def cursor(self, target: Floats) -> Cursor:
        return _Step(self, target)


class _Step(Cursor):
    """The row of the step that the time is in."""

    def __init__(self, conditioner: Mode, target: Floats) -> None:
        super().__init__(conditioner, target)
        self.width = conditioner.step
        edges: Seconds = np.arange(len(target) + 1, dtype=np.float64) * self.width
        self.rows = conditioner.features(target, Timeline(edges, edges < 0)).tolist()

    def row(self, time: float, mark: bool) -> Sequence[float]:
        row: list[float] = self.rows[min(int(time / self.width + NEAR), len(self.rows) - 1)]
        return row


def _sounding(piece: Piece, times: Seconds) -> Seconds:
    """Return the (F, 12) seconds that each pitch class has sounded until each of ``times``."""
    tonal = piece.classes != DRUMS
    pitch, starts = piece.pitches[tonal] % 12, piece.onsets[tonal]
    ends = np.minimum(piece.offsets[tonal], starts + LONGEST)
    columns = [
        _since(starts[pitch == c], times) - _since(ends[pitch == c], times) for c in range(12)
    ]
    return np.stack(columns, axis=1)


def _since(moments: Seconds, times: Seconds) -> Seconds:
    """Return the (F,) seconds since each of the ``moments`` before each of ``times``, summed."""
    moments = np.sort(moments)
    past = np.searchsorted(moments, times)
    return past * times - np.append(0.0, np.cumsum(moments))[past]
