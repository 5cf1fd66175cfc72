"""Training where there are torch, NumPy and safetensors alone, and weights that come back small."""

import csv
import itertools
import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from emsync.data.prepare import prepare
from emsync.errors import AssetError
from emsync.evaluation.likelihood import of_song
from emsync.model.composer import Composer
from emsync.model.weights import SCALE
from emsync.music.piece import PIANO, Piece, to_score
from emsync.options import CHECKPOINT
from emsync.training.accelerator import SingleProcess
from emsync.training.config import TrainConfig
from emsync.training.loop import train
from emsync_tokenizers.events import Events

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # torch, accelerate and tensorboard warn of one another

SCRIPTS = Path(__file__).parents[1] / "scripts"
RUN = """
conditioners = ["valence_arousal", "metre", "boundaries", "onset_density"]
steps = 4
batch = 4
validation = 0.2
validation_crops = 4
bf16 = false
[model]
width = 32
depth = 2
heads = 2
context = 48
position_channels = 24
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of a machine that has torch, NumPy, safetensors, and what they themselves need.

    Nothing else is there: not Accelerate, not the entry points of an installed emsync.
    """
    folder = tmp_path_factory.mktemp("site")
    todo, seen = ["torch", "numpy", "safetensors"], set[str]()
    while todo:
        name = todo.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # of another kind of machine
        for top in {file.parts[0] for file in package.files or () if file.parts[0] != ".."}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(package.locate_file(top))))
        seen.add(name)
        needs = [need for need in package.requires or () if "extra" not in need]
        todo += {re.split(r"[^\w.-]", need)[0] for need in needs} - seen
    assert not (folder / "accelerate").exists() and not (folder / "symusic").exists()
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(12):
        notes = [(PIANO, 50 + (i * n) % 30, n * 0.25, n * 0.25 + 0.2) for n in range(80)]
        to_score(Piece.of(np.array(notes))).dump_midi(folder / f"{i}.mid")
    out = tmp_path_factory.mktemp("store")
    prepare([folder], out, Events(), workers=1)
    return out


def settings(path: Path, store: Path, out: Path, text: str = RUN) -> Path:
    path.write_text(f"store = {json.dumps(str(store))}\nout = {json.dumps(str(out))}\n{text}")
    return path


def run(bare: Path, script: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-S", SCRIPTS / script, *map(str, words)],
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(bare), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_bare_machine_has_the_losses_of_emsync_train_and_ships_what_it_learned(
    bare: Path, store: Path, tmp_path: Path
) -> None:
    train(TrainConfig.load(settings(tmp_path / "here.toml", store, tmp_path / "here")))
    there = settings(tmp_path / "there.toml", store, tmp_path / "there")
    assert "validation" in run(bare, "train_portable.py", there)
    assert rows(tmp_path / "there") == rows(tmp_path / "here")
    assert len(rows(tmp_path / "there")) == 4
    assert not (tmp_path / "there" / "tensorboard").exists()

    further = settings(there, store, tmp_path / "there", RUN.replace("steps = 4", "steps = 6"))
    run(bare, "train_portable.py", further)
    assert [row["step"] for row in rows(tmp_path / "there")] == list("123456")

    run(bare, "ship.py", tmp_path / "there", "--out", tmp_path / "shipped", "--dtype", "int8")
    assert (tmp_path / "shipped" / "trained.npy").exists()
    learned = Composer.from_pretrained(tmp_path / "there").model.state_dict()
    for name, weight in Composer.from_pretrained(tmp_path / "shipped").model.state_dict().items():
        assert torch.allclose(weight, learned[name], atol=float(learned[name].abs().max()) / 250)


def test_the_settings_and_scripts_of_the_guide_are_there(tmp_path: Path) -> None:
    root = SCRIPTS.parent
    guide = (root / "docs" / "training.md").read_text(encoding="utf-8")
    recipe, lesson = (
        (root / "docs" / "recipes" / f"{name}.md").read_text(encoding="utf-8")
        for name in ("train", "teach")
    )
    found = [
        re.findall(r"```toml[^\n]*\n(store = .*?)```", page, re.DOTALL)
        for page in (guide, recipe, lesson)
    ]
    found.append([path.read_text() for path in root.glob("checkpoints/*/train.toml")])
    assert all(found)
    for block in itertools.chain(*found):
        (tmp_path / "base.toml").write_text(block)
        config = TrainConfig.load(tmp_path / "base.toml")
        assert config.cropping.boundary_jitter == 0.25
    for script in set(re.findall(r"scripts/(\w+\.py)", guide + recipe)):
        assert (SCRIPTS / script).is_file(), script


def test_a_run_goes_on_from_shipped_weights_with_a_fresh_warm_up(
    store: Path, small: Path, tmp_path: Path
) -> None:
    composer = Composer.from_pretrained(small)
    composer.save_pretrained(tmp_path / "int8", torch.int8)
    config = TrainConfig(
        store=str(store), out=str(tmp_path / "out"), start_from=str(tmp_path / "int8"),
        steps=8, batch=2, warm_up=0.5, bf16=False, validation_crops=2,
    )  # fmt: skip
    train(config)
    assert [float(row["rate"]) for row in rows(tmp_path / "out")][:3] == [0.0, 0.25, 0.5]


def test_one_process_alone_needs_no_accelerator_for_the_same_steps() -> None:
    process = SingleProcess(bf16=True)
    weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    with process.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    process.backward((weight * weight.detach()).sum())
    assert float(process.clip_grad_norm_([weight], 1.0)) == 5.0
    assert weight.grad is not None and weight.grad.norm() == pytest.approx(1.0)
    assert process.reduce(weight, "sum") is weight


def test_weights_in_int8_are_off_by_half_a_step_of_their_row_at_most(
    small: Path, tmp_path: Path
) -> None:
    composer = Composer.from_pretrained(small)
    with torch.no_grad():
        composer.model.tokens.weight[3] = 0.0
        composer.model.tokens.weight[4] *= 1000
    composer.save_pretrained(tmp_path, torch.int8)
    stored = load_file(tmp_path / "model.safetensors")
    again = Composer.from_pretrained(tmp_path).model.state_dict()
    matrices = 0
    for name, weight in composer.model.state_dict().items():
        if weight.ndim == 2:
            assert stored[name].dtype == torch.int8
            step = weight.abs().amax(1, keepdim=True) / 127
            assert ((again[name] - weight).abs() <= step * 0.5001 + 1e-12).all()
            matrices += 1
        else:
            assert torch.equal(again[name], weight)
    assert matrices == sum(name.endswith(SCALE) for name in stored) > 5
    assert torch.equal(again["tokens.weight"][3], torch.zeros(32))


def test_weights_in_int8_without_their_scales_are_refused(small: Path, tmp_path: Path) -> None:
    Composer.from_pretrained(small).save_pretrained(tmp_path, torch.int8)
    stored = load_file(tmp_path / "model.safetensors")
    scale = stored.pop("head.weight" + SCALE)
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(AssetError, match=r"there is no 'head.weight.scale'"):
        Composer.from_pretrained(tmp_path)
    save_file({**stored, "head.weight" + SCALE: scale[:-1]}, tmp_path / "model.safetensors")
    with pytest.raises(AssetError, match=r"do not fit config\.json: 'head.weight.scale'"):
        Composer.from_pretrained(tmp_path)


@pytest.mark.slow
def test_the_default_checkpoint_foretells_as_well_in_int8(piece: Piece, tmp_path: Path) -> None:
    composer = Composer.from_pretrained(CHECKPOINT)
    composer.save_pretrained(tmp_path, torch.int8)
    sizes = [path.stat().st_size for path in tmp_path.glob("*.safetensors")]
    assert sizes[0] < 1.1 * sum(w.numel() for w in composer.model.state_dict().values())
    ids = composer.tokenizer.encode(piece)
    nats: Any = [of_song(c, ids)[0] for c in (composer, Composer.from_pretrained(tmp_path))]
    assert nats[1] == pytest.approx(nats[0], rel=0.01)
