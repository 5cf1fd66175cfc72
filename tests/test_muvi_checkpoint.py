"""A system that makes sound is kept whole, and what is not one is told in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from flow_toys import system
from safetensors.torch import load_file, save_file

from emsync.errors import AssetError
from emsync.muvi.checkpoint import Shape, System
from emsync.muvi.codec import CodecShape
from emsync.muvi.dit import DitShape
from emsync.synchrony.towers import TowerConfig

TOWERS = TowerConfig(dimensions=4, width=4, channels=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    system().save(tmp_path)
    return tmp_path


def edited(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def rewritten(folder: Path, **changes: torch.Tensor | None) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    for name, value in changes.items():
        weights.pop(name.replace("__", "."))
        if value is not None:
            weights[name.replace("__", ".")] = value
    save_file(weights, path)


def test_a_system_is_read_as_it_was_written(folder: Path) -> None:
    before, after = system(), System.load(folder)
    assert after.shape == before.shape
    weights = after.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in before.state_dict().items())
    assert not any(weight.is_meta for weight in weights.values())


def test_a_system_with_an_autoencoder_and_eyes_is_read_as_it_was_written(tmp_path: Path) -> None:
    codec = CodecShape(4, (8, 8), (4, 2), 1)
    before = System(Shape(codec, DitShape(8, 1, 1), (), TOWERS))
    before.save(tmp_path, torch.bfloat16)
    after = System.load(tmp_path)
    assert after.shape == before.shape and after.film_width == 4
    kinds = {w.dtype for w in after.state_dict().values() if w.is_floating_point()}
    assert kinds == {torch.float32}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "synchrony"}, "of the kind 'synchrony', not 'muvi'"),
        ({"kind": None}, "kind is None, not a name"),
        ({"version": 2}, "version is 2"),
        ({"codec": 0}, "width is 0"),
        ({"codec": {"width": "4"}}, "width"),
        ({"dit": {"width": 15}}, "width 15"),
        ({"dit": {"width": 32}}, "do not fit config.json"),
        ({"conditioners": [{"name": "nothing", "settings": {}}]}, "no plug-in 'nothing'"),
        ({"conditioners": 7}, "not a list"),
        ({"film": {"width": 5}}, "width is 5"),
        ({"solving": {"steps": 0}}, "steps"),
    ],
)
def test_a_wrong_config_is_told(folder: Path, changes: dict[str, Any], words: str) -> None:
    edited(folder, **changes)
    with pytest.raises(AssetError, match=words):
        System.load(folder)


def test_a_config_that_lacks_a_part_is_told(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["codec"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(AssetError, match="it has no 'codec'"):
        System.load(folder)


def test_weights_without_a_codec_are_told(folder: Path) -> None:
    rewritten(folder, codec__basis=None)
    with pytest.raises(AssetError, match=r"there is no 'codec\.basis'"):
        System.load(folder)


def test_weights_that_are_not_finite_are_told(folder: Path) -> None:
    rewritten(folder, dit__context=torch.full((16,), torch.nan))
    with pytest.raises(AssetError, match=r"dit\.context is not finite"):
        System.load(folder)


def test_weights_that_are_cut_off_are_told(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(AssetError, match="cut off"):
        System.load(folder)


def test_a_folder_without_weights_is_told(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(AssetError, match="no weights"):
        System.load(folder)
