"""Rhythm and flow of each clip of 4 s in classes, for which a network learns embeddings.

Of music: how many beats, how strong they are, how far apart; of a film: how fast its picture flows
(Mao et al., *Unified Pretraining Target Based Video-Music Retrieval*, sections 2.2 and 3.2). The
bins of the music are those of the authors' code. Theirs of the flow are even in pixels up to 320;
ours are finer where it is slow, as it is in nearly all of our films.
"""

import numpy as np

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.matching.matcher import Columns

CLIP = 4  # seconds
QUARTERS = 4  # values of the flow a second

COUNTS = 18  # beats of a clip: 0 to 17, or more
STRENGTHS = 49  # mean strength of the beats, rounded: 0 to 48, or more
INTERVALS = 65  # mean seconds between beats: 64 even bins up to 4 s; the last class for none
FLOWS = 64  # mean flow in picture heights a second: bins even in log(1 + f / 0.01) up to 8

NO_INTERVAL = INTERVALS - 1
SLOW, FAST = 0.01, 8.0
EDGES: Float64s = SLOW * np.expm1(np.arange(1, FLOWS) / FLOWS * np.log1p(FAST / SLOW))  # (63,)


def rhythm(columns: Columns, start: float, end: float) -> Int64s:
    """Return the classes of the beats of a track in each 4 s from ``start`` to ``end`` seconds.

    (C, 3): how many, their mean strength, and their mean interval; the last clip may be shorter.
    """
    times, strengths = columns["beats"], columns["strength"]
    rows = []
    for begin in range(int(start), int(end), CLIP):
        first, last = np.searchsorted(times, [begin, min(begin + CLIP, end)])
        rows.append(_beats(times[first:last], strengths[first:last]))
    return np.array(rows, np.int64).reshape(-1, 3)


def _beats(times: Float32s, strengths: Float32s) -> tuple[int, int, int]:
    """Return the classes of the beats of one clip."""
    count = len(times)
    if count == 0:
        return 0, 0, NO_INTERVAL
    strength = int(np.clip(np.floor(strengths.mean(dtype=np.float64) + 0.5), 0, STRENGTHS - 1))
    if count == 1:
        return 1, strength, NO_INTERVAL
    interval = float(times[-1] - times[0]) / (count - 1)
    return min(count, COUNTS - 1), strength, min(int(interval * 16), NO_INTERVAL - 1)


def flow(columns: Columns, start: float, end: float) -> Int64s:
    """Return the class of the flow of a film in each 4 s from ``start`` to ``end`` seconds, (C, 1).

    The last clip may be shorter.
    """
    values = np.asarray(columns["flow"], np.float64)
    clips = [
        values[QUARTERS * begin : QUARTERS * min(begin + CLIP, int(end))]
        for begin in range(int(start), int(end), CLIP)
    ]
    means = np.array([clip.mean() if len(clip) else 0.0 for clip in clips])
    return np.searchsorted(EDGES, means, side="right").astype(np.int64)[:, None]
