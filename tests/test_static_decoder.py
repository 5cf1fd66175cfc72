"""The decoder for GPUs, against the plain one. Where there is no GPU its steps run uncaptured."""

import numpy as np
import pytest
import torch
from test_transformer import CONTEXT, arrays, inputs, network, token

from emsync.conditioning import Floats
from emsync.model import sliding_window, static_decoder
from emsync.model.sliding_window import SlidingWindowDecoder, open_decoder
from emsync.model.static_decoder import StaticDecoder
from emsync.model.transformer import Decoder, EventTransformer
from emsync.tokens import Ids

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(autouse=True)
def small_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_decoder, "STRIDE", 8)


def close(one: Floats, other: Floats) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_pieces_of_several_lengths_are_read_as_by_the_plain_decoder() -> None:
    model = network().to(DEVICE)
    plain, ours = Decoder(model, 3), StaticDecoder(model, 3)
    tokens, features = inputs(CONTEXT, 3)
    ids, given = tokens.numpy(), arrays(features)
    # what is read at first, and which pieces go on in each step; one is read anew in between
    for piece, read in enumerate((1, 7, 5)):
        first = {k: v[[piece], : 2 if k == "valence_arousal" else read] for k, v in given.items()}
        start = ids[[piece], :read], first, [piece]
        close(ours.prefill(*start), plain.prefill(*start))
    per_token = {name: rows for name, rows in given.items() if name != "valence_arousal"}
    for t, pieces in enumerate([[0, 1, 2]] * 4 + [[1]] * 3 + [[2, 0], [0], [0, 1, 2]]):
        rows = {name: row[pieces] for name, row in token(per_token, t).items()}
        close(ours.step(ids[pieces, t], rows, pieces), plain.step(ids[pieces, t], rows, pieces))
        if t == 6:
            anew = ids[1:2, :12], {k: v[1:2, :12] for k, v in given.items()}, [1]
            close(ours.prefill(*anew), plain.prefill(*anew))
    assert np.array_equal(ours.lengths, plain.lengths)


def test_a_piece_is_read_to_the_end_of_its_window_and_no_further() -> None:
    model = network(9, ()).to(DEVICE)
    plain, ours = Decoder(model, 1), StaticDecoder(model, 1)
    ids = inputs(10, 1)[0].numpy()
    for t in range(9):
        close(ours.step(ids[:, t], {}, [0]), plain.step(ids[:, t], {}, [0]))
    with pytest.raises(ValueError, match="10 positions do not fit a context of 9"):
        ours.step(ids[:, 9], {}, [0])


def drawn(model: EventTransformer, make: type[Decoder], monkeypatch: pytest.MonkeyPatch) -> Ids:
    """Return two pieces, longer than the window, drawn by one chance."""
    monkeypatch.setattr(sliding_window, "open_decoder", make)
    per_token = arrays(inputs(3 * CONTEXT)[1])
    prefix = {"valence_arousal": per_token.pop("valence_arousal")}
    decoder, ids = SlidingWindowDecoder(model, prefix, 2), np.ones((2, 1), np.int64)
    chance = np.random.default_rng(0)
    for t in range(3 * CONTEXT):
        logits = decoder.step(ids[:, -1], token(per_token, t))
        likeliest = (logits + chance.gumbel(scale=2.0, size=logits.shape)).argmax(-1)
        ids = np.concatenate([ids, likeliest[:, None]], axis=1)
    return ids


def test_pieces_are_those_of_the_plain_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network().to(DEVICE)
    plain = drawn(model, Decoder, monkeypatch)
    assert all(len(np.unique(row)) > 10 for row in plain)
    assert np.array_equal(drawn(model, StaticDecoder, monkeypatch), plain)


@pytest.mark.skipif(DEVICE == "cpu", reason="there is no GPU")
def test_on_a_gpu_steps_are_captured_once_for_each_stride() -> None:
    decoder = open_decoder(network(CONTEXT, ()).to(DEVICE), 1)
    assert isinstance(decoder, StaticDecoder)
    for t in range(CONTEXT):
        decoder.step(np.array([t]), {}, [0])
    assert sorted(decoder.steps) == [8, 16, 24]
