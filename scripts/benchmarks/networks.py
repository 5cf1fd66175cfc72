"""Networks with random weights, which make no difference to the speed, and a step of decoding."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import best
from emsync import plugins
from emsync.conditioning import Conditioner
from emsync.model.composer import Composer
from emsync.model.int8.decoder import QuantizedDecoder
from emsync.model.transformer import Decoder, EventTransformer, ModelConfig

SMALL = {"width": 256, "depth": 6, "heads": 4, "context": 766, "position_channels": 192}
BASE = {"width": 512, "depth": 11, "heads": 8, "context": 1214, "position_channels": 256}
BORN = ("valence_arousal", "metre", "boundaries", "onset_density", "chroma")
ADDED = ("chords", "instruments", "given")  # over the full width
VOCABULARY = 1011  # tokens
READ = 1000  # tokens that a decoding step looks back on, at most four fifths of the context
ROUNDS = 5  # in turn, of steps that are compared
STEP = 0.06  # seconds by which time passes at once in music from random weights


def random_base(shipped: Composer) -> Composer:
    """Return emsync-base with random weights, and with what ``shipped`` has beside the network."""
    tokenizer = shipped.tokenizer
    torch.manual_seed(0)
    added = shipped.model.config.added
    shape = ModelConfig(tokenizer.vocab_size, **BASE, dropout=0.0, added=added, qk_norm=True)
    model = EventTransformer(shape, shipped.model.conditioners).train(False)
    with torch.no_grad():  # so that a second of music takes as many tokens as a real one's, some 60
        model.head.bias.sub_(torch.from_numpy(tokenizer.durations) / STEP)
    return Composer(model, tokenizer, shipped.tempo, shipped.sampling)


def random_network(shape: Mapping[str, int], added: tuple[str, ...]) -> EventTransformer:
    """Return a network of BORN conditions without a norm; or with ``added`` ones and with it."""
    conditioners = [
        plugins.build_plugin(plugins.CONDITIONERS, {"name": name, "settings": {}}, Conditioner)
        for name in (*BORN, *added)
    ]
    config = ModelConfig(VOCABULARY, **shape, dropout=0.0, added=added, qk_norm=bool(added))
    return EventTransformer(config, conditioners).train(False)


def features(model: EventTransformer, tokens: int) -> dict[str, Tensor]:
    """Return features of one piece, of which all is asked: what is not costs less."""
    return {
        c.name: torch.full((1, 2 if c.place == "prefix" else tokens, c.channels), 0.5)
        for c in model.conditioners
    }


def stepping(decoder: Decoder | QuantizedDecoder, batch: int) -> Callable[[], object]:
    """Return a function that does a decoding step after READ tokens.

    Only the first piece's tokens are read: what is remembered of the others costs as much.
    """
    model = decoder.model
    read = min(READ, model.config.context * 4 // 5)
    ids = torch.randint(model.config.vocab_size, (1, read)).numpy()
    prefill = {name: rows.numpy() for name, rows in features(model, read).items()}
    decoder.prefill(ids, prefill, [0])
    rows = {c.name: np.full((batch, c.channels), 0.5, np.float32) for c in model.per_token}
    decoder.lengths[:] = decoder.lengths[0]
    return lambda: decoder.step(ids[0, :batch], rows, range(batch))


def step_seconds(decoder: Decoder | QuantizedDecoder, batch: int) -> float:
    """Return the seconds of a decoding step after READ tokens."""
    return best(stepping(decoder, batch), 20)
