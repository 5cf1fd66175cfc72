"""The same network for decoding on a CPU: weights and memory in int8, a compiled function a step.

What is read at once and what is read token by token go through the same sums
(``emsync.model.int8.kernels``), so that a piece is the same to the bit however it is read, and
whatever is read beside it. Threads take whole pieces.

``emsync.model.transformer`` is the reference; tests/test_fast.py says how near this comes. Shapes
as in ``emsync.model.int8.kernels``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from emsync.model.int8.kernels import (
    ROWS,
    Beside,
    Bytes,
    Floats,
    Matrix,
    Memory,
    Net,
    answer,
    embed,
    foretell,
    read,
    remember,
)
from emsync.model.int8.quantize import quantized
from emsync.model.transformer import Block, EventTransformer

CHUNK = 64  # vectors of one piece that a thread reads at a time

T = TypeVar("T")


def supported(model: EventTransformer) -> bool:
    """Tell whether the model is on a CPU."""
    return model.head.weight.device.type == "cpu"


class Decoder:
    """Reads a batch of pieces: first what is there of each, then token by token."""

    def __init__(self, model: EventTransformer, batch: int) -> None:
        self.model, self.batch, self.length = model, batch, 0
        self.net, self.memory, self.beside = _net(model), _memory(model, batch), _beside(model)
        self.tokens = _numbers(model.tokens.weight)
        self.keep(range(batch))

    def keep(self, pieces: Sequence[int]) -> None:
        """Read only these pieces from now on; the logits of the others are nought."""
        threads = max(1, min(torch.get_num_threads(), len(pieces)))
        self.shares = np.array_split(np.array(pieces, np.int64), threads)  # at the same time

    def begin(self, ids: Tensor, features: Mapping[str, Tensor], pieces: Sequence[int]) -> Tensor:
        """Read the (P, T) first tokens of some ``pieces``; return (P, V) logits of the next."""
        own = ({name: rows[i] for name, rows in features.items()} for i in range(len(pieces)))
        return torch.cat([self._begin(*given) for given in zip(ids, own, pieces, strict=True)])

    def _begin(self, ids: Tensor, features: Mapping[str, Tensor], piece: int) -> Tensor:
        """Read the (T,) first tokens of a piece; return (1, V) logits of the next."""
        conditions = self.model.conditions
        before = [_numbers(conditions(c.name, features[c.name])) for c in self.model.prefix]
        x = np.concatenate([*before, self.tokens[ids.numpy()]])  # (N, D)
        rows = self._rows(features, len(ids))
        ahead = rows[:1].repeat(len(x) - len(ids), 0)  # the prefix sees row 0
        rows = np.concatenate([ahead, rows])
        pieces, places = np.full(len(x), piece), np.arange(len(x))
        embed(self.beside, rows, places, x)
        parts = [slice(at, at + CHUNK) for at in range(0, len(x), CHUNK)]
        given = [(x[part], pieces[part], places[part]) for part in parts]
        for layer in range(self.model.config.depth):
            here = self.net, self.memory, layer
            found = _run(remember, [(*here, *part) for part in given])
            _run(answer, [(*here, *part, qkv) for part, qkv in zip(given, found, strict=True)])
        self.length = len(x)
        return torch.from_numpy(foretell(self.net, x[-1:]))

    def step(self, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Read (B,) tokens and the (B, channels) rows beside them; return (B, V) logits."""
        x, places = self.tokens[ids.numpy()], np.full(self.batch, self.length)
        embed(self.beside, self._rows(rows, self.batch), places, x)
        self.length += 1
        calls = [(self.net, self.memory, x[own], own, places[own]) for own in self.shares]
        logits = np.zeros((self.batch, self.model.config.vocab_size), np.float32)
        for own, found in zip(self.shares, _run(read, calls), strict=True):
            logits[own] = found
        return torch.from_numpy(logits)

    def _rows(self, rows: Mapping[str, Tensor], n: int) -> Floats:
        """Return (N, channels) of all conditions beside a token."""
        beside = [rows[c.name].numpy() for c in self.model.beside]
        return np.concatenate([np.empty((n, 0), np.float32), *beside], axis=1)


def _run(work: Callable[..., T], calls: Sequence[tuple[Any, ...]]) -> list[T]:
    """Return what the calls answer, as many at a time as torch has threads, this one among them."""
    threads = min(torch.get_num_threads(), len(calls))
    if threads == 1:
        return [work(*call) for call in calls]

    def some(first: int) -> list[T]:
        return [work(*call) for call in calls[first::threads]]

    others = [_pool(threads - 1).submit(some, first) for first in range(1, threads)]
    shares = [some(0), *(other.result() for other in others)]
    return [shares[i % threads][i // threads] for i in range(len(calls))]


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _numbers(weight: Tensor) -> Floats:
    return weight.detach().float().numpy()


def _matrix(layers: Sequence[nn.Linear], norms: Sequence[nn.LayerNorm] = ()) -> Matrix:
    """Return linear layers of one shape, with the scale and shift of the norms before them."""
    weights = torch.stack([layer.weight.detach() for layer in layers]).float()
    bias = torch.stack([layer.bias.detach() for layer in layers]).float()
    if norms:
        bias += torch.stack(
            [w @ norm.bias.detach() for w, norm in zip(weights, norms, strict=True)]
        )
        weights *= torch.stack([norm.weight.detach() for norm in norms])[:, None]
    rows, scales = quantized(weights)
    return Matrix(packed(rows), _numbers(scales), _numbers(bias))


def _net(model: EventTransformer) -> Net:
    blocks = [cast(Block, block) for block in model.blocks]
    width, heads = model.config.width, model.config.heads
    before, within = [b.attention_norm for b in blocks], [b.mlp_norm for b in blocks]
    qkv = _matrix([b.attention.qkv for b in blocks], before)
    for part in (qkv.scales, qkv.bias):  # of the queries
        part[:, :width] /= math.sqrt(width // heads)
    rows, scales = quantized(torch.stack([b.attention.distance for b in blocks]))
    return Net(
        qkv=qkv,
        out=_matrix([b.attention.out for b in blocks]),
        widen=_matrix([cast(nn.Linear, b.mlp[0]) for b in blocks], within),
        narrow=_matrix([cast(nn.Linear, b.mlp[2]) for b in blocks]),
        head=_matrix([model.head], [model.norm]),
        distance=Matrix(packed(rows), _numbers(scales), np.empty((0, 0), np.float32)),
    )


def _memory(model: EventTransformer, batch: int) -> Memory:
    c = model.config
    lead, k = (c.depth, batch, c.heads), c.width // c.heads

    def groups(rows: int, numbers: int) -> Bytes:
        shape = padded(rows, ROWS) // ROWS, padded(numbers, 2) // 2, ROWS, 2
        return np.zeros((*lead, *shape), np.int8)

    def scales() -> Floats:
        return np.zeros((*lead, model.longest), np.float32)

    return Memory(groups(model.longest, k), scales(), groups(k, model.longest), scales())


def _beside(model: EventTransformer) -> Beside:
    encoders = [cast(nn.Sequential, model.conditions.encoders[c.name]) for c in model.beside]
    channels = [c.channels for c in model.beside]
    count = len(encoders)
    share = (model.config.width - model.positions.shape[1]) // max(1, count)
    first = np.zeros((count, max(channels, default=0), share), np.float32)

    def gathered(parts: Sequence[Tensor], *shape: int) -> Floats:
        return np.array([_numbers(part) for part in parts], np.float32).reshape(count, *shape)

    for out, encoder in zip(first, encoders, strict=True):
        weight = _numbers(cast(nn.Linear, encoder[0]).weight)
        out[: weight.shape[1]] = weight.T
    return Beside(
        places=_numbers(model.positions),
        ends=np.cumsum([0, *channels]),
        first=first,
        first_bias=gathered([cast(nn.Linear, e[0]).bias for e in encoders], share),
        last=gathered([cast(nn.Linear, e[2]).weight.T for e in encoders], share, share),
        last_bias=gathered([cast(nn.Linear, e[2]).bias for e in encoders], share),
        nulls=gathered([model.conditions.nulls[c.name] for c in model.beside], share),
    )


def padded(size: int, multiple: int) -> int:
    """Return the least multiple of ``multiple`` that is at least ``size``."""
    return -(-size // multiple) * multiple


def packed(rows: Tensor) -> Bytes:
    """Return (.., R, N) rows of int8 packed as ``kernels`` reads them, with zeros after them."""
    *before, r, n = rows.shape
    more = [(0, 0)] * len(before) + [(0, -r % ROWS), (0, n % 2)]
    groups = np.pad(rows.numpy(), more).reshape(
        *before, padded(r, ROWS) // ROWS, ROWS, padded(n, 2) // 2, 2
    )
    return np.ascontiguousarray(groups.swapaxes(-2, -3))
