"""Likelihood: how well a model predicts real music that it was not trained on.

Conventions
-----------
A song is read whole, in windows of the model's context that overlap by half. Each window begins
with the song's first token, which counts the instruments, as the crops of training do. A token
counts once: in the first window that sees at least half a context before it, or from the start of
the song. The model is unconditional but for the music's own time: other conditions are NaN.

Metrics
-------
nats_per_token     mean negative log-likelihood
bits_per_second    the same over the seconds of music
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from emsync.data.crops import Passage, droppable, window
from emsync.data.songs import Named, find_songs, read_song
from emsync.data.split import read_keys, song_key
from emsync.errors import InputError
from emsync.model.composer import Composer
from emsync.progress import Progress, silent
from emsync.tokens import Ids

BATCH = 8  # windows read at once


@dataclass(frozen=True)
class Likelihood:
    """How well a model predicts one song, or many."""

    nats: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    songs: int = 0

    def __add__(self, other: "Likelihood") -> "Likelihood":
        return Likelihood(
            self.nats + other.nats,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
            self.songs + other.songs,
        )

    def summary(self) -> dict[str, float | int]:
        """Return the means."""
        return {
            "nats_per_token": self.nats / self.tokens,
            "bits_per_second": self.nats / math.log(2) / self.seconds,
            "tokens": self.tokens,
            "songs": self.songs,
        }


def untrained(sources: Sequence[Path], checkpoint: Path, limit: int | None = None) -> list[Named]:
    """Return (name, path) of the songs of ``sources`` that a checkpoint was not trained on.

    Training leaves ``trained.npy``: the keys of its songs and of other versions of them. At most
    ``limit`` songs, spread evenly over their names.
    """
    keys = read_keys(checkpoint)
    songs = [named for named in find_songs(sources) if song_key(named[0]) not in keys]
    if limit is None or limit >= len(songs):
        return songs
    return [songs[i * len(songs) // limit] for i in range(limit)]


def evaluate(
    composer: Composer,
    songs: Sequence[Named],
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the likelihood of real songs (see the metrics above), and what could not be read."""
    total, skipped = Likelihood(), []
    for count, (name, path) in enumerate(songs, 1):
        try:
            piece = read_song(path, composer.tempo)
        except InputError:
            skipped.append(name)
        else:
            ids = composer.tokenizer.encode(piece)
            total += Likelihood(*of_song(composer, ids), piece.duration, 1)
        progress("Reading", count / len(songs))
    if not total.tokens:
        raise InputError("no song is left that the model was not trained on")
    context = composer.model.config.context
    tempo = f"; songs brought to {composer.tempo:g} BPM" if composer.tempo else ""
    clocks = [c.name for c in composer.model.conditioners if c.always_on]
    given = f" but for the {' and '.join(clocks)}" if clocks else ""
    variant = f"unconditional{given}; windows of {context} tokens that overlap by half{tempo}"
    return {**total.summary(), "skipped": skipped, "variant": variant}


@torch.no_grad()
def of_song(composer: Composer, ids: Ids) -> tuple[float, int]:
    """Return the summed nats of the (T,) tokens of a song after its first one, and their number."""
    model = composer.model.eval()
    device = model.head.weight.device
    nats, tokens = 0.0, 0
    for batch, fresh in _batches(composer, ids):
        rows = batch.pop("ids").to(device)
        features = {name: value.to(device) for name, value in batch.items()}
        logits = model(rows[:, :-1], features).float()
        losses = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
        counted = torch.from_numpy(fresh).to(device).flatten()
        nats += float(losses[counted].double().sum())
        tokens += int(counted.sum())
    return nats, tokens


def windows(length: int, context: int) -> list[tuple[int, int]]:
    """Return (first token, first token that counts) of each window over ``length`` tokens.

    >>> windows(10, 4)
    [(1, 1), (3, 5), (5, 7), (7, 9)]
    """
    half = context // 2
    starts = range(1, max(2, length - context + half), half)
    return [(start, start if start == 1 else start + context - half) for start in starts]


def _batches(
    composer: Composer, ids: Ids
) -> Iterator[tuple[dict[str, torch.Tensor], NDArray[np.bool_]]]:
    """Yield inputs, and the (B, context) mask of the targets that count."""
    model = composer.model
    context = model.config.context
    song = replace(Passage.of(ids, composer.tokenizer), dropped=droppable(model.conditioners))
    cuts = windows(len(ids), context)
    for at in range(0, len(cuts), BATCH):
        rows, masks = [], []
        for start, counts in cuts[at : at + BATCH]:
            rows.append(window(replace(song, start=start), model.conditioners, context))
            targets = start + np.arange(context)
            masks.append((targets >= counts) & (targets < len(ids)))
        features = {
            name: torch.from_numpy(np.stack([row.features[name] for row in rows]))
            for name in rows[0].features
        }
        batch = {"ids": torch.from_numpy(np.stack([row.ids for row in rows])), **features}
        yield batch, np.stack(masks)
