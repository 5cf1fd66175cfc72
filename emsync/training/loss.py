"""The loss: the weighted cross-entropy of the tokens that a network may be asked to draw."""

import torch
import torch.nn.functional as F
from torch import Tensor

from emsync.tokens import Tokenizer
from emsync.training.batches import Batch


def loss_of(
    model: torch.nn.Module, batch: Batch, weight: Tensor, pad: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the summed weighted cross-entropy and the summed weight; padding has none."""
    ids = batch["ids"]
    logits = model(ids[:, :-1], {k: v for k, v in batch.items() if k != "ids"})
    weights = weights_of(batch, weight, pad)
    losses = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    return (losses * weights).sum(), weights.sum()


def weights_of(batch: Batch, weight: Tensor, pad: int = 0) -> Tensor:
    """Return the weight of each token to predict, (B * T,); padding has none."""
    targets = batch["ids"][:, 1:].flatten()
    return weight[targets] * (targets != pad)


def token_weights(tokenizer: Tokenizer, chord: float = 1.0) -> Tensor:
    """Return the (V,) weights in the loss: ``chord`` for the boundary mark, else 1.

    Tokens that are never drawn, such as padding and the header, have none: they are always given.
    """
    weight = torch.ones(tokenizer.vocab_size)
    if tokenizer.mark is not None:
        weight[tokenizer.mark] = chord
    weight[list(tokenizer.excluded_ids)] = 0.0
    return weight
