"""``match --metric sim``: music that moves as a film does, by the rows of towers."""

from pathlib import Path

import numpy as np
import pytest
from synchrony_toys import saved

from emsync.arrays import Float32s
from emsync.errors import AssetError, InputError
from emsync.matching.matcher import Shelf
from emsync.matching.synchrony import LEAST, Sim, sliding
from emsync.testing import check_matcher, example_film


def rows(count: int, seed: int = 0, numbers: int = 8) -> Float32s:
    drawn = np.random.default_rng(seed).normal(size=(count, numbers)).astype(np.float32)
    found: Float32s = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Sim:
    return Sim(str(saved(tmp_path_factory.mktemp("towers"))))


@pytest.mark.parametrize("count", [1, 30, 31, 77])
def test_scores_are_the_mean_cosines_at_each_offset(count: int) -> None:
    film, track = rows(30), rows(count, 1).astype(np.float16)
    found = sliding(film)(track)
    padded = np.zeros((max(count, 30), 8), np.float32)
    padded[:count] = track
    expected = [(film * padded[k : k + 30]).sum(1).mean() for k in range(len(padded) - 29)]
    assert np.allclose(found, expected, atol=1e-5)


def test_a_film_is_found_within_a_track_and_where(sim: Sim) -> None:
    film, tracks = rows(40), [rows(200, 1), rows(300, 2), rows(20, 3), rows(0, 4)]
    tracks[1][123:163] = film
    names = ["a", "b", "short", "silent"]
    heard = {
        name: (len(track) / 10, {"rows": track.astype(np.float16)})
        for name, track in zip(names, tracks, strict=True)
    }
    ranked = sim.rank({"rows": film}, Shelf.of(heard), 4)
    assert (ranked[0].track, ranked[0].offset) == (1, 12.3)
    assert ranked[0].score == pytest.approx(1, abs=1e-3)
    assert ranked[-1].track == 3
    assert (ranked[-1].score, ranked[-1].offset) == (LEAST, 0)
    assert len(sim.rank({"rows": film}, Shelf.of(heard), 2)) == 2


def test_it_keeps_the_rules_of_matchers(sim: Sim) -> None:
    check_matcher(sim)


def test_an_index_of_other_columns_is_refused(sim: Sim) -> None:
    shelf = Shelf.of({"a": (1.0, {"rows": rows(10)})})
    with pytest.raises(ValueError, match="the columns are"):
        sim.verify(shelf)


def test_a_film_that_stands_still_or_is_over_at_once_is_refused(sim: Sim) -> None:
    observers = sim.observers()
    footage = example_film(sim.needs, observers)
    for observer in observers:
        observer._rows = observer._rows[:1] * 500  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="nothing moves in"):
        sim.see(footage, observers)


def test_other_checkpoints_of_the_same_shape_hear_anew(sim: Sim, tmp_path: Path) -> None:
    from synchrony_toys import synchrony

    synchrony(seed=1).save(tmp_path)
    assert sim.stamp != Sim(str(tmp_path)).stamp
    assert sim.stamp == Sim.given(sim.checkpoint).stamp


def test_a_checkpoint_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="there is no checkpoint of synchrony"):
        Sim.given(str(tmp_path / "none"))
    (tmp_path / "config.json").write_text('{"kind": "muvi", "version": 1}')
    with pytest.raises(AssetError, match="of the kind 'muvi'"):
        Sim.given(str(tmp_path))
