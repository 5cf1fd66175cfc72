"""Decoding in int8, against the plain model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from emsync.checkpoints import checkpoint_names, find_checkpoint
from emsync.conditioning import Conditioner, Floats
from emsync.data.crops import Passage, window
from emsync.data.labels import Scale
from emsync.evaluation.likelihood import untrained
from emsync.model.composer import Composer
from emsync.model.int8 import kernels
from emsync.model.int8.decoder import QuantizedDecoder, _linear
from emsync.model.sliding_window import open_decoder
from emsync.model.transformer import Decoder, EventTransformer, ModelConfig
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.chords import Chords
from emsync_conditioners.given import Given
from emsync_conditioners.metre import Metre
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal

ADDED = (Chords(), Given())
ALL = (ValenceArousal(), Metre(), Boundaries(), ADDED[0], OnsetDensity(), ADDED[1])
CONTEXT = 200  # three blocks, and some


def network(conditioners: tuple[Conditioner, ...] = ALL, qk_norm: bool = True) -> EventTransformer:
    """Return a network of random weights whose activations are as large as a trained one's."""
    torch.manual_seed(0)
    added = tuple(c.name for c in conditioners if c in ADDED)
    config = ModelConfig(
        50, width=64, depth=3, heads=4, context=CONTEXT, position_channels=24, added=added,
        qk_norm=qk_norm,
    )  # fmt: skip
    model = EventTransformer(config, conditioners).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) / weight.shape[-1] ** 0.5)
    return model


def inputs(tokens: int, batch: int, holes: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Return random tokens and features with NaN in a share of the rows."""
    chance = torch.Generator().manual_seed(tokens)
    ids = torch.randint(0, 50, (batch, tokens), generator=chance)
    features = {
        c.name: torch.rand(
            batch, 2 if c.place == "prefix" else tokens, c.channels, generator=chance
        )
        for c in ALL
    }
    for rows in features.values():
        rows[torch.rand(rows.shape[:2], generator=chance) < holes] = torch.nan
    return ids, features


def part(features: dict[str, Any], until: int) -> dict[str, Any]:
    return {k: v if k == "valence_arousal" else v[:, :until] for k, v in features.items()}


def decode(
    decoder: Decoder | QuantizedDecoder, tokens: Tensor, tensors: dict[str, Tensor], first: int
) -> Tensor:
    """Return the (B, T - first + 1, V) logits of prefilling ``first`` tokens and then each step."""
    ids, features = tokens.numpy(), {name: rows.numpy() for name, rows in tensors.items()}
    pieces = range(len(ids))
    logits = [decoder.prefill(ids[:, :first], part(features, first), pieces)]
    for t in range(first, ids.shape[1]):
        rows = {k: v[:, t] for k, v in features.items() if k != "valence_arousal"}
        logits.append(decoder.step(ids[:, t], rows, pieces))
    return torch.from_numpy(np.stack(logits, 1))


NONE_ADDED = tuple(c for c in ALL if c not in ADDED)
FEWER = [
    pytest.param(some, marks=pytest.mark.slow) for some in (NONE_ADDED, ALL[:1], ADDED, ALL[2:], ())
]


@pytest.mark.parametrize("holes", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("first", [1, 61, 62, 126, 199])
@pytest.mark.parametrize("conditioners", [ALL, *FEWER])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_logits_are_near_the_plain_model_s_whatever_is_requested_and_wherever_it_begins(
    conditioners: tuple[Conditioner, ...], first: int, holes: float, qk_norm: bool
) -> None:
    model = network(conditioners, qk_norm)
    ids, features = inputs(CONTEXT, 3, holes)
    features = {c.name: features[c.name] for c in conditioners}
    with torch.no_grad():
        plain = model(ids, features)[:, first - 1 :]
    near = decode(QuantizedDecoder(model, 3), ids, features, first)
    assert (near - plain).square().mean().sqrt() < 0.02 * plain.std()
    assert (near - plain).abs().max() < 0.2 * plain.std()


@pytest.mark.parametrize("holes", [0.0, 0.4])
@pytest.mark.parametrize("first", [2, 64, 65, 130, 199])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_prefill_and_single_steps_are_the_same_to_the_bit(
    first: int, holes: float, qk_norm: bool
) -> None:
    model = network(qk_norm=qk_norm)
    ids, features = inputs(CONTEXT, 3, holes)
    one_by_one = decode(QuantizedDecoder(model, 3), ids, features, 1)
    assert torch.equal(
        decode(QuantizedDecoder(model, 3), ids, features, first), one_by_one[:, first - 1 :]
    )


def at_once(
    decoder: Decoder | QuantizedDecoder,
    tokens: Tensor,
    tensors: dict[str, Tensor],
    counts: Sequence[int],
) -> list[Floats]:
    """Return the (T, V) logits of pieces that read ``counts[b]`` tokens at once, again and again.

    What each step reads after its first token is forgotten once and read again, as another.
    """
    ids, features = tokens.numpy(), {name: rows.numpy() for name, rows in tensors.items()}
    logits = [[row] for row in decoder.prefill(ids[:, :1], part(features, 1), range(len(ids)))]
    while on := [b for b in range(len(ids)) if len(logits[b]) < ids.shape[1]]:
        spans = [range(len(logits[b]), min(len(logits[b]) + counts[b], ids.shape[1])) for b in on]
        pieces = [b for b, span in zip(on, spans, strict=True) for _ in span]
        places = [t for span in spans for t in span]
        rows = {k: v[pieces, places] for k, v in features.items() if k != "valence_arousal"}
        before = decoder.lengths.copy()
        decoder.step((ids[pieces, places] + 7) % 50, rows, pieces)
        decoder.lengths[:] = before
        read = decoder.step(ids[pieces, places], rows, pieces)
        for piece, row in zip(pieces, read, strict=True):
            logits[piece].append(row)
    return [np.stack(rows) for rows in logits]


@pytest.mark.parametrize("threads", [1, 2])
def test_several_tokens_at_once_are_to_the_bit_what_they_are_one_by_one(threads: int) -> None:
    """Also where others stood in their place and were forgotten."""
    model = network()
    ids, features = inputs(90, 3, 0.3)
    expected = decode(QuantizedDecoder(model, 3), ids, features, 1).numpy()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = at_once(QuantizedDecoder(model, 3), ids, features, [1, 3, 9])
    finally:
        torch.set_num_threads(before)
    for piece, logits in enumerate(together):
        assert np.array_equal(logits, expected[piece])


def test_the_plain_decoder_reads_several_tokens_at_once_too() -> None:
    model = network()
    ids, features = inputs(30, 3, 0.3)
    expected = decode(Decoder(model, 3), ids, features, 1).numpy()
    for piece, logits in enumerate(at_once(Decoder(model, 3), ids, features, [1, 2, 4])):
        np.testing.assert_allclose(logits, expected[piece], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    model = network()
    ids, features = inputs(90, 3, 0.3)
    expected = decode(QuantizedDecoder(model, 3), ids, features, 70)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(decode(QuantizedDecoder(model, 3), ids, features, 70), expected)
    finally:
        torch.set_num_threads(before)


def test_a_layer_in_int8_is_near_the_plain_one_and_of_zeros_is_its_bias() -> None:
    torch.manual_seed(0)
    layer, norm = torch.nn.Linear(64, 48), torch.nn.LayerNorm(64)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(5, 64) * torch.tensor([1e-3, 1.0, 0.0, 1e3, 1.0])[:, None]

    def applied(matrix: kernels.QuantizedLinear, given: kernels.Floats) -> Tensor:
        out = np.zeros((5, 48), np.float32)
        kernels.apply(matrix, 0, given, out)
        return torch.from_numpy(out)

    with torch.no_grad():
        near, plain = applied(_linear([layer]), x.numpy()), layer(x)
        assert torch.equal(near[2], layer.bias)
        # half a quantization step of each input, in units of the input's norm
        assert ((near - plain).abs() <= 0.02 * x.norm(dim=1, keepdim=True) + 1e-6).all()
        near = applied(_linear([layer], [norm]), kernels.layer_norm(x.numpy()))
        torch.testing.assert_close(near, layer(norm(x)), rtol=0, atol=0.1)


def test_a_decoder_can_prefill_anew() -> None:
    model = network()
    ids, features = inputs(CONTEXT, 2, 0.3)
    decoder = QuantizedDecoder(model, 2)
    before = decode(decoder, ids, features, 70)
    decode(decoder, ids.flip(1), features, 40)
    assert torch.equal(decode(decoder, ids, features, 70), before)


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 9])
def test_the_logits_of_a_piece_do_not_depend_on_its_neighbours(batch: int) -> None:
    model = network()
    ids, features = inputs(CONTEXT, 9, 0.3)
    features["metre"][1] *= 100  # a neighbour of another size
    whole = decode(QuantizedDecoder(model, 9), ids, features, 20)
    few = {k: v[:batch] for k, v in features.items()}
    assert torch.equal(decode(QuantizedDecoder(model, batch), ids[:batch], few, 20), whole[:batch])


def test_a_model_that_is_not_on_the_cpu_is_decoded_by_pytorch() -> None:
    with torch.device("meta"):
        assert isinstance(open_decoder(EventTransformer(ModelConfig(50), ()), 1), Decoder)
    assert isinstance(open_decoder(network(), 1), QuantizedDecoder)


def with_norm(model: EventTransformer, qk_norm: bool) -> EventTransformer:
    """Return a network of the weights of another, with or without a norm of queries and keys."""
    other = EventTransformer(replace(model.config, qk_norm=qk_norm), model.conditioners).eval()
    other.load_state_dict(model.state_dict())
    return other


SLOW = pytest.mark.slow


@pytest.mark.parametrize("qk_norm", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize("name", ["emsync-small", pytest.param("emsync-small-2", marks=SLOW)])
def test_real_songs_are_as_likely_within_one_percent(
    name: str, qk_norm: bool, shared: Path
) -> None:
    """Nats per token, read one by one from the song's start, with the music's own conditions.

    No trained network is normed yet: the weights of one that is not stand for it.
    """
    from emsync.data.songs import read_song

    there = shared / "weights" / name
    if name not in checkpoint_names() and not there.exists():
        pytest.skip(f"there is no {name}")
    shipped = Composer.from_pretrained(there if there.exists() else name)
    model, tokens = with_norm(shipped.model, qk_norm), 300
    folder = shared / "corpus" / "lpd-samples"
    songs = untrained([folder], find_checkpoint("emsync-small"), 12)
    rows = []
    for _, path in songs:
        ids = shipped.tokenizer.encode(read_song(path, shipped.tempo))
        if len(ids) > tokens:
            song = Passage.of(ids, shipped.tokenizer)
            rows.append(window(song, model.conditioners, tokens, Scale(0.0, 1.0)))
    assert len(rows) >= 4
    windows = torch.from_numpy(np.stack([row.ids for row in rows]))
    features = {
        c.name: torch.from_numpy(np.stack([row.features[c.name] for row in rows]))
        for c in model.conditioners
    }

    def nats(logits: Tensor) -> float:
        return float(F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()))

    with torch.no_grad():
        plain = model(windows[:, :-1], part(features, tokens))
    near = decode(QuantizedDecoder(model, len(rows)), windows[:, :-1], features, 1)
    assert nats(near) == pytest.approx(nats(plain), rel=0.01)
    share = plain.softmax(-1)  # a greedy choice differs only between tokens that are as likely
    choice = share.gather(-1, near.argmax(-1, keepdim=True))[..., 0]
    assert (share.amax(-1) - choice).max() < 0.2
    assert (choice == share.amax(-1)).float().mean() > 0.95
