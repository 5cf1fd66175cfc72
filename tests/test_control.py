"""Control: correlations against scipy-free twins, and composers that obey or do not."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.conditioning import Floats
from emsync.errors import UsageError
from emsync.metrics import control
from emsync.music import PIANO, Piece

SECONDS = 20.0


def chord(time: float) -> list[tuple[int, int, float, float]]:
    return [(PIANO, p, time, time + 1.0) for p in (60, 64, 67)]


def obedient(name: str, asked: Sequence[Floats]) -> list[Piece]:
    """Compose exactly what is asked."""
    pieces = []
    for target in asked:
        if name == "boundaries":
            rows = [note for t in target for note in chord(float(t))]
            pieces.append(Piece.of(np.array(rows), chords=target.astype(np.float64)))
        else:
            level = target[1] * 4 + 5 if name == "valence_arousal" else target[0]
            times = np.arange(0, SECONDS, 1 / float(level))
            pieces.append(Piece.of(np.array([(PIANO, 60, t, t + 0.01) for t in times])))
    return pieces


def deaf(name: str, asked: Sequence[Floats]) -> list[Piece]:
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
    assert boundaries["answered"] == 1.0
    assert boundaries["chance"] < 0.7


def test_a_deaf_composer_does_not() -> None:
    rng = np.random.default_rng(0)
    found = control.arousal(deaf, 40, rng)
    assert abs(found.rho) < 0.4 and found.low < 0 < found.high
    boundaries = control.boundaries(deaf, 40, SECONDS, rng)
    assert boundaries["answered"] == pytest.approx(boundaries["chance"], abs=0.05)


def _slow_ranks(values: Sequence[float]) -> list[float]:
    return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=12))
def test_spearman_is_the_correlation_of_mean_ranks(pairs: list[tuple[int, int]]) -> None:
    x, y = ([float(p[i]) for p in pairs] for i in (0, 1))
    found = control.spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(found.rho)
    else:
        expected = np.corrcoef(_slow_ranks(x), _slow_ranks(y))[0, 1]
        assert found.rho == pytest.approx(expected, abs=1e-9)
        assert found.low <= found.rho + 1e-9 and found.rho - 1e-9 <= found.high


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(UsageError, match="needs four pairs or more, not 2"):
        control.spearman([1, 2], [1, 2])
