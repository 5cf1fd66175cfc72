"""Teach a system to find music: films of a store, each with the music under it as what is sought.

emsync train of-vm-net.toml

One process and one thread: the towers are small, and what is read of films and music was measured
before. A run goes on exactly where it was stopped, by a signal or by a kill.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from emsync.data.split import read_keys
from emsync.encoders.threads import one_thread
from emsync.errors import AssetError, EmsyncError, InputError, UsageError
from emsync.files import atomic_write
from emsync.limits import quoted, read_json, shown
from emsync.matching.matcher import Columns
from emsync.metrics.retrieval import percentiles, ranks
from emsync.model.weights import write_weights
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
from emsync.retrieval.pairs import Pair, PairStore
from emsync.retrieval.scoring import by_query
from emsync.retrieval.tags import unified
from emsync.settings import Within, build
from emsync.targets import check_apart, real_folder
from emsync.training.accelerator import SingleProcess
from emsync.training.log import Log
from emsync.training.running import claimed, rate_at, seed_of, signals
from emsync.training.saving import has_run, saved_whole
from emsync.training.snapshot import load_tensors, memory, remember

FILES = (
    *("model.safetensors", "config.json", "train.json", "optimizer.safetensors"),
    *("metrics.csv", "trained.npy"),
)
LOGGED = ("step", "seconds", "loss", "norm", "rate", "recall", "percentile")
FITTED = 1000  # pairs at most to which the scales of the columns are fitted
MEASURED = 200  # held-out songs at most on which a run is measured
FIRST = 10  # places among which the own music counts as found
Figures = dict[str, float]  # "loss", "norm", "rate", and now and then "recall", "percentile"


@dataclass
class RunState:
    """How far a run has come."""

    step: Annotated[int, Within(0, 10**15)] = 0
    seconds: Annotated[float, Within(0, 10**12)] = 0.0

    def share(self, config: RetrievalConfig, epoch: int) -> float:
        """Return the share of the budget that is spent; ``epoch`` is how many steps one has."""
        budget: list[tuple[float, float]] = [
            (self.step, config.steps),
            (self.step, config.epochs * epoch),
            (self.seconds, config.minutes * 60),
        ]
        return min(1.0, max(spent / limit for spent, limit in budget if limit))


Report = Callable[[RunState, float, Figures], None]  # the share of the budget, and the figures


@dataclass(frozen=True, eq=False)
class Run:
    """What a run teaches, and on what."""

    system: System
    optim: torch.optim.Optimizer
    meetings: Meetings
    learned: list[Example]
    names: list[str]  # of ``learned``
    labels: list[int]  # of ``learned``: the numbers of their unified tags, -1 for none
    held: tuple[list[Columns], list[Columns]]  # a film of each held-out song, and its music
    state: RunState

    def share(self, config: RetrievalConfig) -> float:
        """Return the share of the budget that is spent."""
        return self.state.share(config, self.meetings.steps)


def train(
    config: RetrievalConfig, report: Report | None = None, progress: Progress = silent
) -> System:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes what ``System.save`` does, ``train.json``, ``metrics.csv``, TensorBoard events and
    ``trained.npy`` there; ``report`` is called after each step. SIGINT and SIGTERM save and stop.
    """
    out, store = Path(config.out), Path(config.store)
    check_apart([out / name for name in FILES], {"the store": store / "store.json"})
    if real_folder(out).is_relative_to(real_folder(store)):
        raise UsageError(
            f"the run would be in the store {config.store!r} itself; name another folder in out"
        )
    with claimed(out), one_thread():
        return _train(config, report, progress)


def _train(config: RetrievalConfig, report: Report | None, progress: Progress) -> System:
    out, run = Path(config.out), set_up(config, progress)
    state, saved = run.state, time.monotonic()
    started = saved - state.seconds
    log = Log(out, state.step, LOGGED)
    with signals() as caught, closing(log):
        while run.share(config) < 1.0 and not caught:
            figures = step(run, config)
            state.step += 1
            state.seconds = time.monotonic() - started
            last = run.share(config) >= 1.0
            if state.step % config.validate_every == 0 or last:
                figures |= held_out(run)
            log.write(asdict(state), figures)
            if report is not None:
                report(state, run.share(config), figures)
            if time.monotonic() - saved > config.save_minutes * 60:
                save(run, config)
                saved = time.monotonic()
        save(run, config)
    return run.system.eval()


def set_up(config: RetrievalConfig, progress: Progress = silent) -> Run:
    """Return the run that ``config`` describes, as far as it has come."""
    out, store = Path(config.out), PairStore.open(Path(config.store))
    learned, held = split(store, config)
    meetings = Meetings(store.pairs, learned, config.batch, config.seed)
    if not meetings.steps:
        raise UsageError(
            f"batch is {config.batch}, and the store {config.store!r} has {len(meetings.groups)} "
            "songs to learn from; choose a smaller batch"
        )
    goes_on = has_run(out)
    torch.manual_seed(config.seed)
    system = System.load(out) if goes_on else new_system(config, store, learned)
    check_columns(system, store)
    machine = SingleProcess(bf16=False)
    system = machine.prepare(system)
    optim = torch.optim.AdamW(
        system.network.parameters(), lr=config.rate, weight_decay=config.weight_decay
    )
    state = restore(config, optim) if goes_on else RunState()
    keys = {key for number in learned for key in store.pairs[number].keys}
    if goes_on:
        keys |= set(read_keys(out).tolist())  # the store may have been another one then
    with atomic_write(out / "trained.npy") as part, part.open("wb") as file:
        np.save(file, np.array(sorted(keys), np.uint32))
    songs = {store.pairs[number].group: number for number in reversed(held)}
    measured = evenly(sorted(songs.values()), MEASURED)
    return Run(
        system=system,
        optim=machine.prepare(optim),
        meetings=meetings,
        learned=examples(system, store, learned, progress),
        names=[store.pairs[number].name for number in learned],
        labels=labels_of([store.pairs[number] for number in learned]),
        held=([store.film(n) for n in measured], [store.music(n) for n in measured]),
        state=state,
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


def step(run: Run, config: RetrievalConfig) -> Figures:
    """Move the weights by one batch; return the loss, the norm of the gradient and the rate."""
    share = run.share(config)
    factor = rate_at(share, config.warm_up, config.decay)
    for group in run.optim.param_groups:
        group["lr"] = config.rate * factor
    places = run.meetings.at(run.state.step)
    network = run.system.network.train()
    torch.manual_seed(seed_of(config.seed, run.state.step))
    batch = batch_of(
        network, [run.learned[place] for place in places], [run.labels[place] for place in places]
    )
    loss = network.loss(batch, share)
    if not math.isfinite(loss.item()):
        films = ", ".join(sorted(run.names[place] for place in places))
        raise EmsyncError(f"the loss is {loss.item()} at step {run.state.step + 1}; films: {films}")
    torch.autograd.backward([loss])
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
    run.optim.step()
    run.optim.zero_grad()
    return {"loss": loss.item(), "norm": float(norm), "rate": factor}


def held_out(run: Run) -> Figures:
    """Return R@10 and the mean percentile of the own music among that of all held-out songs."""
    films, music = run.held
    if len(films) < 2:
        return {}
    scores = by_query(run.system, films, music)
    return {
        "recall": float((ranks(scores) < FIRST + 1).mean()),
        "percentile": float(percentiles(scores).mean()),
    }


def save(run: Run, config: RetrievalConfig) -> None:
    """Write the checkpoint and what exact resuming needs beside it, all of it or nothing."""
    text = json.dumps({"progress": asdict(run.state), "config": asdict(config)}, indent=2)
    with saved_whole(Path(config.out)) as saving:
        run.system.save(saving)
        write_weights(saving / "optimizer.safetensors", memory([run.optim]))
        (saving / "train.json").write_text(text + "\n")


def restore(config: RetrievalConfig, optim: torch.optim.Optimizer) -> RunState:
    """Bring back how far the run in ``config.out`` came, and what its optimizer knows."""
    path = Path(config.out) / "train.json"
    was, name = read_json(path, error=AssetError), quoted(path)
    before = was.get("config")
    if not isinstance(before, dict):
        raise AssetError(f"{name} is damaged: it has no settings; train into a new folder")
    now = json.loads(json.dumps(asdict(config)))
    for key in ("task", "system", "film", "music", "network", "styles"):
        if before.get(key) != now[key]:
            raise UsageError(
                f"the run in {config.out!r} began with {key} = {shown(before.get(key))}, not "
                f"{shown(now[key])}; name another folder in out"
            )
    memories = path.with_name("optimizer.safetensors")
    remember([optim], load_tensors(memories), repr(str(memories)))
    return build(RunState, was.get("progress"), f"{name} is damaged: ", AssetError)


def _columns(
    sides: Sequence[Columns], names: Iterable[str]
) -> dict[str, list[NDArray[np.floating]]]:
    """Return the columns ``names`` of many films or tracks."""
    return {name: [side[name] for side in sides] for name in names}
