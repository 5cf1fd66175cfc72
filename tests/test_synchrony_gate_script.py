"""``scripts/synchrony_gate.py``: pieces, ranks and moves, on films that are known."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scripts_loaded import load_script

from emsync.signals import STEP_RATE
from emsync.sound.rhythm import Rhythm

CHECKPOINT = "toy"


@pytest.fixture
def script() -> ModuleType:
    return load_script("synchrony_gate")


def thing(script: ModuleType, name: str, seconds: float, seed: int) -> Any:
    """Return a film or a track whose accents and rows follow from the seed alone."""
    rng = np.random.default_rng(seed)
    signal = np.repeat(rng.random(int(seconds * STEP_RATE / 4) + 1) ** 4, 4)
    rows = rng.normal(size=(int(seconds * 10), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rhythm = Rhythm(signal, np.sort(rng.choice(len(signal), len(signal) // 20)).astype(np.int32))
    return script.Thing(name, script.Signal(rhythm, rhythm), {CHECKPOINT: rows})


def test_the_own_music_is_first_where_a_film_is_as_its_music(script: ModuleType) -> None:
    tracks = [thing(script, str(k), 30.0, k) for k in range(4)]
    measures = [*map(script.by_rhythm, script.WAYS), script.by_towers(CHECKPOINT)]
    for measure in measures:
        result = script.measured(tracks[:3], tracks, measure)
        assert len(result.ranks) == 9
        assert (result.ranks == 1).all()
        assert (result.above > 0.9).all()
        assert sorted(set(result.films)) == ["0", "1", "2"]
        assert len(result.without("1").ranks) == 6


def test_strangers_have_any_rank(script: ModuleType) -> None:
    tracks = [thing(script, str(k), 26.0, k) for k in range(12)]
    films = [thing(script, str(k), 26.0, 100 + k) for k in range(12)]
    result = script.measured(films, tracks, script.by_towers(CHECKPOINT))
    assert len(result.ranks) == 36
    assert result.ranks.max() <= 36
    assert 10 < np.median(result.ranks) < 27
    assert 0.35 < result.above.mean() < 0.65
    name, median, *_, wins = script.row("toy", result)
    assert name == "toy"
    assert median.startswith(f"{np.median(result.ranks):.3g} [")
    assert "of" in wins


def test_the_gate_opens_for_what_is_better_with_and_without_the_longest_film(
    script: ModuleType,
) -> None:
    films = [script.LONGEST_FILM] * 7 + ["b"] * 5 + ["c"] * 4

    def parts(good: np.ndarray, above: float) -> Any:
        cm = script.Result(films, np.full(16, 19.0), np.full(16, 0.5))
        sim = script.Result(films, good, np.full(16, above))
        both = {script.WAYS[0].name: cm, "SIM": sim}
        return {
            "all": both,
            "without": {n: r.without(script.LONGEST_FILM) for n, r in both.items()},
        }

    first, rest = np.arange(16) < 7, np.arange(16) >= 7
    assert script.opens(parts(np.full(16, 9.0), 0.8), "SIM")
    assert not script.opens(parts(np.full(16, 9.0), 0.2), "SIM")
    assert not script.opens(parts(np.where(first, 1.0, 30.0), 0.8), "SIM")
    assert not script.opens(parts(np.where(rest, 1.0, 30.0) + 20, 0.8), "SIM")


def test_a_table_is_written_for_judges(script: ModuleType, tmp_path: Path) -> None:
    script.write(tmp_path / "judgement.csv", ["film", "better"], [["a, b.mp4", ""]])
    assert (tmp_path / "judgement.csv").read_text().splitlines() == ["film,better", '"a, b.mp4",']
