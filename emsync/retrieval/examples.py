"""Films of a store and the music under them, as a network learns from them, and when.

Shapes: n seconds of a film or of music, F numbers a token, P parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emsync.arrays import Int64s
from emsync.errors import InputError, UsageError
from emsync.limits import quoted
from emsync.matching.matcher import Columns
from emsync.progress import Progress, silent
from emsync.retrieval.checkpoint import STAMPS, System
from emsync.retrieval.network import Batch, Network, Parts
from emsync.retrieval.pairs import PairStore
from emsync.retrieval.regimes import Stretch, places
from emsync.retrieval.stores import Row

NARROW = 64  # numbers of a row up to which a column is kept beside the tokens that were read of it


@dataclass(frozen=True, eq=False)
class Side:
    """A film, or the music under it."""

    tokens: Tensor  # (n, F)
    columns: Columns  # the narrow ones, of which a network may tell marks


@dataclass(frozen=True, eq=False)
class Example:
    """A film and the music under it, divided as the network divides the film."""

    film: Side
    music: Side
    parts: list[Stretch]
    places: Int64s  # (P,) of each part by its flow: 0 is the fastest
    moves: bool  # whether one part is faster than another


def example(system: System, film: Columns, music: Columns) -> Example:
    """Return a pair as ``system`` reads it."""
    sides = Side(system.films(film), _narrow(film)), Side(system.music(music), _narrow(music))
    length = min(len(side.tokens) for side in sides)
    parts = [(start, min(stop, length)) for start, stop in system.film_parts(film)]
    parts = [(start, stop) for start, stop in parts if start < stop]
    speeds = speeds_of(film, parts)
    return Example(*sides, parts, places(speeds), max(speeds) > min(speeds))


def check_columns(system: System, store: PairStore) -> None:
    """Refuse a store that does not have what ``system`` reads, or has it of another version."""
    name = quoted(store.folder)
    for what, there, read in (
        ("films", store.head.film, system.films.names),
        ("music", store.head.music, system.music.names),
        ("both", {**store.head.film, **store.head.music}, system.network.looks_at),
    ):
        for column in read:
            if column not in there:
                raise UsageError(
                    f"{system.name} reads the column {column}, but of {what} the store {name} has "
                    f"{', '.join(sorted(there))}"
                )
            if there[column] != STAMPS[column]:
                raise InputError(
                    f"the store {name} has {there[column]!r}, and now there is {STAMPS[column]!r}; "
                    "make it anew"
                )


def speeds_of(film: Columns, parts: Sequence[Stretch]) -> list[float]:
    """Return the mean flow of each part, in picture heights a second."""
    return [float(np.mean(film["flow"][4 * start : 4 * stop])) for start, stop in parts]


def examples(
    system: System, store: PairStore, numbers: Sequence[int], progress: Progress = silent
) -> list[Example]:
    """Return the pairs ``numbers`` of a store as ``system`` reads them."""
    found = []
    for done, number in enumerate(numbers, 1):
        found.append(example(system, store.film(number), store.music(number)))
        progress("Reading", done / len(numbers))
    return found


def gathered(network: Network, chosen: Sequence[tuple[Side, Stretch]]) -> Parts:
    """Return stretches of several films, or of several tracks, as parts."""
    return Parts.of(
        [side.tokens[start:stop] for side, (start, stop) in chosen],
        [network.marks(side.columns, stretch) for side, stretch in chosen],
    )


def batch_of(network: Network, chosen: Sequence[Example], labels: Sequence[int]) -> Batch:
    """Return examples as a batch; ``labels`` are the numbers of their unified tags, or -1."""
    stretches = [(one, stretch) for one in chosen for stretch in one.parts]
    counts = torch.tensor([len(one.parts) for one in chosen])
    lasts = torch.tensor([len(one.parts) - 1 if one.moves else 0 for one in chosen])
    device = chosen[0].film.tokens.device
    return Batch(
        films=gathered(network, [(one.film, stretch) for one, stretch in stretches]),
        music=gathered(network, [(one.music, stretch) for one, stretch in stretches]),
        film=torch.arange(len(chosen)).repeat_interleave(counts).to(device),
        place=torch.from_numpy(np.concatenate([one.places for one in chosen])).to(device),
        last=lasts.repeat_interleave(counts).to(device),
        label=torch.tensor(labels).repeat_interleave(counts).to(device),
    )


class Meetings:
    """Which film is met when: in each epoch every song once, in an order and a film by chance.

    A batch has no two films of one song or of one group of duplicates, so none is another's
    negative. What item i is depends on the seed alone.
    """

    def __init__(self, pairs: Sequence[Row], numbers: Sequence[int], batch: int, seed: int):
        by_group: dict[str, list[int]] = {}
        for place, number in enumerate(numbers):
            by_group.setdefault(pairs[number].group, []).append(place)
        self.groups = list(by_group.values())
        self.batch, self.seed = batch, seed
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    @property
    def steps(self) -> int:
        """How many whole batches an epoch has."""
        return len(self.groups) // self.batch

    def at(self, step: int) -> list[int]:
        """Return the (batch,) places in ``numbers`` of the films that are met in a step."""
        epoch, turn = divmod(step, self.steps)
        if epoch != self._epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.groups))
            self._epoch, self._order = epoch, order
        rng = np.random.default_rng([self.seed, epoch, turn])
        chosen = self._order[turn * self.batch : (turn + 1) * self.batch]
        return [int(rng.choice(self.groups[group])) for group in chosen]


def evenly(places: Sequence[int], most: int) -> list[int]:
    """Return at most so many of ``places``, as far apart as can be."""
    if len(places) <= most:
        return list(places)
    return [places[i * len(places) // most] for i in range(most)]


def _narrow(columns: Columns) -> Columns:
    return {
        name: rows for name, rows in columns.items() if rows.ndim == 1 or rows.shape[1] <= NARROW
    }
