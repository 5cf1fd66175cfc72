"""The transformer for decoding on a CPU: int8 weights and KV cache, one compiled call a step.

Prefill and single steps go through the same sums (``emsync.model.int8.kernels``), so a piece is the
same to the bit however its tokens are read, and whatever is read beside it. Each thread takes whole
pieces.

The reference implementation is ``emsync.model.transformer``; tests/test_int8_decoder.py says how
close the logits are. Shapes as in ``emsync.model.int8.kernels``.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from emsync.conditioning import Conditioner
from emsync.model.int8 import kernels
from emsync.model.int8.kernels import (
    ROWS,
    AddedInputs,
    Bytes,
    Floats,
    Inputs,
    KVCache,
    PositionalInputs,
    QuantizedLinear,
    QuantizedTransformer,
)
from emsync.model.int8.quantize import quantized
from emsync.model.transformer import Block, EventTransformer
from emsync.tokens import Ids

CHUNK = 64  # vectors of one piece that a thread computes at a time

NOTHING = np.empty((0, 0), np.float32)  # where a stage takes no queries, keys and values


class QuantizedDecoder:
    """Decodes a batch of pieces with an int8 KV cache: ``prefill``, then ``step`` by ``step``."""

    def __init__(self, model: EventTransformer, batch: int) -> None:
        self.model = model
        self.lengths = np.zeros(batch, np.int64)  # tokens and prefix vectors read of each piece
        self.network, self.cache = _quantized(model), _empty_cache(model, batch)
        self.inputs = Inputs(_positional_inputs(model), _added_inputs(model))
        self.tokens = _numbers(model.tokens.weight)
        self.threads = torch.get_num_threads()  # at most, of each call
        self.pool = ThreadPoolExecutor(self.threads)

    def prefill(self, ids: Ids, features: Mapping[str, Floats], pieces: Sequence[int]) -> Floats:
        """Read the first (P, T) tokens of P ``pieces`` anew; return (P, V) logits of the next."""
        own = [{name: rows[i] for name, rows in features.items()} for i in range(len(pieces))]
        return np.concatenate(list(map(self._prefill, ids, own, pieces)))

    def _prefill(self, ids: Ids, features: Mapping[str, Floats], piece: int) -> Floats:
        """Read the first (T,) tokens of a piece; return (1, V) logits of the next."""
        prefix = [self._prefix(c.name, features[c.name]) for c in self.model.prefix]
        x = np.concatenate([*prefix, self.tokens[ids]])  # (N, D)
        rows = self._rows(features, len(ids))
        ahead = rows[:1].repeat(len(x) - len(ids), 0)  # the prefix gets row 0
        rows = np.concatenate([ahead, rows])
        pieces, positions = np.full(len(x), piece), np.arange(len(x))
        parts = [slice(at, at + CHUNK) for at in range(0, len(x), CHUNK)]
        given = [(rows[part], x[part], pieces[part], positions[part]) for part in parts]
        found = [NOTHING] * len(parts)
        self._run([(kernels.EMBED, 0, *part, NOTHING) for part in given])
        for layer in range(self.model.config.depth):
            for stage in (kernels.PROJECT, kernels.ATTEND):
                calls = zip(given, found, strict=True)
                found = self._run([(stage, layer, *part, qkv) for part, qkv in calls])
        self.lengths[piece] = len(x)
        last = (values[-1:] for values in (rows, x, pieces, positions))
        (logits,) = self._run([(kernels.HEAD, 0, *last, NOTHING)])
        return logits

    def _prefix(self, name: str, rows: Floats) -> Floats:
        """Return the (P, D) vectors of a prefix condition."""
        return _numbers(self.model.conditions(name, torch.from_numpy(rows)))

    def step(self, ids: Ids, rows: Mapping[str, Floats], pieces: Sequence[int]) -> Floats:
        """Read (N,) more tokens of (N,) ``pieces``, with their (N, channels) rows of features;
        return the (N, V) logits after each. A piece that stands there several times in a row reads
        so many tokens, one after another, at once.
        """
        x, own, beside = self.tokens[ids], np.array(pieces, np.int64), self._rows(rows, len(ids))
        positions = np.empty_like(own)
        for i, piece in enumerate(pieces):
            positions[i] = self.lengths[piece]
            self.lengths[piece] += 1
        firsts = [i for i, piece in enumerate(pieces) if i == 0 or piece != pieces[i - 1]]
        threads = max(1, min(self.threads, len(firsts)))
        cuts = [firsts[len(firsts) * k // threads] for k in range(threads)]  # between pieces
        parts = [slice(*edges) for edges in pairwise([*cuts, len(own)])]
        calls = [(kernels.ALL, 0, beside[p], x[p], own[p], positions[p], NOTHING) for p in parts]
        found = self._run(calls)
        return found[0] if threads == 1 else np.concatenate(found)

    def _rows(self, rows: Mapping[str, Floats], n: int) -> Floats:
        """Return the (N, channels) features of all per-token conditions, side by side."""
        features = [rows[c.name] for c in (*self.model.shared, *self.model.added)]
        return np.concatenate([np.empty((n, 0), np.float32), *features], axis=1)

    def _run(self, calls: Sequence[tuple[Any, ...]]) -> list[Floats]:
        """Return what ``compute`` returns for ``calls``, from as many threads as may be."""
        threads = min(self.threads, len(calls))
        here = self.network, self.cache, self.inputs

        def some(first: int) -> list[Floats]:
            return [kernels.compute(*here, *call) for call in calls[first::threads]]

        others = [self.pool.submit(some, first) for first in range(1, threads)]
        results = [some(0), *(other.result() for other in others)]
        return [results[i % threads][i // threads] for i in range(len(calls))]


def _numbers(weight: Tensor) -> Floats:
    """Return a tensor as float32."""
    return weight.detach().float().numpy()


def _linear(layers: Sequence[nn.Linear], norms: Sequence[nn.LayerNorm] = ()) -> QuantizedLinear:
    """Return linear layers of one shape in int8; gain and bias of ``norms`` before them go in."""
    weights = torch.stack([layer.weight.detach() for layer in layers]).float()
    bias = torch.stack([layer.bias.detach() for layer in layers]).float()
    if norms:
        bias += torch.stack(
            [w @ norm.bias.detach() for w, norm in zip(weights, norms, strict=True)]
        )
        weights *= torch.stack([norm.weight.detach() for norm in norms])[:, None]
    return _matrices(weights, bias)


def _matrices(weights: Tensor, bias: Tensor) -> QuantizedLinear:
    """Return (depth, R, N) matrices in int8, with their (depth, R) bias."""
    rows, scales = quantized(weights)
    return QuantizedLinear(packed(rows), _numbers(scales), _numbers(bias))


def _quantized(model: EventTransformer) -> QuantizedTransformer:
    blocks = [cast(Block, block) for block in model.blocks]
    width, heads = model.config.width, model.config.heads
    before, within = [b.attention_norm for b in blocks], [b.mlp_norm for b in blocks]
    qkv = _linear([b.attention.qkv for b in blocks], before)
    if not model.config.qk_norm:
        for part in (qkv.scales, qkv.bias):  # the attention's 1 / sqrt(K), on the queries
            part[:, :width] /= math.sqrt(width // heads)
    distance = torch.stack([b.attention.distance for b in blocks])
    return QuantizedTransformer(
        qk_norm=model.config.qk_norm,
        qkv=qkv,
        out=_linear([b.attention.out for b in blocks]),
        mlp_in=_linear([cast(nn.Linear, b.mlp[0]) for b in blocks], within),
        mlp_out=_linear([cast(nn.Linear, b.mlp[2]) for b in blocks]),
        head=_linear([model.head], [model.norm]),
        distance=_matrices(distance, torch.empty(0, 0)),
    )


def _empty_cache(model: EventTransformer, batch: int) -> KVCache:
    c = model.config
    lead, k = (c.depth, batch, c.heads), c.width // c.heads

    def groups(rows: int, numbers: int) -> Bytes:
        shape = padded(rows, ROWS) // ROWS, padded(numbers, 2) // 2, ROWS, 2
        return np.zeros((*lead, *shape), np.int8)

    def scales() -> Floats:
        return np.zeros((*lead, model.longest), np.float32)

    return KVCache(groups(model.longest, k), scales(), groups(k, model.longest), scales())


def _positional_inputs(model: EventTransformer) -> PositionalInputs:
    ends = np.cumsum([0, *(c.channels for c in model.shared)])
    share = (model.config.width - model.positions.shape[1]) // max(1, len(model.shared))
    first, first_bias, last, last_bias, nulls = _encoders(model, model.shared, share)
    columns = np.ascontiguousarray(last.swapaxes(1, 2))
    return PositionalInputs(
        _numbers(model.positions), ends, first, first_bias, columns, last_bias, nulls
    )


def _added_inputs(model: EventTransformer) -> AddedInputs:
    before = sum(c.channels for c in model.shared)
    ends = np.cumsum([before, *(c.channels for c in model.added)])
    first, first_bias, last, last_bias, nulls = _encoders(model, model.added, model.config.width)
    matrices = _matrices(torch.from_numpy(last), torch.from_numpy(last_bias))
    return AddedInputs(ends, first, first_bias, matrices, nulls)


def _encoders(
    model: EventTransformer, some: Sequence[Conditioner], width: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return the first layers of some conditions, with a row for each channel, and their bias;
    the last layers, with a row for each output, and their bias; and the nulls.
    """
    count, most = len(some), max((c.channels for c in some), default=0)
    first = np.zeros((count, most, width), np.float32)
    last = np.zeros((count, width, width), np.float32)
    first_bias, last_bias, nulls = np.zeros((3, count, width), np.float32)
    for i, c in enumerate(some):
        encoder = cast(nn.Sequential, model.conditions.encoders[c.name])
        before, after = cast(nn.Linear, encoder[0]), cast(nn.Linear, encoder[2])
        first[i, : c.channels], first_bias[i] = _numbers(before.weight).T, _numbers(before.bias)
        last[i], last_bias[i] = _numbers(after.weight), _numbers(after.bias)
        nulls[i] = _numbers(model.conditions.nulls[c.name])
    return first, first_bias, last, last_bias, nulls


def padded(size: int, multiple: int) -> int:
    """Return the least multiple of ``multiple`` that is at least ``size``."""
    return -(-size // multiple) * multiple


def packed(rows: Tensor) -> Bytes:
    """Return (.., R, N) rows of int8 in the packed layout of ``kernels``, padded with zeros."""
    *before, r, n = rows.shape
    more = [(0, 0)] * len(before) + [(0, -r % ROWS), (0, n % 2)]
    groups = np.pad(rows.numpy(), more).reshape(
        *before, padded(r, ROWS) // ROWS, ROWS, padded(n, 2) // 2, 2
    )
    return np.ascontiguousarray(groups.swapaxes(-2, -3))
