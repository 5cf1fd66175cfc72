"""Teach towers whether music moves with pictures: films drawn to passages of songs.

emsync train synchrony.toml
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.losses import Extra, contrastive
from emsync.synchrony.measured import CHANGES, Trial, measure
from emsync.synchrony.towers import Towers
from emsync.training.lesson import Lesson

SOUND, NOTES = (("recall", *CHANGES), ("notes",))  # of sound, and of notes only how many are found
Trials = Callable[[], Sequence[Trial]]


@dataclass(frozen=True, eq=False)
class Batch:
    """B films of T rows, the music of each, and X pieces more that do not belong to it."""

    luma: Tensor  # (B, T, 27, 48)
    mel: Tensor  # (B, 8 T, 160)
    notes: Tensor  # (B, 4 T, 15)
    extra_mel: Tensor  # (B, X, 8 T, 160)
    extra_notes: Tensor  # (B, X, 4 T, 15)
    extra_is: Tensor  # (B, X) whether there is one


class Feeds(Protocol):
    """What gives the batch of a step."""

    def batch(self, step: int) -> Batch:
        """Return films, the music of each, and music that does not belong to it."""

    def met(self, step: int) -> str:
        """Return in words what a batch is made of."""


@dataclass(frozen=True, eq=False)
class Syncing(Lesson):
    """Towers that learn which music belongs to a film."""

    figures: ClassVar = tuple(f"{kind}_{name}" for kind in ("seen", "unseen")
                              for name in (*SOUND, *NOTES))  # fmt: skip

    synchrony: Synchrony
    feed: Feeds
    trials: Mapping[str, Trials]  # by "seen" and "unseen": kinds of films
    seed: int

    @property
    def network(self) -> nn.Module:
        """What learns."""
        return self.synchrony.towers

    def loss(self, step: int, share: float) -> Tensor:
        """Return the loss of the films of a step, by sound and by notes."""
        return loss_of(self.synchrony.towers, self.feed.batch(step))

    def met(self, step: int) -> str:
        """Return the films of a step."""
        return self.feed.met(step)

    def held_out(self) -> dict[str, float]:
        """Return how often the own music of held-out songs is found, and told from what is near."""
        figures: dict[str, float] = {}
        for kind, trials in self.trials.items():
            if not (films := trials()):
                continue
            sound = measure(self.synchrony, films, notes=False, seed=self.seed).figures()
            written = measure(self.synchrony, films, notes=True, seed=self.seed).figures()
            figures |= {f"{kind}_{name}": value for name, value in sound.items()}
            figures[f"{kind}_notes"] = written["recall"]
        return figures

    def save(self, folder: Path) -> None:
        """Write the towers."""
        self.synchrony.save(folder)


def loss_of(towers: Towers, batch: Batch) -> Tensor:
    """Return equation 2 of films and their music, the mean over sound and notes."""
    device = towers.log_temperature.device
    luma, mel, notes, more_mel, more_notes, there = (
        torch.as_tensor(part, device=device)
        for part in (batch.luma, batch.mel, batch.notes,
                     batch.extra_mel, batch.extra_notes, batch.extra_is)
    )  # fmt: skip
    films = towers.film(luma)
    heard = _embedded(towers.sound, mel, more_mel, there)
    read = _embedded(towers.notes, notes, more_notes, there)
    losses = [contrastive(films, music, towers.temperature, more) for music, more in (heard, read)]
    return torch.stack(losses).mean()


def _embedded(tower: nn.Module, own: Tensor, more: Tensor, there: Tensor) -> tuple[Tensor, Extra]:
    """Return music (B, T, D), and more music for each film (B, X, T, D) where it is there."""
    rows = tower(torch.cat([own, more[there]]).float())
    extra = rows.new_zeros(*there.shape, *rows.shape[1:])
    extra[there] = rows[len(own) :]
    return rows[: len(own)], (extra, there)
