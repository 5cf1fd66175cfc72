"""What footage feels like: the interface of an estimator, and several averaged.

An estimator is given spans of time, all at once, and returns a feeling for each. The
scenes of a film and its seconds are spans alike. Sound is no part of footage: a film's old
soundtrack should not lead the new one.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Self, TypeAlias

from emsync import plugins
from emsync.emotion.plane import (
    EMOTIONS,
    NEUTRAL,
    SCALE,
    Point,
    categorise,
    mixture_mean,
    normalise,
)
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.options import ESTIMATOR
from emsync.video.footage import Footage

Span: TypeAlias = tuple[float, float]  # seconds: from, until


@dataclass(frozen=True)
class Feeling:
    """What a span of a film feels like."""

    valence: float  # in [-1, 1]
    arousal: float  # in [-1, 1]
    emotion: Mapping[str, float]  # probabilities of the six emotions, summing to 1

    @classmethod
    def at(cls, valence: float, arousal: float) -> Self:
        """Return the feeling at a point of the plane; the emotions follow by the inverse."""
        return cls(valence, arousal, categorise(valence, arousal))

    @classmethod
    def of(cls, weights: Mapping[str, float], scale: float = SCALE) -> Self:
        """Return the feeling of weighted emotions; the point is the mean of their mixture."""
        point, given = mixture_mean(weights, scale), normalise(weights)
        emotion = categorise(point.valence, point.arousal) if NEUTRAL in given else given
        return cls(point.valence, point.arousal, emotion)


def mean(feelings: Sequence[Feeling], weights: Sequence[float]) -> Feeling:
    """Return the mean of feelings, of their points as of their probabilities.

    >>> mean([Feeling.at(0.4, 0.0), Feeling.at(0.8, 0.4)], [3.0, 1.0]).valence
    0.5
    """
    total = sum(weights)
    shares = [(weight / total, feeling) for weight, feeling in zip(weights, feelings, strict=True)]
    point = reduce(
        lambda p, s: Point(p.valence + s[0] * s[1].valence, p.arousal + s[0] * s[1].arousal),
        shares,
        Point(0.0, 0.0),
    )
    return Feeling(
        round(point.valence, 12),
        round(point.arousal, 12),
        {name: sum(share * f.emotion[name] for share, f in shares) for name in EMOTIONS},
    )


@dataclass(frozen=True)
class Estimator(ABC):
    """Estimates what footage feels like. Its settings are the fields of the dataclass."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for ``emsync plugins``

    @abstractmethod
    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Feeling]:
        """Return what ``footage`` feels like in each of ``spans``, which may overlap."""

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the estimator for what follows the colon of ``name:argument``, or nothing."""
        if argument:
            raise UsageError(
                f"the estimator {cls.name!r} takes no argument, but got {shown(argument)}"
            )
        return cls()

    @property
    def title(self) -> str:
        """What the analysis says of where its feeling comes from."""
        return self.name

    @property
    def stills(self) -> float:
        """Seconds between the colour pictures that it needs in the footage; 0 needs none."""
        return 0.0


@dataclass(frozen=True)
class Blend(Estimator):
    """The weighted mean of what several estimators say."""

    name: ClassVar[str] = "blend"
    summary: ClassVar[str] = "several estimators averaged"

    parts: tuple[tuple[Estimator, float], ...]  # each with its weight, above 0

    @property
    def stills(self) -> float:
        return min((e.stills for e, _ in self.parts if e.stills), default=0.0)

    @property
    def title(self) -> str:
        return ",".join(f"{estimator.title}={weight:g}" for estimator, weight in self.parts)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Feeling]:
        said = [estimator.feel(footage, spans) for estimator, _ in self.parts]
        weights = [weight for _, weight in self.parts]
        return [mean(feelings, weights) for feelings in zip(*said, strict=True)]


def choose(text: str = ESTIMATOR) -> Estimator:
    """Return the estimator that ``text`` names: ``pictures``, or ``pictures=0.5,clip:folder=0.5``.

    Each part is the name of a plug-in, after a colon what it needs, after an equals sign its
    weight. AssetError where a plug-in, or what it needs, is missing.
    """
    parts = [_part(part.strip()) for part in text.split(",")]
    if len(parts) == 1:
        return parts[0][0]
    return Blend(tuple(parts))


def _part(text: str) -> tuple[Estimator, float]:
    named, weight = text, 1.0
    before, equals, number = text.rpartition("=")
    if equals:
        try:
            named, weight = before, float(number)
        except ValueError:
            raise UsageError(
                f"the weight of {shown(before)} is {shown(number)}, which is not a number"
            ) from None
        if not (math.isfinite(weight) and weight > 0):
            raise UsageError(f"the weight of {shown(before)} is {number}; it must be above 0")
    name, _, argument = named.partition(":")
    return plugins.load(plugins.ESTIMATORS, name, Estimator).given(argument), weight
