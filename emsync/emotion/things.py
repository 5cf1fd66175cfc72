"""What the things in a film feel like: seen by EfficientNet-Lite0, felt by a table of its classes.

``classes.csv`` is our own judgement of the 1000 names of ImageNet, one by one in steps of 0.1, made
before any film was seen through them: what a viewer would feel at the sight. It was fitted to
nothing. A shot is looked at every LOOK seconds, a shorter one once.

Shapes: L looks, T the 1000 classes.
"""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.encoders import lite0
from emsync.video.footage import Footage, Still

STILLS = 1.0  # seconds between the pictures to choose from, so that a shot of a second has one
LOOK = 2.0  # seconds; half as many say the same, but less steadily of a re-encoded film
DIGITS = 5  # of what is made of probabilities: the last bits of a sum are the machine's
SURE, MAYBE = 0.6, 0.3  # probabilities above which a thing is named, and named with a question mark


@dataclass(frozen=True, eq=False)
class ClassAffect:
    """The classes of ImageNet in their order, and what each feels like."""

    names: tuple[str, ...]  # (T,)
    points: Float64s  # (T, 2) valence and arousal, in [-1, 1]


@cache
def class_affect() -> ClassAffect:
    """Read what each class feels like."""
    text = files("emsync.emotion").joinpath("classes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    points = [(float(row["valence"]), float(row["arousal"])) for row in rows]
    return ClassAffect(tuple(row["class"] for row in rows), np.asarray(points, np.float64))


@dataclass(frozen=True, eq=False)
class Looks:
    """What was seen in a film, look by look."""

    times: Seconds  # (L,) ascending
    likely: Float64s  # (L, T) probabilities

    @property
    def feeling(self) -> Float64s:
        """The (L, 2) expected valence and arousal, less those of a network that knows nothing."""
        points = class_affect().points
        # In einsum the order of the sums does not depend on the number of threads.
        return np.einsum("lt,ta->la", self.likely, points - points.mean(axis=0))

    def named(self, start: float, end: float) -> str:
        """Return the likeliest thing between two times, with a question mark if it is doubtful."""
        within = (self.times >= start) & (self.times < end)
        if not within.any():
            return ""
        likely = self.likely[within].mean(axis=0)
        name = class_affect().names[int(likely.argmax())]
        return name if likely.max() >= SURE else f"{name}?" if likely.max() >= MAYBE else ""


def look(footage: Footage) -> Looks:
    """Look at the stills of ``footage``, or at its film strip where it has none."""
    stills = _chosen(footage)
    likely = lite0.classes([still.pixels for still in stills]).astype(np.float64)
    return Looks(np.array([still.time for still in stills], np.float64), likely.round(DIGITS))


def _chosen(footage: Footage) -> list[Still]:
    """Return the stills nearest to the middles of even stretches of LOOK seconds of each shot."""
    stills: Sequence[Still] = footage.stills or footage.strip
    times = np.array([still.time for still in stills])
    edges = [0.0, *(cut.time for cut in footage.cuts), footage.film.duration]
    chosen: set[int] = set()
    for start, end in itertools.pairwise(edges):
        within = np.flatnonzero((times >= start) & (times < end))
        if len(within):
            stretches = max(1, round((end - start) / LOOK))
            middles = start + (np.arange(stretches) + 0.5) * (end - start) / stretches
            nearest = np.abs(times[within][:, None] - middles).argmin(axis=0)
            chosen |= set(within[nearest].tolist())
    return [stills[i] for i in sorted(chosen)]
