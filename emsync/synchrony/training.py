"""Teach towers whether music moves with pictures: films drawn to passages of songs.

emsync train synchrony.toml
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from emsync.data.split import KEYS, write_keys
from emsync.progress import Progress, silent
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.config import SynchronyConfig
from emsync.synchrony.feed import GROUPS, Batch, Feed, Films, Group
from emsync.synchrony.losses import Extra, contrastive
from emsync.synchrony.measured import CHANGES, measure
from emsync.synchrony.passages import Passages
from emsync.synchrony.towers import Towers
from emsync.training import rounds
from emsync.training.lesson import Lesson, Task, on_device
from emsync.training.running import apart

WORDS = {"seen": "seen kinds", "unseen": "unseen kinds", "footage": "real films, retimed"}
MEASURED = ("recall", *CHANGES, "notes")  # by sound, and by notes only how often it is found
FILES = (*rounds.FILES, KEYS)


class Feeds(Protocol):
    """What gives the batch of a step, and held-out films."""

    def batch(self, step: int) -> Batch:
        """Return films, the music of each, and music that does not belong to it."""

    def met(self, step: int) -> str:
        """Return in words what a batch is made of."""

    def held_out(self, group: Group) -> Sequence[Films]:
        """Return films of a group, to songs that are not learned from; none where it has none."""


@dataclass(frozen=True, eq=False)
class Syncing(Lesson):
    """Towers that learn which music belongs to a film."""

    figures: ClassVar = tuple(f"{group}_{name}" for group in GROUPS for name in MEASURED)

    synchrony: Synchrony
    feed: Feeds

    @property
    def network(self) -> nn.Module:
        """What learns."""
        return self.synchrony.towers

    def loss(self, step: int, share: float) -> Tensor:
        """Return the loss of the films of a step, by sound and by notes."""
        return loss_of(self.synchrony.towers, self.feed.batch(step))

    def met(self, step: int) -> str:
        """Return the films of a step."""
        return self.feed.met(step)

    def held_out(self) -> dict[str, float]:
        """Return how often the own music of held-out songs is found, and told from what is near."""
        figures: dict[str, float] = {}
        for group in GROUPS:
            if not (films := self.feed.held_out(group)):
                continue
            sound, written = (measure(self.synchrony, films, notes) for notes in (False, True))
            figures |= {f"{group}_{name}": value for name, value in sound.means().items()}
            figures[f"{group}_notes"] = written.means()["recall"]
        return figures

    def save(self, folder: Path) -> None:
        """Write the towers."""
        self.synchrony.save(folder)


def loss_of(towers: Towers, batch: Batch) -> Tensor:
    """Return equation 2 of films and their music, the mean over sound and notes."""
    device = towers.log_temperature.device
    luma, mel, notes, more_mel, more_notes, there = (
        torch.from_numpy(part).to(device) for part in batch
    )
    films = towers.film(luma)
    heard = _embedded(towers.sound, mel, more_mel, there)
    read = _embedded(towers.notes, notes, more_notes, there)
    losses = [contrastive(films, music, towers.temperature, more) for music, more in (heard, read)]
    return torch.stack(losses).mean()


def _embedded(tower: nn.Module, own: Tensor, more: Tensor, there: Tensor) -> tuple[Tensor, Extra]:
    """Return music (B, T, D), and more music for each film (B, X, T, D) where it is there."""
    rows = tower(torch.cat([own, more[there]]).float())
    extra = rows.new_zeros(*there.shape, *rows.shape[1:])
    extra[there] = rows[len(own) :]
    return rows[: len(own)], (extra, there)


def train(
    config: SynchronyConfig, report: rounds.Report | None = None, progress: Progress = silent
) -> Synchrony:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes what ``rounds.run`` does, and ``trained.npy``, the songs that were learned from;
    ``report`` is called after each step.
    """
    apart(Path(config.out), FILES, Path(config.passages))
    lesson = rounds.run(config, lambda goes_on: opened(config, goes_on), report)
    return lesson.synchrony.eval()


def opened(config: SynchronyConfig, goes_on: bool) -> Syncing:
    """Return the lesson that ``config`` describes, as far as it has come."""
    out, passages = Path(config.out), Passages.open(Path(config.passages))
    feed = Feed(passages, config.feed_config(), config.seed)
    synchrony = Synchrony.load(out) if goes_on else Synchrony(config.tower_config())
    write_keys(out, passages.song_keys("train"), before=out if goes_on else None)
    return Syncing(on_device(synchrony), feed)


def _held(figures: Mapping[str, float]) -> str:
    return "; ".join(
        f"{WORDS[group]}: own music found {figures[f'{group}_recall']:.0%}, told from itself off "
        f"the beat {figures[f'{group}_shift']:.0%}"
        for group in GROUPS
        if f"{group}_shift" in figures
    )


def _use(config: SynchronyConfig) -> str:
    out = shlex.quote(config.out)
    return (
        f"measure it: python scripts/synchrony.py held-out {out} {shlex.quote(config.passages)}\n"
        f"find music with it: emsync match clip.mp4 music/ --metric "
        f"{shlex.quote(f'sim:{config.out}')}\n"
        f"measure music by it: emsync evaluate sync clip.mp4 music.wav --synchrony {out}"
    )


TASK = Task(SynchronyConfig, FILES, train, _held, _use)
