"""Decoding pieces of any length side by side, with the decoder that suits the machine.

Shapes: B pieces, T tokens in the window, P prefix vectors, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


PRESENT = 1 / 8  # of the context: the newest tokens that stand after a primer


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Tokens and the rows that stand beside them."""

    ids: Ids  # (K,)
    rows: Mapping[str, Floats]  # {name: (K, channels)}


NOTHING = Excerpt(np.zeros(0, np.int64), {})


class SlidingWindowDecoder:
    """Decodes a batch of pieces; the window of a piece moves when its context is full.

    The first token, which tells the instruments, a primer where there is one, and the newest half
    of what is left stay in it.
    """

    def __init__(self, model: EventTransformer, prefix: Mapping[str, Floats], batch: int) -> None:
        c = model.config
        self.prefix, self.context, self.vocab_size = prefix, c.context, c.vocab_size
        self.decoder = open_decoder(model, batch)
        self.active = list(range(batch))  # pieces that are not finished
        self.stale = set(self.active)  # pieces whose windows are to be read anew
        self.lengths = np.zeros(batch, np.int64)  # (B,) tokens in each window, T
        self.primed = np.zeros(batch, np.int64)  # (B,) of these, in the primer
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

    def excerpt(self, piece: int, first: int, last: int) -> Excerpt:
        """Return what a piece read from ``first`` tokens ago until ``last`` tokens ago."""
        start, stop = self.lengths[piece] - (first, last)
        rows = {name: window[piece, start:stop].copy() for name, window in self.rows.items()}
        return Excerpt(self.ids[piece, start:stop].copy(), rows)

    def prime(self, piece: int, primer: Excerpt = NOTHING) -> None:
        """Let ``primer`` stand after a piece's first token, in the last one's place.

        After a primer stand few of the newest tokens: enough to tell what sounds now, and so few
        that the music goes on from the primer rather than from them.
        """
        if not self.primed[piece] and not len(primer.ids):
            return
        unread = 1 + self.primed[piece]  # the newest tokens begin here
        most = int(self.context * PRESENT) if len(primer.ids) else self.context // 2
        kept = min(self.lengths[piece] - unread, most)
        self._keep(piece, kept, 1 + len(primer.ids))
        self.primed[piece] = len(primer.ids)
        self.ids[piece, 1 : 1 + len(primer.ids)] = primer.ids
        for name, rows in primer.rows.items():
            self.rows[name][piece, 1 : 1 + len(primer.ids)] = rows
        self.stale.add(piece)

    def step(self, ids: Ids, rows: Mapping[str, Floats]) -> Floats:
        """Read (B,) tokens and their {name: (B, channels)} features; return (B, V) logits."""
        at = self.lengths[self.active]
        self.ids[self.active, at] = ids[self.active]
        for name, new in rows.items():
            self.rows[name][self.active, at] = new[self.active]
        self.lengths[self.active] += 1
        for piece in np.flatnonzero(self.lengths > self.context).tolist():
            self._keep(piece, (self.context - self.primed[piece]) // 2, 1 + self.primed[piece])
            self.stale.add(piece)
        logits = np.zeros((len(ids), self.vocab_size), np.float32)
        anew, self.stale = sorted(self.stale), set()
        on = [piece for piece in self.active if piece not in anew] if anew else self.active
        if on:
            beside = {name: row[on] for name, row in rows.items()}
            logits[on] = self.decoder.step(ids[on], beside, on)
        for length in np.unique(self.lengths[anew]).tolist():
            alike = [piece for piece in anew if self.lengths[piece] == length]
            logits[alike] = self._prefill(alike, length)
        return logits

    def _keep(self, piece: int, count: int, at: int) -> None:
        """Let the newest ``count`` tokens of a piece stand from ``at`` on, and end its window."""
        length = self.lengths[piece]
        windows: list[Ids | Floats] = [self.ids, *self.rows.values()]
        for window in windows:
            window[piece, at : at + count] = window[piece, length - count : length].copy()
        self.lengths[piece] = at + count

    def _prefill(self, pieces: Sequence[int], length: int) -> Floats:
        """Read the windows of some pieces anew; return the (P, V) logits of their next tokens."""
        windows = {name: window[pieces, :length] for name, window in self.rows.items()}
        features = {name: rows[pieces] for name, rows in self.prefix.items()} | windows
        return self.decoder.prefill(self.ids[pieces, :length], features, pieces)


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
    decoder.step(np.zeros(1, np.int64), {}, [0])
