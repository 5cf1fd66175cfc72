"""Music as sound: how near made music comes to real music, by what a tagger hears in both.

Conventions
-----------
A set of music is a list of files; of each there are (P, D) features and (P, T) probabilities of
tags, P patches of some seconds. What was drawn at random is the file: its patches are no
independent witnesses. So files are drawn anew for an interval, and files are halved.

Distance
--------
The Fréchet distance of features (``metrics.frechet``): FD, or where they are VGGish's, FAD. The
fewer patches, the larger it is. So there are equally many n on both sides, drawn where there are
more; and it is led on to endlessly many, on the line in 1/n (Chong & Forsyth 2020, Gui et al. 2024)
through all files and through halves of them:

    d(endless) = 2 d(n) - d(n / 2).

Tags
----
As distributions they are the softmax of the tagger's logits (``metrics.tags.softmax``). The
inception score (Salimans et al. 2016) is e to the mean divergence of the tags of a patch from the
mean tags of all: 1 where all sound alike, at most the number of tags. Divergences of two sets are
KL(real || made) in nats, each side the mean over the patches of a file.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from emsync.arrays import Float64s
from emsync.metrics import frechet
from emsync.metrics.statistics import Estimate, mean
from emsync.metrics.tags import kl_softmax, softmax

DRAWS = 8  # of patches, and of halves: their mean counts
RESAMPLES = 100  # of files, for an interval
REACH = 1.96  # standard deviations of them, on both sides of a figure
ENDLESS = np.array([2.0, -1.0])  # times what is at n, and at n / 2

Music = Sequence[Float64s]  # of each file its (P, D) features, or its (P, T) tags
Twins = tuple[Generator, Generator]  # of two sets


@dataclass(frozen=True)
class Distance:
    """How far two sets of music are apart."""

    patches: int  # of each
    at_n: Estimate  # with so many
    endless: Estimate  # led on to endlessly many; NaN where a set is a single file


def distance(real: Music, made: Music, together: bool = False, seed: int = 0) -> Distance:
    """Return the distance of two sets of features.

    ``together`` says that each file of one set was made of that in its place in the other, as by a
    codec: then both are drawn together.
    """
    return _measured(lambda _: (real, made), min(size(real), size(made)), together, seed)


def own_distance(real: Music, most: int, seed: int = 0) -> Distance:
    """Return the distance of one half of a set's files from the other, of at most ``most`` patches.

    Nothing can be nearer to the set than this, but by chance.
    """
    return _measured(lambda rng: halved(real, rng), min(most, size(real) // 2), False, seed)


def _measured(
    sets: Callable[[Generator], tuple[Music, Music]], count: int, together: bool, seed: int
) -> Distance:
    """Return the distance of two sets that are drawn time and again."""
    rng = np.random.default_rng(seed)

    def both(one: Music, two: Music) -> Float64s:
        twins = _twins(rng, together)
        return np.array([_at(count, one, two, twins), _at_half(count, one, two, twins)])

    def anew(one: Music, two: Music) -> Float64s:
        first, second = _twins(rng, together)
        return both(_anew(one, first), _anew(two, second))

    found = np.mean([both(*sets(rng)) for _ in range(DRAWS)], axis=0)
    drawn = np.array([anew(*sets(rng)) for _ in range(RESAMPLES)])
    files = min(map(len, sets(rng)))
    return Distance(
        count,
        _around(found[0], drawn[:, 0], files),
        _around(found @ ENDLESS, drawn @ ENDLESS, files),
    )


def _twins(rng: Generator, together: bool) -> Twins:
    """Return a generator for each set; ``together`` they draw the same."""
    one, two = rng.integers(2**63, size=2)
    return np.random.default_rng(one), np.random.default_rng(one if together else two)


def _at(count: int, one: Music, two: Music, twins: Twins) -> float:
    """Return the distance of so many patches of each of two sets, or as many as both have."""
    rows, others = np.concatenate(one), np.concatenate(two)
    count = min(count, len(rows), len(others))
    return frechet.distance(_drawn(rows, count, twins[0]), _drawn(others, count, twins[1]))


def _at_half(count: int, one: Music, two: Music, twins: Twins) -> float:
    """Return the mean distance of halves of the files of both sets; NaN of a single file."""
    if min(len(one), len(two)) < 2:
        return math.nan
    pairs = zip(halved(one, twins[0]), halved(two, twins[1]), strict=True)
    return float(np.mean([_at(max(1, count // 2), *pair, twins) for pair in pairs]))


def halved(music: Music, rng: Generator) -> tuple[Music, Music]:
    """Return two sets of half of the files each, drawn by chance."""
    order = rng.permutation(len(music))
    return [music[i] for i in order[::2]], [music[i] for i in order[1::2]]


def _drawn(rows: Float64s, count: int, rng: Generator) -> Float64s:
    return rows if count == len(rows) else rows[rng.permutation(len(rows))[:count]]


def inception_score(tags: Music, seed: int = 0) -> Estimate:
    """Return the inception score of the (P, T) probabilities of tags of files."""
    rng = np.random.default_rng(seed)
    rows = [softmax(file) for file in tags]
    anew = [_inception(_anew(rows, rng)) for _ in range(RESAMPLES)]
    return _around(_inception(rows), np.array(anew), len(tags))


def _inception(rows: Music) -> float:
    shares = np.concatenate(rows)
    return float(np.exp((shares * np.log(shares / shares.mean(axis=0))).sum(axis=1).mean()))


def of_pairs(real: Mapping[str, Float64s], made: Mapping[str, Float64s], seed: int = 0) -> Estimate:
    """Return the mean divergence of the tags of files that have one name in both sets."""
    pairs: list[float] = [kl(real[name], tags) for name, tags in made.items() if name in real]
    return mean(pairs, seed)


def of_others(
    real: Mapping[str, Float64s], made: Mapping[str, Float64s], seed: int = 0
) -> Estimate:
    """Return the mean divergence of the tags of each made file from all real ones but its own."""
    means: list[float] = []
    for name, tags in made.items():
        if others := [kl(real[other], tags) for other in real if other != name]:
            means.append(sum(others) / len(others))
    return mean(means, seed)


def kl(real: Float64s, made: Float64s) -> float:
    """Return the divergence, in nats, of the mean of two files' (P, T) tags."""
    return kl_softmax(np.mean(real, axis=0), np.mean(made, axis=0))


def size(music: Music) -> int:
    """Return how many patches there are in all files."""
    return sum(map(len, music))


def _anew(music: Music, rng: Generator) -> Music:
    return [music[i] for i in rng.integers(len(music), size=len(music))]


def _around(value: float, anew: Float64s, files: int) -> Estimate:
    """Return a figure with an interval as wide as those of files drawn anew are spread.

    It is not where these lie, since files that are drawn twice make each distance larger.
    """
    width = REACH * float(np.std(anew)) if files > 1 else math.nan
    return Estimate(float(value), float(value) - width, float(value) + width, files)
