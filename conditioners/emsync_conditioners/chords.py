"""The harmony: which chord sounds in each half of a bar, and which comes next."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.plugin import (
    BEATS,
    NO_CHORD,
    ROOTS,
    TONES,
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    Piece,
    Place,
    Seconds,
    Timeline,
    half_bars,
    heard,
)
from emsync.plugin import Chords as Numbers

# seconds by which two times may differ and be one: float32 is half as coarse after an hour
NEAR = 1e-3
WIDTH = 24  # numbers of one chord


@dataclass(frozen=True)
class Chords(Conditioner):
    """The chord of the half bar that a token is in, and of the next, for each token.

    Targets are (W, 25): the second at which a half bar begins, its chord's tones, its root, each
    from C; zeros for no chord, NaN where nothing is requested. Before the first half bar it is
    that one's row. The last one has no next, so from there on nothing is requested.
    """

    name: ClassVar[str] = "chords"
    summary: ClassVar[str] = "the chord of each half bar, and the one that comes next"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 2 * WIDTH
    reads: ClassVar[frozenset[str]] = frozenset({"duration", "sheet", "tempo"})

    def from_music(self, piece: Piece) -> Floats:
        if len(piece.downbeats) < 2:
            return _nothing()
        edges = half_bars(piece.downbeats)
        return _target(edges[:-1], heard(piece, edges))

    def from_video(self, video: Analysis) -> Floats:
        """Request the chords of the lead sheet, half bar by half bar until the film has ended.

        A half bar in which the chord changes, as it may on a cut, is requested as two.
        """
        if video.sheet is None:
            return _nothing()
        edges, harmony = _half_bars(video), video.sheet.harmony
        changes = harmony.starts[np.diff(harmony.chords, prepend=NO_CHORD) != 0]
        starts = np.sort(np.append(edges, changes[changes < edges[-1]]))
        starts = starts[np.diff(starts, prepend=-np.inf) > NEAR]
        return _target(starts, harmony.at(starts + NEAR))

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        rows = _rows(target)
        now = np.searchsorted(target[:, 0], timeline.times + NEAR, side="right") - 1
        now = np.maximum(now, 0)
        return np.concatenate([rows[now], rows[now + 1]], axis=1)

    def cursor(self, target: Floats) -> Cursor:
        return _HalfBars(self, target)


class _HalfBars(Cursor):
    """Looks the row up of the half bar that the time is in."""

    timed = True

    def __init__(self, conditioner: Conditioner, target: Floats) -> None:
        super().__init__(conditioner, target)
        rows = _rows(target)
        self.starts: list[float] = target[:, 0].tolist()
        self.rows = np.concatenate([rows[:-1], rows[1:]], axis=1)

    def row(self, time: float, mark: bool) -> Floats:
        row: Floats = self.rows[max(bisect_right(self.starts, time + NEAR) - 1, 0)]
        return row


def chord_rows(chords: Numbers) -> Floats:
    """Return the (W, 24) rows of (W,) chords: tones, then the root; zeros for no chord."""
    rows = np.concatenate([TONES, ROOTS], axis=1)[np.maximum(chords, 0)]
    return np.where((chords == NO_CHORD)[:, None], 0.0, rows).astype(np.float32)


def _half_bars(video: Analysis) -> Seconds:
    """Return the edges of a film's half bars, the last one at its end or after it.

    Where its tempo is not known, all of it is one.
    """
    half = BEATS / 2 * 60 / video.tempo  # seconds
    if math.isnan(half):
        return np.array([0.0, video.duration])
    return np.arange(math.ceil(video.duration / half) + 1, dtype=np.float64) * half


def _target(starts: Seconds, chords: Numbers) -> Floats:
    return np.concatenate([starts[:, None].astype(np.float32), chord_rows(chords)], axis=1)


def _nothing() -> Floats:
    return np.full((1, 1 + WIDTH), np.nan, np.float32)


def _rows(target: Floats) -> Floats:
    """Return the (W + 2, 24) rows of the half bars; NaN after the last."""
    return np.concatenate([target[:, 1:], np.full((2, WIDTH), np.nan, np.float32)])
