"""Valence and arousal from light, colour, motion and cutting; needs no trained model.

Valence is the pleasure that Valdez & Mehrabian 1994 found in colours: 0.69 of their brightness and
0.22 of their saturation. Arousal is the sum of motion and of the rhythm of the cutting, as Hanjalic
& Xu 2005 model it, without the sound. All are counted in standard deviations from the shots of
``shots.csv``, never from the film's own, so that a dark film is dark.

Shapes: N spans, R shots of reference, 5 measures of each.
"""

import csv
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np

from emsync.arrays import Float64s
from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.video.footage import Footage

SHOT = 5.0  # seconds; a shot this long has 1/e of the greatest rhythm
WIDTHS = (0.6, 0.5)  # of valence and arousal
WORDS = "light, colour, motion and cutting"
NO_MOTION = 0.01  # picture heights a second that pass for no motion
PLEASURE = np.array([0.69, 0.11, 0.11, 0.0, 0.0])  # saturation is the mean of two views of it
EXCITEMENT = np.array([0.0, 0.0, 0.0, 1.0, 1.0])


@dataclass(frozen=True)
class Shot:
    """What one shot of the reference looks like."""

    clip: str
    length: float  # seconds
    brightness: float  # in [0, 1], as all means of ``Footage``
    saturation: float
    colourfulness: float
    motion: float  # log10 of picture heights a second + NO_MOTION
    rhythm: float  # exp(-seconds of the shot / SHOT)


@dataclass(frozen=True, eq=False)
class ReferenceStatistics:
    """How measures are spread over ordinary footage."""

    mean: Float64s  # (5,)
    sd: Float64s  # (5,)
    pleasure: tuple[float, float]  # mean and SD of the sum of the standardised measures
    excitement: tuple[float, float]

    @classmethod
    def over(cls, shots: Sequence[Shot]) -> "ReferenceStatistics":
        """Return the spread over ``shots``; each clip, and each second of it, weighs the same."""
        rows = np.array([astuple(shot)[2:] for shot in shots], np.float64)  # (R, 5)
        lengths: dict[str, float] = {}
        for shot in shots:
            lengths[shot.clip] = lengths.get(shot.clip, 0.0) + shot.length
        weights = np.array([shot.length / lengths[shot.clip] for shot in shots])
        mean, sd = _spread(rows, weights)
        z = (rows - mean) / sd
        pleasure, excitement = (_spread(z @ sums, weights) for sums in (PLEASURE, EXCITEMENT))
        return cls(mean, sd, (float(pleasure[0]), float(pleasure[1])),
                   (float(excitement[0]), float(excitement[1])))  # fmt: skip


def _spread(rows: Float64s, weights: Float64s) -> tuple[Float64s, Float64s]:
    mean = np.average(rows, axis=0, weights=weights)
    return mean, np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))


def reference() -> list[Shot]:
    """Read the shots of ordinary footage that come with emsync."""
    text = files("emsync.emotion").joinpath("shots.csv").read_text(encoding="utf-8")
    kinds = {field.name: field.type for field in fields(Shot)}
    return [
        Shot(**{name: kinds[name](value) for name, value in row.items()})  # type: ignore[operator]
        for row in csv.DictReader(text.splitlines())
    ]


@cache
def reference_statistics() -> ReferenceStatistics:
    """Return how measures are spread over the reference."""
    return ReferenceStatistics.over(reference())


@dataclass(frozen=True)
class Pictures(Estimator):
    """Valence and arousal from light, colour, motion and cutting."""

    name: ClassVar[str] = "pictures"
    summary: ClassVar[str] = "emotion from light, colour, motion and cut rate; no download"

    gain: float = 0.6  # how far from neutral lies what is unusual by one SD (tanh of it)
    statistics: ReferenceStatistics | None = None  # what is ordinary; None is the reference

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        known = self.statistics or reference_statistics()
        z = (measure(footage, spans) - known.mean) / known.sd  # (N, 5)
        points = []
        for sums, (mean, sd) in ((PLEASURE, known.pleasure), (EXCITEMENT, known.excitement)):
            points.append(np.tanh(self.gain * (z @ sums - mean) / sd))
        return [Belief(float(v), float(a), *WIDTHS, WORDS) for v, a in zip(*points, strict=True)]


def measure(footage: Footage, spans: Sequence[Span]) -> Float64s:
    """Return the (N, 5) brightness, saturation, colourfulness, motion and rhythm of spans."""
    colours = (footage.brightness, footage.saturation, footage.colourfulness)
    speed = _means(footage.motion_times, footage.motion, spans)
    columns = [_means(footage.times, colour, spans) for colour in colours]
    rhythm = shot_rhythm([cut.time for cut in footage.cuts], footage.film.duration, spans)
    return np.stack([*columns, np.log10(speed + NO_MOTION), rhythm], axis=1)


def _means(times: Float64s, values: Float64s, spans: Sequence[Span]) -> Float64s:
    """Return the (N,) means of ``values`` within spans; where none lies within, the nearest's."""
    if not len(times):
        return np.zeros(len(spans))
    starts, ends = np.asarray(spans, np.float64).T
    low, high = np.searchsorted(times, starts), np.searchsorted(times, ends)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[high] - sums[low]) / np.maximum(high - low, 1)
    return np.where(high > low, means, np.interp((starts + ends) / 2, times, values))


def shot_rhythm(cuts: Iterable[float], duration: float, spans: Sequence[Span]) -> Float64s:
    """Return the (N,) rhythm of the cutting in spans: the mean of exp(-shot / SHOT), in [0, 1].

    After Hanjalic & Xu 2005, with seconds for frames. The clip's edges cut the first and the last
    shot off, so these count as two SHOT long at least.
    """
    edges = np.asarray([0.0, *cuts, duration])
    lengths = np.diff(edges)
    extended = lengths.copy()
    extended[[0, -1]] = np.maximum(extended[[0, -1]], 2 * SHOT)
    total = np.concatenate([[0.0], np.cumsum(np.exp(-extended / SHOT) * lengths)])
    starts, ends = np.asarray(spans, np.float64).T
    return (np.interp(ends, edges, total) - np.interp(starts, edges, total)) / (ends - starts)


def shots(footage: Footage) -> list[Shot]:
    """Return what each shot of ``footage`` looks like, to be one of a reference."""
    edges = [0.0, *(cut.time for cut in footage.cuts), footage.film.duration]
    spans = list(itertools.pairwise(edges))
    return [
        Shot(footage.film.path.name, round(end - start, 3), *map(float, np.round(row, 4)))
        for (start, end), row in zip(spans, measure(footage, spans), strict=True)
    ]


def table(rows: Sequence[Shot]) -> str:
    """Return shots as the text of ``shots.csv``."""
    names = ",".join(field.name for field in fields(Shot))
    return "\n".join([names, *(",".join(map(str, asdict(row).values())) for row in rows), ""])
