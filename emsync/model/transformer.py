"""The event transformer, all of it in this file.

X = concat_seq(prefix conditions, embed(tokens)) + concat_feat(learned positions, per-token
conditions), then pre-norm blocks of relative attention (Sulun, Viana & Davies, section 3.1).
Per-token conditions that the network was not born with are added to X over the full width.

Shapes: B batch, T tokens, P prefix vectors, N = P + T, L = positions in the cache and the new ones,
H heads, D width, K = D / H.
"""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Annotated, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emsync.conditioning import Conditioner, Floats
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.model.attention import Attend
from emsync.settings import Within, check
from emsync.tokens import Ids

QUERIES = 256  # computed at once: less memory, and no work on keys that lie in their future


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network. What is left out follows the width, in the paper's proportions."""

    vocab_size: Annotated[int, Within(0, 65_535)]
    width: Annotated[int, Within(2, 8192), "numbers that stand for a token"] = 512
    depth: Annotated[int, Within(1, 256), "layers; left out, as deep as the width asks"] = 0
    heads: Annotated[int, Within(1, 1024), "of attention; left out, one for 64 of the width"] = 0
    context: Annotated[int, Within(1, 65_536), "tokens that it reads at once"] = 1216
    position_channels: Annotated[
        int, Within(0, 8191), "of the width, for the per-token conditions; 0: about half"
    ] = 0
    dropout: Annotated[float, Within(0, 0.95), "share of the activations"] = 0.1
    added: Annotated[
        tuple[str, ...], "per-token conditions that are added over the full width"
    ] = ()
    qk_norm: Annotated[bool, "queries and keys of unit mean square, so that training is stable"] = (
        True
    )

    def __post_init__(self) -> None:
        depth = _depth(self.width)
        for name, value in (("depth", depth), ("heads", _heads(self.width))):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        check(self)
        if self.width % self.heads:
            raise UsageError(
                f"width {self.width} is not a multiple of heads {self.heads}; leave heads out, "
                f"which gives {_heads(self.width)}"
            )
        if not 0 <= self.position_channels < self.width:
            raise UsageError(
                f"position_channels {self.position_channels} is not between 0 and the width "
                f"{self.width}"
            )


def _depth(width: int) -> int:
    """Return the layers of a network so wide, in the proportion of the paper's.

    >>> [_depth(width) for width in (32, 128, 256, 512)]
    [1, 3, 6, 11]
    """
    return min(256, max(1, round(width * 11 / 512 + 0.1)))


def _heads(width: int) -> int:
    """Return how many heads of about 64 numbers share ``width`` evenly.

    >>> [_heads(width) for width in (32, 100, 192, 512)]
    [1, 2, 3, 8]
    """
    fitting = [n for n in range(1, max(1, min(width, 8192)) // 16 + 2) if width % n == 0]
    return min(fitting, key=lambda n: abs(width / n - 64))


class Cache:
    """The keys and values of the positions read so far, in preallocated memory."""

    def __init__(self, model: "EventTransformer", batch: int) -> None:
        c, weight = model.config, model.head.weight
        shape = (c.depth, 2, batch, c.heads, model.longest, c.width // c.heads)
        self.memory = torch.empty(shape, dtype=weight.dtype, device=weight.device)
        self.length = 0  # positions filled

    def part(self, pieces: Sequence[int], length: int) -> "Cache":
        """Return a copy of what ``length`` positions of some pieces hold."""
        part = copy(self)
        part.memory, part.length = self.memory[:, :, pieces], length
        return part

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, H, N, K) keys and values after the filled ones; return all (B, H, L, K)."""
        end = self.length + k.shape[2]
        keys, values = self.memory[layer]
        keys[:, :, self.length : end] = k
        values[:, :, self.length : end] = v
        return keys[:, :, :end], values[:, :, :end]


class ConditionEncoder(nn.Module):
    """Encode every conditioner's features; a row with NaN becomes a learned null vector."""

    def __init__(self, conditioners: Sequence[Conditioner], widths: Mapping[str, int]) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(
            {
                c.name: nn.Sequential(
                    nn.Linear(c.channels, widths[c.name]),
                    nn.GELU(),
                    nn.Linear(widths[c.name], widths[c.name]),
                )
                for c in conditioners
            }
        )
        self.nulls = nn.ParameterDict(
            {c.name: nn.Parameter(torch.randn(widths[c.name]) * 0.02) for c in conditioners}
        )

    def forward(self, name: str, rows: Tensor) -> Tensor:  # (B, rows, channels)
        missing = rows.isnan().any(-1, keepdim=True)  # (B, rows, 1)
        encoded = self.encoders[name](rows.nan_to_num().to(self.nulls[name].dtype))
        return torch.where(missing, self.nulls[name].to(encoded.dtype), encoded)


class RelativeAttention(nn.Module):
    """Causal self-attention with a learned vector for each distance (Huang et al. 2018, eq. 3)."""

    def __init__(self, config: ModelConfig, longest: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)
        # row longest - 1 - d is for distance d, so that a slice from the end needs no flip
        self.distance = nn.Parameter(torch.randn(longest, config.width // config.heads) * 0.02)
        self.qk_norm = config.qk_norm
        self.fused: Attend | None = None  # used without a cache, in place of ``attend``

    def forward(self, x: Tensor, layer: int, cache: Cache | None) -> Tensor:  # (B, N, D)
        b, n, d = x.shape
        q, k, v = self.project(x)
        if cache is not None:
            k, v = cache.extend(layer, k, v)  # (B, H, L, K)
        if cache is None and self.fused is not None:
            y = self.fused(q, k, v, self.distance, self.dropout.p if self.training else 0.0)
        else:
            y = self.attend(q, k, v)  # (B, H, N, K)
        return self.out(y.transpose(1, 2).reshape(b, n, d))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scaled queries, the keys and the values of (B, N, D), each (B, H, N, K)."""
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.qk_norm:
            q, k = (F.rms_norm(x.float(), x.shape[-1:]).to(v.dtype) for x in (q, k))
        return q / math.sqrt(q.shape[-1]), k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return (B, H, N, K): the attention of the newest N of (B, H, L, K) keys and values."""
        n, length = q.shape[2], k.shape[2]
        rows = [
            self._attend(q[:, :, at : at + QUERIES], k, v, length - n + at)
            for at in range(0, n, QUERIES)
        ]
        return torch.cat(rows, dim=2) if len(rows) > 1 else rows[0]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, first: int) -> Tensor:
        """Return (B, H, N, K): the attention of the queries at positions ``first`` and on."""
        n, length = q.shape[2], first + q.shape[2]  # no query looks beyond the last one
        far = self.distance[-length:].to(q.dtype)  # (L, K)
        scores = q @ k[:, :, :length].mT + skew(q @ far.mT)  # (B, H, N, L)
        if n > 1:
            scores = scores.masked_fill(_future(n, length, q.device), -torch.inf)
        return self.dropout(scores.softmax(-1)) @ v[:, :, :length]


def skew(rows: Tensor) -> Tensor:
    """Turn (..., N, L) by column L-1-distance into (..., N, L) by key; the future is undefined.

    Query i stands at position L - N + i. Huang et al. 2018, section 3.4.1, for any L >= N.
    """
    n, length = rows.shape[-2:]
    return F.pad(rows, (1, 0)).flatten(-2)[..., n:].view(*rows.shape[:-2], n, length)


def _future(n: int, length: int, device: torch.device) -> Tensor:
    """Return the (N, L) mask of the keys that come after each query."""
    return torch.ones(n, length, dtype=torch.bool, device=device).triu(length - n + 1)


class Block(nn.Module):
    """Attention and a feed-forward network, each on a normalized residual."""

    def __init__(self, config: ModelConfig, longest: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = RelativeAttention(config, longest)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(),
            nn.Linear(4 * config.width, config.width),
            nn.Dropout(config.dropout),
        )

    def forward(self, x: Tensor, layer: int, cache: Cache | None) -> Tensor:  # (B, N, D)
        x = x + self.attention(self.attention_norm(x), layer, cache)
        return x + self.mlp(self.mlp_norm(x))


def _share(config: ModelConfig, conditions: int) -> int:
    """Return how many of the position channels each of so many per-token conditions has."""
    even = config.width // 2 // max(1, conditions)
    share, rest = divmod(config.position_channels, max(1, conditions))
    if even == 0 or share * conditions >= config.width or (config.position_channels and not share):
        raise UsageError(
            f"a width of {config.width} with {config.position_channels} position_channels has no "
            f"room for {conditions} per-token conditions; choose a larger width"
        )
    if rest:
        raise UsageError(
            f"position_channels {config.position_channels} cannot be shared evenly by "
            f"{conditions} per-token conditions; leave it out, which gives {even * conditions}"
        )
    return share or even


def _check_added(config: ModelConfig, conditioners: Sequence[Conditioner]) -> None:
    """Refuse to add what is no condition of the network, or stands before its tokens."""
    places = {c.name: c.place for c in conditioners}
    for name in config.added:
        if name not in places:
            raise UsageError(
                f"added names {shown(name)}, which is no condition of the network; it has "
                f"{', '.join(places) or 'none'}"
            )
        if places[name] == "prefix":
            raise UsageError(
                f"added names {shown(name)}, which stands before the tokens and needs no adding; "
                "leave it out"
            )


class EventTransformer(nn.Module):
    """Predicts the next token from the tokens so far and the features of the conditions."""

    def __init__(self, config: ModelConfig, conditioners: Sequence[Conditioner] = ()) -> None:
        super().__init__()
        names = [c.name for c in conditioners]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"the conditioner {shown(twice)} is named twice; name it once")
        _check_added(config, conditioners)
        self.prefix = [c for c in conditioners if c.place == "prefix"]
        self.per_token = [c for c in conditioners if c.place == "position"]
        self.shared = [c for c in self.per_token if c.name not in config.added]
        self.added = [c for c in self.per_token if c.name in config.added]
        share = _share(config, len(self.shared))
        config = replace(config, position_channels=share * max(1, len(self.shared)))
        self.config, self.conditioners = config, tuple(conditioners)
        widths = {c.name: share if c in self.shared else config.width for c in conditioners}
        self.longest = config.context + sum(c.channels for c in self.prefix)  # P <= channels
        self.conditions = ConditionEncoder(conditioners, widths)
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        learned = config.width - share * len(self.shared)
        self.positions = nn.Parameter(torch.randn(self.longest, learned) * 0.02)
        self.blocks = nn.ModuleList(Block(config, self.longest) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocab_size)
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("attention.out.weight", "mlp.2.weight")):
                nn.init.zeros_(weight)  # the residual stream begins as the embedding alone
        for c in self.added:
            first, _, last = cast(nn.Sequential, self.conditions.encoders[c.name])
            # as wide as its rows are, so that there is something to learn from at once
            nn.init.normal_(cast(nn.Linear, first).weight, std=c.channels**-0.5)
            # a network that learns one more begins as what it was
            nn.init.zeros_(cast(nn.Linear, last).weight)
            nn.init.zeros_(self.conditions.nulls[c.name])

    def forward(
        self, ids: Tensor, features: Mapping[str, Tensor], cache: Cache | None = None
    ) -> Tensor:
        """Map (B, T) tokens and {name: (B, rows, channels)} features to (B, T, V) logits.

        With a cache, the tokens continue those it has read; prefix features are used at its start.
        """
        x = self.embed(ids, features, cache.length if cache is not None else 0)  # (B, N, D)
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, cache)
        if cache is not None:
            cache.length += x.shape[1]
        return self.head(self.norm(x[:, x.shape[1] - ids.shape[1] :]))

    def embed(self, ids: Tensor, features: Mapping[str, Tensor], at: int = 0) -> Tensor:
        """Return the (B, N, D) embeddings of tokens and conditions from position ``at`` on."""
        x = self.tokens(ids)  # (B, T, D)
        if at == 0:
            prefix = [self.conditions(c.name, features[c.name]) for c in self.prefix]
            x = torch.cat([*(p.to(x.dtype) for p in prefix), x], dim=1)  # (B, N, D)
        n = x.shape[1]
        if at + n > self.longest:
            raise ValueError(f"{at + n} positions do not fit a context of {self.longest}")
        return self.place(x, self.positions[at : at + n].expand(len(ids), -1, -1), features)

    def place(self, x: Tensor, learned: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        """Return (B, N, D) vectors with their (B, N, share) positions and conditions added."""

        def encoded(c: Conditioner) -> Tensor:  # (B, N, share or D)
            rows: Tensor = self.conditions(c.name, features[c.name]).to(learned.dtype)
            ahead = x.shape[1] - rows.shape[1]
            return torch.cat([rows[:, :1].expand(-1, ahead, -1), rows], dim=1)  # the prefix: row 0

        placed = x + torch.cat([learned, *map(encoded, self.shared)], dim=-1)
        for c in self.added:
            placed = placed + encoded(c)
        return placed


class Decoder:
    """Decodes a batch of pieces with a KV cache: ``prefill``, then ``step`` by ``step``.

    It takes and returns arrays, and computes with tensors where the model is.
    """

    def __init__(self, model: EventTransformer, batch: int) -> None:
        self.model, self.cache = model, Cache(model, batch)
        self.lengths = np.zeros(batch, np.int64)  # positions filled of each piece

    @torch.inference_mode()
    def prefill(self, ids: Ids, features: Mapping[str, Floats], pieces: Sequence[int]) -> Floats:
        """Read the first (P, T) tokens of P ``pieces`` anew; return (P, V) logits of the next."""
        fresh = Cache(self.model, len(pieces))
        tensors = {name: self._tensor(rows) for name, rows in features.items()}
        logits = self.model(self._tensor(ids), tensors, fresh)[:, -1]
        n = fresh.length
        self.cache.memory[:, :, pieces, :, :n] = fresh.memory[..., :n, :]
        self.lengths[pieces] = n
        return _array(logits)

    def step(self, ids: Ids, rows: Mapping[str, Floats], pieces: Sequence[int]) -> Floats:
        """Read (N,) more tokens of (N,) ``pieces``, with their (N, channels) rows of features;
        return the (N, V) logits after each. A piece may stand there several times. Pieces whose
        windows are equally long are read together.
        """
        own = np.array(pieces, np.int64)
        lengths = np.empty_like(own)
        for i, piece in enumerate(pieces):
            lengths[i] = self.lengths[piece]
            self.lengths[piece] += 1
        logits = np.zeros((len(own), self.model.config.vocab_size), np.float32)
        for length in np.unique(lengths).tolist():
            here = lengths == length
            some = {name: row[here] for name, row in rows.items()}
            logits[here] = self._step(ids[here], some, own[here].tolist(), length)
        return logits

    @torch.inference_mode()
    def _step(self, ids: Ids, rows: Mapping[str, Floats], pieces: list[int], length: int) -> Floats:
        everything = pieces == list(range(len(self.lengths)))
        cache = self.cache if everything else self.cache.part(pieces, length)
        cache.length = length
        features = {name: self._tensor(row[:, None]) for name, row in rows.items()}
        logits = self.model(self._tensor(ids[:, None]), features, cache)[:, -1]
        if not everything:
            self.cache.memory[..., length, :][:, :, pieces] = cache.memory[..., length, :]
        return _array(logits)

    def _tensor(self, array: Ids | Floats) -> Tensor:
        return torch.from_numpy(array).to(self.model.head.weight.device)


def _array(logits: Tensor) -> Floats:
    return logits.float().cpu().numpy()
