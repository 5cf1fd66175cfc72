"""``scripts/sampling.py``: what an arm is, what it measures, and that it is measured once."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scripts_loaded import load_script

from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import QUALITIES
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync_conditioners.chords import Chords
from emsync_conditioners.instruments import Instruments
from emsync_conditioners.metre import Metre
from emsync_conditioners.onset_density import OnsetDensity

SECONDS = 16.0


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("sampling")


@pytest.fixture
def composer(small: Path) -> Composer:
    taught = (Metre(), OnsetDensity(), Chords(), Instruments())
    network = EventTransformer(ModelConfig(1011, width=16, depth=1, heads=2), taught)
    return replace(Composer.from_pretrained(small), model=network, tempo=120.0)


def song(*classes: int) -> Piece:
    rows = [(c, 60, t, t + 0.4) for c in classes for t in np.arange(0, SECONDS, 0.5)]
    return Piece.of(np.array(rows), np.arange(0, SECONDS, 2.0))


def as_asked(sheet: LeadSheet) -> Piece:
    """The sheet's chords struck twice a second, the bass on the root."""
    rows = []
    for t in np.arange(0, SECONDS, 0.5).tolist():
        quality, root = divmod(int(sheet.harmony.at(np.array([t]))[0]), 12)
        rows += [(BASS, 36 + root, t, t + 0.5)]
        steps = list(QUALITIES.values())[quality]
        rows += [(PIANO, 60 + root + step, t, t + 0.5) for step in steps]
    return Piece.of(np.array(rows), np.arange(0, SECONDS, 2.0))


def test_a_loop_that_is_played_as_told_is_heard(
    script: ModuleType, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def play(_: Composer, targets: Any, seconds: float, sheets: list[LeadSheet]) -> list[Piece]:
        given.extend(targets)
        return [as_asked(sheet) for sheet in sheets]

    monkeypatch.setattr(script, "draw_all", play)
    found = script.chords(composer, [song(BASS, PIANO), song(DRUMS, PIANO)], SECONDS)
    shares = {name: row["value"] for name, row in found.items() if name != "classes"}
    assert shares == {
        "root": 1.0, "chord": 1.0, "on_chord": 1.0, "silent": 0.0, "play": 3 / 4, "rest": 5 / 6,
        "onsets": 1.0, "notes": 2.0,
    }  # fmt: skip
    classes = {name: row["value"] for name, row in found["classes"].items()}
    assert (classes["drums"], classes["bass"], classes["piano"]) == (0.0, 1.0, 3.0)
    assert np.isnan(classes["strings"]), "what a song does not have is not counted"
    first, second = given
    assert first["chords"][0, 13:].argmax() == 0 and second["chords"][0, 13:].argmax() == 9 + 1
    assert first["instruments"][0].tolist() == [0, 1, 0, 1, 0]
    assert (second["onset_density"][:15] == 2).all()
    assert np.isfinite(first["metre"]).all()


def test_arms_are_all_combinations_by_name(script: ModuleType) -> None:
    named = {"temperature": None, "top_p": None, "guidance": [1.0, 2.5], "unguided": None,
             "rules_off": ["harmony,theme", ""]}  # fmt: skip
    arms = script.arms_of(["chords", "control"], script.grid(named))
    assert len(arms) == 2 * 2 * 2
    measure, setting = arms["control guidance=2.5 rules_off=harmony,theme"]
    assert measure == "control"
    assert setting == {"guidance": 2.5, "rules_off": ("harmony", "theme")}
    assert arms["chords guidance=1 rules_off="][1]["rules_off"] == ()


def test_an_arm_is_measured_once_and_kept_at_once(
    script: ModuleType, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []

    def measure(composer: Composer, songs: list[Piece], seconds: float) -> dict[str, Any]:
        calls.append(composer.sampling.guidance)
        if composer.sampling.guidance > 2:
            raise KeyboardInterrupt
        return {"area": 0.5, "told": {"value": float("nan"), "n": 0}}

    monkeypatch.setattr(script, "MEASURES", {"quality": measure})
    monkeypatch.setattr(script, "excerpts", lambda *_: [song(PIANO)])
    monkeypatch.setattr(script, "Store", type("Store", (), {"open": lambda _: None}))
    out = tmp_path / "out.json"

    def run(*words: str) -> None:
        argv = ["sampling.py", str(small), "store", str(out), "--measure", "quality", *words]
        monkeypatch.setattr(sys, "argv", argv)
        script.main()

    with pytest.raises(KeyboardInterrupt):
        run("--guidance", "1", "2", "3")
    assert list(json.loads(out.read_text())["arms"]) == ["quality guidance=1", "quality guidance=2"]
    run("--guidance", "2", "1.5")
    assert calls == [1.0, 2.0, 3.0, 1.5]
    row = json.loads(out.read_text())["arms"]["quality guidance=1.5"]
    assert row["sampling"]["guidance"] == 1.5 and row["told"]["value"] is None
    with pytest.raises(SystemExit, match="was measured with another seconds; name a new file"):
        run("--seconds", "8")
