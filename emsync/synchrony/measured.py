"""How well towers tell a film's own music from what nearly belongs to it (MuVi's table 4).

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
from emsync.encoders.threads import answering
from emsync.sound.mel import ROW_RATE
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.feed import Films
from emsync.synchrony.losses import similarities, similarity
from emsync.synchrony.negatives import ROWS, Heard, Recording, off_the_beat, replaced, segment

BEATS = 4  # of a bar
Move = Callable[[Recording, int, int, np.random.Generator], int | None]  # rows of the mel


@dataclass(frozen=True, eq=False)
class Outcome:
    """What towers made of films: a number for each film, NaN where something could not be made."""

    recall: Float64s  # (B,) 1 where the own music is the likest in the batch
    above: Mapping[str, Float64s]  # (B,) of each change: 1 where the own music is likelier, else 0

    def means(self) -> dict[str, float]:
        """Return the means, of what could be made."""
        above = {name: float(np.nanmean(values)) for name, values in self.above.items()
                 if np.isfinite(values).any()}  # fmt: skip
        return {"recall": float(self.recall.mean()), **above}


def _by_beats(beats: float) -> Move:
    def move(recording: Recording, start: int, count: int, rng: np.random.Generator) -> int | None:
        by = round(beats * recording.beat * ROW_RATE) if recording.beat > 0 else 0
        last = len(recording.mel) - count
        fits = [sign * by for sign in (-1, 1) if by and 0 <= start + sign * by <= last]
        return int(rng.choice(fits)) if fits else None

    return move


MOVES: dict[str, Move] = {
    "shift": off_the_beat,
    "half": _by_beats(0.5),
    "bar": _by_beats(BEATS),
}
CHANGES = (*MOVES, "replaced")


def measure(synchrony: Synchrony, batches: Sequence[Films], notes: bool) -> Outcome:
    """Return what the towers make of films and of sound, or of ``notes``."""
    outcomes = [_outcome(synchrony, films, notes, turn) for turn, films in enumerate(batches)]
    return Outcome(
        np.concatenate([outcome.recall for outcome in outcomes]),
        {name: np.concatenate([o.above[name] for o in outcomes]) for name in CHANGES},
    )


def _outcome(synchrony: Synchrony, batch: Films, notes: bool, seed: int) -> Outcome:
    towers, count = synchrony.towers, ROWS * batch.luma.shape[1]
    tower = towers.notes if notes else towers.sound
    device = towers.log_temperature.device

    def embedded(clips: Sequence[Heard]) -> Tensor:
        rows = np.stack([clip.notes if notes else clip.mel for clip in clips])
        found: Tensor = tower(torch.from_numpy(rows).to(device))
        return found

    own = [r.heard(s, count) for r, s in zip(batch.recordings, batch.starts, strict=True)]
    with answering(synchrony):
        films = towers.film(torch.from_numpy(batch.luma).to(device))
        music = embedded(own)
        scores = similarities(films, music).cpu().numpy()
        mine, above = scores.diagonal(), {}
        for name in CHANGES:
            changed = _changed(name, batch, own, np.random.default_rng(seed))
            there = [i for i, clip in enumerate(changed) if clip is not None]
            won = np.full(len(own), np.nan)
            if there:
                rows = embedded([clip for clip in changed if clip is not None])
                won[there] = mine[there] > similarity(films[there], rows).cpu().numpy()
            above[name] = won
    return Outcome((scores.argmax(axis=1) == np.arange(len(own))).astype(np.float64), above)


def _changed(
    name: str, batch: Films, own: Sequence[Heard], rng: np.random.Generator
) -> list[Heard | None]:
    """Return the clips changed in one way, None where that cannot be."""
    if name == "replaced":
        others = [*own[1:], own[0]]
        return [replaced(a, b, segment(rng)) for a, b in zip(own, others, strict=True)]
    found: list[Heard | None] = []
    for recording, start in zip(batch.recordings, batch.starts, strict=True):
        by = MOVES[name](recording, start, len(own[0].mel), rng)
        found.append(None if by is None else recording.heard(start + by, len(own[0].mel)))
    return found
