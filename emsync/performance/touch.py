"""Touch: how much harder or softer than usual a person would strike each note.

A small network, fitted on songs of Lakh Pianoroll that people played. What makes its weights and
says how well it agrees with people on songs it never saw: ``scripts/train_velocities.py``. What it
expects is a mean over all of them, flatter than any: ``gains`` give it the spread of people.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.music.piece import CLASSES, Piece
from emsync.performance.features import features

WEIGHTS = Path(__file__).with_name("touch.npz")
MOST = 2.5  # standard deviations: what goes further is held back
DIGITS = 3  # in which floating point does not differ between machines and threads


@dataclass(frozen=True, eq=False)
class Touch:
    """The network: F features, H hidden units twice, one number in steps of velocity."""

    centre: Float64s  # (F,) of the features
    scale: Float64s  # (F,)
    weights: tuple[Float64s, ...]  # (F, H), (H, H), (H, 1)
    biases: tuple[Float64s, ...]  # (H,), (H,), (1,)
    gains: Float64s  # (classes,) from what is expected to what is played
    spreads: Float64s  # (classes,) standard deviation of people, in steps of velocity
    balance: Float64s  # (classes,) steps above the mean of those who play together

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Touch":
        """Return the network that was fitted."""
        with np.load(path) as file:
            array = {name: file[name].astype(np.float64) for name in file.files}
        layers = range(sum(name.startswith("weight") for name in array))
        return cls(
            array["centre"],
            array["scale"],
            tuple(array[f"weight{layer}"] for layer in layers),
            tuple(array[f"bias{layer}"] for layer in layers),
            array["gains"],
            array["spreads"],
            array["balance"],
        )

    def expected(self, columns: NDArray[np.floating]) -> Float64s:
        """Return the (N,) steps of velocity that (N, F) features lead to, in the mean of people."""
        values = (columns - self.centre) / self.scale
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ weight + bias, 0)
        return (values @ self.weights[-1] + self.biases[-1])[:, 0]

    def played(self, expected: Float64s, classes: NDArray[np.integer]) -> Float64s:
        """Return the (N,) steps above the usual of each class, as far apart as people's are."""
        usual = np.zeros(len(CLASSES))
        for c in np.unique(classes):
            usual[c] = expected[classes == c].mean()
        away = (expected - usual[classes]) * self.gains[classes]
        most = MOST * self.spreads[classes]
        return np.round(most * np.tanh(away / most), DIGITS)


@cache
def _fitted() -> Touch:
    return Touch.load()


def balance() -> Float64s:
    """Return the (classes,) steps by which each is struck harder than those it plays with."""
    return _fitted().balance


def touch(piece: Piece) -> Float64s:
    """Return the (N,) steps of velocity by which each note of ``piece`` differs from the usual."""
    if not len(piece):
        return np.zeros(0)
    network = _fitted()
    return network.played(network.expected(features(piece)), piece.classes)
