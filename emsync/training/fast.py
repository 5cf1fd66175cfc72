"""How a network computes while it trains, and the plain form in which it is measured."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from emsync.model.attention import ATTENTIONS
from emsync.model.transformer import EventTransformer, RelativeAttention


def speed_up(model: EventTransformer, attention: str, compiled: bool) -> None:
    """Let every layer attend by a form of ATTENTIONS; where ``compiled``, compile the blocks.

    All blocks share one graph, so it takes half a minute, where the whole network takes minutes.
    """
    for layer in _attentions(model):
        layer.fused = ATTENTIONS[attention]
    if compiled:
        for block in model.blocks:
            block.compile()


@contextmanager
def plainly(model: EventTransformer) -> Iterator[None]:
    """Let ``model`` compute by its reference, without dropout: it takes batches of any shape."""
    before = [layer.fused for layer in _attentions(model)]
    for layer in _attentions(model):
        layer.fused = None
    model.eval()
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        model.train()
        for layer, fused in zip(_attentions(model), before, strict=True):
            layer.fused = fused


def _attentions(model: EventTransformer) -> list[RelativeAttention]:
    return [module for module in model.modules() if isinstance(module, RelativeAttention)]
