"""A checkpoint is taught a third party's condition: as docs/recipes/teach.md says, and tiny."""

import importlib
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
from emsync_conditioners.boundaries import Boundaries
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

PACKAGE = Path(__file__).parent / "third_party" / "emsync-crash"
HAT, CRASH = 42, 49
CONTEXT = 80


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The conditioner of the package."""
    monkeypatch.syspath_prepend(PACKAGE)
    yield importlib.import_module("emsync_crash").Crash()
    sys.modules.pop("emsync_crash", None)


def network(*conditioners: Conditioner, added: tuple[str, ...] = ()) -> EventTransformer:
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, 32, 1, 2, CONTEXT, 16, dropout=0.0, added=added)
    return EventTransformer(config, conditioners)


def song(rng: np.random.Generator) -> Piece:
    """A cymbal on each quarter of a second; one in six crashes."""
    times = np.arange(0, 12, 0.25)
    pitches = np.where(rng.random(len(times)) < 1 / 6, CRASH, HAT)
    rows = np.stack([np.full(len(times), DRUMS), pitches, times, times + 0.1], axis=1)
    return Piece.of(rows, times[::8])


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


def test_the_package_keeps_the_rules(crash: Any) -> None:
    timeline = Events().timeline(Events().encode(example_piece()))
    for target in ([2.0, 7.5], [], [np.nan]):
        check_conditioner(crash, np.array(target, np.float32), timeline)


def test_moments_are_the_crashes_of_a_piece_and_those_a_person_names(crash: Any) -> None:
    rng = np.random.default_rng(1)
    piece = song(rng)
    struck = piece.onsets[piece.pitches == CRASH]
    assert crash.from_music(piece).tolist() == struck.tolist()
    assert len(crash.from_music(Piece.of(np.zeros((0, 4))))) == 0
    film = Analysis(10.0, "25", requested={"crash": "7,2.5"})
    assert crash.from_video(film).tolist() == [2.5, 7.0]
    assert crash.from_video(film.retimed(2.0)).tolist() == [5.0, 14.0]
    for words in ("now", "2.5,", "-1", "nan"):
        with pytest.raises(UsageError, match=r"crash is .*; write seconds of the film"):
            crash.from_video(Analysis(10.0, "25", requested={"crash": words}))


def test_a_network_is_taught_it_and_begins_as_what_it_was(crash: Any) -> None:
    before, taught = network(Boundaries()), network(Boundaries(), crash, added=("crash",))
    taught.load_state_dict(before.state_dict(), strict=False)
    ids, rows = batch(taught, 99)
    was = before(ids[:, :-1], {"boundaries": rows["boundaries"]})
    assert torch.equal(taught(ids[:, :-1], rows), was)

    optimizer = torch.optim.Adam(taught.parameters(), 0.01)
    for step in range(60):
        nats(taught, *batch(taught, step)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        told, nothing, another = (
            float(nats(taught, ids, {**rows, "crash": crashes}))
            for crashes in (
                rows["crash"], torch.full_like(rows["crash"], np.nan), rows["crash"].roll(1, 0),
            )
        )  # fmt: skip
    assert told < nothing < another and told < another - 0.02
