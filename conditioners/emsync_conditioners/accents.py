"""When the music strikes: on what strikes the eye."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from emsync.plugin import (
    CLASSES,
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    Piece,
    Place,
    Seconds,
    Timeline,
    Windows,
    Within,
    in_windows,
)

AHEAD = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (12, 16))  # steps from now
AROUND = 3  # steps to either side; what stands out of them is an accent
LEAST = 0.01  # picture heights a second; a film without a stronger impact does not move


@dataclass(frozen=True)
class Accents(Conditioner):
    """How strong the accents are now and in the next second, for each token.

    Targets are the (S,) accents of each ``step``: 0 where nothing stands out of the half second
    around it, else its rank among all that does in the piece, up to 1; NaN requests nothing there.
    So the notes of a song and the movements of a film are in one scale. The rows are the largest
    in each part of what is AHEAD.
    """

    name: ClassVar[str] = "accents"
    summary: ClassVar[str] = "accents, where something in the picture begins to move at once"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = len(AHEAD)
    reads: ClassVar[frozenset[str]] = frozenset({"duration", "impact"})

    # seconds; half a sixteenth at the 117.1875 beats a minute that all songs are brought to
    step: Annotated[float, Within(0.01, 1)] = 0.064

    def from_music(self, piece: Piece) -> Floats:
        """Return the accents of what is struck, the more so the more instruments strike at once."""
        count = int(piece.onsets.max(initial=0.0) / self.step) + 2
        at = np.minimum(np.floor(piece.onsets / self.step + 1e-6).astype(np.intp), count - 1)
        struck = np.zeros((count, len(CLASSES)))
        np.add.at(struck, (at, piece.classes), 1.0)
        return accents(np.sqrt(struck).sum(axis=1))

    def from_video(self, video: Analysis) -> Floats:
        count = max(1, int(np.ceil(video.duration / self.step)))
        if video.impact is None or max(video.impact.values, default=0.0) < LEAST:
            return np.full(count, np.nan, np.float32)
        return accents(
            video.impact.largest(np.arange(count, dtype=np.float64) * self.step, self.step)
        )

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        padded = np.append(target, np.zeros(AHEAD[-1][1], np.float32))
        ahead = np.lib.stride_tricks.sliding_window_view(padded, AHEAD[-1][1])[: len(target)]
        rows = np.stack([ahead[:, first:last].max(axis=1) for first, last in AHEAD], axis=1)
        return in_windows(rows, timeline.times, self.step)

    def cursor(self, target: Floats) -> Cursor:
        return Windows(self, target, self.step)


def accents(strengths: Seconds) -> Floats:
    """Return the (S,) ranks of what stands out of the steps around it; 0 where nothing does."""
    soft = np.convolve(strengths, (0.25, 0.5, 0.25), mode="same")[: len(strengths)]
    steps, total = np.arange(len(soft)), np.append(0.0, np.cumsum(soft))
    first = np.maximum(steps - AROUND, 0)
    last = np.minimum(steps + AROUND + 1, len(soft))
    above = soft - (total[last] - total[first]) / (last - first)
    above = np.where(above > 1e-9 * soft.max(), np.round(above, 9), 0.0)  # the rest is rounding
    rank = np.sort(above[above > 0])
    ranks = np.searchsorted(rank, above, "left") + np.searchsorted(rank, above, "right")
    return np.where(above > 0, ranks / (2 * max(len(rank), 1)), 0.0).astype(np.float32)
