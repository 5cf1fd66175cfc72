"""The stages of the flow: what a step learns from, that it learns, and that a run goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import muvi_toys
import numpy as np
import pytest
import torch
from flow_toys import SECONDS, song, system
from safetensors.torch import load_file
from torch import Tensor

from emsync.data.split import read_keys, song_key, write_keys
from emsync.errors import InputError, UsageError
from emsync.muvi import film_training, flow_training
from emsync.muvi.checkpoint import System
from emsync.muvi.codec import LinearCodec
from emsync.muvi.codec_training import write_codec
from emsync.muvi.config import FilmConfig, FlowConfig
from emsync.muvi.flow_training import (
    CONTEXT,
    UNASKED,
    Examples,
    Flowing,
    loss_of,
    told_by_chance,
)
from emsync.muvi.material import labelled, materials
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.passages import Passages
from emsync.synchrony.towers import TowerConfig

DIT = {"width": 16, "depth": 1, "heads": 2, "seconds": SECONDS}
TOWERS = TowerConfig(dimensions=4, width=4, channels=1)


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return muvi_toys.passages(tmp_path_factory.mktemp("store"), 8, round(SECONDS))


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    linear = LinearCodec(4)
    linear.basis.normal_(std=0.03)
    write_codec(folder := tmp_path_factory.mktemp("codec"), linear)
    return folder


@pytest.fixture(scope="module")
def sight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    Synchrony(TOWERS).save(folder := tmp_path_factory.mktemp("sight"))
    return folder


FEW = {"steps": 3, "batch": 3, "validate_every": 2}
Config = FlowConfig | FilmConfig
Configs = Callable[..., Config]  # of the folder of a run, and more settings


@pytest.fixture(scope="module")
def flow_config(passages: Path, codec: Path) -> Callable[..., FlowConfig]:
    conditions = ("metre", "boundaries", "valence_arousal")
    settings = {"store": str(passages), "codec": str(codec), "conditions": conditions, "dit": DIT}
    return lambda out, **more: FlowConfig(out=str(out), **{**settings, **FEW, **more})


@pytest.fixture(scope="module")
def flow(flow_config: Callable[..., FlowConfig], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of the stage flow."""
    flow_training.train(flow_config(out := tmp_path_factory.mktemp("flow")))
    return out


@pytest.fixture(scope="module")
def film_config(passages: Path, flow: Path, sight: Path) -> Callable[..., FilmConfig]:
    settings = {"store": str(passages), "sight": str(sight), "flow": str(flow)}
    return lambda out, **more: FilmConfig(out=str(out), **{**settings, **FEW, **more})


@pytest.fixture(params=["flow", "film"])
def config(
    request: pytest.FixtureRequest,
    flow_config: Callable[..., FlowConfig],
    film_config: Callable[..., FilmConfig],
) -> Configs:
    return flow_config if request.param == "flow" else film_config


def train(config: Config) -> None:
    if isinstance(config, FlowConfig):
        flow_training.train(config)
    else:
        film_training.train(config)


def opened(config: Config) -> Flowing:
    if isinstance(config, FlowConfig):
        return flow_training.opened(config, False)
    return film_training.opened(config, False)


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_run_that_goes_on_ends_where_one_straight_through_does(
    config: Configs, tmp_path: Path
) -> None:
    train(config(tmp_path / "straight", steps=3, decay=0.0))
    train(config(tmp_path / "stopped", steps=2, decay=0.0))
    train(config(tmp_path / "stopped", steps=3, decay=0.0))
    straight, stopped = weights(tmp_path / "straight"), weights(tmp_path / "stopped")
    assert straight.keys() == stopped.keys()
    assert all(torch.equal(straight[name], stopped[name]) for name in straight)


def test_the_loss_of_one_batch_falls(config: Configs, tmp_path: Path) -> None:
    torch.manual_seed(0)
    lesson = opened(config(tmp_path))
    optim = torch.optim.AdamW([p for p in lesson.network.parameters() if p.requires_grad], 0.02)

    def loss() -> Tensor:
        torch.manual_seed(1)
        return lesson.loss(0, 0.0)

    before = loss()
    for _ in range(20):
        optim.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optim.step()
    assert loss() < 0.8 * before


def test_a_run_tells_which_songs_it_learned_from_itself_or_before(
    config: Configs, passages: Path, flow: Path, tmp_path: Path
) -> None:
    shutil.copytree(flow, earlier := tmp_path / "earlier")
    write_keys(earlier, {7})
    more = {"flow": str(earlier)} if config(tmp_path).stage == "film" else {}
    train(config(tmp_path / "run", **more))
    store = Passages.open(passages)
    learned = {song_key(store.rows[place].song) for place in store.places("train")}
    assert set(read_keys(tmp_path / "run").tolist()) == learned | ({7} if more else set())


def test_what_is_measured_is_told(config: Configs, tmp_path: Path) -> None:
    lesson = opened(config(tmp_path))
    figures = lesson.held_out()
    assert figures.keys() >= {"held", "unasked"} and figures.keys() <= set(Flowing.figures)
    assert all(value > 0 for value in figures.values())
    assert figures == lesson.held_out()
    assert lesson.met(0).startswith("songs: ") and lesson.met(0).count(",") == 2


def test_only_what_is_taught_learns(
    film_config: Callable[..., FilmConfig], flow: Path, tmp_path: Path
) -> None:
    before, shared = opened(film_config(tmp_path)).system, System.load(flow).state_dict()
    weights = before.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in shared.items())
    learns = {name.split(".")[0] for name, p in before.named_parameters() if p.requires_grad}
    assert learns == {"sight", "conditions", "dit"}
    fixed = [name for name, p in before.named_parameters() if not p.requires_grad]
    assert all("sound" in name or "notes" in name or "temperature" in name for name in fixed)


def test_a_film_that_was_never_learned_of_changes_nothing(
    film_config: Callable[..., FilmConfig], tmp_path: Path
) -> None:
    figures = opened(film_config(tmp_path)).held_out()
    assert figures["film"] == pytest.approx(figures["unasked"], abs=1e-6)


def test_towers_are_not_given_twice(film_config: Callable[..., FilmConfig], tmp_path: Path) -> None:
    train(film_config(tmp_path, steps=1))
    with pytest.raises(UsageError, match="sees films already"):
        opened(film_config(tmp_path / "more", flow=str(tmp_path)))


def test_a_run_goes_on_with_the_network_that_it_began_with(
    flow_config: Callable[..., FlowConfig], flow: Path
) -> None:
    with pytest.raises(UsageError, match="began with dit"):
        train(flow_config(flow, dit=DIT | {"depth": 2}))


def test_a_run_in_its_store_is_refused(
    flow_config: Callable[..., FlowConfig], passages: Path
) -> None:
    with pytest.raises(UsageError, match="in the store"):
        train(flow_config(passages / "run"))


def test_a_store_with_nothing_to_learn_from_is_told(
    flow_config: Callable[..., FlowConfig], passages: Path, tmp_path: Path
) -> None:
    shutil.copytree(passages, tmp_path / "held")
    table = tmp_path / "held" / "passages.csv"
    table.write_text(table.read_text().replace(",train,", ",held,"))
    with pytest.raises(InputError, match="held out"):
        opened(flow_config(tmp_path / "out", store=str(tmp_path / "held")))


def test_material_is_as_long_as_its_passage(passages: Path) -> None:
    toy, found = system(), Passages.open(passages)
    (one,) = materials(found, [0], toy.codec, toy.conditions.conditioners)
    assert one.latents.shape == (round(SECONDS * 10), 4)
    assert {len(rows) for rows in one.rows.values()} == {len(one.latents)}
    part = one.since(3, 8)
    assert torch.equal(part.latents, one.latents[3:8])
    np.testing.assert_array_equal(part.rows["metre"], one.rows["metre"][3:8])


def test_a_piece_is_labelled_by_its_notes() -> None:
    piece = labelled(song(0), 0.5, lambda density: 0.25)  # type: ignore[arg-type]
    assert piece.chords.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]  # all of its long chords
    assert piece.labels["arousal"] == 0.25 and -1 <= piece.labels["valence"] <= 1


def examples(batch: int = 2000, length: int = 30) -> Examples:
    rows = {name: torch.zeros(batch, length, 1, 1) for name in ("a", "b")}
    return Examples(torch.zeros(batch, length, 1), rows, torch.zeros(batch, length, 1))


def test_what_is_told_by_chance_is_told_as_often_as_it_should_be() -> None:
    torch.manual_seed(0)
    told, given = told_by_chance(examples(), alone=0.5)
    last = {name: rows[:, -1, 0, 0].isnan() for name, rows in told.rows.items()}
    unseen = told.film[:, -1, 0].isnan()
    assert given.any(1).float().mean() == pytest.approx(CONTEXT, abs=0.04)
    assert given.sum(1).max() == 15
    assert unseen.float().mean() == pytest.approx(UNASKED, abs=0.04)
    assert (last["a"][unseen] & last["b"][unseen]).all()
    assert last["a"][~unseen].float().mean() == pytest.approx(1 - 0.5 * 0.8, abs=0.04)
    assert (last["a"] != last["b"]).any()


def test_of_what_is_given_nothing_is_asked_and_what_is_given_stays() -> None:
    torch.manual_seed(0)
    told, given = told_by_chance(examples(50))
    assert told.film[..., 0][given].isnan().all() and given[:, 0].any()
    assert all(rows[:, :, 0, 0][given].isnan().all() for rows in told.rows.values())
    assert not (given[:, 1:] & ~given[:, :-1]).any()  # it is the beginning


def test_context_is_read_clean_and_not_learned_from() -> None:
    toy = system(())
    data = torch.randn(2, 9, 4)
    given = torch.arange(9).expand(2, -1) < 4
    what = Examples(data, {}, torch.zeros(2, 9, 0))
    seen: list[Tensor] = []
    toy.dit.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    loss_of(toy, what, given, torch.full((2,), 0.3), False)
    assert torch.equal(seen[0][given], data[given])
    assert not (seen[0][~given] == data[~given]).any()
