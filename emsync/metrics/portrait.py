"""A portrait of a piece: all that is measured on its notes, by name, beside real songs.

``portrait.json`` holds the ranges of real songs by the length of the piece, since much depends on
it; ``scripts/portraits.py`` makes it. Measures are named after their files and what these say at
their heads, such as "melody.steps". What a piece does not have is NaN.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.metrics.agreement import agreement_of
from emsync.metrics.bass import bass_of
from emsync.metrics.cadence import cadence
from emsync.metrics.harmony import Range, movement_of
from emsync.metrics.melody import melody_of
from emsync.metrics.motifs import returns_of
from emsync.metrics.quality import beat_positions
from emsync.metrics.register import register_of
from emsync.metrics.texture import texture_of
from emsync.metrics.voicing import voicing_of
from emsync.music.chords import Harmony, half_bars, heard
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece

UNKNOWN = Range(math.nan, math.nan, math.nan)
REAL_SONGS = Path(__file__).with_name("portrait.json")

Portrait = Mapping[str, float]


def portrait(
    piece: Piece,
    seconds: float | None = None,
    *,
    edges: Seconds | None = None,
    beats: Callable[[Seconds], Float64s] | None = None,
    sheet: LeadSheet | None = None,
) -> dict[str, float]:
    """Measure a piece of ``seconds``, if it does not end with its last note.

    Where they are known, ``edges`` are its half bars, ``beats`` turns seconds into beats, and
    ``sheet`` is what was asked of it, in seconds: its key, its last chord and its sections. Else
    the piece's own bars and the key that its notes fit best say them.
    """
    length = max(piece.duration if seconds is None else seconds, 1e-3)
    edges = half_bars(piece.downbeats) if edges is None else edges
    beats = partial(beat_positions, piece) if beats is None else beats
    in_beats = piece.retimed(beats)
    sections: list[tuple[float, float]] = []
    if sheet is not None:
        marks = beats(np.array([(p.start, min(p.end, length)) for p in sheet.passages]).ravel())
        sections = [(float(a), float(b)) for a, b in marks.reshape(-1, 2) if b > a]
    chords = heard(piece, edges) if len(edges) > 1 else np.zeros(0, np.intp)
    harmony = Harmony(beats(edges[:-1]), chords)
    parts: dict[str, Mapping[str, float]] = {
        "melody": asdict(melody_of(in_beats, sections)),
        "harmony": asdict(movement_of(piece, edges, None if sheet is None else sheet.tonic)),
        "agreement": asdict(agreement_of(piece, chords, edges)),
        "bass": asdict(bass_of(in_beats, harmony)),
        "motifs": asdict(returns_of(in_beats)),
        "voicing": asdict(voicing_of(piece)),
        "register": register_of(piece),
        "texture": texture_of(piece, length),
        "cadence": asdict(cadence(piece, _last(sheet), edges)),
    }
    return {f"{part}.{name}": v for part, row in parts.items() for name, v in row.items()}


def _last(sheet: LeadSheet | None) -> int | None:
    """Return the last chord that a sheet asks for."""
    chords = [] if sheet is None else sheet.harmony.chords.tolist()
    return chords[-1] if chords else None


def ranges_of(songs: Sequence[Portrait]) -> dict[str, Range]:
    """Return where the middle 80 % of songs lie, measure by measure; NaN where none has it."""
    found = {}
    for name in songs[0]:
        values = np.array([song[name] for song in songs])
        known = values[np.isfinite(values)]
        marks = np.quantile(known, (0.1, 0.5, 0.9)) if len(known) else np.full(3, np.nan)
        found[name] = Range(*np.round(marks, 4).tolist())
    return found


def beside(
    found: Sequence[Portrait], real: Sequence[Mapping[str, Range]]
) -> dict[str, dict[str, float]]:
    """Return {measure: the median of pieces, the songs' range, the share of pieces inside it}.

    ``real`` are the ranges of songs as long as each piece; means of them are returned, over the
    pieces that have the measure.
    """
    table = {}
    for name in found[0]:
        pairs = [
            (one[name], own.get(name, UNKNOWN))
            for one, own in zip(found, real, strict=True)
            if math.isfinite(one[name])
        ]
        rows = np.array([(value, own.low, own.median, own.high) for value, own in pairs])
        value, low, median, high = rows.reshape(-1, 4).T
        close = np.round(value, 4)  # as ranges are kept
        inside = ((low <= close) & (close <= high))[np.isfinite(median)]
        table[name] = {
            "median": float(np.median(value)) if len(value) else math.nan,
            "n": float(len(value)),
            "low": _mean(low),
            "reference_median": _mean(median),
            "high": _mean(high),
            "inside": _mean(inside),
        }
    return table


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


@cache
def real_songs() -> Mapping[int, Mapping[str, Range]]:
    """Return the range of each measure over real songs, by the bars of their excerpts."""
    ranges = json.loads(REAL_SONGS.read_text(encoding="utf-8"))["ranges"]
    return {
        int(bars): {name: Range(*values) for name, values in row.items()}
        for bars, row in ranges.items()
    }


def songs_like(bars: float) -> Mapping[str, Range]:
    """Return the ranges of the excerpts whose length is nearest to ``bars``."""
    found = real_songs()
    return found[min(found, key=lambda length: abs(math.log(length / max(bars, 1.0))))]
