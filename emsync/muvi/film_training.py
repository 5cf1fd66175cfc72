"""Teach the flow films, drawn to the accents of passages, each to its own music.

emsync train muvi.toml      # task = "muvi", stage = "film"
"""

import dataclasses
from pathlib import Path

from numpy.random import Generator
from torch import nn

from emsync.arrays import Picture
from emsync.data.split import write_keys
from emsync.errors import UsageError
from emsync.muvi.checkpoint import System
from emsync.muvi.conditions import RATE
from emsync.muvi.config import FilmConfig
from emsync.muvi.flow_training import (
    FILES,
    Draws,
    Flowing,
    held_in_words,
    lesson,
    taught,
    use,
)
from emsync.muvi.material import Material
from emsync.progress import Progress, silent
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.drawn.film import drawn
from emsync.synchrony.drawn.kinds import SEEN
from emsync.synchrony.passages import Passages
from emsync.training import rounds
from emsync.training.lesson import Task


def train(
    config: FilmConfig, report: rounds.Report | None = None, progress: Progress = silent
) -> System:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes what ``rounds.run`` does, and ``trained.npy``, the songs that were learned from;
    ``report`` is called after each step.
    """
    return taught(config, lambda goes_on: opened(config, goes_on, progress), report)


def opened(config: FilmConfig, goes_on: bool, progress: Progress = silent) -> Flowing:
    """Return the lesson that ``config`` describes, as far as it has come."""
    passages, out = Passages.open(config.store), Path(config.out)
    system = System.load(out) if goes_on else seeing(config)
    if system.sight is not None:
        system.sight.requires_grad_(False)
        system.sight.towers.film.requires_grad_(True)
    teaching = lesson(config, system, passages, films_to(passages), progress)
    before = out if goes_on else Path(config.flow)
    write_keys(out, passages.song_keys("train"), before)
    return teaching


def films_to(passages: Passages) -> Draws:
    """Return what draws a film to a part of a passage."""

    def draw(one: Material, start: int, stop: int, rng: Generator) -> Picture:
        accents = passages.accents(one.place) - (start / RATE, 0.0, 0.0)
        beat, seconds = passages.rows[one.place].beat, (stop - start) / RATE
        return drawn(accents, beat, seconds, str(rng.choice(SEEN)), rng)

    return draw


def seeing(config: FilmConfig) -> System:
    """Return the system of the flow with towers that see; it goes on as if nothing was seen."""
    before, sight = System.load(Path(config.flow)), Synchrony.load(config.sight)
    if before.shape.film is not None:
        raise UsageError(
            f"{config.flow!r} sees films already; name a checkpoint of the stage flow, or "
            f"let a run go on with out = {config.flow!r}"
        )
    system = System(dataclasses.replace(before.shape, film=sight.config))
    system.load_state_dict(before.state_dict(), strict=False)
    assert system.sight is not None and system.conditions.film is not None
    system.sight.load_state_dict(sight.state_dict())
    nn.init.zeros_(system.conditions.film.weight)
    system.conditions.film.bias.data.copy_(system.conditions.nothing)
    return system


TASK = Task(FilmConfig, FILES, train, held_in_words, use)
