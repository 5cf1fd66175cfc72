"""Music that is given: a theme from elsewhere, or what comes later; and the seconds until then."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.plugin import (
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    GivenKind,
    Piece,
    Place,
    Seconds,
    Timeline,
)

HORIZON = 8.0  # seconds; all that is further looks the same
ROWS: dict[GivenKind, Sequence[float]] = {
    "theme": (1.0, 0.0, 0.0, 0.0),
    "later": (0.0, 1.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Given(Conditioner):
    """What a token is: of a given theme, of given later music, or the seconds left until that.

    Rows are: 1 for a theme's token; 1 for a later one's; else the wait until the given music goes
    on, as min(w, 8) / 8 and exp(-w). Targets are (1,): the second at which it goes on; NaN where
    none is given.
    """

    name: ClassVar[str] = "given"
    summary: ClassVar[str] = "music that is given: a theme, what comes later, the time until then"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 4

    def from_music(self, piece: Piece) -> Floats:
        return np.array([piece.labels.get("resumes", math.nan)], np.float32)

    def from_video(self, video: Analysis) -> Floats:
        return np.array([math.nan if video.sheet is None else video.sheet.resumes], np.float32)

    def given_row(self, kind: GivenKind) -> Sequence[float]:
        return ROWS[kind]

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        return _leading(target[0] - timeline.times)

    def cursor(self, target: Floats) -> Cursor:
        return _Wait(self, target)


class _Wait(Cursor):
    """Computes a row from the time alone."""

    timed = True

    def row(self, time: float, mark: bool) -> Sequence[float]:
        wait = float(self.target[0]) - time
        if math.isnan(wait):
            return [math.nan] * 4
        near = min(max(wait, 0.0), HORIZON)
        return [0.0, 0.0, near / HORIZON, math.exp(-near)]


def _leading(waits: Seconds) -> Floats:
    """Return the (T, 4) rows of music that leads, in ``waits`` seconds, into what is given."""
    near = np.clip(waits, 0.0, HORIZON)
    zero = np.zeros_like(near)
    rows = np.stack([zero, zero, near / HORIZON, np.exp(-near)], axis=1).astype(np.float32)
    rows[np.isnan(waits)] = np.nan
    return rows
