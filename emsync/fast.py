"""The same network for decoding on a CPU: weights and cache in int8, a few operators a step.

Decoding waits for memory, so what is read for a token is made small. Linear layers are FBGEMM's,
with a scale for each row of weights and, so that a piece does not depend on its neighbours in the
batch, for each row of activations. Attention over the cache is two weighted sums of int8 rows,
which is what torch calls embedding bags: a query weighs the rows of keys (one for each channel of
BLOCK positions), the attention weighs the rows of values (one for each position). The positions
that do not fill a block yet stay in float32.

The plain model of ``emsync.model`` is the law; tests/test_fast.py says how near this comes.

Shapes as in ``emsync.model``, and M = B x H, C channels of all conditions beside a token.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emsync.model import Block, EventTransformer

BLOCK = 64  # positions whose keys are quantized together
LEVELS = 63  # of activations: 7 bits, since 8 overflow in FBGEMM's sums where there is no VNNI
SCALE = 8  # bytes beside a quantized row: its scale and its least value
ROWS = 4  # of a float32 product; another number of them may be summed in another order

# .op: what is called each time; its wrapper first looks for what only torch.export has
_product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.op
_pack = torch.ops.quantized.embedding_bag_byte_prepack.default
_bag = torch.ops.quantized.embedding_bag_byte_rowwise_offsets.default


def supported(model: EventTransformer) -> bool:
    """Tell whether the model is on a CPU that can decode in int8."""
    on_cpu = model.head.weight.device.type == "cpu"
    return on_cpu and torch.backends.quantized.engine in ("x86", "fbgemm")


class Linear:
    """A linear layer in int8, with the scale and shift of the normalization before it."""

    def __init__(self, layer: nn.Linear, norm: nn.LayerNorm | None = None) -> None:
        weight, self.bias = layer.weight.detach(), layer.bias.detach()
        if norm is not None:
            self.bias = self.bias + weight @ norm.bias.detach()
            weight = weight * norm.weight.detach()
        scales = weight.abs().amax(1).clamp_min(1e-12) / 127
        zeros = torch.zeros(len(scales), dtype=torch.long)
        with warnings.catch_warnings():  # the pin of torch in pyproject.toml is for this too
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor.* are deprecated")
            rows = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
        self.weight = torch.ops.quantized.linear_prepack(rows, None)

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor:  # (B, D)
        """Return the layer's answer, added ``onto`` what is given."""
        # a row of zeros becomes NaN, is quantized to anything, and then counts for nothing
        largest = x.abs().amax(-1, keepdim=True)
        y = _product(x / largest, 1 / LEVELS, LEVELS + 1, self.weight)
        return torch.addcmul(self.bias if onto is None else onto + self.bias, y, largest)


class Conditions:
    """All conditions beside a token, encoded at once."""

    def __init__(self, model: EventTransformer) -> None:
        encoders = [cast(nn.Sequential, model.conditions.encoders[c.name]) for c in model.beside]
        self.first, self.last = (
            _side_by_side([cast(nn.Linear, e[at]) for e in encoders]) for at in (0, 2)
        )
        nulls = [model.conditions.nulls[c.name].detach() for c in model.beside]
        self.nulls = torch.cat([torch.zeros(0), *nulls])
        # (C, D'): which channels make which part of the answer null
        self.reach: Tensor = torch.block_diag(  # type: ignore[no-untyped-call]
            *(
                torch.ones(c.channels, len(null))
                for c, null in zip(model.beside, nulls, strict=True)
            )
        )

    def __call__(self, rows: Tensor) -> Tensor:  # (B, C)
        missing = rows.isnan()
        encoded = F.linear(F.gelu(F.linear(rows.nan_to_num(), *self.first)), *self.last)
        return torch.where(missing.float() @ self.reach > 0, self.nulls, encoded)


def _side_by_side(layers: Sequence[nn.Linear]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the layer that is all ``layers``, each on its own channels."""
    weights = (layer.weight.detach() for layer in layers)
    weight: Tensor = torch.block_diag(*weights)  # type: ignore[no-untyped-call]
    return weight, torch.cat([torch.zeros(0), *(layer.bias.detach() for layer in layers)])


class Layer:
    """One block of the model, and what it remembers of M heads."""

    def __init__(self, block: Block, m: int, longest: int) -> None:
        self.attend = block.attention.attend
        self.qkv = Linear(block.attention.qkv, block.attention_norm)
        self.out = Linear(block.attention.out)
        widen, narrow = cast(nn.Linear, block.mlp[0]), cast(nn.Linear, block.mlp[2])
        self.widen = Linear(widen, block.mlp_norm)
        self.narrow = Linear(narrow)
        # column longest - 1 - d is for distance d; the future follows, in zeros
        self.distance = F.pad(block.attention.distance.detach(), (0, 0, 0, BLOCK)).T.contiguous()
        k, blocks = len(self.distance), -(-longest // BLOCK)
        self.keys = torch.zeros(m, blocks, k, BLOCK + SCALE, dtype=torch.uint8)
        self.values = torch.zeros(m, blocks * BLOCK, k + SCALE, dtype=torch.uint8)
        self.newest = torch.zeros(m, BLOCK, k)  # keys of the block that is not full yet

    def store(self, rows: slice, blocks: slice, keys: Tensor) -> None:
        """Quantize the (M', N, K) keys that fill ``blocks`` of some ``rows``."""
        self.keys[rows, blocks] = _pack(
            keys.view(len(keys), -1, BLOCK, keys.shape[-1]).mT.contiguous()
        )

    def feed(self, x: Tensor, y: Tensor) -> Tensor:  # (B, D)
        """Return ``x`` after what it attended to, ``y``, and the feed-forward network."""
        x = self.out(y, onto=x)
        return self.narrow(F.gelu(self.widen(normal(x))), onto=x)


class Bags:
    """For each of M heads the first ``used`` of its ``rows``, in bags of ``size``."""

    def __init__(self, m: int, rows: int, used: int, size: int) -> None:
        self.rows = torch.arange(m * rows, dtype=torch.int32).view(m, rows)[:, :used].flatten()
        self.ends = torch.arange(0, len(self.rows) + 1, size, dtype=torch.int32)

    def sum(self, table: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum of each bag of the rows of ``table``."""
        return _bag(
            table.flatten(0, -2), self.rows, self.ends,
            per_sample_weights=weights, include_last_offset=True,
        )  # fmt: skip


class Decoder:
    """Reads a batch of pieces: first what is there of each, then token by token."""

    def __init__(self, model: EventTransformer, batch: int) -> None:
        c = model.config
        self.model, self.batch, self.heads = model, batch, c.heads
        self.m, self.k = batch * c.heads, c.width // c.heads
        self.layers = [Layer(cast(Block, block), self.m, model.longest) for block in model.blocks]
        self.conditions = Conditions(model)
        self.head = Linear(model.head, model.norm)
        self.full = -1  # blocks of keys that are full

    def begin(self, ids: Tensor, features: Mapping[str, Tensor], pieces: Sequence[int]) -> Tensor:
        """Read the (P, T) first tokens of some ``pieces``; return (P, V) logits of the next."""
        logits = []
        for i, piece in enumerate(pieces):  # the many tokens of one keep the machine busy
            x = self.model.embed(ids[i : i + 1], {k: v[i : i + 1] for k, v in features.items()})[0]
            n, d = x.shape
            full, rows = n // BLOCK, slice(piece * self.heads, (piece + 1) * self.heads)
            for layer in self.layers:
                qkv = layer.qkv(normal(x)).view(n, 3, self.heads, self.k).permute(1, 2, 0, 3)
                q, k, v = qkv.unbind()  # (H, N, K)
                if full:
                    layer.store(rows, slice(full), k[:, : full * BLOCK])
                layer.newest[rows, : n % BLOCK] = k[:, full * BLOCK :]
                layer.values[rows, :n] = _pack(v.contiguous())
                y = layer.attend((q / math.sqrt(self.k))[None], k[None], v[None])[0]
                x = layer.feed(x, y.transpose(0, 1).reshape(n, d))
            logits.append(self.head(normal(x[-1:])))
        self._reach(n)
        return torch.cat(logits)

    def step(self, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Read (B,) tokens and the (B, channels) rows beside them; return (B, V) logits."""
        x = self._embed(ids, rows)  # (B, D)
        block, at = divmod(self.length, BLOCK)
        for layer in self.layers:
            q, k, v = layer.qkv(normal(x)).view(self.batch, 3, self.heads, self.k).unbind(1)
            layer.newest.view(self.batch, self.heads, BLOCK, self.k)[:, :, at] = k
            layer.values[:, self.length] = _pack(v.reshape(self.m, self.k))
            y = self._attend(layer, (q / math.sqrt(self.k)).view(self.m, self.k))
            x = layer.feed(x, y.view(x.shape))
            if at == BLOCK - 1:
                layer.store(slice(None), slice(block, block + 1), layer.newest)
        self._reach(self.length + 1)
        return self.head(normal(x))

    def _embed(self, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Return (B, D): the token, its position and the conditions beside it."""
        model = self.model
        x, place = model.tokens(ids), model.positions[self.length].expand(self.batch, -1)
        if not model.beside:
            return x + place
        beside = torch.cat([rows[c.name] for c in model.beside], dim=1)
        beside = F.pad(beside, (0, 0, 0, -self.batch % ROWS))
        return x + torch.cat([place, self.conditions(beside)[: self.batch]], dim=1)

    def _attend(self, layer: Layer, q: Tensor) -> Tensor:
        """Return (M, K) for the queries that stand at the newest position."""
        n, start = self.length + 1, layer.distance.shape[1] - BLOCK - self.length - 1
        scores = torch.bmm(q[:, None], layer.newest.mT)[:, 0]  # (M, BLOCK)
        if self.full:
            weights = q[:, None].expand(-1, self.full, -1).reshape(-1)
            older = self.channels.sum(layer.keys, weights).view(self.m, -1)
            scores = torch.cat([older, scores], dim=1)
        scores += q @ layer.distance[:, start : start + scores.shape[1]]
        scores[:, n:] = -torch.inf
        return self.positions.sum(layer.values, scores.softmax(-1).view(-1))

    def _reach(self, length: int) -> None:
        """Have read ``length`` positions."""
        self.length = length
        if self.full != length // BLOCK:
            self.full = length // BLOCK
            blocks, seen = self.layers[0].keys.shape[1], (self.full + 1) * BLOCK
            self.channels = Bags(self.m, blocks * self.k, self.full * self.k, self.k)
            self.positions = Bags(self.m, blocks * BLOCK, seen, seen)


def normal(x: Tensor) -> Tensor:
    """Return (.., D) vectors of mean 0 and variance 1."""
    return F.layer_norm(x, x.shape[-1:])
