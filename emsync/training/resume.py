"""Save a run so that it goes on exactly where it was, whatever stops it."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from emsync.errors import AssetError, EmsyncError, UsageError
from emsync.limits import check_file, quoted, read_json, shown
from emsync.model.composer import Composer, load_weights
from emsync.model.transformer import EventTransformer
from emsync.settings import Within, build
from emsync.training.config import TrainConfig


@dataclass
class RunState:
    """How far a run has come."""

    step: Annotated[int, Within(0, 10**15)] = 0
    seconds: Annotated[float, Within(0, 10**12)] = 0.0
    tokens: Annotated[int, Within(0, 10**18)] = 0

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
    except (OSError, SafetensorError, EmsyncError) as error:
        shutil.rmtree(saving, ignore_errors=True)  # room for others on a full disk
        kept = "the last save is good" if has_run(out) else "nothing of the run is saved yet"
        raise EmsyncError(f"cannot save to {str(out)!r}: {error}; {kept}") from error


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
    was, name = read_json(out / "train.json", error=AssetError), quoted(out / "train.json")
    if not isinstance(was.get("config"), dict):
        raise AssetError(f"{name} is damaged: it has no settings; train into a new folder")
    if (before := was["config"].get("optimizer")) != config.optimizer:
        raise UsageError(
            f"the run in {config.out!r} began with {shown(before)}, not "
            f"{config.optimizer!r}; name another folder, and this one in start_from"
        )
    progress = build(RunState, was.get("progress"), f"{name} is damaged: ", AssetError)
    load_weights(model, out / "model.safetensors")
    path = out / "optimizer.safetensors"
    try:
        check_file(path, AssetError)
        flat = load_file(path)
    except (OSError, SafetensorError) as error:
        raise AssetError(f"cannot read {str(path)!r}: {error}") from error
    for o, optim in enumerate(optims):
        parameters = [p for group in optim.param_groups for p in group["params"]]
        state = {
            i: known
            for i, parameter in enumerate(parameters)
            if (known := _state_of(parameter, f"{o}.{i}.", flat, path))
        }
        optim.load_state_dict({"state": state, "param_groups": optim.state_dict()["param_groups"]})
    return progress


def _state_of(
    parameter: Tensor, prefix: str, flat: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Return what an optimizer knows of ``parameter``: numbers, and tensors of its shape."""
    state = {k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)}
    for key, value in state.items():
        if value.ndim and value.shape != parameter.shape:
            raise AssetError(
                f"{str(path)!r} does not fit the network: {prefix}{key} is of {tuple(value.shape)},"
                f" its weights of {tuple(parameter.shape)}"
            )
    return state
