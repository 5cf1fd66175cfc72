"""Six emotions on the valence-arousal plane, and what a point of it is called.

Emotions are Ekman's six. Each is a Gaussian with independent axes, by the user studies of Russell
& Mehrabian 1977 (table 1 of EMSYNC). Probabilities over the six make a mixture: its mean is a
point; ``categorise`` is the way back. ``shares`` adds what is near none of them, and ``named`` is
the one rule by which films and states get their names.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from emsync.arrays import Float64s
from emsync.errors import UsageError
from emsync.limits import shown

SCALE = 0.8  # the largest absolute mean after scaling, as in the paper


@dataclass(frozen=True)
class Gaussian:
    """An emotion on the valence-arousal plane."""

    valence: float
    valence_sd: float
    arousal: float
    arousal_sd: float


@dataclass(frozen=True)
class Point:
    """A point on the valence-arousal plane."""

    valence: float  # in [-1, 1]
    arousal: float  # in [-1, 1]


RUSSELL_MEHRABIAN: Mapping[str, Gaussian] = {
    "anger": Gaussian(-0.51, 0.20, 0.59, 0.29),
    "disgust": Gaussian(-0.60, 0.20, 0.35, 0.41),
    "fear": Gaussian(-0.64, 0.20, 0.60, 0.32),
    "joy": Gaussian(0.76, 0.22, 0.48, 0.26),
    "sadness": Gaussian(-0.63, 0.23, -0.27, 0.34),
    "surprise": Gaussian(0.40, 0.30, 0.67, 0.27),
}
EMOTIONS = tuple(RUSSELL_MEHRABIAN)
NEUTRAL = "neutral"  # what is near none of the six
NAMES = (*EMOTIONS, NEUTRAL)
EVENLY = 1 / 4  # density of what may be anywhere on the plane, whose area is 2 by 2


def gaussians(scale: float = SCALE) -> dict[str, Gaussian]:
    """Return the six Gaussians, scaled as one so that their largest absolute mean is ``scale``."""
    if not 0 < scale <= 1:
        raise UsageError(f"the scale of emotions is {scale}; it must be above 0 and at most 1")
    largest = max(max(abs(g.valence), abs(g.arousal)) for g in RUSSELL_MEHRABIAN.values())
    c = scale / largest
    return {
        name: Gaussian(c * g.valence, c * g.valence_sd, c * g.arousal, c * g.arousal_sd)
        for name, g in RUSSELL_MEHRABIAN.items()
    }


def middle() -> Gaussian:
    """Return the Gaussian around the middle of the plane, as wide as the six are on average."""
    six = gaussians().values()
    return Gaussian(0.0, fmean(g.valence_sd for g in six), 0.0, fmean(g.arousal_sd for g in six))


def normalise(weights: Mapping[str, float]) -> dict[str, float]:
    """Return ``weights`` as probabilities of all six emotions, those not named having none.

    Neutral is among them where it is named. UsageError names an unknown emotion, or a wrong weight.
    """
    for name, weight in weights.items():
        if name not in NAMES:
            raise UsageError(f"unknown emotion {shown(name)}; there are {', '.join(NAMES)}")
        if not (math.isfinite(weight) and weight >= 0):
            raise UsageError(f"the weight of {name} is {weight}; it must be 0 or more")
    total = sum(weights.values())
    if not 0 < total < math.inf:
        raise UsageError(f"the emotions weigh {total:g} in all; give one of them a weight above 0")
    names = NAMES if NEUTRAL in weights else EMOTIONS
    return {name: weights.get(name, 0.0) / total for name in names}


def mixture_mean(probabilities: Mapping[str, float], scale: float = SCALE) -> Point:
    """Return the mean of the mixture of the six Gaussians, and of neutral, whose mean is 0.

    >>> round(mixture_mean({"joy": 1.0}).valence, 3)
    0.8
    """
    p, g = normalise(probabilities), gaussians(scale)
    return Point(
        sum(p[name] * g[name].valence for name in EMOTIONS),
        sum(p[name] * g[name].arousal for name in EMOTIONS),
    )


def mean_point(points: Sequence[Point], weights: Sequence[float]) -> Point:
    """Return the weighted mean of points; NaN where one is not known.

    >>> mean_point([Point(0.4, 0.0), Point(0.8, 0.4)], [3.0, 1.0])
    Point(valence=0.5, arousal=0.1)
    """
    total = sum(weights)
    shares = [weight / total for weight in weights]
    return Point(
        round(sum(w * p.valence for w, p in zip(shares, points, strict=True)), 12),
        round(sum(w * p.arousal for w, p in zip(shares, points, strict=True)), 12),
    )


def categorise(valence: float, arousal: float, scale: float = SCALE) -> dict[str, float]:
    """Return the probabilities of the six emotions at a point, by Bayes' rule with equal priors.

    It is the way back from the mixture.
    """
    log = _log_densities(valence, arousal, list(gaussians(scale).values()))
    p = np.exp(log - log.max())
    return dict(zip(EMOTIONS, map(float, p / p.sum()), strict=True))


def shares(valence: float, arousal: float) -> dict[str, float]:
    """Return the probabilities of the six and of neutral at a point; none if it is not known.

    As ``categorise``, with neutral as a seventh, of which one half is around the middle and the
    other spread evenly: what is far from all is neutral, too.
    """
    if math.isnan(valence + arousal):
        return {}
    density = np.exp(_log_densities(valence, arousal, [*gaussians().values(), middle()]))
    density[-1] = (density[-1] + EVENLY) / 2
    return dict(zip(NAMES, map(float, density / density.sum()), strict=True))


def named(valence: float, arousal: float) -> str:
    """Return what a point is called: the likeliest of ``shares``; nothing if it is not known.

    >>> named(0.8, 0.5), named(0.0, 0.1), named(float("nan"), 0.5)
    ('joy', 'neutral', '')
    """
    likely = shares(valence, arousal)
    return max(likely, key=lambda name: likely[name], default="")


def in_percent(emotion: Mapping[str, float]) -> str:
    """Return shares of emotions in words, the largest first: it is what the point is called.

    >>> in_percent({"fear": 0.3, "joy": 0.69, "anger": 0.01})
    'joy 69%, fear 30%'
    """
    ordered = sorted(emotion.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {share:.0%}" for name, share in ordered if share >= 0.05)


def _log_densities(valence: float, arousal: float, around: Sequence[Gaussian]) -> Float64s:
    """Return the (N,) logarithms of the densities of N Gaussians at a point."""
    check_affect("valence", valence)
    check_affect("arousal", arousal)
    table = np.asarray([(g.valence, g.valence_sd, g.arousal, g.arousal_sd) for g in around])
    means, widths = table[:, 0::2], table[:, 1::2]  # (N, 2) each
    log = -0.5 * (((np.asarray([valence, arousal]) - means) / widths) ** 2).sum(axis=1)
    return log - np.log(widths).sum(axis=1) - math.log(2 * math.pi)


def check_affect(name: str, value: float) -> float:
    """Return ``value`` if it can be a valence or an arousal; UsageError names it if not."""
    if not -1 <= value <= 1:  # NaN too
        raise UsageError(f"{name} is {value}; it must be from -1 to 1")
    return value


def parse_emotion(text: str) -> dict[str, float]:
    """Read ``joy`` or ``joy=0.7,sadness=0.3`` as probabilities of the emotions.

    >>> parse_emotion("joy=3, sadness=1")["joy"]
    0.75
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        name = name.lower()
        if name in weights:
            raise UsageError(f"the emotion {name!r} is given twice in {shown(text)}; give it once")
        try:
            weights[name] = float(number) if equals else 1.0
        except ValueError:
            raise UsageError(
                f"the weight of {shown(name)} is {shown(number)}, which is not a number"
            ) from None
    return normalise(weights)
