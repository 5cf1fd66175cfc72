"""Save a run so that it goes on exactly where it was, whatever stops it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch

from emsync.errors import AssetError, UsageError, warn
from emsync.limits import quoted, read_json, shown
from emsync.model.composer import Composer, load_weights
from emsync.model.transformer import EventTransformer
from emsync.model.weights import write_weights
from emsync.settings import Within, build
from emsync.training.config import TrainConfig
from emsync.training.saving import has_run, saved_whole
from emsync.training.snapshot import Snapshot, load_tensors, memory, remember


@dataclass
class RunState:
    """How far a run has come, and what its guard knows."""

    step: Annotated[int, Within(0, 10**15)] = 0
    seconds: Annotated[float, Within(0, 10**12)] = 0.0
    tokens: Annotated[int, Within(0, 10**18)] = 0
    backs: Annotated[int, Within(0, 100)] = 0  # times that it ran away and went back
    good: Annotated[int, Within(0, 10**15)] = 0  # the step that it goes back to
    usual: tuple[float, ...] = ()  # the losses of its last steps that were not wild

    def share(self, config: TrainConfig) -> float:
        """Return the share of the budget that is spent."""
        budget: list[tuple[float, float]] = [
            (self.step, config.steps),
            (self.tokens, config.tokens),
            (self.seconds, config.minutes * 60),
        ]
        return max(spent / limit for spent, limit in budget if limit)


def save(
    out: Path,
    composer: Composer,
    optims: list[torch.optim.Optimizer],
    state: RunState,
    config: TrainConfig,
    snapshot: Snapshot,
) -> None:
    """Write the checkpoint and what exact resuming needs beside it, all of it or nothing."""
    text = json.dumps({"progress": asdict(state), "config": asdict(config)}, indent=2)
    with saved_whole(out) as saving:
        composer.save_pretrained(saving)
        write_weights(saving / "optimizer.safetensors", memory(optims))
        snapshot.save(saving / "snapshot.safetensors")
        (saving / "train.json").write_text(text + "\n")


def restore(
    out: Path, model: EventTransformer, optims: list[torch.optim.Optimizer], config: TrainConfig
) -> RunState | None:
    """Bring back what ``save`` wrote to ``out``; None if it holds no run."""
    if not has_run(out):
        return None
    was, name = read_json(out / "train.json", error=AssetError), quoted(out / "train.json")
    if not isinstance(was.get("config"), dict):
        raise AssetError(f"{name} is damaged: it has no settings; train into a new folder")
    if (before := was["config"].get("optimizer")) != config.optimizer:
        raise UsageError(
            f"the run in {config.out!r} began with {shown(before)}, not "
            f"{config.optimizer!r}; name another folder, and this one in start_from"
        )
    if config.start_from and (begun := was["config"].get("start_from")) != config.start_from:
        warn(
            f"{config.out!r} holds a run that began with {shown(begun or 'nothing')}; it goes on, "
            f"and start_from, {config.start_from!r}, is not read"
        )
    progress = build(RunState, was.get("progress"), f"{name} is damaged: ", AssetError)
    load_weights(model, out / "model.safetensors")
    path = out / "optimizer.safetensors"
    remember(optims, load_tensors(path), repr(str(path)))
    return progress


def restored_snapshot(out: Path, model: EventTransformer) -> Snapshot | None:
    """Return the snapshot that ``save`` wrote to ``out``; None if there is none."""
    path = out / "snapshot.safetensors"
    return Snapshot.load(path, model) if has_run(out) and path.is_file() else None
