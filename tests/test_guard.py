"""The guard of a training run: what it calls wild, where it goes back to, and when it gives up."""

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emsync.cli import main
from emsync.errors import AssetError, EmsyncError, EmsyncWarning
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.training import guard as guards
from emsync.training.config import TrainConfig
from emsync.training.guard import Guard
from emsync.training.loop import optimizers, train
from emsync.training.resume import RunState
from emsync.training.snapshot import Snapshot

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # torch, accelerate and tensorboard warn of one another

MODEL = {"width": 32, "depth": 2, "heads": 2, "context": 48, "dropout": 0.0}


@pytest.fixture(scope="module")
def store(write_tunes: Callable[[int], Path]) -> Path:
    return write_tunes(8)


def settings(store: Path, out: Path, **changes: Any) -> TrainConfig:
    config = TrainConfig(
        str(store), str(out), ("metre", "onset_density"), MODEL, steps=12, batch=2, validation=0.0,
        bf16=False, rate=0.01, warm_up=0.0, decay=0.0,
    )  # fmt: skip
    return replace(config, **changes)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def watched(step: int = 200) -> Guard:
    model = EventTransformer(ModelConfig(8, width=8, context=4), ())
    return Guard(model, optimizers(model, TrainConfig("", "", steps=1)), RunState(step=step))


def test_a_step_is_wild_by_its_loss_or_its_norm_beside_the_usual_ones() -> None:
    guard = watched()
    assert not guard.is_wild(50.0, 50.0)  # nothing is usual yet
    for loss in (1.0, 2.0, 1.5):
        assert not guard.ran_away(loss, 1.0, guard.is_wild(loss, 1.0))
    assert not guard.is_wild(2.4, 29.0)
    assert guard.is_wild(2.6, 1.0) and guard.is_wild(1.0, 31.0)
    guard.state.step = 100  # in the beginning both are high
    assert not guard.is_wild(9.0, 99.0)
    for loss, norm in ((math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)):
        assert guard.is_wild(loss, norm)


def test_a_run_without_a_snapshot_goes_back_to_where_it_is() -> None:
    assert watched(step=700).state.good == 700


def test_four_wild_steps_in_a_row_are_needed_and_do_not_become_usual() -> None:
    guard = watched()
    guard.ran_away(1.0, 1.0, False)
    for _ in range(5):
        assert [guard.ran_away(5.0, 1.0, True) for _ in range(3)] == [False] * 3
        assert not guard.ran_away(1.0, 1.0, False)
    assert set(guard.state.usual) == {1.0}
    assert [guard.ran_away(math.nan, 1.0, True) for _ in range(4)] == [False] * 3 + [True]


def test_a_snapshot_is_made_where_all_is_well_and_is_put_back_to_the_bit() -> None:
    guard, x = watched(step=149), {"ids": torch.zeros(1, 5, dtype=torch.int64)}

    def move() -> None:
        guard.model(x["ids"][:, :4], {}).square().sum().backward()
        for optim in guard.optims:
            optim.step()
            optim.zero_grad()

    def known() -> Mapping[str, torch.Tensor]:
        now = Snapshot.of(guard.model, guard.optims)
        return {**now.weights, **now.memory}

    move()
    for step, norm in ((150, 6.0), (151, 1.0)):  # not well; not its turn
        guard.state.step = step
        guard.ran_away(1.0, norm, False)
        assert guard.state.good == 149
    guard.state.step = 300
    guard.ran_away(1.0, 1.0, False)
    assert guard.state.good == 300
    before = known()
    for _ in range(2):  # it can be put back again and again
        move()
        assert any(not torch.equal(value, before[name]) for name, value in known().items())
        guard.go_back()
        assert all(torch.equal(value, before[name]) for name, value in known().items())
    assert guard.factor == 0.25


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that judges from the fourth step on."""
    monkeypatch.setattr(guards, "EVERY", 3)


@pytest.mark.slow
def test_a_run_at_a_huge_rate_goes_back_twice_and_stops_the_third_time(
    quick: None, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    train(settings(store, out, steps=3))
    good = (out / "model.safetensors").read_bytes()
    with (
        pytest.warns(EmsyncWarning, match=r"ran away, .* step \d, and on at 0\.\d+ of"),
        pytest.raises(EmsyncError, match=r"ran away 3 times, .* at 0.25 of .* save is good; lower"),
    ):
        train(settings(store, out, steps=100, rate=10.0, rate_adam=10.0))
    rates = [float(row["rate"]) for row in rows(out)]
    assert sorted(set(rates), reverse=True) == [1.0, 0.5, 0.25]
    assert (out / "model.safetensors").read_bytes() == good
    train(settings(store, out, steps=5))  # and goes on from there


def test_the_command_says_that_it_ran_away_and_exits_with_one(
    quick: None, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.toml").write_text(
        f"store = {json.dumps(str(store))}\nout = {json.dumps(str(tmp_path / 'out'))}\n"
        'conditioners = ["metre"]\nsteps = 100\nbatch = 2\nbf16 = false\nvalidation = 0.0\n'
        "warm_up = 0.0\nrate = 10\nrate_adam = 10\n[model]\nwidth = 32\ncontext = 48\n"
    )
    assert main(["train", str(tmp_path / "run.toml")]) == 1
    said = capsys.readouterr().err
    assert "it goes back to" in said and "nothing of the run is saved yet" in said


def wild_at(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    monkeypatch.setattr(Guard, "is_wild", lambda guard, *_: guard.state.step in steps)


@pytest.mark.slow
def test_a_run_that_went_back_goes_on_at_half_its_rates_however_it_is_interrupted(
    quick: None, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild_at(monkeypatch, 5, 6, 7, 8)
    whole = settings(store, tmp_path / "whole")
    with pytest.warns(EmsyncWarning, match=r"back to what it knew at step 3, and on at 0\.5"):
        train(whole)
    # after 4 steps it is between the snapshot and the wild ones, after 9 it has gone back
    for steps in (4, 9, 12):
        parts = replace(whole, out=str(tmp_path / "parts"), steps=steps)
        if steps == 9:
            with pytest.warns(EmsyncWarning, match="at step 3, and on at 0.5"):
                train(parts)
        else:
            train(parts)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    assert [row["rate"] for row in rows(tmp_path / "whole")] == ["1.0"] * 8 + ["0.5"] * 4


def test_a_run_that_ends_in_wild_steps_saves_what_was_well(
    quick: None, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(settings(store, tmp_path / "well", steps=6))
    wild_at(monkeypatch, 7, 8)
    train(settings(store, tmp_path / "wild", steps=8))
    well, wild = (
        Composer.from_pretrained(tmp_path / name).model.state_dict() for name in ("well", "wild")
    )
    assert all(torch.equal(weight, well[name]) for name, weight in wild.items())


def test_a_snapshot_that_does_not_fit_is_refused(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path, steps=1))
    path = tmp_path / "snapshot.safetensors"
    model = EventTransformer(ModelConfig(8, width=8, context=4), ())
    Snapshot.of(model, ()).save(path)
    with pytest.raises(AssetError, match=r"does not fit the network; delete it"):
        train(settings(store, tmp_path, steps=2))
    path.unlink()  # as older runs, which have none
    train(settings(store, tmp_path, steps=2))


CODE = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from emsync.training import guard
from emsync.training.config import TrainConfig
from emsync.training.loop import train
if __name__ == "__main__":
    guard.EVERY = 3
    guard.Guard.is_wild = lambda guard, *_: guard.state.step in (5, 6, 7, 8)
    train(TrainConfig.load(Path(sys.argv[1])))
"""


@pytest.mark.slow
def test_two_processes_go_back_together(
    quick: None,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_two_processes: Callable[..., None],
) -> None:
    (tmp_path / "run.py").write_text(CODE)
    config = settings(store, tmp_path / "two")
    values = {k: v for k, v in vars(config).items() if k not in ("model", "cropping")}
    tables = ["[model]", *(f"{key} = {value}" for key, value in MODEL.items())]
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    (tmp_path / "run.toml").write_text("\n".join([*lines, *tables]))
    in_two_processes(tmp_path / "run.py", tmp_path / "run.toml")
    wild_at(monkeypatch, 5, 6, 7, 8)
    with pytest.warns(EmsyncWarning, match="it goes back"):
        train(settings(store, tmp_path / "one"))
    for a, b in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-4)
        assert a["rate"] == b["rate"]
