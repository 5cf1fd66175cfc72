"""Teach a system to find music: films of a store, each with the music under it as what is sought.

emsync train of-vm-net.toml

One process and one thread: the towers are small, and what is read of films and music was measured
before. A run goes on exactly where it was stopped, by a signal or by a kill.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from emsync.data.split import KEYS, write_keys
from emsync.errors import InputError, UsageError
from emsync.matching.matcher import Columns
from emsync.metrics.retrieval import percentiles, ranks
from emsync.progress import Progress, silent
from emsync.retrieval import heard, seen
from emsync.retrieval.checkpoint import System
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.examples import (
    Example,
    Meetings,
    batch_of,
    check_columns,
    evenly,
    examples,
)
from emsync.retrieval.network import Network
from emsync.retrieval.pairs import Pair, PairStore
from emsync.retrieval.scoring import by_query
from emsync.retrieval.tags import unified
from emsync.training import rounds
from emsync.training.lesson import Lesson, Task, on_device
from emsync.training.running import apart

FILES = (*rounds.FILES, KEYS)
FITTED = 1000  # pairs at most to which the scales of the columns are fitted
MEASURED = 200  # held-out songs at most on which a run is measured
FIRST = 10  # places among which the own music counts as found


@dataclass(frozen=True, eq=False)
class Finding(Lesson):
    """A system that learns to find the music of films."""

    figures: ClassVar = ("recall", "percentile")

    config: RetrievalConfig
    system: System
    meetings: Meetings
    learned: list[Example]
    names: list[str]  # of ``learned``
    labels: list[int]  # of ``learned``: the numbers of their unified tags, -1 for none
    held: tuple[list[Columns], list[Columns]]  # a film of each held-out song, and its music

    @property
    def network(self) -> Network:
        """What learns: the readers were fitted before."""
        return self.system.network

    def limit(self, config: RetrievalConfig) -> int:
        """Return after how many steps the budget is spent; 0 is no limit."""
        limits = config.steps, config.epochs * self.meetings.steps
        return min((limit for limit in limits if limit), default=0)

    def loss(self, step: int, share: float) -> Tensor:
        """Return the loss of the films that are met in a step."""
        places = self.meetings.at(step)
        examples = [self.learned[place] for place in places]
        batch = batch_of(self.network, examples, [self.labels[place] for place in places])
        return self.network.loss(batch, share)

    def met(self, step: int) -> str:
        """Return the names of the films that are met in a step."""
        return "films: " + ", ".join(sorted(self.names[place] for place in self.meetings.at(step)))

    def held_out(self) -> dict[str, float]:
        """Return R@10 and the mean percentile of the own music among that of held-out songs."""
        films, music = self.held
        if len(films) < 2:
            return {}
        scores = by_query(self.system, films, music)
        return {
            "recall": float((ranks(scores) < FIRST + 1).mean()),
            "percentile": float(percentiles(scores).mean()),
        }

    def save(self, folder: Path) -> None:
        """Write the system."""
        self.system.save(folder)


def train(
    config: RetrievalConfig, report: rounds.Report | None = None, progress: Progress = silent
) -> System:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes what ``rounds.run`` does, and ``trained.npy``; ``report`` is called after each step.
    """
    apart(Path(config.out), FILES, Path(config.store))
    lesson = rounds.run(config, lambda goes_on: opened(config, goes_on, progress), report)
    return lesson.system.eval()


def opened(config: RetrievalConfig, goes_on: bool, progress: Progress = silent) -> Finding:
    """Return the lesson that ``config`` describes, as far as it has come."""
    out, store = Path(config.out), PairStore.open(Path(config.store))
    learned, held = split(store, config)
    meetings = Meetings(store.pairs, learned, config.batch, config.seed)
    if not meetings.steps:
        raise UsageError(
            f"batch is {config.batch}, and the store {config.store!r} has {len(meetings.groups)} "
            "songs to learn from; choose a smaller batch"
        )
    system = on_device(System.load(out) if goes_on else new_system(config, store, learned))
    check_columns(system, store)
    keys = {key for number in learned for key in store.pairs[number].keys}
    write_keys(out, keys, before=out if goes_on else None)
    songs = {store.pairs[number].group: number for number in reversed(held)}
    measured = evenly(sorted(songs.values()), MEASURED)
    return Finding(
        config=config,
        system=system,
        meetings=meetings,
        learned=examples(system, store, learned, progress),
        names=[store.pairs[number].name for number in learned],
        labels=labels_of([store.pairs[number] for number in learned]),
        held=([store.film(n) for n in measured], [store.music(n) for n in measured]),
    )


def split(store: PairStore, config: RetrievalConfig) -> tuple[list[int], list[int]]:
    """Return the numbers of the pairs to learn from, and of those held out.

    Both are of the styles that are asked for; UsageError names one that the store does not have.
    """
    store.check_styles(config.styles)
    chosen = [i for i, p in enumerate(store.pairs) if not config.styles or p.style in config.styles]
    learned = [i for i in chosen if store.pairs[i].split == "train"]
    if not learned:
        of = f" in the styles {', '.join(config.styles)}" if config.styles else ""
        raise InputError(
            f"all pairs of the store {config.store!r}{of} are held out, so there is none to learn "
            "from; draw one with `emsync pairs draw`, or name other styles"
        )
    return learned, [i for i in chosen if store.pairs[i].split == "held"]


def new_system(config: RetrievalConfig, store: PairStore, learned: Sequence[int]) -> System:
    """Return a system that has learned nothing yet but the scales of the columns."""
    films = {name: seen.WIDTHS.get(name, 0) for name in config.film}
    music = {name: heard.WIDTHS.get(name, 0) for name in config.music}
    system = System.build(config.system, films, music, config.network)
    check_columns(system, store)  # before they are read
    numbers = evenly(learned, FITTED)
    system.films.fit(_columns([store.film(number) for number in numbers], films))
    system.music.fit(_columns([store.music(number) for number in numbers], music))
    return system


def labels_of(pairs: Sequence[Pair]) -> list[int]:
    """Return the number of the unified tag of each pair, -1 where its song has none."""
    tags = unified([(pair.song, pair.tags) for pair in pairs])
    numbers = {tag: number for number, tag in enumerate(sorted(set(tags.values())))}
    return [numbers[tags[pair.song]] if pair.song in tags else -1 for pair in pairs]


def _columns(
    sides: Sequence[Columns], names: Iterable[str]
) -> dict[str, list[NDArray[np.floating]]]:
    """Return the columns ``names`` of many films or tracks."""
    return {name: [side[name] for side in sides] for name in names}


def _found(figures: Mapping[str, float]) -> str:
    return f"own music in the first ten {figures['recall']:.0%}" if "recall" in figures else ""


def _use(config: RetrievalConfig) -> str:
    out, store = shlex.quote(config.out), shlex.quote(config.store)
    metric = shlex.quote(f"{config.system}:{config.out}")
    return (
        f"measure it: emsync evaluate retrieval {store} --checkpoint {out}\n"
        f"find music with it: emsync match clip.mp4 music/ --metric {metric}"
    )


TASK = Task(RetrievalConfig, FILES, train, _found, _use)
