"""The loop of a lesson: one process and one thread, and a run goes on exactly where it stopped.

It stops at its budget, by a signal, or by a kill; what it needs is saved now and then.
"""

import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import torch

from emsync.encoders.threads import one_thread
from emsync.errors import AssetError, EmsyncError, UsageError
from emsync.limits import quoted, read_json, shown
from emsync.model.weights import write_weights
from emsync.settings import Within, build
from emsync.training.lesson import Lesson, LessonConfig
from emsync.training.log import Log
from emsync.training.running import claimed, rate_at, seed_of, signals
from emsync.training.saving import has_run, saved_whole
from emsync.training.snapshot import load_tensors, memory, remember

FILES = (
    *("model.safetensors", "config.json", "train.json", "optimizer.safetensors", "metrics.csv"),
)
LOGGED = ("step", "seconds", "loss", "norm", "rate")
Figures = dict[str, float]  # "loss", "norm", "rate", and now and then those of the lesson


@dataclass
class RunState:
    """How far a run has come."""

    step: Annotated[int, Within(0, 10**15)] = 0
    seconds: Annotated[float, Within(0, 10**12)] = 0.0


class Report(Protocol):
    """Who is told of each step."""

    def __call__(self, state: RunState, share: float, figures: Figures, /) -> None:
        """Take in how far a run is, the share of its budget that is spent, and the figures."""


Taught = TypeVar("Taught", bound=Lesson)


def run(
    config: LessonConfig, open_lesson: Callable[[bool], Taught], report: Report | None = None
) -> Taught:
    """Teach until the budget is spent, going on from ``config.out`` if it holds a run.

    ``open_lesson`` is told whether it does. Writes what ``Lesson.save`` does, ``train.json``,
    ``metrics.csv`` and TensorBoard events there; ``report`` is called after each step. SIGINT and
    SIGTERM save and stop.
    """
    with claimed(Path(config.out)), one_thread():
        return _run(config, open_lesson, report)


def _run(
    config: LessonConfig, open_lesson: Callable[[bool], Taught], report: Report | None
) -> Taught:
    out = Path(config.out)
    goes_on = has_run(out)
    state = restored(config) if goes_on else RunState()
    torch.manual_seed(config.seed)
    lesson = open_lesson(goes_on)
    optim = torch.optim.AdamW(
        [p for p in lesson.network.parameters() if p.requires_grad],
        lr=config.rate,
        weight_decay=config.weight_decay,
    )
    if goes_on:
        memories = out / "optimizer.safetensors"
        remember([optim], load_tensors(memories), repr(str(memories)))
        optim.load_state_dict(optim.state_dict())  # moves it to where the parameters are
    saved = time.monotonic()
    started = saved - state.seconds
    log = Log(out, state.step, (*LOGGED, *lesson.figures))
    with signals() as caught, closing(log):
        while share_of(config, lesson, state) < 1.0 and not caught:
            figures = step(config, lesson, optim, state)
            state.step += 1
            state.seconds = time.monotonic() - started
            share = share_of(config, lesson, state)
            if state.step % config.validate_every == 0 or share >= 1.0:
                figures |= lesson.held_out()
            log.write(asdict(state), figures)
            if report is not None:
                report(state, share, figures)
            if time.monotonic() - saved > config.save_minutes * 60:
                save(config, lesson, optim, state)
                saved = time.monotonic()
        save(config, lesson, optim, state)
    lesson.network.eval()
    return lesson


def share_of(config: LessonConfig, lesson: Lesson, state: RunState) -> float:
    """Return the share of the budget that is spent."""
    budget: list[tuple[float, float]] = [
        (state.step, lesson.limit(config)),
        (state.seconds, config.minutes * 60),
    ]
    return min(1.0, max(spent / limit for spent, limit in budget if limit))


def step(
    config: LessonConfig, lesson: Lesson, optim: torch.optim.Optimizer, state: RunState
) -> Figures:
    """Move the weights once; return the loss, the norm of the gradient and the rate."""
    share = share_of(config, lesson, state)
    factor = rate_at(share, config.warm_up, config.decay)
    for group in optim.param_groups:
        group["lr"] = config.rate * factor
    lesson.network.train()
    torch.manual_seed(seed_of(config.seed, state.step))
    loss = lesson.loss(state.step, share)
    if not math.isfinite(loss.item()):
        met = lesson.met(state.step)
        raise EmsyncError(
            f"the loss is {loss.item()} at step {state.step + 1}{'; ' if met else ''}{met}"
        )
    torch.autograd.backward([loss])
    norm = torch.nn.utils.clip_grad_norm_(lesson.network.parameters(), config.clip)
    optim.step()
    optim.zero_grad()
    return {"loss": loss.item(), "norm": float(norm), "rate": factor}


def save(
    config: LessonConfig, lesson: Lesson, optim: torch.optim.Optimizer, state: RunState
) -> None:
    """Write the checkpoint and what exact resuming needs beside it, all of it or nothing."""
    text = json.dumps({"progress": asdict(state), "config": asdict(config)}, indent=2)
    with saved_whole(Path(config.out)) as saving:
        lesson.save(saving)
        write_weights(saving / "optimizer.safetensors", memory([optim]))
        (saving / "train.json").write_text(text + "\n")


def restored(config: LessonConfig) -> RunState:
    """Return how far the run in ``config.out`` came; refuse to go on with one of another kind."""
    path = Path(config.out) / "train.json"
    was, name = read_json(path, error=AssetError), quoted(path)
    before, now = was.get("config"), json.loads(json.dumps(asdict(config)))
    if not isinstance(before, dict):
        raise AssetError(f"{name} is damaged: it has no settings; train into a new folder")
    for key in config.fixed:
        if before.get(key) != now[key]:
            raise UsageError(
                f"the run in {config.out!r} began with {key} = {shown(before.get(key))}, not "
                f"{shown(now[key])}; name another folder in out"
            )
    return build(RunState, was.get("progress"), f"{name} is damaged: ", AssetError)
