"""Decoding on a GPU: every step has the same shapes, so that all of it is one captured CUDA graph.

A step of a small network is a few hundred kernels of some microseconds each, and starting them one
by one takes longer than they do. A graph of them is started at once, but always computes on the
same memory. So all pieces are read in each step, wherever they stand in their windows: what is read
of those that were not asked for is overwritten before it counts. Keys are looked at in multiples of
STRIDE, with a graph for each.

The reference is ``transformer.Decoder``. Where there is no GPU the same steps run uncaptured.

Shapes: B pieces, S positions that are looked at, H heads, D width, K = D / H, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from emsync.conditioning import Floats
from emsync.model.transformer import Block, Decoder, EventTransformer, RelativeAttention
from emsync.tokens import Ids

STRIDE = 256  # positions
WARM_UP = 3  # steps before one is captured, as PyTorch advises


@dataclass(frozen=True, eq=False)
class Step:
    """A captured step."""

    graph: torch.cuda.CUDAGraph
    logits: Tensor  # (B, V), which the graph writes


class StaticDecoder(Decoder):
    """Decodes a batch of pieces, all of them in each step."""

    def __init__(self, model: EventTransformer, batch: int) -> None:
        super().__init__(model, batch)
        self.cache.memory.zero_()  # what is not filled has no weight, but must be finite
        device, told = model.head.weight.device, [*model.shared, *model.added]
        self.steps: dict[int, Step] = {}  # by S
        self.channels = {c.name: c.channels for c in told}
        self.read = torch.zeros(2, batch, dtype=torch.int64, device=device)  # tokens and positions
        self.rows = torch.zeros(batch, sum(self.channels.values()), device=device)

    @torch.inference_mode()
    def step(self, ids: Ids, rows: Mapping[str, Floats], pieces: Sequence[int]) -> Floats:
        """Read one more of the (P,) tokens of P different ``pieces``, with their (P, channels) rows
        of features; return (P, V) logits.
        """
        own, longest = list(pieces), self.model.longest
        last = int(self.lengths[own].max())
        if last >= longest:
            raise ValueError(f"{last + 1} positions do not fit a context of {longest}")
        read = np.stack([np.zeros_like(self.lengths), self.lengths.clip(max=longest - 1)])
        read[0, own] = ids
        beside = np.zeros(self.rows.shape, np.float32)
        if self.channels:
            beside[own] = np.concatenate([rows[name] for name in self.channels], axis=1)
        self.read.copy_(torch.from_numpy(read))
        self.rows.copy_(torch.from_numpy(beside))
        self.lengths[own] += 1
        seen = min(longest, (last // STRIDE + 1) * STRIDE)
        logits: Floats = self._logits(seen).float().cpu().numpy()
        return logits[own]

    def _logits(self, seen: int) -> Tensor:
        """Return the (B, V) logits of a step that looks at ``seen`` positions."""
        if not self.read.is_cuda:
            return self._read(seen)
        if seen not in self.steps:
            self.steps[seen] = self._capture(seen)
        self.steps[seen].graph.replay()
        return self.steps[seen].logits

    def _capture(self, seen: int) -> Step:
        """Capture a step; the steps that warm up write what it will write itself."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._read(seen)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits = self._read(seen)
        return Step(graph, logits)

    def _read(self, seen: int) -> Tensor:
        """Read a token of each piece, and look at ``seen`` positions; return (B, V) logits."""
        model, (ids, at) = self.model, self.read
        parts = torch.split(self.rows, list(self.channels.values()), dim=1)
        features = {name: row[:, None] for name, row in zip(self.channels, parts, strict=True)}
        x = model.place(model.tokens(ids[:, None]), model.positions[at][:, None], features)
        keys = torch.arange(seen, device=at.device)
        future = (keys > at[:, None])[:, None]  # (B, 1, S)
        # the row of the vector of each key's distance, as in RelativeAttention
        far = (keys + model.longest - 1 - at[:, None]).clamp(max=model.longest - 1)  # (B, S)
        for layer, block in enumerate(cast(Sequence[Block], model.blocks)):
            normed = block.attention_norm(x)
            x = x + self._attend(block.attention, layer, normed, future, far)
            x = x + block.mlp(block.mlp_norm(x))
        return model.head(model.norm(x))[:, 0]

    def _attend(
        self, attention: RelativeAttention, layer: int, x: Tensor, future: Tensor, far: Tensor
    ) -> Tensor:
        """Return the (B, 1, D) attention of one query of each piece, and keep its key and value."""
        q, k, v = attention.project(x)  # (B, H, 1, K)
        keys, values = self.cache.memory[layer]  # (B, H, longest, K)
        pieces, at = torch.arange(len(x), device=x.device), self.read[1]
        keys[pieces, :, at] = k[:, :, 0]
        values[pieces, :, at] = v[:, :, 0]
        near, seen = q @ attention.distance.to(q.dtype).mT, far.shape[1]  # (B, H, 1, longest)
        index = far[:, None, None].expand(-1, attention.heads, 1, -1)
        scores = q @ keys[:, :, :seen].mT + near.gather(-1, index)  # (B, H, 1, S)
        weights = scores.masked_fill(future[:, None], -torch.inf).softmax(-1)
        return attention.out((weights @ values[:, :, :seen]).flatten(1)[:, None])
