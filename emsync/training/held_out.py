"""How well a network foretells songs that it is never trained on: the same crops each time."""

from dataclasses import replace
from functools import cached_property

import torch

from emsync.data.crops import Cropping
from emsync.data.store import Song, Store
from emsync.model.transformer import EventTransformer
from emsync.training.accelerator import Accelerator
from emsync.training.batches import Batch, Crops, collate
from emsync.training.fast import plainly
from emsync.training.loss import loss_of, token_weights

BATCH = 8  # crops read at once
UNCONDITIONAL = replace(Cropping.plain(), condition_dropout=1.0)


class HeldOut:
    """Crops of held-out songs of which nothing is requested but the music's own time."""

    def __init__(
        self, store: Store, songs: list[Song], model: EventTransformer, count: int
    ) -> None:
        context = model.config.context
        self.crops = Crops(store, songs, model.conditioners, context, UNCONDITIONAL, 1.0, seed=1)
        self.count, self.model = count, model
        self.weight = token_weights(store.tokenizer)

    @cached_property
    def batches(self) -> list[Batch]:
        """The crops, cut once."""
        firsts = range(0, self.count, BATCH)
        return [
            collate([self.crops[i] for i in range(first, min(first + BATCH, self.count))])
            for first in firsts
        ]

    @torch.no_grad()
    def nats(self, machine: Accelerator) -> float:
        """Return the nats a token, unweighted; what is never drawn does not count."""
        total, count = 0.0, 0.0
        weight = self.weight.to(machine.device)
        with plainly(self.model):
            for batch in self.batches:
                there = {name: value.to(machine.device) for name, value in batch.items()}
                with machine.autocast():
                    loss, tokens = loss_of(self.model, there, weight)
                total, count = total + loss.item(), count + tokens.item()
        return total / count
