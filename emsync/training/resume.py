"""Save a run so that it goes on exactly where it was, whatever stops it."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from emsync.errors import EmsyncError, UsageError
from emsync.model.composer import Composer, load_weights
from emsync.model.transformer import EventTransformer
from emsync.training.config import TrainConfig


@dataclass
class RunState:
    """How far a run has come."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0

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
) -> None:
    """Write the checkpoint and what exact resuming needs beside it, all of it or nothing."""
    tensors = {
        f"{o}.{p}.{key}": torch.as_tensor(value).contiguous()
        for o, optim in enumerate(optims)
        for p, values in optim.state_dict()["state"].items()
        for key, value in values.items()
    }
    text = json.dumps({"progress": asdict(state), "config": asdict(config)}, indent=2)
    saving = out / "saving"
    try:
        shutil.rmtree(saving, ignore_errors=True)
        composer.save_pretrained(saving)
        save_file(tensors, saving / "optimizer.safetensors")
        (saving / "train.json").write_text(text + "\n")
        saving.replace(out / "saved")  # from here on it counts, wherever a kill falls
        _settle(out)
    except (OSError, SafetensorError) as error:
        raise EmsyncError(f"cannot save to {str(out)!r}: {error}; the last save is good") from error


def _settle(out: Path) -> None:
    """Move a complete save to its place; a kill may have left that half done."""
    if (out / "saved").is_dir():
        for path in (out / "saved").iterdir():
            path.replace(out / path.name)
        (out / "saved").rmdir()


def has_run(out: Path) -> bool:
    """Return whether ``out`` holds a run that can go on."""
    _settle(out)
    return (out / "train.json").is_file()


def restore(
    out: Path, model: EventTransformer, optims: list[torch.optim.Optimizer], config: TrainConfig
) -> RunState | None:
    """Bring back what ``save`` wrote to ``out``; None if it holds no run."""
    if not has_run(out):
        return None
    was = json.loads((out / "train.json").read_text())
    if was["config"]["optimizer"] != config.optimizer:
        raise UsageError(
            f"the run in {config.out!r} began with {was['config']['optimizer']!r}, not "
            f"{config.optimizer!r}; name another folder, and this one in start_from"
        )
    load_weights(model, out / "model.safetensors")
    flat = load_file(out / "optimizer.safetensors")
    for o, optim in enumerate(optims):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in flat.items():
            which, parameter, key = name.split(".", 2)
            if int(which) == o:
                state.setdefault(int(parameter), {})[key] = value
        optim.load_state_dict({"state": state, "param_groups": optim.state_dict()["param_groups"]})
    return RunState(**was["progress"])
