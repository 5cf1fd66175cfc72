"""Towers kept in folders: what they embed, and what is said where a folder is not one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from synchrony_toys import SMOKE, drums, saved, synchrony

from emsync.arrays import Float32s
from emsync.encoders.threads import answering
from emsync.errors import AssetError
from emsync.model import folders
from emsync.synchrony.checkpoint import WINDOW, Synchrony, names
from emsync.synchrony.seen import HEIGHT, WIDTH, row_count
from emsync.synchrony.towers import TowerConfig


def noise(seconds: float, seed: int = 0) -> Float32s:
    drawn = np.random.default_rng(seed).normal(size=round(seconds * 24_000))
    return (0.1 * drawn).astype(np.float32)


def luma(rows: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (rows, HEIGHT, WIDTH), np.uint8)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    before = synchrony()
    before.save(tmp_path)
    after = Synchrony.load(tmp_path)
    assert after.config == SMOKE
    assert np.array_equal(
        before.embed_film({"luma": luma(30)}), after.embed_film({"luma": luma(30)})
    )
    assert np.array_equal(before.embed_sound(noise(3)), after.embed_sound(noise(3)))


@pytest.mark.parametrize(("seconds", "rows"), [(0.04, 1), (1.0, 10), (2.31, 24)])
def test_music_has_a_row_for_each_begun_tenth(seconds: float, rows: int) -> None:
    own = synchrony()
    assert row_count(seconds) == rows
    for found in (
        own.embed_sound(noise(seconds)),
        own.embed_notes(drums(np.array([0.5])), seconds),
    ):
        assert found.shape == (rows, SMOKE.dimensions)
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_long_films_and_music_are_embedded_as_short_ones() -> None:
    own, rows = synchrony(), luma(WINDOW + 50)
    found = own.embed_film({"luma": rows})
    with answering(own):
        whole = own.towers.film(torch.from_numpy(rows[None]))[0].numpy()
    assert np.allclose(found, whole, atol=1e-5)
    piece = drums(np.arange(0, 70, 0.7))
    late = own.embed_notes(piece, 70)
    assert np.allclose(late[WINDOW - 20 : WINDOW + 20], own.embed_notes(
        piece.since(WINDOW / 10 - 5), 10)[30:70], atol=1e-4)  # fmt: skip
    sound = noise(64)
    heard = own.embed_sound(sound)
    part = own.embed_sound(sound[55 * 24_000 :])
    assert np.allclose(heard[570:630], part[20:80], atol=2e-2)  # their levels differ a little


@pytest.mark.parametrize("pictures", [2, 4])
def test_seldom_pictures_are_the_same_in_long_films(pictures: int) -> None:
    own, rows = synchrony(config=TowerConfig(16, 16, 4, pictures=pictures)), luma(WINDOW + 50)
    with answering(own):
        whole = own.towers.film(torch.from_numpy(rows[None]))[0].numpy()
    assert np.allclose(own.embed_film({"luma": rows}), whole, atol=1e-5)


def test_loudness_has_no_part() -> None:
    own, sound = synchrony(), noise(2)
    assert np.allclose(own.embed_sound(sound), own.embed_sound(sound / np.float32(8)), atol=1e-4)
    for silence in (np.zeros(0, np.float32), np.zeros(24_000, np.float32)):
        assert own.embed_sound(silence).shape == (0, own.config.dimensions)


def test_threads_change_nothing() -> None:
    own, threads, found = synchrony(), torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append((own.embed_film({"luma": luma(40)}), own.embed_sound(noise(4))))
    finally:
        torch.set_num_threads(threads)
    for film, sound in found[1:]:
        assert np.array_equal(film, found[0][0])
        assert np.array_equal(sound, found[0][1])


def test_half_the_digits_are_read_again(tmp_path: Path) -> None:
    own = synchrony()
    own.save(tmp_path, torch.bfloat16)
    again = Synchrony.load(tmp_path)
    assert next(again.parameters()).dtype == torch.float32
    assert np.allclose(own.embed_sound(noise(1)), again.embed_sound(noise(1)), atol=0.1)


def test_shipped_towers_have_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "checkpoints_folder", lambda: tmp_path)
    saved(tmp_path / "synchrony" / "mine")
    assert names() == ["mine"]
    assert Synchrony.load("mine").config == SMOKE
    with pytest.raises(AssetError, match=r"no checkpoint of synchrony 'other'.*shipped are mine"):
        Synchrony.load("other")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "muvi"}, "of the kind 'muvi', not 'synchrony'"),
        ({"kind": None}, "kind is None, not a name"),
        ({"version": 2}, "its version is 2, and only 1 can be read"),
        ({"stamps": {}}, "trained on luma of the version None"),
        ({"stamps": 3}, "stamps"),
        ({"settings": {"width": "wide"}}, "width"),
        ({"settings": {"depth": 3}}, "depth"),
        ({"settings": {"dimensions": 8}}, "do not fit config.json"),
    ],
)
def test_a_folder_of_another_kind_is_refused(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    config = json.loads((saved(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(AssetError, match=says):
        Synchrony.load(tmp_path)


def test_other_systems_are_named(tmp_path: Path) -> None:
    for config, kind in (({"version": 1, "model": {}}, "events"), ({"system": "x"}, "retrieval")):
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(AssetError, match=f"of the kind '{kind}'"):
            Synchrony.load(tmp_path)


def test_weights_that_are_missing_cut_off_or_no_numbers_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path) / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(AssetError, match="cut off"):
        Synchrony.load(tmp_path)
    path.write_bytes(whole)
    weights = load_file(path)
    weights["film.first.weight"][0] = torch.nan
    save_file(weights, path)
    with pytest.raises(AssetError, match=r"film\.first\.weight is not finite"):
        Synchrony.load(tmp_path)
    path.unlink()
    with pytest.raises(AssetError, match="there are no weights"):
        Synchrony.load(tmp_path)
