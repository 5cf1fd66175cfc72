"""How well towers tell a film's own music from what nearly belongs to it (MUVI's Table 4).

Of held-out songs: the own music is compared with that of the other films of a batch, and with
itself moved and changed. Moved by a bar it is as right as before, more or less, so it should win
half of the time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emsync.arrays import Float64s
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.losses import similarities, similarity
from emsync.synchrony.negatives import MEL_RATE, Heard, Recording, replaced, segment, shift

BEATS = 4  # of a bar
Move = Callable[[Recording, int, int, np.random.Generator], int | None]  # rows of the mel


@dataclass(frozen=True, eq=False)
class Trial:
    """Films, the clip of music that belongs to each, and where in its recording that is."""

    luma: Tensor  # (B, T, 27, 48)
    recordings: Sequence[Recording]  # (B,)
    starts: Sequence[int]  # (B,) rows of the mel
    lite0: Tensor | None = None

    @property
    def count(self) -> int:
        """The rows of the mel of a clip."""
        return 8 * self.luma.shape[1]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What towers made of trials: a number for each film, NaN where something could not be made."""

    recall: Float64s  # (B,) 1 where the own music is the likest in the batch
    above: Mapping[str, Float64s]  # (B,) of each change: 1 where the own music is likelier, else 0

    def figures(self) -> dict[str, float]:
        """Return the means."""
        above = {name: float(np.nanmean(values)) for name, values in self.above.items()
                 if np.isfinite(values).any()}  # fmt: skip
        return {"recall": float(self.recall.mean()), **above}


def _off_the_beat(
    recording: Recording, start: int, count: int, rng: np.random.Generator
) -> int | None:
    return shift(recording.beat * MEL_RATE, start, count, len(recording.mel), rng)


def _by_beats(beats: float) -> Move:
    def move(recording: Recording, start: int, count: int, rng: np.random.Generator) -> int | None:
        by = round(beats * recording.beat * MEL_RATE) if recording.beat > 0 else 0
        last = len(recording.mel) - count
        fits = [sign * by for sign in (-1, 1) if by and 0 <= start + sign * by <= last]
        return int(rng.choice(fits)) if fits else None

    return move


MOVES: dict[str, Move] = {
    "shift": _off_the_beat,
    "half": _by_beats(0.5),
    "bar": _by_beats(BEATS),
}
CHANGES = (*MOVES, "replaced")


def measure(synchrony: Synchrony, trials: Sequence[Trial], notes: bool, seed: int) -> Outcome:
    """Return what the towers make of films and of sound, or of ``notes``."""
    outcomes = [_outcome(synchrony, trial, notes, [seed, i]) for i, trial in enumerate(trials)]
    return Outcome(
        np.concatenate([outcome.recall for outcome in outcomes]),
        {name: np.concatenate([o.above[name] for o in outcomes]) for name in CHANGES},
    )


def _outcome(synchrony: Synchrony, trial: Trial, notes: bool, seed: Sequence[int]) -> Outcome:
    towers, count = synchrony.towers, trial.count
    tower = towers.notes if notes else towers.sound
    device = towers.log_temperature.device

    def embedded(clips: Sequence[Heard]) -> Tensor:
        rows = np.stack([clip.notes if notes else clip.mel for clip in clips])
        found: Tensor = tower(torch.from_numpy(rows).to(device))
        return found

    own = [r.heard(s, count) for r, s in zip(trial.recordings, trial.starts, strict=True)]
    with synchrony.answering():
        lite0 = None if trial.lite0 is None else trial.lite0.to(device)
        films, music = towers.film(trial.luma.to(device), lite0), embedded(own)
        scores = similarities(films, music).cpu().numpy()
        mine, above = scores.diagonal(), {}
        for name in CHANGES:
            changed = _changed(name, trial, own, np.random.default_rng(seed))
            there = [i for i, clip in enumerate(changed) if clip is not None]
            won = np.full(len(own), np.nan)
            if there:
                rows = embedded([clip for clip in changed if clip is not None])
                won[there] = mine[there] > similarity(films[there], rows).cpu().numpy()
            above[name] = won
    return Outcome((scores.argmax(axis=1) == np.arange(len(own))).astype(np.float64), above)


def _changed(
    name: str, trial: Trial, own: Sequence[Heard], rng: np.random.Generator
) -> list[Heard | None]:
    """Return the clips changed in one way, None where that cannot be."""
    if name == "replaced":
        others = [*own[1:], own[0]]
        return [replaced(a, b, segment(rng)) for a, b in zip(own, others, strict=True)]
    found: list[Heard | None] = []
    for recording, start in zip(trial.recordings, trial.starts, strict=True):
        by = MOVES[name](recording, start, trial.count, rng)
        found.append(None if by is None else recording.heard(start + by, trial.count))
    return found
