"""Does the music follow an arc: what is requested of each scene against what is measured in it.

Conventions: P pieces of S scenes. A scene's music is the notes that begin in it, until its end.
Both the requested and the measured are taken less their mean over the piece, so that only changes
*within* pieces count; then Spearman's rho over all P x S scenes, a 95 % interval by a bootstrap
over pieces, and the two-sided p-value of a test that shuffles the scenes of each piece. A scene
without a figure (nothing pitched sounds, nothing at all for velocity) is NaN and is left out.

Every arc is requested of the composer as a film requests it ("conditioned") and, with the same
seeds, its mean alone ("constant", the control): music cannot follow what it was not given.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.conditioning import Floats
from emsync.emotion.arc import State
from emsync.evaluation.drawing import Counter, draw_all, uncounted
from emsync.fit.ending import Ending
from emsync.fit.spotting import Spotting
from emsync.model.composer import Composer
from emsync.music.mood import features, major_third_share
from emsync.music.piece import DRUMS, Piece
from emsync.music.statistics import density, polyphony
from emsync.music.tonality import TONICS
from emsync.options import Options
from emsync.performance.dynamics import Dynamics
from emsync.planning.placing import lead_sheet
from emsync.planning.planner import plan_of

SCENES = 4  # of an arc
LARGEST = 0.8  # requested valence and arousal are drawn evenly between this and its negative
APART = 0.5  # distance on the plane of any two scenes of an arc, at least
MEASURES = ("density", "polyphony", "velocity", "mode", "major_thirds", "register")
AXES = ("valence", "arousal")

RESAMPLES = 2000  # of the pieces, for an interval
SHUFFLES = 10_000  # of the scenes within pieces, for a p-value

Table = NDArray[np.float64]
Draw = Callable[[Sequence[Floats]], list[Piece]]  # arcs (S, 3): start in seconds, valence, arousal


@dataclass(frozen=True)
class Following:
    """Spearman's rho within pieces; NaN where either side never changes within a piece."""

    rho: float
    low: float  # of the 95 % interval
    high: float
    p: float  # two-sided
    n: int  # scenes
    left_out: int  # scenes without a figure, or alone in their piece with one


def arcs(count: int, scene: float, rng: np.random.Generator) -> list[Floats]:
    """Return ``count`` random arcs, each (SCENES, 3): start in seconds, valence, arousal.

    Any two scenes of an arc differ, not only neighbours: then the order of scenes is pure chance,
    as the test that shuffles them supposes.
    """
    starts = np.arange(SCENES)[:, None] * scene
    found: list[Floats] = []
    while len(found) < count:
        points = rng.uniform(-LARGEST, LARGEST, (SCENES, 2))
        away = np.linalg.norm(points[:, None] - points[None, :], axis=2)  # (S, S)
        if away[np.triu_indices(SCENES, 1)].min() >= APART:
            found.append(np.hstack([starts, points]).astype(np.float32))
    return found


def measure(piece: Piece, arc: Floats, scene: float) -> Table:
    """Return the (S, measures) figures, NaN where there is none, of a piece drawn for ``arc``.

    density: notes a second of each instrument that plays in the scene; 0 where none does
    polyphony: pitched notes that sound at once, mean over the time in which any does
    velocity: mean of plain notes; by rule (``Dynamics``) from the arousal, not by the model
    mode: how well the notes fit a major key less a minor one (``mood.Features.major``)
    major_thirds: of the frames with a third above the bass, those with a major one
    register: mean MIDI pitch
    """
    states = [(float(start), float(arousal)) for start, _, arousal in arc]
    loud = Dynamics.of(states)
    rows = []
    for start, _ in states:
        part = piece.since(start).until(scene)
        pitched = part.classes != DRUMS
        rows.append(
            {
                "density": density(part, scene),
                "polyphony": polyphony(part),
                "velocity": float(loud.at(part.onsets + start).mean()) if len(part) else math.nan,
                "mode": features(part).major if pitched.any() else math.nan,
                "major_thirds": major_third_share(part) if pitched.any() else math.nan,
                "register": float(part.pitches[pitched].mean()) if pitched.any() else math.nan,
            }
        )
    return np.array([[row[name] for name in MEASURES] for row in rows], np.float64)


def within(requested: Table, measured: Table, seed: int = 0) -> Following:
    """Return how (P, S) ``measured`` follows (P, S) ``requested`` within pieces.

    >>> requested = np.array([[0.1, 0.5, 0.9], [0.8, 0.2, 0.4]])
    >>> within(requested, 10 * requested + [[0], [100]]).rho
    1.0
    """
    known = np.isfinite(measured)
    known &= known.sum(1, keepdims=True) > 1  # one scene alone has nothing to change from
    n, left_out = int(known.sum()), int((~known).sum())
    x, y = _centred(requested, known), _centred(measured, known)
    rho = float(_rho(x[None], y[None], known[None])[0])
    if math.isnan(rho):
        return Following(math.nan, math.nan, math.nan, math.nan, n, left_out)
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(x), size=(RESAMPLES, len(x)))
    again = _rho(x[picks], y[picks], known[picks])
    again = again[np.isfinite(again)]
    low, high = np.percentile(again, [2.5, 97.5]) if len(again) else (math.nan, math.nan)
    # equal chances for every order of the known scenes of a piece; the others stay where they are
    chance = np.zeros(SHUFFLES)
    for row, found, ok in zip(x, y, known, strict=True):
        orders = rng.permuted(np.tile(row[ok], (SHUFFLES, 1)), axis=1)  # (SHUFFLES, scenes)
        chance += orders @ found[ok]
    # ranks are shuffled, so their means and deviations stay: the products suffice
    mean = x[known].mean() * y[known].mean()
    reached = np.abs(chance / n - mean) >= abs((x * y)[known].mean() - mean) - 1e-9
    p = float((1 + reached.sum()) / (1 + SHUFFLES))
    return Following(round(rho, 12), float(low), float(high), p, n, left_out)


def _centred(values: Table, known: NDArray[np.bool_]) -> Table:
    """Return the (P, S) ranks, over all known, of the values less their piece's mean; else 0."""
    from scipy.stats import rankdata

    kept = np.where(known, values, 0.0)
    away = kept - kept.sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    out = np.zeros_like(away)
    out[known] = rankdata(np.round(away[known], 9))  # what is equal but for rounding shares a rank
    return out


def _rho(x: Table, y: Table, known: NDArray[np.bool_]) -> Table:
    """Return the (R,) correlations of (R, P, S) ranks; NaN where a side never changes."""
    n = np.maximum(known.sum((1, 2)), 1)
    a, b = (np.where(known, v - ((v * known).sum((1, 2)) / n)[:, None, None], 0.0) for v in (x, y))
    spread = np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)))
    out = np.full(len(x), math.nan)
    np.divide((a * b).sum((1, 2)), spread, out=out, where=spread > 1e-9)
    return out


def follows(
    requested: Sequence[Floats], pieces: Sequence[Piece], given: Sequence[Floats], scene: float
) -> dict[str, dict[str, Following]]:
    """Return {measure: {"valence", "arousal": how it follows}} of ``pieces``.

    ``requested`` are (SCENES, 3) arcs; ``given`` is what was given of them, in that shape.
    """
    points = np.stack(requested).astype(np.float64)[:, :, 1:]  # (P, S, 2)
    found = np.stack(
        [measure(piece, arc, scene) for piece, arc in zip(pieces, given, strict=True)]
    )  # (P, S, measures)
    return {
        name: {axis: within(points[:, :, k], found[:, :, m]) for k, axis in enumerate(AXES)}
        for m, name in enumerate(MEASURES)
    }


def drawer(composer: Composer, seconds: float, count: Counter = uncounted) -> Draw:
    """Return what composes for films of nothing but an arc, in the composer's own tempo."""

    def draw(requested: Sequence[Floats]) -> list[Piece]:
        films = [
            composer.partial_analysis(seconds, tonic=tonic).with_arc(_states(arc, seconds))
            for arc, tonic in zip(requested, cycle(TONICS), strict=False)
        ]
        targets = [composer.targets(film) for film in films]
        return draw_all(composer, targets, seconds, count)

    return draw


def planned_drawer(composer: Composer, seconds: float, count: Counter = uncounted) -> Draw:
    """Return what composes likewise, but each with a plan of its own, as ``generate`` does."""

    def draw(requested: Sequence[Floats]) -> list[Piece]:
        films = []
        for seed, (arc, tonic) in enumerate(zip(requested, cycle(TONICS), strict=False)):
            film = composer.partial_analysis(seconds, tonic=tonic).with_arc(_states(arc, seconds))
            films.append(with_plan(film, seed))
        targets = [composer.targets(film) for film in films]
        sheets = [film.sheet for film in films if film.sheet is not None]
        return draw_all(composer, targets, seconds, count, sheets)

    return draw


def with_plan(film: Analysis, seed: int) -> Analysis:
    """Return what a plan for a film asks, with its lead sheet, in the plan's even bars."""
    plan = plan_of(film, Options(seed=seed))
    last = Ending.of(plan.ending, film).chord
    return replace(plan.asked(film), sheet=lead_sheet(plan, Spotting.plain(plan.tempo), last))


def _states(arc: Floats, seconds: float) -> tuple[State, ...]:
    ends = [*arc[1:, 0].tolist(), seconds]
    return tuple(State(a, b, v, e) for (a, v, e), b in zip(arc.tolist(), ends, strict=True))


def evaluate(
    draw: Draw, count: int, scene: float, rng: np.random.Generator
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {measure: {"conditioned", "constant": {"valence", "arousal": how it follows}}}.

    ``draw`` makes pieces of SCENES scenes of ``scene`` seconds.
    """
    requested = arcs(count, scene, rng)
    flat = [np.hstack([arc[:, :1], np.tile(arc[:, 1:].mean(0), (SCENES, 1))]) for arc in requested]
    conditioned = follows(requested, draw(requested), requested, scene)
    constant = follows(requested, draw([arc[:1] for arc in flat]), flat, scene)
    return {
        name: {
            "conditioned": {axis: asdict(found) for axis, found in conditioned[name].items()},
            "constant": {axis: asdict(found) for axis, found in constant[name].items()},
        }
        for name in MEASURES
    }
