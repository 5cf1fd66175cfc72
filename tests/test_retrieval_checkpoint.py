"""A system from a stranger: what its files say is checked before it is used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from retrieval_toys import FILM, MUSIC, pair, system
from safetensors.torch import load_file, save_file

from emsync.data.split import read_keys
from emsync.errors import AssetError, UsageError
from emsync.model import folders
from emsync.retrieval.checkpoint import System, find, names
from emsync.retrieval.config import RetrievalConfig

PAIRS = [pair(seed) for seed in range(3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    system("of-vm-net", PAIRS).save(tmp_path / "a")
    return tmp_path / "a"


@pytest.mark.parametrize("name", ["vm-net", "of-vm-net"])
def test_what_is_saved_is_loaded(tmp_path: Path, name: str) -> None:
    made = system(name, PAIRS)
    made.save(tmp_path / "a")
    loaded = System.load(tmp_path / "a")
    film, music = PAIRS[0]
    parts = made.film_parts(film)
    assert loaded.film_parts(film) == parts
    assert loaded.network.settings == made.network.settings
    assert np.array_equal(loaded.embed_film(film, parts), made.embed_film(film, parts))
    assert np.array_equal(loaded.embed_music(music, parts), made.embed_music(music, parts))
    loaded.save(tmp_path / "b")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_half_the_bytes_embed_nearly_the_same(tmp_path: Path) -> None:
    made = system("vm-net", PAIRS)
    for dtype in (None, torch.bfloat16):
        made.save(tmp_path / str(dtype), dtype)
    film, _ = PAIRS[0]
    found = System.load(tmp_path / str(torch.bfloat16)).embed_film(film, [(0, 28)])
    assert found @ made.embed_film(film, [(0, 28)]).T > 0.999
    stored = load_file(tmp_path / str(torch.bfloat16) / "model.safetensors")
    assert stored["films.mean_motion"].dtype == torch.float32  # a scale is no weight to round


def test_asking_does_not_end_the_training() -> None:
    made = system("vm-net", PAIRS).train()
    made.embed_film(PAIRS[0][0], [(0, 28)])
    assert made.training


def test_parts_beyond_the_end_are_what_is_there() -> None:
    made = system("of-vm-net", PAIRS)
    film, _ = pair(0, 12)
    found = made.embed_film(film, [(0, 12), (0, 30), (11, 12), (20, 30)])
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[2] == pytest.approx(found[3], abs=1e-6)


def test_a_shipped_system_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "checkpoints_folder", lambda: tmp_path)
    system("of-vm-net", PAIRS).save(tmp_path / "retrieval" / "mine")
    assert names() == ["mine"]
    assert System.load("mine").name == "of-vm-net"
    with pytest.raises(AssetError, match=r"there is no system 'other': .* shipped are mine"):
        System.load("other")


@pytest.mark.parametrize(
    ("name", "film", "settings", "reason"),
    [
        ("vm-nat", FILM, {}, "no network 'vm-nat'; choose of vm-net, of-vm-net"),
        ("vm-net", {}, {}, "no column of a film is named"),
        ("vm-net", {"mel": 80}, {}, "'mel' is no column of a film; choose of lite0, motion"),
        ("vm-net", {"motion": 41}, {}, "motion of a film has 40 numbers, not 41"),
        ("vm-net", FILM, {"depth": 3}, "vm-net: 'depth' is no setting"),
        ("vm-net", FILM, {"width": 0}, "vm-net: width is 0"),
    ],
)
def test_a_system_that_cannot_be_is_refused(
    name: str, film: dict[str, int], settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        System.build(name, film, MUSIC, settings)


def config_without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda config: config.pop(key)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(version=2), "its version is 2, and only 1 can be read"),
        (lambda c: c.update(system="wm-net"), "no network 'wm-net'"),
        (lambda c: c.update(system=7), "system is 7, not text in quotes"),
        (lambda c: c.update(film=[]), r"film is \[\], not an object"),
        (lambda c: c["film"].update(motion=10**9), "motion of a film has 40 numbers"),
        (lambda c: c["film"].update(motion="40"), "motion of a film has 40 numbers, not '40'"),
        (lambda c: c["music"].update({"../x": 3}), "'../x' is no column of music"),
        (lambda c: c["stamps"].update(motion="motion 0"), "trained on motion of the version"),
        (lambda c: c["stamps"].pop("flow"), "trained on flow of the version None"),
        (lambda c: c["settings"].update(width=10**9), "width is 1000000000"),
        (lambda c: c["settings"].update(width=64), "do not fit config.json"),
        (lambda c: c["film"].pop("colour"), "do not fit config.json"),
        *((config_without(key), f"{key} is null|its version is None")
          for key in ("version", "system", "film", "music", "stamps", "settings")),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(AssetError, match=reason):
        System.load(folder)


def test_weights_that_are_damaged_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    weights = load_file(path)
    name = "network.of_film.end.bias"
    for changed, reason in (
        ({**weights, name: weights[name] * torch.nan}, "are damaged: network.* is not finite"),
        ({**weights, name: weights[name].long()}, "hold network.of_film.end.bias as torch.int64"),
        ({**weights, "more": weights[name].clone()}, "'more' is not in it"),
        ({**weights, name: weights[name][:5].clone()}, "do not fit config.json"),
    ):
        save_file(changed, path)
        with pytest.raises(AssetError, match=reason):
            System.load(folder)
    path.write_bytes(whole[:-5])
    with pytest.raises(AssetError, match="are cut off or broken"):
        System.load(folder)
    path.unlink()
    with pytest.raises(AssetError, match="there are no weights"):
        System.load(folder)


@pytest.mark.parametrize("name", ["cbvmr", "cmvae", "of-vm-net", "ut-cmvmr", "vm-net"])
def test_a_shipped_system_is_whole_and_says_what_it_learned_from(name: str) -> None:
    folder = find(name)
    system = System.load(name)
    assert system.name == name and all(
        torch.isfinite(w).all() for w in system.state_dict().values()
    )
    config = RetrievalConfig.load(folder / "train.toml")
    assert config.system == name and not Path(config.store).is_absolute()
    assert (config.film, config.music) == (system.films.names, system.music.names)
    assert len(read_keys(folder)) > 300
    card = (folder / "README.md").read_text()
    assert "No real film was learned from" in card and config.store in card
    assert (folder / "curve.png").stat().st_size < 300_000
