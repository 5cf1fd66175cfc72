"""Decoding pieces of any length side by side, with the decoder that suits the machine.

Shapes: B pieces, T tokens in the window, P prefix vectors, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from emsync.conditioning import Floats, knows_given
from emsync.model.int8.compiler import compiles, told
from emsync.model.static_decoder import StaticDecoder
from emsync.model.transformer import Decoder, EventTransformer, ModelConfig
from emsync.progress import Progress
from emsync.tokens import Ids

if TYPE_CHECKING:
    from emsync.model.int8.decoder import QuantizedDecoder

AnyDecoder: TypeAlias = "Decoder | QuantizedDecoder"


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Tokens and the rows that stand beside them."""

    ids: Ids  # (K,)
    rows: Mapping[str, Floats]  # {name: (K, channels)}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> "Excerpt":
        return Excerpt(self.ids[part], {name: rows[part] for name, rows in self.rows.items()})

    def __add__(self, after: "Excerpt") -> "Excerpt":
        if not (len(self) and len(after)):
            return self if len(self) else after
        rows = {name: np.concatenate([own, after.rows[name]]) for name, own in self.rows.items()}
        return Excerpt(np.concatenate([self.ids, after.ids]), rows)


NOTHING = Excerpt(np.zeros(0, np.int64), {})


class SlidingWindowDecoder:
    """Decodes a batch of pieces; the window of a piece moves when its context is full.

    Music that is given, the first token, which tells the instruments, and the newest half of what
    is left stay in it.
    """

    def __init__(
        self,
        model: EventTransformer,
        prefix: Mapping[str, Floats],
        batch: int,
        decoder: "AnyDecoder | None" = None,
        first: int = 0,
    ) -> None:
        """Decode with ``decoder``, whose pieces from number ``first`` on these are; None: with one
        of its own.
        """
        c = model.config
        self.model, self.prefix = model, prefix
        self.context, self.vocab_size = c.context, c.vocab_size
        self.decoder, self.first = decoder or open_decoder(model, batch), first
        self.pieces = np.arange(batch)
        self.going = np.ones(batch, np.bool_)  # whether each piece is not finished
        self.stale = set(range(batch))  # those whose windows are to be read anew
        self.given = [NOTHING] * batch  # what each piece reads besides its own tokens
        self.room = np.full(batch, c.context)  # (B,) tokens of its own that each piece may read
        self.lengths = np.zeros(batch, np.int64)  # (B,) of them in each window
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
        self.going[list(pieces)] = False
        self.stale.difference_update(pieces)

    def excerpt(self, piece: int, first: int, last: int) -> Excerpt:
        """Return what a piece read from ``first`` tokens ago until ``last`` tokens ago."""
        start, stop = self.lengths[piece] - (first, last)
        rows = {name: window[piece, start:stop].copy() for name, window in self.rows.items()}
        return Excerpt(self.ids[piece, start:stop].copy(), rows)

    def give(self, piece: int, given: Excerpt, newest: int) -> None:
        """Let a piece read ``given`` from the next step on, in place of what it was given.

        Of its own tokens stay the first and, at most, so many of the newest.
        """
        self.given[piece], self.room[piece] = given, self.context - len(given)
        self._keep(piece, newest)
        self.stale.add(piece)

    def step(self, ids: Ids, rows: Mapping[str, Floats]) -> Floats:
        """Read (B,) tokens and their {name: (B, channels)} features; return (B, V) logits."""
        self.ids[self.pieces, self.lengths] = ids
        for name, new in rows.items():
            self.rows[name][self.pieces, self.lengths] = new
        self.lengths += self.going
        for piece in np.flatnonzero(self.lengths > self.room).tolist():
            self._keep(piece, int(self.room[piece]) // 2)
            self.stale.add(piece)
        if not self.stale and self.going.all():  # as mostly
            return self.decoder.step(ids, rows, self._numbers(range(len(ids))))
        logits = np.zeros((len(ids), self.vocab_size), np.float32)
        anew, self.stale = sorted(self.stale), set()
        windows = {piece: self.window(piece) for piece in anew}
        on = [piece for piece in np.flatnonzero(self.going).tolist() if piece not in anew]
        if on:
            beside = {name: row[on] for name, row in rows.items()}
            logits[on] = self.decoder.step(ids[on], beside, self._numbers(on))
        for length in sorted({len(window) for window in windows.values()}):
            alike = [piece for piece in anew if len(windows[piece]) == length]
            logits[alike] = self._prefill(alike, [windows[piece] for piece in alike])
        return logits

    def window(self, piece: int) -> Excerpt:
        """Return all that a piece reads."""
        own = self.excerpt(piece, self.lengths[piece], 0)
        return with_given(self.model, own, self.given[piece])

    def _keep(self, piece: int, newest: int) -> None:
        """Let a piece keep its first token and, at most, so many of the newest."""
        length = self.lengths[piece]
        first = min(length, 1)
        count = min(length - first, newest)
        windows: list[Ids | Floats] = [self.ids, *self.rows.values()]
        for window in windows:
            window[piece, first : first + count] = window[piece, length - count : length].copy()
        self.lengths[piece] = first + count

    def _prefill(self, pieces: Sequence[int], windows: Sequence[Excerpt]) -> Floats:
        """Read ``windows`` of one length anew; return the (P, V) logits of their next tokens."""
        features = {name: rows[pieces] for name, rows in self.prefix.items()}
        features |= {name: np.stack([one.rows[name] for one in windows]) for name in self.rows}
        ids = np.stack([one.ids for one in windows])
        return self.decoder.prefill(ids, features, self._numbers(pieces))

    def _numbers(self, pieces: Sequence[int]) -> list[int]:
        """Return what the decoder calls ``pieces``."""
        return [self.first + piece for piece in pieces]


def with_given(model: EventTransformer, own: Excerpt, given: Excerpt) -> Excerpt:
    """Return what ``model`` reads of a piece that begins with the token for the instruments.

    What is given stands before that token where the network was taught to read it, else after it.
    """
    at = 0 if knows_given(model.conditioners) else 1
    return own[:at] + given + own[at:]


def open_decoder(model: EventTransformer, batch: int) -> AnyDecoder:
    """Return the int8 decoder on a CPU, if Numba can compile it there; else one in PyTorch."""
    if model.head.weight.device.type == "cuda":
        return StaticDecoder(model, batch)
    if _on_cpu(model) and _compile():
        from emsync.model.int8.decoder import QuantizedDecoder

        return QuantizedDecoder(model, batch)
    return Decoder(model, batch)


def make_ready(model: EventTransformer, progress: Progress) -> None:
    """Compile all that drawing with ``model`` calls, where it is not yet; tell how far that is."""
    with told(progress):
        if _on_cpu(model):
            _compile()


def _on_cpu(model: EventTransformer) -> bool:
    return model.head.weight.device.type == "cpu"


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
