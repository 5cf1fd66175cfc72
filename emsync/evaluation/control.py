"""Does the music do what is asked of it: asked-for against measured, over a sweep.

Conventions: each check draws ``count`` pieces of ``seconds`` with one thing asked at random and all
others left open, and compares with what is measured on the notes. Valence and arousal are asked as
a film asks for them, by every condition that they move, on one tonic after the other. Correlations
are Spearman's, with a 95 % confidence interval by Fisher's transformation.

Checks: arousal with the notes a second of each instrument, valence with the mood model, the fit of
major less minor keys and the share of major thirds above the bass, onset density with the onsets a
second, boundaries with the boundary chords within a tolerance; for chance the asked times are those
of another piece. ``emsync.evaluation.following`` asks for changes within a piece.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import cycle
from typing import Any

import numpy as np

from emsync.arrays import Seconds
from emsync.conditioning import Floats
from emsync.errors import UsageError
from emsync.metrics.statistics import Correlation, spearman
from emsync.model.composer import Composer
from emsync.music.mood import MoodModel, features, major_third_share
from emsync.music.piece import Piece
from emsync.music.statistics import density
from emsync.music.statistics import onset_density as onsets_a_second
from emsync.music.tonality import TONICS
from emsync.options import Sampling

GAP = 4.0  # seconds between two boundaries asked for, as between thinned cuts
MOST = 12.0  # onsets a second asked for at most

BATCH = 16  # pieces drawn side by side
FEWEST = 8  # pieces of a sweep: a correlation of fewer tells nothing

FEELING = "valence_arousal"

Draw = Callable[[str, Sequence[Floats]], list[Piece]]  # the condition asked, one target a piece


def answered(asked: Seconds, chords: Seconds, tolerance: float = 1.0) -> int:
    """Return how many ``asked`` times have a chord within ``tolerance`` seconds.

    >>> answered(np.array([4.0, 9.0]), np.array([4.7, 20.0]))
    1
    """
    if not len(chords):
        return 0
    return int((np.abs(asked[:, None] - chords[None, :]).min(axis=1) <= tolerance).sum())


def drawer(
    composer: Composer,
    seconds: float,
    sampling: Sampling,
    seed: int = 0,
    progress: Callable[[int], None] = lambda drawn: None,
) -> Draw:
    """Return what draws pieces with one condition asked and the others open, in batches.

    ``progress`` is told the pieces drawn after each batch.
    """
    unasked = composer.null_targets(seconds)

    def film(feeling: Floats, tonic: str) -> Mapping[str, Floats]:
        valence, arousal = feeling.tolist()
        told = composer.partial_analysis(seconds, valence=valence, arousal=arousal, tonic=tonic)
        return composer.targets(told)

    def draw(name: str, asked: Sequence[Floats]) -> list[Piece]:
        if name not in unasked:
            raise UsageError(f"the model has no condition {name!r}; it has {', '.join(unasked)}")
        if name == FEELING:
            targets = [film(*pair) for pair in zip(asked, cycle(TONICS), strict=False)]
        else:
            targets = [{**unasked, name: target} for target in asked]
        return draw_all(composer, targets, seconds, sampling, seed, progress)

    return draw


def draw_all(
    composer: Composer,
    targets: Sequence[Mapping[str, Floats]],
    seconds: float,
    sampling: Sampling,
    seed: int = 0,
    progress: Callable[[int], None] = lambda drawn: None,
) -> list[Piece]:
    """Return a piece for each of ``targets``, of seeds from ``seed`` on, drawn in batches."""
    pieces: list[Piece] = []
    for at in range(0, len(targets), BATCH):
        batch = targets[at : at + BATCH]
        own = range(seed + at, seed + at + len(batch))
        drawn = composer.sample(batch, [seconds] * len(batch), own, sampling)
        pieces += [sample.piece.until(seconds) for sample in drawn]
        progress(len(batch))
    return pieces


def arousal(draw: Draw, count: int, rng: np.random.Generator) -> Correlation:
    """Return how the density per instrument follows the arousal asked."""
    asked = rng.uniform(-1, 1, count)
    pieces = draw(FEELING, [np.array([np.nan, a], np.float32) for a in asked])
    return spearman(asked.tolist(), [density(p) for p in pieces])


def valence(draw: Draw, count: int, rng: np.random.Generator) -> dict[str, Correlation]:
    """Return how the mood model, the mode and the major thirds follow the valence asked.

    Pieces in which nothing pitched sounds have no mood and are left out; ``n`` says how many stay.
    """
    asked = rng.uniform(-1, 1, count)
    pieces = draw(FEELING, [np.array([v, np.nan], np.float32) for v in asked])
    pitched = [(v, p) for v, p in zip(asked.tolist(), pieces, strict=True) if (p.classes > 0).any()]
    heard = [(v, features(p)) for v, p in pitched]
    model = MoodModel.load()
    thirds = [(v, share) for v, p in pitched if np.isfinite(share := major_third_share(p))]
    return {
        "mood_model": _known([(v, float(model.predict([told])[0])) for v, told in heard]),
        "mode": _known([(v, told.major) for v, told in heard]),
        "major_thirds": _known(thirds),
    }


def _known(pairs: Sequence[tuple[float, float]]) -> Correlation:
    """Return the correlation of what could be measured; NaN where that is too little."""
    if len(pairs) < 4:
        return Correlation(math.nan, math.nan, math.nan, len(pairs))
    return spearman(*zip(*pairs, strict=True))


def onset_density(draw: Draw, count: int, seconds: float, rng: np.random.Generator) -> Correlation:
    """Return how the onsets a second follow those asked, each piece asked for one density."""
    asked = rng.uniform(1, MOST, count)
    windows = math.ceil(seconds)
    pieces = draw("onset_density", [np.full(windows, a, np.float32) for a in asked])
    return spearman(asked.tolist(), [onsets_a_second(p, seconds) for p in pieces])


def boundaries(
    draw: Draw, count: int, seconds: float, rng: np.random.Generator, tolerance: float = 1.0
) -> dict[str, Any]:
    """Return the share of asked times answered by a boundary chord, and the same by chance."""
    asked = [_times(seconds, rng) for _ in range(count)]
    pieces = draw("boundaries", [times.astype(np.float32) for times in asked])
    total = sum(map(len, asked))
    hits = sum(answered(t, p.chords, tolerance) for t, p in zip(asked, pieces, strict=True))
    moved = asked[1:] + asked[:1]  # each piece against the times asked of another
    chance = sum(answered(t, p.chords, tolerance) for t, p in zip(moved, pieces, strict=True))
    return {"answered": hits / total, "chance": chance / total, "asked": total}


def _times(seconds: float, rng: np.random.Generator) -> Seconds:
    """Return random times, each at least GAP after the one before, from two seconds on."""
    times, now = [], 2.0 + rng.exponential(2.0)
    while now < seconds - 1.0:
        times.append(now)
        now += GAP + rng.exponential(2.0)
    return np.asarray(times or [seconds / 2])


def evaluate(
    composer: Composer,
    pieces: int,
    seconds: float,
    sampling: Sampling,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Return all checks above on ``pieces`` pieces of ``seconds`` each."""
    if pieces < FEWEST:
        raise UsageError(f"a sweep of {pieces} pieces tells nothing; draw {FEWEST} or more")
    if not seconds >= GAP:
        raise UsageError(f"pieces of {seconds:g} s hold no boundaries; draw {GAP:g} s or more")
    drawn, rng = 0, np.random.default_rng(0)

    def tell(count: int) -> None:
        nonlocal drawn
        drawn += count
        progress(drawn / (4 * pieces))

    draw = drawer(composer, seconds, sampling, progress=tell)
    return {
        "pieces": pieces,
        "seconds": seconds,
        "arousal": asdict(arousal(draw, pieces, rng)),
        "valence": {k: asdict(v) for k, v in valence(draw, pieces, rng).items()},
        "onset_density": asdict(onset_density(draw, pieces, seconds, rng)),
        "boundaries": boundaries(draw, pieces, seconds, rng),
    }
