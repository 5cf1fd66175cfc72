"""A checkpoint is taught a third party's condition: as docs/recipes/teach.md says, and tiny."""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from emsync.analysis import Analysis
from emsync.conditioning import Conditioner
from emsync.data.crops import Passage, window
from emsync.errors import UsageError
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.piece import DRUMS, Piece
from emsync.testing import check_conditioner, example_piece
from emsync.tokens import Timeline
from emsync.training.config import TrainConfig
from emsync_conditioners.boundaries import Boundaries
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

PACKAGE = Path(__file__).parent / "third_party" / "emsync-strikes"
HAT = 42
CONTEXT = 80


@pytest.fixture
def strikes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The conditioner of the package."""
    monkeypatch.syspath_prepend(PACKAGE)
    yield importlib.import_module("emsync_strikes").Strikes()
    sys.modules.pop("emsync_strikes", None)


def network(*conditioners: Conditioner, added: tuple[str, ...] = ()) -> EventTransformer:
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, 32, 1, 2, CONTEXT, 16, dropout=0.0, added=added)
    return EventTransformer(config, conditioners)


def song(rng: np.random.Generator) -> Piece:
    """A cymbal on some of the quarters of a second."""
    times = np.arange(0, 30, 0.25)[rng.random(120) < 0.5]
    rows = np.stack([np.full(len(times), DRUMS), np.full(len(times), HAT), times, times + 0.1])
    return Piece.of(rows.T, np.arange(0, 30, 2.0))


def batch(model: EventTransformer, seed: int) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Return eight songs' tokens and the rows beside them."""
    rng = np.random.default_rng(seed)
    songs = [Events().encode(song(rng)) for _ in range(8)]
    found = [window(Passage.of(ids, Events()), model.conditioners, CONTEXT) for ids in songs]
    ids = torch.from_numpy(np.stack([one.ids for one in found]))
    names = found[0].features
    rows = {n: torch.from_numpy(np.stack([one.features[n] for one in found])) for n in names}
    return ids, rows


def nats(model: EventTransformer, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
    logits = model(ids[:, :-1], rows)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def test_the_recipe_shows_the_package_and_a_run_that_can_be_set_up(tmp_path: Path) -> None:
    text = (PACKAGE.parents[2] / "docs" / "recipes" / "teach.md").read_text()
    shown = dict(re.findall(r'```\w+ title="([\w.]+)"\n(.*?)```', text, re.DOTALL))
    for path in (PACKAGE / "pyproject.toml", PACKAGE / "emsync_strikes.py"):
        assert shown[path.name] == path.read_text()
    (tmp_path / "strikes.toml").write_text(shown["strikes.toml"])
    config = TrainConfig.load(tmp_path / "strikes.toml")
    assert config.conditioners is not None and config.conditioners[-1] == "strikes"
    compile(shown["control.py"], "control.py", "exec")


def test_the_package_keeps_the_rules(strikes: Any) -> None:
    timeline = Events().timeline(Events().encode(example_piece()))
    for target in ([2.0, 7.5], [], [np.nan]):
        check_conditioner(strikes, np.array(target, np.float32), timeline)


def test_moments_are_those_of_a_piece_or_those_that_a_person_names(strikes: Any) -> None:
    piece = example_piece()
    assert strikes.from_music(piece).tolist() == pytest.approx(np.unique(piece.onsets).tolist())
    film = Analysis(10.0, "25", requested={"strikes": "7,2.5"})
    assert strikes.from_video(film).tolist() == [2.5, 7.0]
    assert strikes.from_video(film.retimed(2.0)).tolist() == [5.0, 14.0]
    for words in ("now", "2.5,", "-1", "nan"):
        with pytest.raises(UsageError, match=r"strikes is .*; write seconds of the film"):
            strikes.from_video(Analysis(10.0, "25", requested={"strikes": words}))


def test_rows_tell_whether_notes_begin_now_and_when_they_do_next(strikes: Any) -> None:
    times = np.array([0.0, 2.0, 2.504, 3.0, 99.0])
    rows = strikes.features(np.array([2.0, 2.5], np.float32), Timeline(times, times < 0))
    waits = np.array([2.0, 0.5, 8.0, 8.0, 8.0])
    assert rows[:, 0] == pytest.approx([0, 1, np.exp(-0.04), np.exp(-5.0), 0], abs=1e-6)
    assert (
        pytest.approx(np.stack([waits / 8, np.exp(-waits), np.exp(-waits / 0.1)]), abs=1e-6)
        == rows[:, 1:].T
    )


def test_a_network_is_taught_it_and_begins_as_what_it_was(strikes: Any) -> None:
    before = network(Boundaries())
    taught = network(Boundaries(), strikes, added=("strikes",))
    taught.load_state_dict(before.state_dict(), strict=False)
    ids, rows = batch(taught, 99)
    was = before(ids[:, :-1], {"boundaries": rows["boundaries"]})
    assert torch.equal(taught(ids[:, :-1], rows), was)

    optimizer = torch.optim.Adam(taught.parameters(), 0.01)
    for step in range(40):
        nats(taught, *batch(taught, step)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        told, another = (
            float(nats(taught, ids, {**rows, "strikes": moments}))
            for moments in (rows["strikes"], rows["strikes"].roll(1, 0))
        )
    assert told < another - 0.05
