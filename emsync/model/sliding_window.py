"""Decoding pieces of any length side by side, with the decoder that suits the machine.

Shapes: B pieces, T tokens in the window, P prefix vectors, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from emsync.conditioning import Floats
from emsync.model.int8.compiler import compiles
from emsync.model.transformer import Decoder, EventTransformer, ModelConfig
from emsync.tokens import Ids

if TYPE_CHECKING:
    from emsync.model.int8.decoder import QuantizedDecoder


class SlidingWindowDecoder:
    """Decodes a batch of pieces; the window of tokens moves when the context is full.

    The first token, which tells the instruments, and the newest half of the context stay in it.
    """

    def __init__(self, model: EventTransformer, prefix: Mapping[str, Floats], batch: int) -> None:
        c = model.config
        self.prefix, self.context, self.vocab_size = prefix, c.context, c.vocab_size
        self.decoder = open_decoder(model, batch)
        self.active = list(range(batch))  # pieces that are not finished
        self.stale: set[int] = set()  # pieces whose prefix has changed since they were read
        self.length = 0  # tokens in the window, T
        self.ids = np.zeros((batch, c.context + 1), np.int64)
        self.rows = {
            one.name: np.zeros((batch, c.context + 1, one.channels), np.float32)
            for one in model.per_token
        }

    def update_prefix(self, piece: int, prefix: Mapping[str, Floats]) -> None:
        """Replace the prefix of a piece by {name: (P, channels)} rows, from the next step on."""
        for name, rows in prefix.items():
            self.prefix[name][piece] = rows
        self.stale.add(piece)

    def finish(self, pieces: Sequence[int]) -> None:
        """Decode some pieces no further; their logits are undefined from now on."""
        self.active = [piece for piece in self.active if piece not in pieces]
        self.stale.difference_update(pieces)
        self.decoder.set_active(self.active)

    def step(self, ids: Ids, rows: Mapping[str, Floats]) -> Floats:
        """Read (B,) tokens and their {name: (B, channels)} features; return (B, V) logits."""
        self.ids[:, self.length] = ids
        for name, new in rows.items():
            self.rows[name][:, self.length] = new
        self.length += 1
        moved = self.length > self.context
        if moved:
            self._move()
        if moved or self.length == 1:
            logits, anew = np.zeros((len(ids), self.vocab_size), np.float32), self.active
        else:
            logits, anew = self.decoder.step(ids, rows), sorted(self.stale)
        if anew:
            logits[anew] = self._prefill(anew)
        return logits

    def _move(self) -> None:
        """Keep the first token and the newest half of a context."""
        half = self.context // 2
        windows: list[Ids | Floats] = [self.ids, *self.rows.values()]
        for window in windows:
            window[:, 1 : half + 1] = window[:, self.length - half : self.length]
        self.length = half + 1

    def _prefill(self, pieces: Sequence[int]) -> Floats:
        """Read the windows of some pieces anew; return the (P, V) logits of their next tokens."""
        windows = {name: window[pieces, : self.length] for name, window in self.rows.items()}
        features = {name: rows[pieces] for name, rows in self.prefix.items()} | windows
        self.stale.clear()
        return self.decoder.prefill(self.ids[pieces, : self.length], features, pieces)


def open_decoder(model: EventTransformer, batch: int) -> "Decoder | QuantizedDecoder":
    """Return the int8 decoder on a CPU, if Numba can compile it there; else the PyTorch one."""
    if model.head.weight.device.type == "cpu" and _compile():
        from emsync.model.int8.decoder import QuantizedDecoder

        return QuantizedDecoder(model, batch)
    return Decoder(model, batch)


@cache
def _compile() -> bool:
    """Compile the int8 decoder, or load it from Numba's cache; return whether that is possible."""
    return compiles(_decode_two_tokens)


def _decode_two_tokens() -> None:
    """Call every compiled function of the int8 decoder, with a tiny network."""
    from emsync.model.int8.decoder import QuantizedDecoder

    with torch.random.fork_rng(devices=[]):  # its weights cost no random numbers
        config = ModelConfig(1, width=2, depth=1, heads=1, context=2, position_channels=1)
        decoder = QuantizedDecoder(EventTransformer(config), 1)
    decoder.prefill(np.zeros((1, 1), np.int64), {}, [0])
    decoder.step(np.zeros(1, np.int64), {})
