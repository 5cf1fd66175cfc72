"""What the network reads in a step: crops of songs, drawn by number and shared by processes."""

import os
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emsync.conditioning import Conditioner
from emsync.data.crops import Cropping, augment, window
from emsync.data.store import Song, Store
from emsync.errors import UsageError
from emsync.training.accelerator import Accelerator
from emsync.training.config import TrainConfig

Batch = dict[str, Tensor]  # "ids" (B, T + 1), and (B, rows, channels) for each conditioner


class Crops(Dataset[Batch]):
    """Crop number i of a run: the same for the same seed, whichever process draws it."""

    def __init__(
        self,
        store: Store,
        songs: list[Song],
        conditioners: tuple[Conditioner, ...],
        context: int,
        cropping: Cropping,
        labelled_weight: float,
        seed: int,
    ) -> None:
        self.store, self.songs, self.conditioners = store, songs, conditioners
        self.context, self.cropping, self.seed = context, cropping, seed
        weights = [labelled_weight if labels_of(song) else 1.0 for song in songs]
        self.edges = np.cumsum(weights) / np.sum(weights)

    def __len__(self) -> int:
        return 2**62  # as many as the budget allows

    def song(self, i: int) -> Song:
        """Return the song that crop ``i`` is cut from."""
        return self._song(self._rng(i))

    def __getitem__(self, i: int) -> Batch:
        rng = self._rng(i)
        song = self._song(rng)
        passage = augment(
            self.store.ids(song), self.store.tokenizer, self.conditioners, self.context, rng,
            self.cropping, labels_of(song),
        )  # fmt: skip
        example = window(passage, self.conditioners, self.context, self.store.arousal)
        rows = {name: torch.from_numpy(value) for name, value in example.features.items()}
        return {"ids": torch.from_numpy(example.ids), **rows}

    def _rng(self, i: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, i])

    def _song(self, rng: np.random.Generator) -> Song:
        return self.songs[int(np.searchsorted(self.edges, rng.random(), "right"))]


def labels_of(song: Song) -> dict[str, float]:
    """Return what ``song`` is labelled with; an unlabelled arousal is measured on each crop."""
    labels = {"valence": song.valence, "arousal": song.arousal}
    return {name: value for name, value in labels.items() if value is not None}


def batches(
    crops: Crops, first: int, config: TrainConfig, accelerator: Accelerator
) -> Iterator[Batch]:
    """Yield this process's share of the parts of the batches, from part ``first`` on."""
    size = config.batch // config.accumulate
    if size % accelerator.num_processes:
        raise UsageError(f"{size} crops cannot be shared by {accelerator.num_processes} processes")
    share = size // accelerator.num_processes
    begin = accelerator.process_index * share

    def rows() -> Iterator[list[int]]:
        number = first
        while True:
            yield list(range(number * size + begin, number * size + begin + share))
            number += 1

    workers = min(15, os.cpu_count() or 1) if accelerator.device.type == "cuda" else 0
    loader: DataLoader[Batch] = DataLoader(
        crops, batch_sampler=rows(), num_workers=workers, collate_fn=collate
    )
    for batch in loader:
        yield {k: v.to(accelerator.device, non_blocking=True) for k, v in batch.items()}


def collate(rows: list[Batch]) -> Batch:
    """Return crops as one batch."""
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
