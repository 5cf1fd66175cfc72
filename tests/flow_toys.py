"""Toy songs, and systems that learn and draw in no time."""

import numpy as np
import torch

from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync.muvi.checkpoint import Shape, System, installed_conditioners
from emsync.muvi.dit import DitShape
from emsync.muvi.drawing import Solving

SECONDS = 4.0
DIT = DitShape(16, 1, 2, SECONDS)


def song(seed: int, seconds: float = 10.0) -> Piece:
    """Return a song of long chords, a bass and a drum, 120 beats a minute."""
    root = 50 + 2 * seed
    bars = np.arange(0, seconds, 2.0)
    chords = [(PIANO, root + step, t, t + 1.9) for t in bars for step in (0, 4, 7)]
    bass = [(BASS, root - 12, t, t + 0.45) for t in np.arange(0, seconds, 0.5)]
    drums = [(DRUMS, 38, t, t + 0.1) for t in np.arange(0, seconds, 0.5)]
    return Piece.of(np.array(chords + bass + drums), downbeats=bars)


def system(conditions: tuple[str, ...] = ("metre", "valence_arousal"), latent: int = 4) -> System:
    """Return a system whose networks are drawn by chance."""
    torch.manual_seed(0)
    shape = Shape(latent, DIT, installed_conditioners(conditions), None, Solving(2))
    made = System(shape)
    for weight in (*made.parameters(), made.codec.get_buffer("basis")):
        torch.nn.init.normal_(weight, std=0.1)
    return made.eval()
