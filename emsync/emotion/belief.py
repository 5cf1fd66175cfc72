"""What a cue makes of a stretch of film: a Gaussian on the valence-arousal plane, with its reasons.

A cue that is sure has a narrow Gaussian, one that has nothing to go by an infinitely wide one.
Several are combined by their product (a product of experts, Hinton 1999): each counts by its
precision, 1 / variance.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from emsync.emotion.plane import NEUTRAL, Point, gaussians, middle, normalise

NARROWEST = 1e-4  # width in a file, where numbers have four digits
UNUSUAL = 0.7  # standard deviations from what is ordinary, from which on words speak of it
ORDINARY = "nothing unusual"  # the words of a cue to which a stretch is as most are
MOST_WORDS = 255  # characters that say what a cue goes by


@dataclass(frozen=True)
class Belief:
    """A Gaussian on the plane with independent axes; an infinite width has no say."""

    valence: float = 0.0  # its mean, in [-1, 1]
    arousal: float = 0.0
    valence_sd: float = math.inf  # its width, above 0
    arousal_sd: float = math.inf
    words: str = ""  # what it goes by, for a person: "two faces, happy 0.9"

    @classmethod
    def of(cls, weights: Mapping[str, float], words: str = "") -> Self:
        """Return the Gaussian with the mean and the variance of the mixture of weighted emotions.

        Neutral, where it is named, is around the middle of the plane.

        >>> Belief.of({"joy": 1.0}).valence_sd < Belief.of({"joy": 1.0, "fear": 1.0}).valence_sd
        True
        """
        p, g = normalise(weights), {**gaussians(), NEUTRAL: middle()}
        axes = []
        for mean, sd in (("valence", "valence_sd"), ("arousal", "arousal_sd")):
            rows = [(p[name], getattr(g[name], mean), getattr(g[name], sd)) for name in p]
            centre = sum(share * m for share, m, _ in rows)
            spread = sum(share * (s**2 + (m - centre) ** 2) for share, m, s in rows)
            axes.append((centre, math.sqrt(spread)))
        (valence, valence_sd), (arousal, arousal_sd) = axes
        return cls(valence, arousal, valence_sd, arousal_sd, words)

    @property
    def point(self) -> Point:
        """The middle of the Gaussian."""
        return Point(self.valence, self.arousal)

    def trusted(self, trust: float) -> "Belief":
        """Return the belief as if it had been said ``trust`` times."""
        width = math.sqrt(trust)
        return Belief(
            self.valence, self.arousal, self.valence_sd / width, self.arousal_sd / width, self.words
        )

    def scaled(self, factor: float) -> "Belief":
        """Return the belief on a plane ``factor`` times as large, whose edges stay at -1 and 1."""
        valence, arousal = (max(-1.0, min(1.0, v * factor)) for v in (self.valence, self.arousal))
        sds = self.valence_sd * factor, self.arousal_sd * factor
        return Belief(valence, arousal, *sds, self.words)

    def rounded(self) -> "Belief":
        """Return the belief as a file keeps it: to four digits, 0 where it has no say."""
        axes = []
        for mean, sd in ((self.valence, self.valence_sd), (self.arousal, self.arousal_sd)):
            axes.append(
                (round(mean, 4) if math.isfinite(sd) else 0.0, max(NARROWEST, round(sd, 4)))
            )
        (valence, valence_sd), (arousal, arousal_sd) = axes
        return Belief(valence, arousal, valence_sd, arousal_sd, self.words)

    def to_json(self) -> dict[str, Any]:
        """Return the words, and the numbers of the axes on which it has a say."""
        numbers: dict[str, Any] = {"words": self.words}
        kept = self.rounded()
        for axis in ("valence", "arousal"):
            if math.isfinite(sd := getattr(kept, f"{axis}_sd")):
                numbers |= {axis: getattr(kept, axis), f"{axis}_sd": sd}
        return numbers


def product(beliefs: Sequence[Belief]) -> Belief:
    """Return the normalised product of Gaussians; where none has a say, (0, 0) without a say.

    >>> product([Belief(0.5, 0.0, 0.1, 1.0), Belief(-0.5, 0.0, 0.2, 1.0), Belief()]).valence
    0.3
    """
    axes = []
    for mean, sd in (("valence", "valence_sd"), ("arousal", "arousal_sd")):
        said = [(getattr(b, mean), getattr(b, sd) ** -2) for b in beliefs]
        precision = sum(weight for _, weight in said)
        centre = sum(value * weight for value, weight in said) / precision if precision else 0.0
        width = 1 / math.sqrt(precision) if precision else math.inf
        axes.append((round(centre, 12), width))
    (valence, valence_sd), (arousal, arousal_sd) = axes
    words = "; ".join(b.words for b in beliefs if b.words)
    return Belief(valence, arousal, valence_sd, arousal_sd, words)


@dataclass(frozen=True)
class Impression:
    """What each cue says of one shot: why it feels as it does."""

    start: float  # seconds
    end: float  # seconds
    says: Mapping[str, Belief] = field(default_factory=dict)  # by the name of the cue

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        cues = {name: belief.to_json() for name, belief in self.says.items()}
        return {"start": self.start, "end": self.end, "says": cues}
