"""What the flow learns from: passages of songs as latents, and what a film could have asked.

Shapes: T latents, c numbers of each.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import torch
from torch import Tensor

from emsync.conditioning import Conditioner
from emsync.data.labels import Scale
from emsync.music.mood import MoodModel, features
from emsync.music.piece import DRUMS, Piece, long_chords
from emsync.music.statistics import density
from emsync.muvi.codec import STRIDE, Codec
from emsync.muvi.conditions import Rows, rows_of, since
from emsync.progress import Progress, silent
from emsync.synchrony.passages import Passages

MANY = 64  # passages that are told of at once


@dataclass(frozen=True, eq=False)
class Material:
    """A passage to learn from."""

    place: int  # of it in its store
    latents: Tensor  # (T, c)
    rows: Rows  # by conditioner: (T, P, channels) float16

    def since(self, start: int, stop: int) -> Self:
        """Return the latents from ``start`` to ``stop``."""
        return dataclasses.replace(
            self, latents=self.latents[start:stop], rows=since(self.rows, start, stop)
        )


def materials(
    passages: Passages,
    places: Sequence[int],
    codec: Codec,
    conditioners: Sequence[Conditioner],
    progress: Progress = silent,
) -> list[Material]:
    """Return passages of a store as the flow learns from them."""
    arousal, found = arousal_of(passages), list[Material]()
    for number, place in enumerate(places):
        if number % MANY == 0:
            progress("Encoding", number / len(places))
        piece = labelled(passages.piece(place), passages.rows[place].beat, arousal)
        with torch.inference_mode():
            mel = torch.from_numpy(passages.mel(place)[None].astype(np.float32))
            latents = codec.encode(mel[:, : mel.shape[1] // STRIDE * STRIDE])[0]
        targets = {c.name: c.from_music(piece) for c in conditioners}
        rows = rows_of(conditioners, targets, len(latents))
        rows = {name: values.astype(np.float16) for name, values in rows.items()}
        found.append(Material(place, latents.clone(), rows))
    return found


def arousal_of(passages: Passages) -> Scale:
    """Return the scale of the arousal: how dense passages are, as of the songs of a store."""
    return Scale.of([density(passages.piece(place)) for place in range(len(passages))])


def labelled(piece: Piece, beat: float, arousal: Scale) -> Piece:
    """Return a piece with its boundary chords, and with what it feels like by its notes.

    ``beat`` is how many seconds one lasts, 0 where there is none.
    """
    lengths = (piece.offsets - piece.onsets) / (beat or 0.5)
    labels = {"arousal": arousal(density(piece))}
    if (piece.classes != DRUMS).any():
        labels["valence"] = _mood().heard(features(piece))
    chords = long_chords(piece.classes, piece.onsets, lengths)
    return dataclasses.replace(piece, chords=chords, labels=labels)


@cache
def _mood() -> MoodModel:
    return MoodModel.load()
