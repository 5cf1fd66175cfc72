"""How music sounds on paper: symbolic statistics, always beside those of real songs.

Conventions: a piece in seconds goes in; beats are quarters of its bars (of half a second where it
has none). Results are plain floats; a statistic that a piece does not have, such as the drum
pattern of a piece without drums, is NaN and is left out of means.

Metrics: scale consistency, pitch-class entropy, polyphony, polyphony rate, empty-beat rate, groove
consistency and drum-pattern consistency are those of muspy (Dong et al. 2020); overlapped area is
that of Yang & Lerch 2018 on histograms.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emsync.music import CLASSES, DRUMS, PROGRAMS, Piece, Seconds

RESOLUTION = 24  # steps in a beat
BEATS = 4  # in a bar
BINS = 20  # of the histograms that are overlapped


def beat_positions(piece: Piece, times: Seconds) -> NDArray[np.float64]:
    """Return ``times`` in beats, by the bars of ``piece``, which go on evenly around it."""
    bars = piece.downbeats
    if len(bars) < 2:
        return np.asarray(times, np.float64) * 2.0
    first, last = bars[1] - bars[0], bars[-1] - bars[-2]
    before = int(np.ceil(max(0.0, bars[0] / first)))
    after = int(np.ceil(max(0.0, (piece.duration - bars[-1]) / last))) + 1
    grid = np.concatenate(
        [
            bars[0] - first * np.arange(before, 0, -1),
            bars,
            bars[-1] + last * np.arange(1, after + 1),
        ]
    )
    return np.interp(times, grid, np.arange(len(grid)) * float(BEATS))


def to_muspy(piece: Piece):  # type: ignore[no-untyped-def]
    """Return ``piece`` as a muspy.Music on the grid of its beats."""
    import muspy

    starts = np.round(beat_positions(piece, piece.onsets) * RESOLUTION).astype(int)
    stops = np.round(beat_positions(piece, piece.offsets) * RESOLUTION).astype(int)
    tracks = []
    for c in np.unique(piece.classes):
        mine = np.flatnonzero(piece.classes == c)
        notes = [
            muspy.Note(int(starts[i]), int(piece.pitches[i]), max(1, int(stops[i] - starts[i])), 80)
            for i in mine
        ]
        tracks.append(
            muspy.Track(PROGRAMS[c], is_drum=bool(c == DRUMS), name=CLASSES[c], notes=notes)
        )
    return muspy.Music(resolution=RESOLUTION, tracks=tracks)


def measure(piece: Piece) -> dict[str, float]:
    """Return the statistics of one piece by name."""
    import muspy

    music = to_muspy(piece)
    bar = BEATS * RESOLUTION
    seconds = max(piece.duration, 1e-9)
    playing = np.unique(piece.classes)
    return {
        "scale_consistency": muspy.scale_consistency(music),
        "pitch_class_entropy": muspy.pitch_class_entropy(music),
        "polyphony": muspy.polyphony(music),
        "polyphony_rate": muspy.polyphony_rate(music),
        "empty_beat_rate": muspy.empty_beat_rate(music),
        "groove_consistency": muspy.groove_consistency(music, bar),
        "drum_pattern_consistency": (
            muspy.drum_pattern_consistency(music) if DRUMS in playing else float("nan")
        ),
        "notes_per_second": len(piece) / seconds,
        "onsets_per_second": len(np.unique(piece.onsets)) / seconds,
        "density_per_instrument": len(piece) / seconds / max(1, len(playing)),
        "instruments": float(len(playing)),
        "bars_per_minute": 60 * len(piece.downbeats) / seconds,
        "bar_regularity": bar_regularity(piece.downbeats),
        "on_grid": on_grid(piece),
        "distinct_bars": distinct_bars(piece),
    }


def bar_regularity(downbeats: Seconds, tolerance: float = 0.05) -> float:
    """Return the share of bars as long as the one before, within ``tolerance`` of its length."""
    lengths = np.diff(downbeats)
    if len(lengths) < 2:
        return float("nan")
    return float(np.mean(np.abs(lengths[1:] / lengths[:-1] - 1) <= tolerance))


def on_grid(piece: Piece, tolerance: float = 0.1) -> float:
    """Return the share of onsets within ``tolerance`` of a sixteenth's length from a sixteenth."""
    if len(piece.downbeats) < 2 or not len(piece):
        return float("nan")
    sixteenths = beat_positions(piece, piece.onsets) * 4
    return float(np.mean(np.abs(sixteenths - np.round(sixteenths)) <= tolerance))


def distinct_bars(piece: Piece) -> float:
    """Return the share of bars whose notes (class, pitch, sixteenth) are like no earlier bar's."""
    sixteenth = np.round(beat_positions(piece, piece.onsets) * 4).astype(int)
    bars: dict[int, set[tuple[int, int, int]]] = {}
    for c, p, s in zip(
        piece.classes.tolist(), piece.pitches.tolist(), sixteenth.tolist(), strict=True
    ):
        bars.setdefault(s // 16, set()).add((c, p, s % 16))
    if not bars:
        return float("nan")
    return len({frozenset(bar) for bar in bars.values()}) / len(bars)


def overlapped_area(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the area from 0 to 1 that the histograms of two sets of values share; NaN left out."""
    x, y = (np.asarray(v, np.float64)[np.isfinite(v)] for v in (a, b))
    if not len(x) or not len(y):
        return float("nan")
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    if low == high:
        return 1.0
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(v, edges)[0] / len(v) for v in (x, y)]
    return float(np.minimum(*shares).sum())


def compare(pieces: Sequence[Piece], reference: Sequence[Piece]) -> dict[str, dict[str, float]]:
    """Return {statistic: mean and standard deviation of both sets, and their overlapped area}."""
    ours, theirs = [measure(p) for p in pieces], [measure(p) for p in reference]
    table = {}
    for name in ours[0]:
        a, b = ([row[name] for row in rows] for rows in (ours, theirs))
        table[name] = {
            "mean": float(np.nanmean(a)) if np.isfinite(a).any() else float("nan"),
            "sd": float(np.nanstd(a)) if np.isfinite(a).any() else float("nan"),
            "reference_mean": float(np.nanmean(b)),
            "reference_sd": float(np.nanstd(b)),
            "overlap": overlapped_area(a, b),
        }
    return table
