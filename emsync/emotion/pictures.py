"""What pictures feel like: their colour, how much moves and changes, and the things in them.

Valence: saturation pleases (0.22 of a standard deviation, Valdez & Mehrabian 1994), and so do the
things that are seen. Arousal: motion (Hanjalic & Xu 2005) and visible change, cuts among it (the
visual excitement of Wang & Cheong 2006), and the things. All is counted in standard deviations of
ordinary shots, never of the film's own, so that a still film is still.

Brightness is left out, though Valdez & Mehrabian give it three times the weight of saturation: in
films it goes with no pleasure (``docs/emotion.md``). The numbers below are measured by
``scripts/fit_pictures.py``, and stretched so that estimates are spread as widely as judgements.

Shapes: N spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np

from emsync.arrays import Float64s
from emsync.emotion.belief import ORDINARY, UNUSUAL, Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.emotion.things import DIGITS, STILLS, Looks, look
from emsync.encoders import lite0
from emsync.encoders.weights import check_weights
from emsync.video.footage import Footage, Needs

LEAST = 0.01  # picture heights a second that pass for no motion, shares a second for no change


class Ordinary(NamedTuple):
    """How a measure is spread over the judged shots of the fitting half, each clip the same."""

    mean: float
    sd: float


class Axis(NamedTuple):
    """How measures become a place on an axis of the plane, and how far off that is."""

    middle: float  # of ordinary shots without a thing
    gain: float  # for a standard deviation of the measures
    things: float  # for what the things that are seen feel like
    # Root mean square, each film left out of the fit of the middle and the gain. The measures
    # themselves were chosen on the same shots, so it is somewhat too small.
    error: float


SATURATION = Ordinary(0.31, 0.28)
MOTION = Ordinary(-1.27, 0.39)  # log10 of picture heights a second + LEAST
CHANGE = Ordinary(-0.97, 0.70)  # log10 of the share that changes a second + LEAST
VALENCE = Axis(0.23, 0.118, 1.79, 0.35)
AROUSAL = Axis(-0.19, 0.356, 1.18, 0.31)


@dataclass(frozen=True)
class Measures:
    """What spans of a film look like."""

    brightness: Float64s  # (N,) in [0, 1]
    saturation: Float64s  # (N,) in [0, 1]
    motion: Float64s  # (N,) picture heights a second
    change: Float64s  # (N,) share of the picture that changes a second

    @property
    def colour(self) -> Float64s:
        """The (N,) standard deviations from the saturation of ordinary shots."""
        return (self.saturation - SATURATION.mean) / SATURATION.sd

    @property
    def movement(self) -> Float64s:
        """The (N,) standard deviations from ordinary motion and change, on average."""
        pairs = ((self.motion, MOTION), (self.change, CHANGE))
        z = [(np.log10(values + LEAST) - usual.mean) / usual.sd for values, usual in pairs]
        return np.mean(z, axis=0)


def measure(footage: Footage, spans: Sequence[Span]) -> Measures:
    """Return what ``spans`` look like."""
    return Measures(
        means(footage.times, footage.brightness, spans),
        means(footage.times, footage.saturation, spans),
        means(footage.motion_times, footage.motion, spans),
        means(footage.change_times, footage.change, spans),
    )


def means(times: Float64s, values: Float64s, spans: Sequence[Span]) -> Float64s:
    """Return the (N,) means of ``values`` within spans; where none lies within, the nearest's."""
    if not len(times):
        return np.zeros(len(spans))
    starts, ends = np.asarray(spans, np.float64).T
    low, high = np.searchsorted(times, starts), np.searchsorted(times, ends)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    inside = (sums[high] - sums[low]) / np.maximum(high - low, 1)
    return np.where(high > low, inside, np.interp((starts + ends) / 2, times, values))


@dataclass(frozen=True)
class Pictures(Estimator):
    """Valence and arousal from colour, movement and the things that are seen."""

    name: ClassVar[str] = "pictures"
    summary: ClassVar[str] = "emotion from colour, movement, cutting and the things that are seen"

    @classmethod
    def given(cls, argument: str) -> Self:
        estimator = super().given(argument)
        check_weights(lite0.NAME, lite0.shapes())
        return estimator

    @property
    def needs(self) -> Needs:
        return Needs(stills=STILLS)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        measures, looks = measure(footage, spans), look(footage)
        things = [means(looks.times, axis, spans) for axis in looks.feeling.T]  # each (N,)
        valence, arousal = (
            np.clip(axis.middle + axis.gain * z + axis.things * thing, -1, 1).round(DIGITS)
            for axis, z, thing in (
                (VALENCE, measures.colour, things[0]),
                (AROUSAL, measures.movement, things[1]),
            )
        )
        return [
            Belief(float(v), float(a), VALENCE.error, AROUSAL.error, words)
            for v, a, words in zip(valence, arousal, in_words(measures, looks, spans), strict=True)
        ]


def in_words(measures: Measures, looks: Looks, spans: Sequence[Span]) -> list[str]:
    """Return what of spans moves their feeling, such as ``colourless, still, like a cannon``.

    Light is not spoken of, since it does not count.
    """
    said, gains = [], (VALENCE.things, AROUSAL.things)
    rows = zip(spans, measures.colour, measures.movement, strict=True)
    for (start, end), colours, movement in rows:
        colour = "colourless" if colours <= -UNUSUAL else "saturated" if colours >= UNUSUAL else ""
        moves = "still" if movement <= -UNUSUAL else "lively" if movement >= UNUSUAL else ""
        words = (colour, moves, looks.named(start, end, gains))
        said.append(", ".join(filter(None, words)) or ORDINARY)
    return said
