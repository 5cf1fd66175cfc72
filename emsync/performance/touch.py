"""Touch: how much harder or softer than usual a person would strike each note.

A small network, fitted on songs of Lakh Pianoroll that people played. What makes its weights and
says how well it agrees with people on songs it never saw: ``scripts/train_velocities.py``. What it
expects is a mean over all of them, flatter than any, and from note to note more restless than
slow: ``lived`` gives what changes slowly more weight, and ``gains`` the spread of people.
Shapes: N notes, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s
from emsync.music.piece import CLASSES, Piece
from emsync.performance.features import Notes, features
from emsync.performance.strokes import Strokes

WEIGHTS = Path(__file__).with_name("touch.npz")
SLOW = np.array([1.5, 2.5, 2.5, 2.5, 2.5])  # of each class, how much more what changes slowly sways
AROUND = 1.0  # beats before and after a stroke over which that is taken
SHARP = 1.5  # most strokes differ little from those around them, a few much
MOST = 3.0  # standard deviations: what goes further is held back
NEAR = 0.03  # seconds; what begins so close to a moment begins on it
BLOCK = 4096  # notes at once, so that a long score takes little memory
DIGITS = 3  # in which floating point does not differ between machines and threads


@dataclass(frozen=True, eq=False)
class Touch:
    """The network: H hidden units twice, one number in steps of velocity."""

    centre: Float64s  # (F,) of the features
    scale: Float64s  # (F,)
    weights: tuple[Float64s, ...]  # (F, H), (H, H), (H, 1)
    biases: tuple[Float64s, ...]  # (H,), (H,), (1,)
    flats: Float64s  # (classes,) standard deviation of what is expected, in steps of velocity
    gains: Float64s  # (classes,) from what is expected to what is played
    spreads: Float64s  # (classes,) standard deviation of people, in steps of velocity

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
            array["flats"],
            array["gains"],
            array["spreads"],
        )

    def expected(self, columns: NDArray[np.floating]) -> Float64s:
        """Return the (N,) steps of velocity that (N, F) features lead to, in the mean of people."""
        blocks = range(0, len(columns), BLOCK)
        return np.concatenate(
            [np.zeros(0), *(self._expected(columns[n : n + BLOCK]) for n in blocks)]
        )

    def _expected(self, columns: NDArray[np.floating]) -> Float64s:
        values = (columns - self.centre) / self.scale
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ weight + bias, 0)
        return (values @ self.weights[-1] + self.biases[-1])[:, 0]

    def played(
        self,
        expected: Float64s,
        classes: NDArray[np.integer],
        strokes: Strokes,
        scenes: Int64s | None = None,
    ) -> Float64s:
        """Return the (N,) steps above the usual of each class, as far apart as people's are.

        The usual is that of the class in each of the (N,) ``scenes``, which has a level of its own.
        """
        lively = self.lived(expected, classes, strokes)
        groups = classes.astype(np.int64)
        if scenes is not None:
            groups = groups + len(CLASSES) * scenes
        usual = np.bincount(groups, lively) / np.maximum(np.bincount(groups), 1)
        away = (lively - usual[groups]) * self.gains[classes]
        most = MOST * self.spreads[classes]
        return np.round(most * np.tanh(away / most), DIGITS)

    def lived(self, expected: Float64s, classes: NDArray[np.integer], strokes: Strokes) -> Float64s:
        """Return what is expected of (N,) notes, swaying more and trembling less."""
        means = np.bincount(strokes.of, expected) / strokes.sizes
        columns = (means, strokes.around(means, AROUND), strokes.usual(means))
        mean, slow, usual = (column[strokes.of] for column in columns)
        sway = SLOW[classes] * (slow - usual)
        flat = self.flats[classes]
        fast = (mean - slow) / flat
        return usual + sway + flat * np.sign(fast) * np.abs(fast) ** SHARP + (expected - mean)


@cache
def _fitted() -> Touch:
    return Touch.load()


def touch(piece: Piece, starts: Sequence[float] = ()) -> Float64s:
    """Return the (N,) steps of velocity by which each note of ``piece`` differs from the usual.

    ``starts`` are the seconds, ascending, at which scenes begin: in each of them the usual differs.
    """
    if not len(piece):
        return np.zeros(0)
    network = _fitted()
    scenes = np.searchsorted(np.subtract(starts, NEAR), piece.onsets, side="right")
    notes = Notes.of(piece)
    expected = network.expected(features(notes))
    return network.played(expected, piece.classes, notes.strokes, scenes)
