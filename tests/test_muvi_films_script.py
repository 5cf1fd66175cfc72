"""``scripts/muvi_films.py``: music for films in several ways, measured."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scripts_loaded import load_script

from emsync.errors import InputError
from emsync.sound.audio import Audio
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.towers import TowerConfig

RATE = 24_000


@pytest.fixture
def script() -> ModuleType:
    return load_script("muvi_films")


def strokes(times: list[float], seconds: float) -> Audio:
    """Return short loud tones at ``times``."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    tone = np.sin(np.arange(2400) * 0.3) * np.linspace(0.9, 0.0, 2400)
    for time in times:
        samples[round(time * RATE) :][:2400] += tone
    return Audio(np.repeat(samples[:, None], 2, axis=1), RATE)


def test_a_cut_with_a_stroke_on_it_is_met_and_others_are_not(
    script: ModuleType, tmp_path: Path
) -> None:
    judge = Synchrony(TowerConfig(dimensions=4, width=4, channels=1)).eval()
    row = np.full((60, 4), 0.5, np.float32)
    films = {name: script.Seen([2.0, 4.0], 6.0, 25.0, [row]) for name in ("a", "b")}
    files = {name: tmp_path / f"{name}.wav" for name in films}
    for name, times in (("a", [2.0, 4.0]), ("b", [2.0, 4.5])):
        strokes(times, 6.0).save(files[name])
    frame, near, sim = script.with_pictures(films, files, [judge])
    assert frame.startswith("0.75 [0.5, 1], 0.0")
    assert near.startswith("0.75 [0.5, 1], 0.0")
    assert sim.count(",") == 1
    assert script.near_cuts(films["a"], np.array([2.05]), 0.1) == pytest.approx((1, 0.4 / 6, 2))


def test_each_film_is_given_music_in_each_way(
    script: ModuleType,
    draw_cut: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (films := tmp_path / "films").mkdir()
    draw_cut(films / "one.mp4", frames=50)
    (library := tmp_path / "library").mkdir()
    strokes([0.5, 20.5, 50.5], 61.0).save(library / "track.flac")
    monkeypatch.setattr(script, "opened", lambda name, device: (None, name))
    found = script.ways(library, "muvi", [1.0, 2.5])
    assert list(found) == ["muvi-1", "muvi-2.5", "emsync-small", "found", "any"]
    script.make(films, {name: found[name] for name in ("found", "any")}, tmp_path / "out")
    assert list(json.loads((tmp_path / "out/seconds.json").read_text())["any"]) == ["one"]
    script.make(films, {name: found[name] for name in ("found", "any")}, tmp_path / "again")
    for name in ("found", "any"):
        one, again = (tmp_path / folder / name / "one.wav" for folder in ("out", "again"))
        assert one.read_bytes() == again.read_bytes()


def test_a_folder_without_films_is_named(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no films in"):
        script.make(tmp_path, {"any": print}, tmp_path / "out")
