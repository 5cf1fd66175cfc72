"""Likelihood: every token counts once, and nothing trained on is measured."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from emsync.data.split import song_key
from emsync.errors import AssetError, InputError
from emsync.evaluation.likelihood import evaluate, of_song, untrained, windows
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.piece import PIANO, Piece, to_score
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers.events import Events

CONTEXT = 48


@pytest.fixture(scope="module")
def composer() -> Composer:
    """A model that knows nothing, but not evenly."""
    torch.manual_seed(0)
    shape = ModelConfig(1011, width=32, depth=2, heads=2, context=CONTEXT, position_channels=16)
    model = EventTransformer(shape, (ValenceArousal(), Boundaries(), OnsetDensity()))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return Composer(model.eval(), Events())


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    folder.mkdir()
    for i in range(1, 7):
        notes = [(PIANO, 50 + (i * n) % 30, n * 0.25, n * 0.25 + 0.2) for n in range(40)]
        to_score(Piece.of(np.array(notes))).dump_midi(folder / f"{i}.mid")
    (folder / "bad.mid").write_bytes(b"hello")
    return folder


@pytest.mark.parametrize("context", [8, 48, 49])
def test_every_token_counts_once_and_sees_half_a_context(context: int) -> None:
    for length in (2, 7, 8, 9, 30, 97, 500):
        seen: list[int] = []
        for start, counts in windows(length, context):
            assert start == counts == 1 or counts - start >= context // 2
            seen += range(counts, min(start + context, length))
        assert seen == list(range(1, length))


def test_it_equals_one_look_at_each_token_s_window(composer: Composer) -> None:
    notes = [(PIANO, 40 + n % 50, n * 0.25, n * 0.25 + 0.2) for n in range(50)]
    ids = composer.tokenizer.encode(Piece.of(np.array(notes)))
    nats, tokens = of_song(composer, ids)
    slow = 0.0
    for start, counts in windows(len(ids), CONTEXT):
        row = np.append(ids[0], ids[start : start + CONTEXT])
        features = {
            c.name: torch.full((1, 2 if c.place == "prefix" else len(row) - 1, c.channels), np.nan)
            for c in composer.model.conditioners
        }
        with torch.no_grad():
            logits = composer.model(torch.from_numpy(row[None, :-1]), features)[0]
        losses = F.cross_entropy(logits, torch.from_numpy(row[1:]), reduction="none")
        slow += float(losses[counts - start :].double().sum())
    assert tokens == len(ids) - 1
    assert nats == pytest.approx(slow, rel=1e-5)


def number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def test_songs_add_up_and_what_cannot_be_read_is_named(composer: Composer, corpus: Path) -> None:
    (corpus.parent / "trained.npy").write_bytes(b"")
    np.save(corpus.parent / "trained.npy", np.array([], np.uint32))
    songs = untrained([corpus], corpus.parent)
    seen: list[tuple[str, float]] = []
    result = evaluate(composer, songs, progress=lambda *n: seen.append(n))
    assert result["songs"] == 6 and result["skipped"] == ["bad.mid"]
    parts = [evaluate(composer, [named]) for named in songs if named[0] != "bad.mid"]
    weights = [number(part["tokens"]) for part in parts]
    means = [number(part["nats_per_token"]) for part in parts]
    assert result["tokens"] == sum(weights)
    assert result["nats_per_token"] == pytest.approx(np.average(means, weights=weights))
    assert seen == [("Reading", i / 7) for i in range(1, 8)]
    rate = number(result["nats_per_token"]) / np.log(2) * number(result["tokens"])
    assert result["bits_per_second"] == pytest.approx(rate / (6 * 9.95), rel=1e-3)
    assert result["variant"] == "unconditional; windows of 48 tokens that overlap by half"


def test_songs_that_were_trained_on_are_left_out(corpus: Path) -> None:
    keys = sorted(song_key(f"elsewhere/{i}.npz") for i in (1, 2, 3, 4))
    np.save(corpus.parent / "trained.npy", np.array(keys, np.uint32))
    left = [name for name, _ in untrained([corpus], corpus.parent)]
    assert left == ["5.mid", "6.mid", "bad.mid"]
    spread = [name for name, _ in untrained([corpus], corpus.parent, limit=2)]
    assert spread == ["5.mid", "6.mid"]


def test_it_is_refused_when_nothing_is_left_or_nobody_knows(
    composer: Composer, corpus: Path
) -> None:
    with pytest.raises(AssetError, match=r"it is unknown what .* was trained on"):
        untrained([corpus], corpus)
    with pytest.raises(InputError, match="no song is left"):
        evaluate(composer, [])
    (corpus / "trained.npy").write_bytes(b"not numbers")
    with pytest.raises(AssetError, match="it is unknown"):
        untrained([corpus], corpus)
