"""What is asked of the music at each latent: rows of conditioners, ten a second, and of the film.

The same plug-ins as the composer of notes has. Each is asked for its rows at the times of the
latents, in the place of the times of tokens; each row becomes a vector, and all are added.

Shapes: B batch, T latents, P rows of one conditioner at one time, D width, d numbers of the film.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from emsync.arrays import Seconds
from emsync.conditioning import Conditioner, Floats, Targets
from emsync.model.transformer import ConditionEncoder
from emsync.tokens import Timeline

RATE = 10  # latents a second; latent i is [i / 10, (i + 1) / 10) s of the music
CONDITIONS = (
    *("metre", "boundaries", "chords", "chroma", "instruments", "onset_density"),
    "valence_arousal",
)
Rows: TypeAlias = dict[str, Floats]  # by conditioner: (T, P, channels); NaN asks for nothing


def rows_of(conditioners: Sequence[Conditioner], targets: Targets, count: int) -> Rows:
    """Return the rows of all conditioners at ``count`` latents, each at its beginning."""
    times = np.arange(count) / RATE
    return {c.name: _rows(c, targets[c.name], times) for c in conditioners}


def _rows(conditioner: Conditioner, target: Floats, times: Seconds) -> Floats:
    """Return (T, P, channels): one row a latent, or those of a prefix for as long as they hold."""
    if conditioner.place == "position":
        return conditioner.features(target, _timeline(times))[:, None]
    changes = np.searchsorted(times, conditioner.changes(target))
    starts = np.union1d(0, changes[changes < len(times)]).astype(np.intp)
    held = [conditioner.features(target, _timeline(times[: start + 1])) for start in starts]
    return np.repeat(np.stack(held), np.diff(np.append(starts, len(times))), axis=0)


def _timeline(times: Seconds) -> Timeline:
    return Timeline(times, np.zeros(len(times), np.bool_))


def nothing(rows: Rows) -> Rows:
    """Return rows that ask for nothing, as many."""
    return {name: np.full_like(values, np.nan) for name, values in rows.items()}


def since(rows: Rows, start: int, stop: int) -> Rows:
    """Return the rows of the latents from ``start`` to ``stop``."""
    return {name: values[start:stop] for name, values in rows.items()}


def batched(rows: Sequence[Rows]) -> dict[str, Tensor]:
    """Return the rows of many films, equally long: (B, T, P, channels)."""
    return {
        name: torch.from_numpy(np.stack([one[name] for one in rows]).astype(np.float32))
        for name in rows[0]
    }


class Conditions(nn.Module):
    """The sum of what is asked: (B, T, D)."""

    def __init__(self, conditioners: Sequence[Conditioner], film: int, width: int) -> None:
        """Read the rows of ``conditioners``, and ``film`` numbers of the film; 0 for none."""
        super().__init__()
        self.conditioners = tuple(conditioners)
        self.encoder = ConditionEncoder(conditioners, dict.fromkeys(self.names, width))
        self.film = nn.Linear(film, width) if film else None
        self.nothing = nn.Parameter(torch.zeros(width))  # in the place of the film

    @property
    def names(self) -> list[str]:
        """The names of the conditioners."""
        return [conditioner.name for conditioner in self.conditioners]

    def forward(self, rows: Mapping[str, Tensor], film: Tensor) -> Tensor:
        """Return the (B, T, D) sum for (B, T, P, channels) rows and the (B, T, d) film.

        NaN asks for nothing.
        """
        unseen = film.isnan().any(-1, keepdim=True)
        total = self.nothing.expand(*film.shape[:2], -1)
        if self.film is not None:
            total = torch.where(unseen, total, self.film(film.nan_to_num()))
        for name in self.names:
            asked = rows[name].flatten(1, 2)  # (B, T P, channels)
            encoded = self.encoder(name, asked).unflatten(1, rows[name].shape[1:3])
            total = total + encoded.sum(2)
        return total
