"""Does the music do what is requested of it: requested against measured, over a sweep.

Conventions: each check draws ``count`` pieces of ``seconds`` with one thing requested at random and
all others left open, and compares with what is measured on the notes. Emotions and boundaries are
requested as a film requests them, by every condition that they move; emotions on one tonic after
the other. Correlations are Spearman's, with a 95 % confidence interval by Fisher's transformation.

Checks: arousal with the notes a second of each instrument, valence with the mood model, the fit of
major less minor keys and the share of major thirds above the bass, onset density with the onsets a
second, boundaries with the boundary chords within a tolerance; for chance the requested times are
those of another piece. ``emsync.evaluation.following`` requests changes within a piece, without a
plan and with one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import cycle
from typing import Any

import numpy as np

from emsync.analysis import Cut
from emsync.arrays import Seconds
from emsync.conditioning import Floats, Targets
from emsync.errors import UsageError
from emsync.evaluation import following
from emsync.evaluation.drawing import Counter, counted, draw_all, uncounted
from emsync.metrics.cut_hits import hits
from emsync.metrics.statistics import Correlation, spearman
from emsync.model.composer import Composer
from emsync.model.sliding_window import make_ready
from emsync.music.mood import MoodModel, features, major_third_share
from emsync.music.piece import Piece
from emsync.music.statistics import density
from emsync.music.statistics import onset_density as onsets_a_second
from emsync.music.tonality import TONICS
from emsync.plain import plain
from emsync.progress import Progress, silent

GAP = 4.0  # seconds between two requested boundaries, as between thinned cuts
MOST = 12.0  # onsets a second requested at most
FEWEST = 8  # pieces of a sweep: a correlation of fewer means nothing

# What is requested: (valence, arousal), the times of boundaries, or else the targets of one
# condition of the model, by its name
EMOTION, CUTS = "emotion", "cuts"
READS = {EMOTION: {"arc", "valence", "arousal"}, CUTS: {"cuts"}}  # one of them by any condition

Draw = Callable[[str, Sequence[Floats]], list[Piece]]  # what is requested, one of it a piece


def evaluate(
    checkpoint: str, pieces: int, seconds: float, progress: Progress = silent
) -> dict[str, Any]:
    """Return how the music of a checkpoint follows what is requested, as plain values for JSON.

    ``sweeps`` requests one thing throughout, ``following`` changes it in scenes of half of
    ``seconds`` each: by conditions alone (the key "arcs"), and with a plan that the sampler is held
    to, as ``generate`` does ("planned"). All draw ``pieces`` pieces for each of their checks.
    """
    composer, scene = Composer.from_pretrained(checkpoint), seconds / 2
    make_ready(composer.model, progress)
    count = counted(8 * pieces, progress)
    report = sweeps(composer, pieces, seconds, count)
    drawers = {"arcs": following.drawer, "planned": following.planned_drawer}
    followed = {
        name: following.evaluate(
            make(composer, following.SCENES * scene, count), pieces, scene, np.random.default_rng(0)
        )
        for name, make in drawers.items()
    }
    return plain({"checkpoint": checkpoint, **report, "scene": scene, **followed})


def sweeps(
    composer: Composer, pieces: int, seconds: float, count: Counter = uncounted
) -> dict[str, Any]:
    """Return all checks above on ``pieces`` pieces of ``seconds`` each."""
    if pieces < FEWEST:
        raise UsageError(f"a sweep of {pieces} pieces means nothing; draw {FEWEST} or more")
    if not seconds >= GAP:
        raise UsageError(f"pieces of {seconds:g} s hold no boundaries; draw {GAP:g} s or more")
    rng = np.random.default_rng(0)
    draw = drawer(composer, seconds, count)
    return {
        "pieces": pieces,
        "seconds": seconds,
        "arousal": asdict(arousal(draw, pieces, rng)),
        "valence": {k: asdict(v) for k, v in valence(draw, pieces, rng).items()},
        "onset_density": asdict(onset_density(draw, pieces, seconds, rng)),
        "boundaries": boundaries(draw, pieces, seconds, rng),
    }


def drawer(composer: Composer, seconds: float, count: Counter = uncounted) -> Draw:
    """Return what draws pieces with one thing requested and all others open."""
    null = composer.null_targets(seconds)
    reads = frozenset[str]().union(*(c.reads for c in composer.model.conditioners))

    def film(**known: Any) -> Targets:
        return composer.targets(composer.partial_analysis(seconds, **known))

    def draw(name: str, requested: Sequence[Floats]) -> list[Piece]:
        if name not in null and not reads & READS.get(name, set()):
            raise UsageError(f"no condition of the model reads {name!r}; it has {', '.join(null)}")
        if name == EMOTION:
            targets = [
                film(valence=float(v), arousal=float(a), tonic=tonic)
                for (v, a), tonic in zip(requested, cycle(TONICS), strict=False)
            ]
        elif name == CUTS:
            targets = [film(cuts=tuple(map(Cut, times.tolist()))) for times in requested]
        else:
            targets = [{**null, name: target} for target in requested]
        return draw_all(composer, targets, seconds, count)

    return draw


def arousal(draw: Draw, count: int, rng: np.random.Generator) -> Correlation:
    """Return how the density per instrument follows the requested arousal."""
    requested = rng.uniform(-1, 1, count)
    pieces = draw(EMOTION, [np.array([np.nan, a], np.float32) for a in requested])
    return spearman(requested.tolist(), [density(p) for p in pieces])


def valence(draw: Draw, count: int, rng: np.random.Generator) -> dict[str, Correlation]:
    """Return how the mood model, the mode and the major thirds follow the requested valence.

    Pieces in which nothing pitched sounds have no mood and are left out; ``n`` says how many stay.
    """
    requested = rng.uniform(-1, 1, count)
    pieces = draw(EMOTION, [np.array([v, np.nan], np.float32) for v in requested])
    pairs = zip(requested.tolist(), pieces, strict=True)
    pitched = [(v, p) for v, p in pairs if (p.classes > 0).any()]
    measured = [(v, features(p)) for v, p in pitched]
    model = MoodModel.load()
    thirds = [(v, share) for v, p in pitched if np.isfinite(share := major_third_share(p))]
    return {
        "mood_model": _known([(v, float(model.predict([found])[0])) for v, found in measured]),
        "mode": _known([(v, found.major) for v, found in measured]),
        "major_thirds": _known(thirds),
    }


def _known(pairs: Sequence[tuple[float, float]]) -> Correlation:
    """Return the correlation of what could be measured; NaN where that is too little."""
    if len(pairs) < 4:
        return Correlation(math.nan, math.nan, math.nan, len(pairs))
    return spearman(*zip(*pairs, strict=True))


def onset_density(draw: Draw, count: int, seconds: float, rng: np.random.Generator) -> Correlation:
    """Return how the onsets a second follow those requested, one density for each piece."""
    requested = rng.uniform(1, MOST, count)
    windows = math.ceil(seconds)
    pieces = draw("onset_density", [np.full(windows, a, np.float32) for a in requested])
    return spearman(requested.tolist(), [onsets_a_second(p, seconds) for p in pieces])


def boundaries(
    draw: Draw, count: int, seconds: float, rng: np.random.Generator, tolerance: float = 1.0
) -> dict[str, Any]:
    """Return the share of requested times that a boundary chord hits, and the same by chance."""
    requested = [_times(seconds, rng) for _ in range(count)]
    pieces = draw(CUTS, [times.astype(np.float32) for times in requested])
    total = sum(map(len, requested))
    other = requested[1:] + requested[:1]  # each piece against the times requested of another
    hit, chance = (
        sum(hits(t, p.chords, tolerance) for t, p in zip(times, pieces, strict=True))
        for times in (requested, other)
    )
    return {"hit": hit / total, "chance": chance / total, "requested": total}


def _times(seconds: float, rng: np.random.Generator) -> Seconds:
    """Return random times, each at least GAP after the one before, from two seconds on."""
    times, now = [], 2.0 + rng.exponential(2.0)
    while now < seconds - 1.0:
        times.append(now)
        now += GAP + rng.exponential(2.0)
    return np.asarray(times or [seconds / 2])
