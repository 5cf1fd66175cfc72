"""What the things in a picture feel like: a valence and an arousal for each class of ImageNet.

``classes.csv`` is our own judgement of the 1000 names, one by one in steps of 0.1, made before any
film was seen through them: what a viewer would feel at the sight. It was fitted to nothing.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from emsync.arrays import Float64s


@dataclass(frozen=True, eq=False)
class ClassAffect:
    """The classes of ImageNet in their order, and what each feels like."""

    names: tuple[str, ...]  # (1000,)
    points: Float64s  # (1000, 2) valence and arousal, in [-1, 1]


@cache
def class_affect() -> ClassAffect:
    """Read what each class feels like."""
    text = files("emsync.emotion").joinpath("classes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    points = [(float(row["valence"]), float(row["arousal"])) for row in rows]
    return ClassAffect(tuple(row["class"] for row in rows), np.asarray(points, np.float64))
