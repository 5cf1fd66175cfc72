"""How music sounds on paper: symbolic statistics, always beside those of real songs.

Conventions: a piece in seconds goes in; beats are quarters of its bars (of half a second where it
has none). Results are plain floats; a statistic that a piece does not have, such as the drum
pattern of a piece without drums, is NaN and is left out of means.

Metrics: scale consistency, pitch-class entropy, polyphony, polyphony rate, empty-beat rate, groove
consistency and drum-pattern consistency are those of muspy (Dong et al. 2020). Two sets of pieces
are compared, statistic by statistic:

overlap           the area that the histograms of the values share, from 0 to 1; BINS bins
overlapped_area   Yang & Lerch 2018: the area shared by the densities of the distances among real
kl                songs and of those from each piece to each real song; and the divergence of the
                  second density from the first, in nats. Densities are Gaussian kernels of Scott's
                  width on POINTS points over both; no width is below 1/POINTS of their span, no
                  density below FLOOR of the sum
reference_distance    the median distance among real songs. Where it is 0 most of them are alike,
                  as in one tempo or without empty beats: then the least difference leaves no area
real_overlapped_area, real_kl    the same for half of the real songs against the other half: what
                  music by the same composers reaches
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Seconds
from emsync.errors import AssetError
from emsync.music.piece import BEATS, CLASSES, DRUMS, PROGRAMS, Piece
from emsync.music.statistics import density, onset_density

Floats = NDArray[np.float64]

RESOLUTION = 24  # steps in a beat
BINS = 20  # of the histograms that are overlapped
POINTS = 1000  # at which densities are compared
FLOOR = 1e-9  # the least share of a density at a point: there is no logarithm of 0
MOST_DISTANCES = 20_000  # a density of more looks the same; they are thinned evenly


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


def load_muspy() -> Any:
    """Return the package muspy; AssetError where it is not installed."""
    try:
        import muspy
    except ImportError as error:
        raise AssetError(
            "symbolic statistics are muspy's, which is not installed: "
            "python -m pip install 'emsync[evaluate]'"
        ) from error
    return muspy


def to_muspy(piece: Piece) -> Any:
    """Return ``piece`` as a muspy.Music on the grid of its beats."""
    muspy = load_muspy()
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
    muspy = load_muspy()
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
        "onsets_per_second": onset_density(piece, seconds),
        "density_per_instrument": density(piece, seconds),
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


def densities(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Return the densities of two sets of distances on one grid, each summing to 1."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    if low == high:
        return np.full(POINTS, 1 / POINTS), np.full(POINTS, 1 / POINTS)
    grid = np.linspace(low, high, POINTS)
    return _density(x, grid), _density(y, grid)


def _density(values: Floats, grid: Floats) -> Floats:
    """Return the kernel density of ``values`` at the even ``grid``, scaled to sum to 1."""
    values = values[:: -(-len(values) // MOST_DISTANCES)]
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    width = max(spread * len(values) ** -0.2, float(grid[1] - grid[0]))  # Scott 1992
    total = np.zeros(len(grid))
    for some in np.array_split(values, -(-len(values) // 1000)):
        total += np.exp(-0.5 * ((grid - some[:, None]) / width) ** 2).sum(axis=0)
    shares = np.maximum(total / total.sum(), FLOOR)
    return shares / shares.sum()


def distances(pieces: Sequence[float], reference: Sequence[float]) -> tuple[Floats, Floats]:
    """Return the distances among ``reference``, and from ``pieces`` to it; NaN is left out."""
    ours, theirs = (np.asarray(v, np.float64)[np.isfinite(v)] for v in (pieces, reference))
    among = np.abs(theirs[:, None] - theirs[None, :])
    return (
        among[np.triu_indices(len(theirs), 1)],
        np.abs(ours[:, None] - theirs[None, :]).ravel(),
    )


def resemblance(pieces: Sequence[float], reference: Sequence[float]) -> tuple[float, float]:
    """Return overlapped area and KL divergence of Yang & Lerch 2018; NaN for too few values.

    >>> resemblance([1.0, 2.0], [5.0])
    (nan, nan)
    """
    among, between = distances(pieces, reference)
    if not len(among) or not len(between):
        return math.nan, math.nan
    p, q = densities(among, between)
    return float(np.minimum(p, q).sum()), float((p * np.log(p / q)).sum())


def compare(pieces: Sequence[Piece], reference: Sequence[Piece]) -> dict[str, dict[str, float]]:
    """Return {statistic: means and deviations of both sets, and how they compare}."""
    if not pieces or not reference:
        raise ValueError(f"{len(pieces)} pieces cannot be compared with {len(reference)}")
    ours, theirs = [measure(p) for p in pieces], [measure(p) for p in reference]
    table = {}
    for name in ours[0]:
        a, b = ([row[name] for row in rows] for rows in (ours, theirs))
        area, divergence = resemblance(a, b)
        real_area, real_divergence = resemblance(b[1::2], b[::2])
        table[name] = {
            "mean": _mean(a),
            "sd": _sd(a),
            "reference_mean": _mean(b),
            "reference_sd": _sd(b),
            "reference_distance": _median(distances(b, b)[0]),
            "overlap": overlapped_area(a, b),
            "overlapped_area": area,
            "kl": divergence,
            "real_overlapped_area": real_area,
            "real_kl": real_divergence,
        }
    return table


def _mean(values: Sequence[float]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _sd(values: Sequence[float]) -> float:
    return float(np.nanstd(values)) if np.isfinite(values).any() else math.nan


def excerpt(piece: Piece, seconds: float) -> Piece:
    """Return ``seconds`` of ``piece`` from the first bar line in its last two thirds.

    Statistics depend on the length: real songs are cut to that of what is compared with them.
    """
    if piece.duration <= seconds:
        return piece
    latest = max(0.0, piece.duration - seconds)
    bars = piece.downbeats[(piece.downbeats >= piece.duration / 3) & (piece.downbeats <= latest)]
    begin = float(bars[0]) if len(bars) else latest
    return piece.since(begin).until(seconds)
