"""A run that begins with a checkpoint: what it keeps, what it learns besides, what it refuses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emsync.data.crops import Cropping
from emsync.errors import AssetError, EmsyncWarning, UsageError
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.training.config import TrainConfig
from emsync.training.loop import train
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.metre import Metre
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers.events import Events

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # torch, accelerate and tensorboard warn of one another

OLD = ("valence_arousal", "metre", "boundaries")


@pytest.fixture(scope="module")
def store(write_tunes: Callable[[int], Path]) -> Path:
    return write_tunes(6)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of three conditions, whose weights are nowhere zero."""
    torch.manual_seed(0)
    shape = ModelConfig(1011, width=32, depth=2, heads=2, context=48, qk_norm=False, dropout=0.0)
    model = EventTransformer(shape, (ValenceArousal(limit=0.5), Metre(), Boundaries()))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    folder = tmp_path_factory.mktemp("old")
    Composer(model, Events()).save_pretrained(folder)
    return folder


def settings(
    store: Path, out: Path, start: Path | None, *names: str, **changes: Any
) -> TrainConfig:
    config = TrainConfig(
        str(store), str(out), names or None, start_from=str(start or ""), steps=2, batch=2,
        validation=0.0, validation_crops=2, bf16=False, rate_adam=0.1,
        cropping=Cropping(theme=0.0, later=0.0),  # the same crops, whether it knows given music
    )  # fmt: skip
    return replace(config, **changes)


def losses(out: Path) -> list[str]:
    lines = (out / "metrics.csv").read_text().splitlines()[1:]
    return [line.split(",")[3] for line in lines]


def test_a_network_that_learns_one_more_condition_begins_as_what_it_was(
    store: Path, old: Path, tmp_path: Path
) -> None:
    train(settings(store, tmp_path / "as it was", old))
    for more in (("chords",), ("given", "instruments")):
        out = tmp_path / more[0]
        model = train(settings(store, out, old, *reversed(OLD), *more)).model
        # the rate of the first step is zero, so the second loss is of the same weights
        assert losses(out) == losses(tmp_path / "as it was")
        assert [c.name for c in model.conditioners] == [*OLD, *more]
        assert model.conditioners[0] == ValenceArousal(limit=0.5)
        assert model.config.added == more and not model.config.qk_norm
        learned = model.state_dict()
        for name in more:  # and then it learns
            zeros = (f"conditions.encoders.{name}.2.weight", f"conditions.nulls.{name}")
            assert any(learned[key].any() for key in zeros)


def test_a_network_that_has_learned_one_more_can_learn_another(
    store: Path, old: Path, tmp_path: Path
) -> None:
    train(settings(store, tmp_path / "a", old, *OLD, "chords", steps=3))
    train(settings(store, tmp_path / "b", tmp_path / "a", *OLD, "chords", "given"))
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    assert config["model"]["added"] == ["chords", "given"]
    train(settings(store, tmp_path / "c", tmp_path / "a"))
    assert losses(tmp_path / "b")[:2] == losses(tmp_path / "c")[:2]
    # the run goes on with what its own checkpoint says
    with pytest.warns(EmsyncWarning, match=r"it goes on, and start_from, '.*gone', is"):
        again = train(settings(store, tmp_path / "b", tmp_path / "gone", steps=3)).model
    assert again.config.added == ("chords", "given") and len(losses(tmp_path / "b")) == 3
    more = settings(store, tmp_path / "b", None, *OLD, "chords", "given", "instruments")
    with pytest.raises(UsageError, match=r"'.*b' does not know the condition 'instruments'; to"):
        train(more)


def test_a_network_from_nothing_adds_the_conditions_that_it_is_told_to(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text(
        f"store = {json.dumps(str(store))}\nout = {json.dumps(str(tmp_path / 'out'))}\nsteps = 1\n"
        'batch = 2\nbf16 = false\nconditioners = ["metre", "chords"]\n'
        '[model]\nwidth = 32\ncontext = 32\nadded = ["chords"]\nqk_norm = false\n'
    )
    model = train(TrainConfig.load(tmp_path / "run.toml")).model
    assert model.config.added == ("chords",) and not model.config.qk_norm
    assert [c.name for c in model.shared] == ["metre"]
    small = {"width": 32, "context": 32}
    assert train(settings(store, tmp_path / "b", None, model=small)).model.config.qk_norm


@pytest.mark.parametrize(
    ("names", "model", "reason"),
    [
        (
            ("valence_arousal", "metre", "chords"),
            {},
            "has learned 'boundaries', which conditioners",
        ),
        ((), {"width": 64}, r"\[model\] width is 64, and in the checkpoint '.*' 32; leave it out"),
        ((), {"qk_norm": True}, r"\[model\] qk_norm is True, and in the checkpoint"),
        ((), {"depth": 3, "heads": 5}, r"\[model\] depth is 3"),
        ((), {"dropout": 1.5}, "dropout is 1.5"),
        ((), {"added": ["metre"]}, r"added is \['metre'\], and of the checkpoint '.*' \[\] are"),
        ((*OLD, "chords"), {"added": ["given"]}, r"added is \['given'\]"),
        ((*OLD, "chrods"), {}, "no plug-in 'chrods' in 'emsync.conditioners'; there is .*chords"),
    ],
)
def test_what_differs_from_the_checkpoint_is_refused_before_anything_is_read(
    names: tuple[str, ...], model: Mapping[str, Any], reason: str, old: Path, tmp_path: Path
) -> None:
    with pytest.raises((UsageError, AssetError), match=reason):
        train(settings(tmp_path / "no store", tmp_path / "out", old, *names, model=model))


def test_a_norm_that_a_checkpoint_has_cannot_be_left_out(tmp_path: Path) -> None:
    shape = ModelConfig(1011, width=32, depth=1, heads=2, context=48)
    Composer(EventTransformer(shape, (Metre(),)), Events()).save_pretrained(tmp_path / "normed")
    start = settings(tmp_path / "no store", tmp_path / "out", tmp_path / "normed")
    with pytest.raises(UsageError, match=r"\[model\] qk_norm is False, and in the .* True; leave"):
        train(replace(start, model={"qk_norm": False}))


def test_what_is_as_in_the_checkpoint_may_be_said(store: Path, old: Path, tmp_path: Path) -> None:
    same = json.loads((old / "config.json").read_text())["model"]
    del same["vocab_size"]
    config = settings(store, tmp_path, old, *OLD, "given", model={**same, "dropout": 0.2})
    assert asdict(train(config).model.config) == {
        **asdict(Composer.from_pretrained(old).model.config), "dropout": 0.2, "added": ("given",),
    }  # fmt: skip


def test_a_condition_before_the_tokens_cannot_be_added(
    store: Path, old: Path, tmp_path: Path
) -> None:
    small = replace(Composer.from_pretrained(old).model.config, position_channels=0)
    Composer(EventTransformer(small, (Metre(),)), Events()).save_pretrained(tmp_path / "metre")
    names = ("metre", "valence_arousal")
    with pytest.raises(UsageError, match=r"'valence_arousal' stands before .*\"position\""):
        train(settings(store, tmp_path / "out", tmp_path / "metre", *names))
    with pytest.raises(UsageError, match="'valence_arousal', which stands before the tokens"):
        train(settings(store, tmp_path / "out", None, *names, model={"added": [names[1]]}))


def test_only_what_is_a_condition_can_be_added(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"added names 'chords', which is no condition"):
        train(settings(store, tmp_path, None, "metre", model={"added": ["chords"]}))
