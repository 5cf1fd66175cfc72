"""Learning to find music: what is shared is learned, nothing else, and a stop changes nothing."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_pairs import write_store

from emsync.cli import main
from emsync.data.split import read_keys, song_key
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.retrieval.checkpoint import NETWORKS, System
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.examples import Meetings
from emsync.retrieval.pairs import PAIRS, PairStore
from emsync.retrieval.stores import write_head
from emsync.retrieval.training import train
from emsync.retrieval.vm_net import VmNet
from emsync.settings import build
from emsync.training.rounds import RunState

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # torch and tensorboard warn of one another
CODE = """
import sys
import tomllib
from pathlib import Path
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.training import train
train(RetrievalConfig.load(Path(sys.argv[1])), lambda state, *_: print(state.step, flush=True))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("pairs") / "store", songs=60, shared=True)


def settings(store: Path, out: Path, **changes: Any) -> RetrievalConfig:
    base = RetrievalConfig(
        store=str(store), out=str(out), system="vm-net", film=("motion",), music=("chroma",),
        network={"hidden": 32, "width": 16}, steps=8, batch=16, validate_every=4,
    )  # fmt: skip
    return replace(base, **changes)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("system", "network"),
    [("vm-net", {"hidden": 16, "width": 8}), ("of-vm-net", {"width": 8, "preset": "balanced"})],
)
def test_a_resumed_run_is_an_uninterrupted_one(
    system: str, network: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    def stop(state: RunState, share: float, figures: dict[str, float]) -> None:
        if state.step in (3, 4):
            signal.raise_signal(signal.SIGTERM)

    whole = settings(store, tmp_path / "whole", system=system, network=network)
    parts = replace(whole, out=str(tmp_path / "parts"))
    train(whole)
    for _ in range(3):
        train(parts, stop)
    a, b = rows(Path(whole.out)), rows(Path(parts.out))
    assert a == b and len(a) == 8 and a[0]["loss"] != a[1]["loss"] and a[7]["recall"]
    one, two = (Path(config.out) / "model.safetensors" for config in (whole, parts))
    assert one.read_bytes() == two.read_bytes()


def test_what_film_and_music_share_is_learned_and_found_among_songs_never_met(
    store: Path, tmp_path: Path
) -> None:
    train(settings(store, tmp_path / "out", steps=60, rate=0.003))
    last = rows(tmp_path / "out")[-1]
    assert float(last["percentile"]) < 0.2 and float(last["recall"]) > 0.8  # by chance 0.5, 0.56
    assert System.load(tmp_path / "out").name == "vm-net"
    assert list((tmp_path / "out" / "tensorboard").iterdir())


def test_where_nothing_is_shared_held_out_songs_stay_at_chance(tmp_path: Path) -> None:
    apart = write_store(tmp_path / "store", songs=60, shared=False)
    train(settings(apart, tmp_path / "out", steps=60, rate=0.003))
    assert 0.3 < float(rows(tmp_path / "out")[-1]["percentile"]) < 0.7


def test_a_checkpoint_knows_the_songs_that_it_was_trained_on_and_their_versions(
    store: Path, tmp_path: Path
) -> None:
    train(settings(store, tmp_path / "out", steps=1))
    learned = [pair for pair in PairStore.open(store).pairs if pair.split == "train"]
    keys = set(read_keys(tmp_path / "out").tolist())
    assert keys == {key for pair in learned for key in pair.keys}
    version = replace(learned[0], song="another version")
    other = replace(version, group="another group")
    assert song_key(learned[0].song) in keys and keys & version.keys and not keys & other.keys


def test_a_run_that_goes_on_with_another_store_forgets_no_song(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path / "out", steps=1))
    before = set(read_keys(tmp_path / "out").tolist())
    fewer = write_store(tmp_path / "fewer", songs=30, shared=True)
    train(settings(fewer, tmp_path / "out", steps=2))
    assert before <= set(read_keys(tmp_path / "out").tolist())


def test_no_two_films_of_one_group_meet_and_an_epoch_has_each_song_once(store: Path) -> None:
    pairs = PairStore.open(store).pairs
    numbers = [i for i, pair in enumerate(pairs) if pair.split == "train"]
    meetings = Meetings(pairs, numbers, batch=7, seed=3)
    assert meetings.steps == 6
    for epoch in range(3):
        met = [meetings.at(epoch * 6 + turn) for turn in range(6)]
        groups = [pairs[numbers[place]].group for places in met for place in places]
        assert len(set(groups)) == len(groups) == 42
    again = Meetings(pairs, numbers, batch=7, seed=3)
    assert again.at(11) == meetings.at(11) != Meetings(pairs, numbers, 7, seed=4).at(11)


def test_films_of_the_styles_asked_for_are_met_alone(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path / "out", steps=1, styles=("lines",)))
    with pytest.raises(UsageError, match="no films of the style 'cubes', but lines, shapes"):
        train(settings(store, tmp_path / "new", styles=("cubes",)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "a training run needs a budget: set steps, epochs or minutes"),
        ({"film": ()}, "film names no column"),
        ({"music": ("mel", "mel")}, "music names 'mel' twice"),
        ({"batch": 1}, "batch is 1, not a whole number from 2"),
        ({"batch": 43}, "batch is 43, and the store .* has 42 songs to learn from"),
        (
            {"film": ("lite0",)},
            "reads the column lite0, but of films the store .* has col",
        ),
        ({"film": ("flow",)}, "'flow' is no column of a film"),
        ({"system": "mv-net"}, "there is no network 'mv-net'"),
        ({"network": {"depth": 3}}, "'depth' is no setting"),
    ],
)
def test_what_cannot_be_is_refused(
    changes: dict[str, Any], words: str, store: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        train(settings(store, tmp_path / "out", **changes))


@pytest.mark.parametrize("inside", ["", "shards", "new"])
def test_a_store_is_no_place_for_a_run(inside: str, store: Path) -> None:
    there = sorted(store.rglob("*"))
    with pytest.raises(UsageError, match="the run would be in the store"):
        train(settings(store, store / inside))
    assert sorted(store.rglob("*")) == there


def test_a_store_of_films_that_are_all_held_out_teaches_nothing(
    store: Path, tmp_path: Path
) -> None:
    rows = (store / "pairs.csv").read_text().replace(",train,", ",held,")
    held = tmp_path / "store"
    shutil.copytree(store, held)
    (held / "pairs.csv").write_text(rows)
    with pytest.raises(InputError, match="are held out, so there is none to learn from; draw one"):
        train(settings(held, tmp_path / "out"))


def test_whoever_may_read_new_files_may_read_what_a_run_saves(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path / "out", steps=1))
    modes = {path.stat().st_mode for path in (tmp_path / "out").glob("*.*")}
    (tmp_path / "new").touch()
    assert modes == {(tmp_path / "new").stat().st_mode}


def test_a_store_of_another_version_is_refused(store: Path, tmp_path: Path) -> None:
    old = tmp_path / "store"
    shutil.copytree(store, old)
    head = PAIRS.read_head(old)
    write_head(old, replace(head, music={**head.music, "chroma": "chroma 0"}))
    with pytest.raises(InputError, match="has 'chroma 0', and now there is 'chroma"):
        train(settings(old, tmp_path / "out"))


def test_a_folder_that_holds_another_run_is_refused(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path / "out", steps=1))
    with pytest.raises(UsageError, match=r"began with music = \['chroma'\], not \['onsets'\]"):
        train(settings(store, tmp_path / "out", music=("onsets",)))


def test_a_loss_that_is_no_number_names_the_films(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(settings(store, tmp_path / "out", steps=1))
    saved = (tmp_path / "out" / "model.safetensors").read_bytes()
    monkeypatch.setattr(VmNet, "loss", lambda *_: torch.tensor(torch.nan))
    with pytest.raises(EmsyncError, match=r"the loss is nan at step 2; films: \d+-"):
        train(settings(store, tmp_path / "out", steps=2))
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == saved


def toml(path: Path, config: RetrievalConfig) -> Path:
    values = {k: v for k, v in vars(config).items() if k != "network"}
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items()]
    lines += ["[network]", *(f"{k} = {json.dumps(v)}" for k, v in config.network.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_command_trains_what_the_settings_name(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = toml(tmp_path / "run.toml", settings(store, tmp_path / "out", steps=4))
    assert main(["train", str(path)]) == 0
    said = capsys.readouterr().out
    assert "4 steps" in said and "emsync evaluate retrieval" in said
    path.write_text(path.read_text().replace('"retrieval"', '"painting"'))
    assert main(["train", str(path)]) == 2
    assert "task is 'painting'; choose one of retrieval" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_saves_and_stops_and_the_run_goes_on(
    number: int, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.py").write_text(CODE)
    config = settings(store, tmp_path / "out", steps=100_000, validate_every=10**6, save_minutes=0)
    path = toml(tmp_path / "run.toml", config)
    assert RetrievalConfig.load(path) == config
    run = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", path], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    for line in run.stdout:
        if int(line) == 5:
            run.send_signal(number)
            break
    run.communicate()
    assert run.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    done = json.loads((tmp_path / "out" / "train.json").read_text())["progress"]["step"]
    train(replace(config, steps=done + 1))
    assert [int(row["step"]) for row in rows(tmp_path / "out")] == list(range(1, done + 2))


def test_the_example_in_the_documentation_has_the_defaults() -> None:
    page = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    text = next(part for part in page.split("```toml")[1:] if 'task = "retrieval"' in part)
    config = RetrievalConfig.of(tomllib.loads(text.split("```")[0]), "the example")
    given = RetrievalConfig(store="pairs", out="runs/of-vm-net", epochs=100, network=config.network)
    assert config == given
    assert build(NETWORKS[config.system].shape, config.network) == NETWORKS[config.system].shape()
