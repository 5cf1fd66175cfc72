"""Emotion over time: a film as a few states, each long enough for music to be in it."""

import bisect
import csv
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Self

import numpy as np

from emsync.emotion.estimator import Span
from emsync.emotion.plane import (
    Point,
    check_affect,
    mean_point,
    mixture_mean,
    named,
    parse_emotion,
)
from emsync.errors import InputError, UsageError
from emsync.limits import SHOWN, can_be_read_again, one_line, quoted, read_text, shown
from emsync.video.cuts import Cut

SHORTEST_STATE = 4.0  # seconds that a state lasts: music that changes sooner flickers
ALIKE = 0.1  # distance on the plane below which two states are one
MOST_BYTES = 2**20  # bytes of an arc file


@dataclass(frozen=True)
class State:
    """A stretch of a film that feels one way."""

    start: float  # seconds
    end: float  # seconds
    valence: float  # in [-1, 1]; NaN when not known
    arousal: float  # in [-1, 1]; NaN when not known
    emotion: str = field(init=False)  # what the point is called; empty when it is not known

    def __post_init__(self) -> None:
        object.__setattr__(self, "emotion", named(self.valence, self.arousal))

    @classmethod
    def of(cls, span: Span, point: Point) -> Self:
        """Return the state of ``span``."""
        return cls(*span, round(point.valence, 4), round(point.arousal, 4))

    @property
    def length(self) -> float:
        """Seconds that the state lasts."""
        return self.end - self.start

    @property
    def point(self) -> Point:
        """Where on the plane it is."""
        return Point(self.valence, self.arousal)


def scenes(cuts: Iterable[Cut], duration: float) -> list[Span]:
    """Return the spans between the cuts that the music is to hit.

    >>> scenes([Cut(3.0), Cut(5.0, kept=False), Cut(8.0)], 10.0)
    [(0.0, 3.0), (3.0, 8.0), (8.0, 10.0)]
    """
    edges = [0.0, *(cut.time for cut in cuts if cut.kept and 0 < cut.time < duration), duration]
    return list(itertools.pairwise(edges))


def seconds(duration: float, reach: float) -> list[Span]:
    """Return a span for each second: its middle, and ``reach`` seconds to either side."""
    middles = np.arange(max(1, math.ceil(duration - 1e-9))) + 0.5
    return [(max(0.0, m - reach), min(duration, m + reach)) for m in map(float, middles)]


def parts_of(spans: Sequence[Span], shots: Sequence[Span]) -> list[Span]:
    """Return the parts between any edges of ``spans`` and of ``shots``, which all adjoin.

    >>> parts_of([(0.0, 5.0), (5.0, 9.0)], [(0.0, 3.0), (3.0, 9.0)])
    [(0.0, 3.0), (3.0, 5.0), (5.0, 9.0)]
    """
    return list(itertools.pairwise(sorted({edge for span in (*spans, *shots) for edge in span})))


def mean_within(span: Span, parts: Sequence[Span], points: Sequence[Point]) -> Point:
    """Return the mean of the seconds of ``span``, given the points of the parts that make it up."""
    first, last = (bisect.bisect_left(parts, edge, key=lambda part: part[0]) for edge in span)
    lengths = [end - start for start, end in parts[first:last]]
    return mean_point(points[first:last], lengths)


def settle(spans: Sequence[Span], points: Sequence[Point]) -> tuple[State, ...]:
    """Merge adjoining spans until each lasts SHORTEST_STATE seconds and differs from the next.

    The shortest that is too short goes first, to the neighbour that it resembles more; then those
    that are ALIKE, the most alike first. A merged state has the mean of its seconds.
    """
    rows = list(zip(spans, points, strict=True))
    while len(rows) > 1:
        short = min(range(len(rows)), key=lambda i: _length(rows[i]))
        if _length(rows[short]) < SHORTEST_STATE - 1e-9:
            pairs = [i for i in (short - 1, short) if 0 <= i < len(rows) - 1]
        else:
            pairs = [i for i in range(len(rows) - 1) if _apart(rows[i], rows[i + 1]) < ALIKE]
        if not pairs:
            break
        i = min(pairs, key=lambda i: _apart(rows[i], rows[i + 1]))
        rows[i : i + 2] = [_merged(rows[i], rows[i + 1])]
    return tuple(State.of(span, point) for span, point in rows)


Row = tuple[Span, Point]


def _length(row: Row) -> float:
    return row[0][1] - row[0][0]


def _apart(one: Row, other: Row) -> float:
    """Return the distance of two points of the plane."""
    a, b = one[1], other[1]
    return math.hypot(a.valence - b.valence, a.arousal - b.arousal)


def _merged(one: Row, other: Row) -> Row:
    point = mean_point([one[1], other[1]], [_length(one), _length(other)])
    return (one[0][0], other[0][1]), point


def whole_point(arc: Sequence[State]) -> Point:
    """Return where an arc is as a whole, weighing each second the same; NaN if unknown."""
    return mean_point([s.point for s in arc], [s.length for s in arc])


def check_arc(path: Path) -> None:
    """Refuse an arc file that cannot be read for a film of any length; a pipe is left for later."""
    if can_be_read_again(path):
        read_arc(path, math.inf)


def read_arc(path: Path, duration: float) -> tuple[State, ...]:
    """Read the arc of a film of ``duration`` seconds from a CSV file.

    Its columns are ``time,valence,arousal`` or ``time,emotion``, times in seconds, ascending. Each
    row holds until the next; the first from the start. InputError names the line that is off.
    """
    rows, name = _rows(path), quoted(path)
    points = [_point(row, f"{name}, line {line}", duration) for line, row in rows]
    if not points:
        raise InputError(f"{name} holds no row; give it a time and a feeling a line")
    times = [time for time, *_ in points]
    for (line, _), before, after in zip(rows[1:], times, times[1:], strict=False):
        if after <= before:
            raise InputError(f"{name}, line {line}: {after:g} s is not after {before:g} s")
    edges = [0.0, *times[1:], duration]
    return tuple(
        State(start, end, valence, arousal)
        for start, end, (_, valence, arousal) in zip(edges, edges[1:], points, strict=False)
    )


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the number and the cells of each line of a CSV file."""
    text, name = read_text(path, MOST_BYTES), quoted(path)
    reader = csv.DictReader(StringIO(text), skipinitialspace=True, strict=True)
    try:
        columns = {str(name).strip() for name in reader.fieldnames or ()}
        if columns not in ({"time", "valence", "arousal"}, {"time", "emotion"}):
            found = one_line(", ".join(sorted(columns)), SHOWN) or "of nothing"
            raise InputError(
                f"{name} has the columns {found}; they must be time,valence,arousal or time,emotion"
            )
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{name}, line {reader.line_num}: too few or many cells; "
                    "a mixture of emotions stands in quotes"
                )
            rows.append((reader.line_num, {k.strip(): v.strip() for k, v in row.items()}))
        return rows
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num + 1}: {error}") from error


def _point(row: dict[str, str], where: str, duration: float) -> tuple[float, float, float]:
    """Return the time, valence and arousal of a row."""
    time = _number(row, "time", where)
    if not 0 <= time < duration:
        raise InputError(f"{where}: the time {time:g} is outside the {duration:g} s of video")
    try:
        if "emotion" in row:
            point = mixture_mean(parse_emotion(row["emotion"]))
            return time, point.valence, point.arousal
        valence = check_affect("valence", _number(row, "valence", where))
        arousal = check_affect("arousal", _number(row, "arousal", where))
    except UsageError as error:
        raise InputError(f"{where}: {error}") from error
    return time, valence, arousal


def _number(row: dict[str, str], column: str, where: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise InputError(
            f"{where}: the {column} is {shown(row[column])}, which is not a number"
        ) from None
