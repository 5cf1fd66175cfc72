"""Control: correlations against slow twins, and composers that obey or do not."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.conditioning import Floats
from emsync.errors import UsageError
from emsync.evaluation import control, following, tables
from emsync.metrics.statistics import spearman
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer
from emsync.music.piece import DRUMS, PIANO, Piece
from emsync.plain import plain

SECONDS = 20.0


def chord(time: float) -> list[tuple[int, int, float, float]]:
    return [(PIANO, p, time, time + 1.0) for p in (60, 64, 67)]


def obedient(name: str, asked: Sequence[Floats]) -> list[Piece]:
    """Compose exactly what is asked."""
    pieces = []
    for target in asked:
        if name == control.CUTS:
            rows = [note for t in target for note in chord(float(t))]
            pieces.append(Piece.of(np.array(rows), chords=target.astype(np.float64)))
        else:
            level = target[1] * 4 + 5 if name == control.EMOTION else target[0]
            times = np.arange(0, SECONDS, 1 / float(level))
            pieces.append(Piece.of(np.array([(PIANO, 60, t, t + 0.01) for t in times])))
    return pieces


def deaf(_name: str, asked: Sequence[Floats]) -> list[Piece]:
    """Compose with no regard to what is asked."""
    return [
        Piece.of(np.array(chord(1.0) * (1 + i % 3)), chords=np.array([1.0]))
        for i in range(len(asked))
    ]


def test_an_obedient_composer_scores_full_marks() -> None:
    rng = np.random.default_rng(0)
    assert control.arousal(obedient, 20, rng).rho > 0.99
    assert control.onset_density(obedient, 20, SECONDS, rng).rho > 0.99
    boundaries = control.boundaries(obedient, 20, SECONDS, rng)
    assert boundaries["hit"] == 1.0
    assert boundaries["chance"] < 0.7


def in_the_mode(_name: str, asked: Sequence[Floats]) -> list[Piece]:
    """Compose with a minor third that lasts the longer, the less pleasant it is to be."""
    pieces = []
    for valence, _ in asked:
        major = (1 + float(valence)) / 2
        rows = [(PIANO, p, t, t + 1.0) for t in range(20) for p in (48, 55)]
        rows += [(PIANO, 52, t, t + 1.0) for t in range(round(20 * major))]
        rows += [(PIANO, 51, t, t + 1.0) for t in range(round(20 * major), 20)]
        pieces.append(Piece.of(np.array(rows)))
    return pieces


def test_the_mode_tells_the_valence() -> None:
    found = control.valence(in_the_mode, 30, np.random.default_rng(0))
    assert found["mode"].rho > 0.6 and found["major_thirds"].rho > 0.9
    assert np.isnan(control.valence(deaf, 30, np.random.default_rng(0))["mode"].rho)


def test_a_feeling_is_asked_for_by_all_that_it_moves(small: Path) -> None:
    composer = Composer.from_pretrained(small)
    film = composer.targets(composer.partial_analysis(8.0, valence=0.5))
    assert film["valence_arousal"].tolist()[0][1] == 0.5
    assert np.isnan(film["onset_density"]).all() and np.isnan(film["boundaries"]).all()


def test_what_no_condition_reads_cannot_be_swept(small: Path) -> None:
    composer = Composer.from_pretrained(small)
    shape = replace(composer.model.config, position_channels=8)
    model = EventTransformer(shape, [c for c in composer.model.conditioners if c.name == "metre"])
    draw = control.drawer(replace(composer, model=model), 4.0)
    for name in (control.EMOTION, control.CUTS, "onset_density"):
        with pytest.raises(UsageError, match=f"no condition of the model reads '{name}'"):
            draw(name, [np.zeros(2, np.float32)])


def test_a_deaf_composer_does_not() -> None:
    rng = np.random.default_rng(0)
    found = control.arousal(deaf, 40, rng)
    assert abs(found.rho) < 0.4 and found.low < 0 < found.high
    boundaries = control.boundaries(deaf, 40, SECONDS, rng)
    assert boundaries["hit"] == pytest.approx(boundaries["chance"], abs=0.05)


def _slow_ranks(values: Sequence[float]) -> list[float]:
    return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=12))
def test_spearman_is_the_correlation_of_mean_ranks(pairs: list[tuple[int, int]]) -> None:
    x, y = ([float(p[i]) for p in pairs] for i in (0, 1))
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(found.rho)
    else:
        expected = np.corrcoef(_slow_ranks(x), _slow_ranks(y))[0, 1]
        assert found.rho == pytest.approx(expected, abs=1e-9)
        assert found.low <= found.rho + 1e-9 and found.rho - 1e-9 <= found.high


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(UsageError, match="needs four pairs or more, not 2"):
        spearman([1, 2], [1, 2])


# --- within pieces --------------------------------------------------------------------------------

SCENE = 6.0  # seconds


def following_composer(asked: Sequence[Floats]) -> list[Piece]:
    """Compose each scene as asked: arousal by voices and height, valence by the third.

    Each piece has voices and a height of its own, which arousal has no part in.
    """
    pieces = []
    for i, target in enumerate(asked):
        rows = []
        for start, valence, arousal in target:
            end = start + SCENE if len(target) > 1 else following.SCENES * SCENE
            low = 30 + i % 9 * 3 + round(20 * float(arousal + 1))
            unisons = i % 5 + round(20 * float(arousal + 1))
            voices = [0, 4 if valence > 0 else 3, 7, *[0] * unisons]
            for t in np.arange(start, end - 1e-6, 0.5):
                rows += [(PIANO, low + v, t, t + 0.4) for v in voices]
        pieces.append(Piece.of(np.array(rows)))
    return pieces


def deaf_composer(asked: Sequence[Floats]) -> list[Piece]:
    """Compose scenes that differ, with no regard to what is asked."""
    arcs = following.arcs(len(asked), SCENE, np.random.default_rng(len(asked)))
    return following_composer(arcs)


def test_music_that_follows_its_arc_scores_full_marks_and_none_where_told_a_constant() -> None:
    found = following.evaluate(following_composer, 20, SCENE, np.random.default_rng(0))
    assert tuple(found) == following.MEASURES
    for name in ("density", "polyphony", "velocity", "register"):
        told = found[name]["conditioned"]["arousal"]
        assert told["rho"] > 0.9 and told["low"] > 0.85 and told["p"] < 0.001
        assert (told["n"], told["left_out"]) == (80, 0)
    for name in ("mode", "major_thirds"):
        told = found[name]["conditioned"]["valence"]
        assert told["rho"] > 0.7 and told["low"] > 0.5 and told["p"] < 0.001
    assert np.isnan(found["velocity"]["constant"]["arousal"]["rho"])  # by rule it never moves
    assert np.isnan(found["register"]["constant"]["arousal"]["rho"])


def test_the_table_of_arcs_has_a_row_for_each_measure_and_a_dash_for_no_figure() -> None:
    found = following.evaluate(following_composer, 8, SCENE, np.random.default_rng(0))
    lines = tables.arcs_table(plain({"scene": SCENE, "arcs": found}))
    assert len(lines) == 2 + len(following.MEASURES)
    velocity = next(line for line in lines if "velocity (by rule)" in line)
    assert velocity.endswith("| – | – |") and "p 0.0001, n 32" in velocity


def test_music_that_is_deaf_to_its_arc_scores_about_nothing() -> None:
    found = following.evaluate(deaf_composer, 40, SCENE, np.random.default_rng(0))
    for name in set(following.MEASURES) - {"velocity"}:
        for told in found[name].values():
            for row in told.values():
                assert abs(row["rho"]) < 0.25 and row["p"] > 0.02
                assert row["low"] < 0.05 and row["high"] > -0.05


def test_the_control_is_told_the_mean_of_each_arc() -> None:
    heard: list[Sequence[Floats]] = []

    def listening(asked: Sequence[Floats]) -> list[Piece]:
        heard.append(asked)
        return following_composer(asked)

    following.evaluate(listening, 8, SCENE, np.random.default_rng(0))
    arcs, means = heard
    assert [a.shape for a in arcs] == [(following.SCENES, 3)] * 8
    for arc, mean in zip(arcs, means, strict=True):
        assert mean == pytest.approx(np.array([[0.0, *arc[:, 1:].mean(0)]]))


def test_any_two_scenes_of_an_arc_are_clearly_different() -> None:
    arcs = np.stack(following.arcs(200, SCENE, np.random.default_rng(0)))
    assert (arcs[:, :, 0] == np.arange(following.SCENES) * SCENE).all()
    points = arcs[:, :, 1:]
    assert np.abs(points).max() <= following.LARGEST and abs(points.mean()) < 0.05
    for i, j in itertools.combinations(range(following.SCENES), 2):
        away = np.linalg.norm(points[:, i] - points[:, j], axis=1)
        assert away.min() >= following.APART - 1e-6


def test_what_differs_between_pieces_only_is_not_following() -> None:
    rng = np.random.default_rng(0)
    asked = rng.uniform(size=(20, 4)) + np.arange(20)[:, None]
    assert np.isnan(following.within(asked, np.repeat(asked.mean(1)[:, None], 4, axis=1)).rho)
    against = following.within(asked, 100 * asked.mean(1)[:, None] - asked)
    assert against.rho == -1.0 and against.low == pytest.approx(-1) and against.p < 0.001
    assert abs(following.within(asked, asked.mean(1)[:, None] + rng.normal(size=(20, 4))).rho) < 0.3


def test_p_is_the_share_of_orders_within_pieces_that_reach_as_far() -> None:
    rng = np.random.default_rng(2)
    asked, measured = rng.normal(size=(2, 3, 3))
    measured[1] += asked[1]
    measured[2, 0] = np.nan  # its piece has two orders only
    orders = [list(itertools.permutations(range(3)))] * 2 + [[(0, 1, 2), (0, 2, 1)]]
    rhos = [
        following.within(
            np.stack([row[list(o)] for row, o in zip(asked, order, strict=True)]), measured
        ).rho
        for order in itertools.islice(itertools.product(*orders), 72)
    ]
    found = following.within(asked, measured)
    assert found.rho == pytest.approx(rhos[0])
    assert found.p == pytest.approx(np.mean(np.abs(rhos) >= abs(rhos[0]) - 1e-9), abs=0.02)


def test_p_is_evenly_spread_where_there_is_nothing() -> None:
    rng = np.random.default_rng(0)
    ps = [following.within(*rng.normal(size=(2, 8, 4))).p for _ in range(100)]
    assert 0.4 < np.mean(ps) < 0.6 and np.mean(np.array(ps) < 0.1) < 0.2


def test_scenes_without_a_figure_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(0)
    asked = rng.uniform(size=(6, 4))
    measured = asked.copy()
    measured[0, 0] = np.nan
    measured[1, :3] = np.nan  # one is left, with nothing to change from
    found = following.within(asked, measured)
    assert (found.n, found.left_out) == (19, 5)
    assert found.rho == pytest.approx(
        following.within(np.delete(asked, 1, 0), np.delete(measured, 1, 0)).rho
    )
    nothing = following.within(asked, np.full((6, 4), np.nan))
    assert np.isnan([nothing.rho, nothing.low, nothing.high, nothing.p]).all()
    assert (nothing.n, nothing.left_out) == (0, 24)


def test_a_scene_without_pitched_notes_has_a_density_and_no_mode() -> None:
    arc = np.array([[0.0, 0.5, 0.5], [6.0, 0.0, 0.0], [12.0, -0.5, -0.5]])
    rows = [(PIANO, 60, 1.0, 20.0), (PIANO, 64, 1.0, 3.0), (DRUMS, 36, 7.0, 7.1)]
    found = following.measure(Piece.of(np.array(rows)), arc, SCENE)
    assert found[:, 0].tolist() == pytest.approx([2 / 6, 1 / 6, 0.0])
    assert found[0, 1] == pytest.approx(7 / 5)  # the long note counts until its scene ends
    assert found[0, 5] == 62.0
    assert np.isnan(found[1, [1, 3, 4, 5]]).all() and np.isfinite(found[1, 2])
    assert np.isnan(found[2, 1:]).all()
