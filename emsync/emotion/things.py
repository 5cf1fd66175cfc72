"""What the things in a film feel like: seen by EfficientNet-Lite0, felt by a table of its classes.

``classes.csv`` is our own judgement of the 1000 names of ImageNet, one by one in steps of 0.1, made
before any film was seen through them: what a viewer would feel at the sight. It was fitted to
nothing. A shot is looked at every LOOK seconds, a shorter one once.

Shapes: L looks, T the 1000 classes.
"""

import csv
import itertools
import re
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
SURE = 0.6  # probability from which a thing is there; below, the picture is only like it
TOLD = 0.1  # on the plane: who moves the feeling so far is named; the others explain nothing ...
SUMMED = 0.2  # ... unless they do together
KINDS = (("pleasant", "unpleasant"), ("exciting", "calm"))  # of things, on each axis


@dataclass(frozen=True, eq=False)
class ClassAffect:
    """The classes of ImageNet in their order, and what each feels like."""

    names: tuple[str, ...]  # (T,)
    points: Float64s  # (T, 2) valence and arousal, in [-1, 1]

    @property
    def unusual(self) -> Float64s:
        """The (T, 2) points, less that of a network that knows nothing."""
        return self.points - self.points.mean(axis=0)


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
        # In einsum the order of the sums does not depend on the number of threads.
        return np.einsum("lt,ta->la", self.likely, class_affect().unusual)

    def named(self, start: float, end: float, gains: tuple[float, float]) -> str:
        """Return what moves the feeling most between two times: "a cannon", "like a bubble".

        ``gains`` are how much the feeling of things counts in valence and in arousal. Where no one
        thing moves it by TOLD, it is "pleasant things" if all of them do by SUMMED, else nothing.
        """
        within = (self.times >= start) & (self.times < end)
        if not within.any():
            return ""
        likely = self.likely[within].mean(axis=0)
        moved = (likely[:, None] * class_affect().unusual * gains).round(DIGITS)  # (T, 2)
        each, both = np.abs(moved).max(axis=1), moved.sum(axis=0)
        most, axis = int(each.argmax()), int(np.abs(both).argmax())
        if each[most] >= TOLD:
            name = with_article(class_affect().names[most])
            return name if likely[most] >= SURE else f"like {name}"
        return f"{KINDS[axis][int(both[axis] < 0)]} things" if abs(both[axis]) >= SUMMED else ""


def with_article(name: str) -> str:
    """Return the name of a thing with its article.

    >>> with_article("bubble"), with_article("Indian cobra"), with_article("unicycle")
    ('a bubble', 'an Indian cobra', 'a unicycle')
    """
    return f"{'an' if re.match('(?!uni|eu)[aeiou]', name, re.IGNORECASE) else 'a'} {name}"


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
