"""Algorithm 1, on a small untrained network."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from emsync.errors import EmsyncError, UsageError
from emsync.model.nucleus import draw, nucleus
from emsync.model.sampling import UniformStreams, guided, sample
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import Harmony
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.options import Sampling
from emsync.tokens import Ids
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

TARGETS = {
    "valence_arousal": np.array([[0.0, 0.5, np.nan]], np.float32),
    "boundaries": np.array([1.0, 5.0], np.float32),
    "onset_density": np.array([4.0, np.nan], np.float32),
}


@pytest.fixture(scope="module")
def model() -> EventTransformer:
    torch.manual_seed(0)
    config = ModelConfig(
        v.SIZE, width=32, depth=1, heads=2, context=48, position_channels=16, dropout=0.0
    )
    model = EventTransformer(config, (ValenceArousal(), Boundaries(), OnsetDensity())).eval()
    with torch.no_grad():  # an untrained network would rarely wait
        model.head.bias[v.SHIFT : v.NOTE] += 2.0
    return model


def one(model: EventTransformer, seed: int = 0, seconds: float = 2.0, **settings: Any) -> Ids:
    (ids,) = sample(model, Events(), [TARGETS], [seconds], [seed], Sampling(**settings))
    return ids


def test_a_piece_ends_with_the_token_that_reaches_the_end(model: EventTransformer) -> None:
    times = Events().timeline(one(model, seconds=7.3)).times
    assert times[-2] < 7.3 <= times[-1]


def test_the_same_seed_gives_the_same_piece_and_another_seed_another(
    model: EventTransformer,
) -> None:
    assert np.array_equal(one(model, seed=3), one(model, seed=3))
    assert not np.array_equal(one(model, seed=3), one(model, seed=4))


def test_pieces_side_by_side_each_reach_their_own_end(model: EventTransformer) -> None:
    ends = [1.0, 4.0, 2.5]
    pieces = sample(model, Events(), [TARGETS] * 3, ends, [0, 1, 2])
    for ids, end in zip(pieces, ends, strict=True):
        times = Events().timeline(ids).times
        assert times[-2] < end <= times[-1]


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("threads", [1, 2, 4], indirect=True)
@pytest.mark.usefixtures("threads")
def test_a_piece_drawn_alone_is_the_piece_drawn_in_a_batch(
    model: EventTransformer, guidance: float
) -> None:
    """Also where its neighbours end before it, and in whichever threads they are drawn."""
    seeds, ends = (5, 6, 7), (2.0, 6.0, 3.0)
    sampling, told = Sampling(guidance=guidance), [0.0]
    pieces = sample(model, Events(), [TARGETS] * 3, ends, seeds, sampling, told.append)
    assert told == sorted(told) and told[-1] <= 6.0
    for seed, end, ids in zip(seeds, ends, pieces, strict=True):
        assert np.array_equal(ids, one(model, seed=seed, seconds=end, guidance=guidance))


@pytest.mark.parametrize(("classes", "token"), [((2, 3), v.FEWER), ((0, 1, 3), v.MORE)])
def test_the_first_token_tells_how_many_play_in_any_passage(
    model: EventTransformer, classes: tuple[int, ...], token: int
) -> None:
    harmony = Harmony(np.zeros(1), np.zeros(1, np.intp))
    passages = Passage(0.0, 1.0, classes[:1]), Passage(1.0, 2.0, classes)
    sheet = LeadSheet(harmony, passages)
    (ids,) = sample(model, Events(), [TARGETS], [2.0], [0], sheets=[sheet])
    assert ids[0] == token and v.START not in ids
    assert not np.isin(ids[1:], Events().excluded_ids).any()
    assert one(model)[0] == v.MORE, "all may play where no sheet says"


def test_the_likeliest_token_is_always_drawn_with_top_k_of_one(model: EventTransformer) -> None:
    assert np.array_equal(one(model, seed=1, top_k=1), one(model, seed=2, top_k=1))


def test_a_rule_can_be_switched_off_and_an_unknown_one_is_refused(
    model: EventTransformer,
) -> None:
    assert not np.array_equal(one(model), one(model, rules_off=("sounding", "order")))
    with pytest.raises(
        UsageError, match="no rule 'melody'; events has sounding, polyphony, length, order"
    ):
        one(model, rules_off=("melody",))


@pytest.mark.parametrize(
    "settings", [Sampling(top_p=1.0), Sampling(top_p=0.999), Sampling(top_k=3, top_p=1.0)]
)
def test_draws_follow_the_probabilities_and_never_fall_on_what_is_excluded(
    settings: Sampling,
) -> None:
    wanted = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0])
    uniforms = UniformStreams(range(4000)).next()
    scores = wanted.log()[None].repeat(4000, 1).numpy()
    drawn = draw(scores, uniforms, settings.temperature, settings.top_p, settings.top_k)
    counts = torch.bincount(torch.from_numpy(drawn), minlength=5) / 4000
    assert counts[1] == counts[4] == 0
    assert (counts - wanted).abs().max() < 0.03


@pytest.mark.parametrize("size", [5, 64, 1011])
@pytest.mark.parametrize("top_k", [0, 1, 7, 100])
@pytest.mark.parametrize("top_p", [0.1, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_what_can_be_drawn_and_how_likely_is_what_transformers_warpers_say(
    size: int, top_k: int, top_p: float, temperature: float
) -> None:
    scores = torch.randn(6, size, generator=torch.Generator().manual_seed(size)) * 3
    scores[1, 2:] = -torch.inf
    warped = TemperatureLogitsWarper(temperature)(None, scores)
    warped = TopKLogitsWarper(top_k)(None, warped) if top_k else warped
    warped = TopPLogitsWarper(top_p)(None, warped) if top_p < 1 else warped
    for row, wanted in zip(scores, warped.softmax(-1).double(), strict=True):
        tokens, mass = nucleus(row.numpy(), temperature, top_p, top_k)
        share = np.diff(mass, prepend=0) / mass[-1]
        assert (np.diff(share) <= 1e-12).all()
        found = torch.zeros(size, dtype=torch.double)
        found[tokens] = torch.from_numpy(share)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_where_no_token_can_come_next_is_an_error() -> None:
    nothing = np.full((1, 7), -np.inf, np.float32)
    with pytest.raises(EmsyncError, match="no token can come next"):
        draw(nothing, np.array([0.5]), 1.0, 0.95, 0)


def test_the_stream_of_a_piece_is_its_own_and_uniform() -> None:
    three, one = UniformStreams([0, 1, 2]), UniformStreams([1])
    uniforms = np.stack([three.next() for _ in range(600)])
    assert np.array_equal(uniforms[:, 1], np.concatenate([one.next() for _ in range(600)]))
    assert len(np.unique(uniforms)) == 1800
    assert np.abs(uniforms.mean(0) - 0.5).max() < 0.05


@pytest.mark.parametrize("threads", [1, 2], indirect=True)
@pytest.mark.usefixtures("threads")
def test_music_that_stands_still_is_an_error_with_a_way_out(model: EventTransformer) -> None:
    """Of each piece alone, whatever is drawn beside it and in whichever threads."""
    sampling = Sampling(rules_off=("order", "sounding", "polyphony"))
    with torch.no_grad():
        model.head.bias[v.SHIFT : v.NOTE] -= 200.0
    try:
        with pytest.raises(EmsyncError, match=r"457 tokens reach only .* of 0\.5 s"):
            sample(model, Events(), [TARGETS] * 2, [2.0, 0.5], [1, 0], sampling)
    finally:
        with torch.no_grad():
            model.head.bias[v.SHIFT : v.NOTE] += 200.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 1.5}, "top-p is 1.5"),
        ({"top_k": -1}, "top-k is -1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampling(**settings)


def test_guidance_of_one_is_conditional_and_of_zero_unconditional() -> None:
    logits = np.random.default_rng(0).normal(size=(6, 11)).astype(np.float32)
    conditional, unconditional = np.split(softmax(logits, -1), 2)
    assert softmax(guided(logits, 1.0), -1) == pytest.approx(conditional, rel=1e-5)
    assert softmax(guided(logits, 0.0), -1) == pytest.approx(unconditional, rel=1e-5)
    twice = unconditional * (conditional / unconditional) ** 2
    shares = twice / twice.sum(-1, keepdims=True)
    assert softmax(guided(logits, 2.0), -1) == pytest.approx(shares, rel=1e-5)


def test_a_piece_with_a_guidance_of_zero_is_the_unconditional_piece(
    model: EventTransformer,
) -> None:
    null = {c.name: c.null_target(TARGETS[c.name]) for c in model.conditioners}
    (free,) = sample(model, Events(), [null], [2.0], [0])
    assert np.array_equal(one(model, guidance=0.0), free)
    assert not np.array_equal(one(model, guidance=4.0), one(model))
    with pytest.raises(UsageError, match="guidance is -1"):
        Sampling(guidance=-1)


def test_guidance_does_not_press_on_conditions_that_are_unguided(model: EventTransformer) -> None:
    names = tuple(c.name for c in model.conditioners)
    assert np.array_equal(one(model, guidance=4.0, unguided=names), one(model))
    free = {**TARGETS, "boundaries": np.full(1, np.nan, np.float32)}
    spared = Sampling(guidance=0.0, unguided=("valence_arousal", "onset_density"))
    (drawn,) = sample(model, Events(), [TARGETS], [2.0], [0], spared)
    (asked,) = sample(model, Events(), [free], [2.0], [0])
    assert np.array_equal(drawn, asked), "without guidance, what is unguided still holds"
    with pytest.raises(UsageError, match="no condition 'mood'; the model has valence_arousal, bo"):
        one(model, guidance=3.0, unguided=("mood",))
    with pytest.raises(UsageError, match="no condition 'mood'"):
        one(model, unguided=("mood",))


def test_settings_from_json_are_the_settings_that_were_saved() -> None:
    saved = Sampling(rules_off=("order",), guidance=2.0, unguided=("onset_density",))
    assert Sampling(**json.loads(json.dumps(asdict(saved)))) == saved
