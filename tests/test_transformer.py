"""The network, against slow and obvious versions of itself."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from emsync.conditioning import Conditioner, Floats
from emsync.errors import UsageError
from emsync.model import sliding_window
from emsync.model.composer import Composer
from emsync.model.int8.decoder import QuantizedDecoder
from emsync.model.sliding_window import SlidingWindowDecoder
from emsync.model.transformer import (
    QUERIES,
    Cache,
    EventTransformer,
    ModelConfig,
    RelativeAttention,
    skew,
)
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.given import Given
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal

CONDITIONERS = (ValenceArousal(), Boundaries(), Given(), OnsetDensity())  # ``given`` is added
CONTEXT = 24


def network(
    context: int = CONTEXT, conditioners: tuple[Conditioner, ...] = CONDITIONERS
) -> EventTransformer:
    """Return a small network whose every weight matters (none is left at zero)."""
    torch.manual_seed(0)
    added = tuple(c.name for c in conditioners if c.name == "given")
    config = ModelConfig(
        50, width=32, depth=2, heads=4, context=context, position_channels=16, added=added
    )
    model = EventTransformer(config, conditioners).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
    return model


def inputs(tokens: int, batch: int = 2, holes: float = 0.3) -> tuple[Tensor, dict[str, Tensor]]:
    """Return random tokens and features with NaN in a share of the rows."""
    chance = torch.Generator().manual_seed(tokens)
    ids = torch.randint(0, 50, (batch, tokens), generator=chance)
    features = {
        c.name: torch.rand(
            batch, 2 if c.place == "prefix" else tokens, c.channels, generator=chance
        )
        for c in CONDITIONERS
    }
    for rows in features.values():
        rows[torch.rand(rows.shape[:2], generator=chance) < holes] = torch.nan
    return ids, features


def part(features: dict[str, Tensor], rows: slice) -> dict[str, Tensor]:
    return {k: v if k == "valence_arousal" else v[:, rows] for k, v in features.items()}


@pytest.mark.parametrize(("queries", "length"), [(5, 5), (3, 7), (1, 6)])
def test_skew_puts_each_distance_beside_its_key(queries: int, length: int) -> None:
    q, distance = (
        torch.randn(queries, 3),
        torch.randn(length, 3),
    )  # distance[length - 1 - d] is for d
    skewed = skew(q @ distance.T)
    for i, j in itertools.product(range(queries), range(length)):
        far = length - queries + i - j
        if far >= 0:
            torch.testing.assert_close(skewed[i, j], q[i] @ distance[length - 1 - far])


@pytest.mark.parametrize("tokens", [1, 2, 7, pytest.param(QUERIES + 2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_relative_attention_is_a_double_loop(tokens: int, qk_norm: bool) -> None:
    torch.manual_seed(tokens)
    config = ModelConfig(
        10, width=8, depth=1, heads=2, context=tokens, position_channels=4, qk_norm=qk_norm
    )
    layer = RelativeAttention(config, tokens + 3).eval()
    torch.nn.init.normal_(layer.distance)
    x = torch.randn(1, tokens, 8)
    q, k, v = layer.qkv(x).view(tokens, 3, 2, 4).unbind(1)  # (T, H, K)
    if qk_norm:
        q, k = (x / x.square().mean(-1, keepdim=True).sqrt() for x in (q, k))
    rows = []
    for i in range(tokens):
        heads = []
        for h in range(2):
            scores = torch.stack(
                [
                    q[i, h] @ (k[j, h] + layer.distance[len(layer.distance) - 1 - (i - j)])
                    for j in range(i + 1)
                ]
            )
            weights = (scores / math.sqrt(4)).softmax(0)
            heads.append(torch.stack([weights[j] * v[j, h] for j in range(i + 1)]).sum(0))
        rows.append(torch.cat(heads))
    expected = layer.out(torch.stack(rows))[None]
    torch.testing.assert_close(layer(x, 0, None), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("holes", [0.0, 0.4, 1.0])
def test_logits_with_the_cache_equal_logits_without_for_every_prefix(holes: float) -> None:
    model = network()
    ids, features = inputs(CONTEXT, holes=holes)
    with torch.no_grad():
        whole = model(ids, features)
        for first in range(1, CONTEXT):
            cache = Cache(model, len(ids))
            head = model(ids[:, :first], part(features, slice(0, first)), cache)
            tail = model(ids[:, first:], part(features, slice(first, None)), cache)
            torch.testing.assert_close(torch.cat([head, tail], 1), whole, rtol=1e-4, atol=1e-4)


def window(read: int, context: int) -> list[int]:
    """Return the indices of the tokens that are seen: one by one, and the oldest half leaves."""
    seen: list[int] = []
    for i in range(read):
        seen.append(i)
        if len(seen) > context:
            seen = [0, *range(i + 1 - context // 2, i + 1)]
    return seen


def arrays(features: dict[str, Tensor]) -> dict[str, Floats]:
    return {name: rows.numpy() for name, rows in features.items()}


def token(features: dict[str, Floats], t: int) -> dict[str, Floats]:
    """Return the rows of token ``t``."""
    return {name: rows[:, t] for name, rows in features.items()}


def test_stepping_equals_reading_the_window_anew_when_the_context_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    model = network()
    ids, features = inputs(5 * CONTEXT)
    per_token = arrays(features)
    decoder = SlidingWindowDecoder(
        model, {"valence_arousal": per_token.pop("valence_arousal")}, len(ids)
    )
    for t in range(ids.shape[1]):
        logits = decoder.step(ids[:, t].numpy(), token(per_token, t))
        seen = torch.tensor(window(t + 1, CONTEXT))
        rows = {k: v if k == "valence_arousal" else v[:, seen] for k, v in features.items()}
        with torch.no_grad():
            plain = model(ids[:, seen], rows)[:, -1]
        np.testing.assert_allclose(logits, plain.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    "when", [6, 9]
)  # in the middle, and at the token whose logits are compared
@pytest.mark.parametrize("changed", [[1], [1, 2]])
def test_a_new_prefix_counts_for_the_whole_window_and_neighbours_go_on(
    changed: list[int], when: int, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not quick:
        monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    model = network()
    ids, features = inputs(CONTEXT, 3)
    per_token = arrays(features)
    before = per_token.pop("valence_arousal")
    after = before.copy()
    after[1] = [[9.0, 0.0], [0.0, -9.0]]
    after[2] = -after[1]
    for block in model.blocks:
        torch.nn.init.normal_(block.get_parameter("attention.out.weight"))  # the prefix matters
    read = {}
    for name, prefix in (("updated", before.copy()), ("before", before), ("after", after)):
        decoder = SlidingWindowDecoder(model, {"valence_arousal": prefix}, 3)
        for t in range(10):
            for piece in changed if name == "updated" and t == when else ():
                decoder.update_prefix(piece, {"valence_arousal": after[piece]})
            logits = decoder.step(ids[:, t].numpy(), token(per_token, t))
        read[name] = logits
    others = [piece for piece in range(3) if piece not in changed]
    apart = np.abs(read["after"] - read["before"])[changed].max(axis=1).min()
    near = apart / (3 if quick else 1000)
    assert near > 1e-5
    assert np.abs(read["updated"] - read["before"])[others].max() < near
    assert np.abs(read["updated"] - read["after"])[changed].max() < near


@pytest.mark.parametrize("context", [8, 9, 24])
def test_the_window_keeps_the_first_token_and_an_unbroken_newest_half(context: int) -> None:
    model = network(context)
    tokens, features = inputs(5 * context)
    ids, per_token = tokens.numpy(), arrays(features)
    decoder = SlidingWindowDecoder(
        model, {"valence_arousal": per_token.pop("valence_arousal")}, len(ids)
    )
    for t in range(ids.shape[1]):
        decoder.step(ids[:, t], token(per_token, t))
        seen = decoder.ids[:, : decoder.lengths[0]]
        assert min(t + 1, context // 2 + 1) <= seen.shape[1] <= context
        assert np.array_equal(seen[:, 0], ids[:, 0])
        assert np.array_equal(seen[:, 1:], ids[:, t + 2 - seen.shape[1] : t + 1])


def test_no_token_sees_a_later_one() -> None:
    model = network()
    ids, features = inputs(CONTEXT)
    other, changed = ids.clone(), {k: v.clone() for k, v in features.items()}
    other[:, 15:] = 0
    for name in ("boundaries", "onset_density", "given"):
        changed[name][:, 15:] = 0.5
    with torch.no_grad():
        torch.testing.assert_close(model(ids, features)[:, :15], model(other, changed)[:, :15])


def test_a_missing_value_is_a_learned_vector_whatever_stands_beside_it() -> None:
    model = network()
    ids, features = inputs(4, holes=0.0)
    rows = features["boundaries"]
    rows[:, 2] = torch.tensor([torch.nan, 0.1])
    with torch.no_grad():
        one = model(ids, features)
        rows[:, 2] = torch.tensor([0.9, torch.nan])
        torch.testing.assert_close(model(ids, features), one)


def test_every_condition_changes_the_answer() -> None:
    model = network()
    ids, features = inputs(6, holes=0.0)
    with torch.no_grad():
        before = model(ids, features)
        for name in features:
            changed = {**features, name: features[name] + 0.3}
            assert (model(ids, changed) - before).abs().max() > 1e-3, name


@pytest.mark.parametrize("where", [0, 2, 3])
def test_a_network_that_learns_one_more_condition_begins_as_exactly_the_network_it_was(
    where: int,
) -> None:
    born = tuple(c for c in CONDITIONERS if c.name != "given")
    before = network(conditioners=born)
    config = replace(before.config, added=("given",))
    after = EventTransformer(config, (*born[:where], Given(), *born[where:])).eval()
    missing, unknown = after.load_state_dict(before.state_dict(), strict=False)
    assert len(missing) == 5 and all(".given" in name for name in missing) and not unknown
    ids, features = inputs(CONTEXT)
    with torch.no_grad():
        assert torch.equal(after(ids, features), before(ids, features))
    one, other = (
        QuantizedDecoder(model, 2).prefill(ids.numpy(), arrays(features), range(2))
        for model in (before, after)
    )
    assert np.array_equal(one, other)


def test_what_is_scaled_in_queries_and_keys_is_normed_away() -> None:
    model = network()
    ids, features = inputs(CONTEXT)
    with torch.no_grad():
        before = model(ids, features)
        for block in model.blocks:
            for name in ("attention.qkv.weight", "attention.qkv.bias"):
                block.get_parameter(name)[: 2 * 32] *= 1000
        torch.testing.assert_close(model(ids, features), before, rtol=1e-4, atol=1e-4)


# Of the code that trained it: by position, the logits of tokens 100, 300, 500, 700 and 900
TRAINED = {
    0: (-13.6119, -13.7664, -7.5184, -5.0598, -4.4573),
    20: (-3.7987, -4.2939, 2.2317, -3.3644, -1.9175),
    63: (-2.6044, -2.6361, 3.3337, 1.9037, 2.8514),
}


def test_a_checkpoint_with_added_conditions_predicts_what_it_was_trained_to(shared: Path) -> None:
    folder = shared / "weights" / "emsync-small-2"
    if not folder.exists():
        pytest.skip("there is no emsync-small-2")
    model, chance = Composer.from_pretrained(folder).model, np.random.default_rng(0)
    assert [c.name for c in model.added] == ["chords", "instruments", "given"]
    assert not model.config.qk_norm  # its config.json has none
    ids, features = torch.from_numpy(chance.integers(0, 1011, (1, 64))), {}
    for c in model.conditioners:
        count = 2 if c.place == "prefix" else 64
        rows = chance.random((1, count, c.channels), np.float32)
        rows[chance.random((1, count)) < 0.3] = np.nan
        features[c.name] = torch.from_numpy(rows)
    with torch.no_grad():
        logits = model(ids, features)[0]
    for at, expected in TRAINED.items():
        assert logits[at, 100::200].tolist() == pytest.approx(expected, abs=2e-4)


def test_the_shape_of_the_paper_has_37_million_parameters() -> None:
    with torch.device("meta"):
        model = EventTransformer.__new__(EventTransformer)
        EventTransformer.__init__(model, ModelConfig(1011), CONDITIONERS[:2])
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(37, abs=1)


def test_more_tokens_than_the_context_are_refused() -> None:
    ids, features = inputs(CONTEXT + 1)
    with pytest.raises(ValueError, match=f"do not fit a context of {CONTEXT + 2}"):
        network()(ids, features)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 30}, "width 30 is not a multiple of heads 4"),
        ({"position_channels": 64}, "position_channels 64 is not between"),
    ],
)
def test_an_impossible_shape_is_refused(settings: dict[str, int], message: str) -> None:
    shape: dict[str, Any] = {"width": 32, "heads": 4, "position_channels": 16, **settings}
    with pytest.raises(UsageError, match=message):
        ModelConfig(10, **shape)
