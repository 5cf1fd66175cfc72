"""What is shipped to find music: small, whole, and with a card that says what it is."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import typer
from drawn_pairs import write_store
from scripts_loaded import load_script

from emsync.cli import app
from emsync.data.split import read_keys
from emsync.retrieval.checkpoint import System
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.pairs import PairStore
from emsync.retrieval.stores import write_head
from emsync.retrieval.training import train

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # torch and tensorboard warn of one another
HEADINGS = (
    "What it ranks", "Data", "Training", "Figures", "What it does not know", "Licences",
)  # fmt: skip


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("ship_retrieval")


@pytest.mark.slow
def test_what_is_shipped_is_what_was_trained_and_says_so(
    script: ModuleType, tmp_path: Path
) -> None:
    store = write_store(tmp_path / "store", songs=30, shared=True)
    config = RetrievalConfig(
        store=str(store), out=str(tmp_path / "run"), system="vm-net", film=("motion",),
        music=("chroma",), network={"hidden": 16}, styles=("shapes",), steps=4, batch=8,
    )  # fmt: skip
    train(config)
    settings = tmp_path / "train.toml"
    values = {k: v for k, v in vars(config).items() if k != "network"}
    lines = [f"{k} = {list(v) if isinstance(v, tuple) else repr(v)}" for k, v in values.items()]
    settings.write_text("\n".join([*lines, "[network]", "hidden = 16"]))
    out = tmp_path / "mine"
    script.ship(settings, out, None)
    text = (out / "README.md").read_text()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)
    assert "**No real film was learned from**" in text and str(tmp_path) not in text
    assert "films of styles it never met (lines)" in text and "| mine |" in text
    assert (read_keys(out) == read_keys(Path(config.out))).all()
    run, shipped = System.load(config.out), System.load(out)
    for name, weight in run.state_dict().items():
        rounded = weight.to(torch.bfloat16).to(weight.dtype)
        assert (
            torch.equal(
                shipped.state_dict()[name], rounded if name.startswith("network.") else weight
            )
            or not weight.is_floating_point()
        )


def test_a_card_says_how_its_films_are_drawn_again(script: ModuleType, tmp_path: Path) -> None:
    folder = write_store(tmp_path / "store", songs=3, shared=True)
    assert script.drawn_by("runs/mine", PairStore.open(folder)) == []
    made = {
        "by": "draw", "films": 2, "styles": ["shapes"], "unseen": ["lines"], "held": 0.2, "seed": 4,
        "follow": {"motion": 0.7, "cuts": 0.0},
    }  # fmt: skip
    write_head(folder, replace(PairStore.open(folder).head, made=made))
    lines = script.drawn_by("runs/mine", PairStore.open(folder))
    (command,) = (line for line in lines if "--" in line)
    name, group, *words = command.split()
    assert (name, words[0]) == ("emsync", "draw")
    root: Any = typer.main.get_command(app)
    context = root.commands[group].commands["draw"].make_context("draw", words[1:])
    assert context.params["count"] == 3 and context.params["follow"] == "motion=0.7,cuts=0"
    assert (context.params["style"], context.params["seed"]) == ("shapes", 4)
