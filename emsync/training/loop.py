"""Train an event transformer on a store: settings, one visible loop, and the way back into it.

The loop runs on Accelerate, from two cores to many GPUs:

    emsync train small.toml
    accelerate launch --num_processes 8 -m emsync train base.toml
"""

import csv
import json
import math
import os
import shutil
import signal
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emsync import plugins
from emsync.conditioning import Conditioner
from emsync.data.crops import LABELS, Cropping, augment, window
from emsync.data.split import split, trained_keys
from emsync.data.store import Song, Store
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.model.attention import ATTENTIONS
from emsync.model.composer import Composer, load_weights
from emsync.model.transformer import EventTransformer, ModelConfig, RelativeAttention
from emsync.training.single_process import Alone

Batch = dict[str, Tensor]  # "ids" (B, T + 1), and (B, rows, channels) for each conditioner


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training run, as its TOML file has them."""

    store: str  # folder that ``emsync prepare`` wrote
    out: str  # folder for checkpoints and metrics
    conditioners: tuple[str, ...] = ("valence_arousal", "boundaries", "onset_density")
    model: Mapping[str, Any] = field(default_factory=dict)  # of ModelConfig; less vocab_size
    cropping: Mapping[str, Any] = field(default_factory=dict)  # of Cropping
    start_from: str = ""  # a checkpoint whose weights to begin with, with a fresh warm-up
    # the budget: the first that runs out ends the run; 0 is no limit
    steps: int = 0
    tokens: int = 0
    minutes: float = 0.0
    batch: int = 64  # crops in a step, over all processes
    accumulate: int = 1  # a step is read in so many parts
    optimizer: str = "muon"  # or "adam"
    rate: float = 0.004  # of the matrices in the blocks under Muon; of everything under Adam
    rate_adam: float = 0.0015  # under Muon, of everything else
    weight_decay: float = 0.01
    warm_up: float = 0.02  # share of the budget
    decay: float = 0.4  # share of the budget at its end in which the rate falls to zero
    clip: float = 1.0  # of the gradient norm
    chord_weight: float = 10.0  # of the loss on the boundary mark
    labelled_weight: float = 2.0  # how much more often a song with a valence is drawn
    validation: float = 0.05  # share of the duplicate groups never trained on
    validation_crops: int = 64
    validate_every: int = 250  # steps
    save_minutes: float = 5.0
    bf16: bool = True
    attention: str = "plain"  # on a CPU; "biased" or "flexible" are fused kernels for a GPU
    compile: bool = False  # the network by torch.compile: minutes at first, then faster on a GPU
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.steps or self.tokens or self.minutes):
            raise UsageError("a training run needs a budget: set steps, tokens or minutes")
        if self.optimizer not in ("muon", "adam"):
            raise UsageError(f"optimizer {self.optimizer!r} is neither 'muon' nor 'adam'")
        if self.attention not in ATTENTIONS:
            raise UsageError(f"attention {self.attention!r} is none of {', '.join(ATTENTIONS)}")
        if self.batch < 1 or self.accumulate < 1 or self.batch % self.accumulate:
            raise UsageError(
                f"batch {self.batch} is not a multiple of accumulate {self.accumulate}"
            )
        droppable = {*LABELS, *self.conditioners}
        for name in self.cropping.get("drop", {}):
            if name not in droppable:
                raise UsageError(f"[cropping.drop] {name!r} is none of {sorted(droppable)}")

    @classmethod
    def load(cls, path: Path) -> "TrainConfig":
        """Read a TOML file; UsageError names a key that is not a setting."""
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{str(path)!r} is not TOML: {error}") from error
        for table, kind in (("", cls), ("model", ModelConfig), ("cropping", Cropping)):
            known = {f.name for f in fields(kind)}
            section = settings.get(table, {}) if table else settings
            if not isinstance(section, dict):
                raise UsageError(f"{str(path)!r}: {table!r} is a table, [{table}]")
            for key in section:
                if key not in known:
                    place = f"[{table}] " if table else ""
                    raise UsageError(
                        f"{str(path)!r}: {place}{key!r} is no setting; there are {sorted(known)}"
                    )
        try:
            if "conditioners" in settings:
                settings["conditioners"] = tuple(settings["conditioners"])
            return cls(**settings)
        except (AttributeError, TypeError) as error:
            raise UsageError(f"{str(path)!r}: {error}") from error


class Crops(Dataset[Batch]):
    """Crop number i of a run: the same for the same seed, whoever asks for it."""

    def __init__(
        self,
        store: Store,
        songs: list[Song],
        conditioners: tuple[Conditioner, ...],
        context: int,
        cropping: Cropping,
        labelled_weight: float,
        seed: int,
    ) -> None:
        self.store, self.songs, self.conditioners = store, songs, conditioners
        self.context, self.cropping, self.seed = context, cropping, seed
        weights = [labelled_weight if labels_of(song) else 1.0 for song in songs]
        self.edges = np.cumsum(weights) / np.sum(weights)

    def __len__(self) -> int:
        return 2**62  # as many as the budget allows

    def song(self, i: int) -> Song:
        """Return the song that crop ``i`` is cut from."""
        return self.songs[int(np.searchsorted(self.edges, self._rng(i).random(), "right"))]

    def __getitem__(self, i: int) -> Batch:
        rng = self._rng(i)
        song = self.songs[int(np.searchsorted(self.edges, rng.random(), "right"))]
        passage = augment(
            self.store.ids(song), self.store.tokenizer, self.conditioners, self.context, rng,
            self.cropping, labels_of(song),
        )  # fmt: skip
        example = window(passage, self.conditioners, self.context, self.store.arousal)
        rows = {name: torch.from_numpy(value) for name, value in example.features.items()}
        return {"ids": torch.from_numpy(example.ids), **rows}

    def _rng(self, i: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, i])


def labels_of(song: Song) -> dict[str, float]:
    """Return what ``song`` is labelled with; the crops know their arousal where it is not."""
    labels = {"valence": song.valence, "arousal": song.arousal}
    return {name: value for name, value in labels.items() if value is not None}


def loss_of(
    model: torch.nn.Module, batch: Batch, weight: Tensor, pad: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the summed weighted cross-entropy and the summed weight; padding has none."""
    ids = batch["ids"]
    logits = model(ids[:, :-1], {k: v for k, v in batch.items() if k != "ids"})
    answers = ids[:, 1:].flatten()
    weights = weight[answers] * (answers != pad)
    losses = F.cross_entropy(logits.flatten(0, 1).float(), answers, reduction="none")
    return (losses * weights).sum(), weights.sum()


def optimizers(model: EventTransformer, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Return Adam for everything, or Muon for the matrices in the blocks and Adam for the rest."""
    if config.optimizer == "adam":
        return [torch.optim.Adam(model.parameters(), lr=config.rate, betas=(0.9, 0.98), eps=1e-9)]
    matrices = [
        p for name, p in model.named_parameters()
        if name.startswith("blocks.") and p.ndim == 2 and not name.endswith("distance")
    ]  # fmt: skip
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(
            matrices, lr=config.rate, weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(rest, lr=config.rate_adam, betas=(0.9, 0.95), weight_decay=0.0),
    ]  # fmt: skip


def rate_at(progress: float, warm_up: float, decay: float) -> float:
    """Return the factor of the learning rate at ``progress`` in [0, 1] of the budget.

    It rises over ``warm_up``, stays at one, and falls to zero over the last ``decay``.

    >>> [rate_at(p, 0.1, 0.5) for p in (0.05, 0.3, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    up = progress / warm_up if warm_up else 1.0
    down = (1.0 - progress) / decay if decay else 1.0
    return max(0.0, min(1.0, up, down))


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0

    def share(self, config: TrainConfig) -> float:
        """Return the share of the budget that is spent."""
        spent = [(self.step, config.steps), (self.tokens, config.tokens)]
        spent.append((self.seconds, config.minutes * 60))  # type: ignore[arg-type]
        return max(done / limit for done, limit in spent if limit)


def train(
    config: TrainConfig,
    report: Callable[[Progress, dict[str, float]], None] | None = None,
    alone: bool = False,
) -> Composer:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes ``model.safetensors``, ``config.json``, ``train.json``, ``metrics.csv``, TensorBoard
    events and ``trained.npy`` (``trained_keys``) there. SIGINT and SIGTERM save and stop. Raises
    EmsyncError when the loss is not a number. ``alone`` is for a machine that has torch, NumPy and
    safetensors only: one process on one device, and no TensorBoard events.
    """
    accelerator: Any = Alone(config.bf16) if alone else _accelerator(config.bf16)
    torch.manual_seed(config.seed)
    store = Store.open(Path(config.store))
    songs, held = split(store, config.validation)
    if not songs:
        raise InputError(f"the store {config.store!r} has no song to train on")
    conditioners = tuple(
        plugins.load(plugins.CONDITIONERS, name, Conditioner)() for name in config.conditioners
    )
    shape = ModelConfig(vocab_size=store.tokenizer.vocab_size, **config.model)
    model = EventTransformer(shape, conditioners)
    if config.start_from:
        load_weights(model, Path(config.start_from) / "model.safetensors")
    for module in model.modules():
        if isinstance(module, RelativeAttention):
            module.fused = ATTENTIONS[config.attention]
    if config.compile:
        model.compile()
    composer = Composer(model, store.tokenizer, store.tempo)
    optims = optimizers(model, config)
    out = Path(config.out)
    progress = restore(out, model, optims, config) or Progress()

    crops = Crops(
        store, songs, conditioners, shape.context, Cropping(**config.cropping),
        config.labelled_weight, config.seed,
    )  # fmt: skip
    weight = torch.ones(shape.vocab_size)
    if store.tokenizer.mark is not None:
        weight[store.tokenizer.mark] = config.chord_weight
    weight = weight.to(accelerator.device)
    network = accelerator.prepare(model)
    optims = [accelerator.prepare(optim) for optim in optims]
    base_rates = [[group["lr"] for group in optim.param_groups] for optim in optims]
    log = _Log(out, progress.step, board=not alone) if accelerator.is_main_process else None
    if log is not None:
        np.save(out / "trained.npy", trained_keys(store, config.validation))
    batches = _batches(crops, progress.step * config.accumulate, config, accelerator)
    started, saved = time.monotonic() - progress.seconds, time.monotonic()

    with _signals() as caught:
        stop = False
        while progress.share(config) < 1.0 and not stop:
            factor = rate_at(progress.share(config), config.warm_up, config.decay)
            for optim, rates in zip(optims, base_rates, strict=True):
                for group, rate in zip(optim.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
            parts = [next(batches) for _ in range(config.accumulate)]
            total = sum(weight[p["ids"][:, 1:]].mul(p["ids"][:, 1:] != 0).sum() for p in parts)
            total = accelerator.reduce(total, "sum")
            loss = torch.zeros((), device=accelerator.device)
            torch.manual_seed(_dropout_seed(config.seed, progress.step, accelerator.process_index))
            for part in parts:
                with accelerator.autocast():
                    summed, _ = loss_of(network, part, weight)
                # DDP averages the gradients; their sum is that of the whole batch
                accelerator.backward(summed / total * accelerator.num_processes)
                loss += accelerator.reduce(summed.detach(), "sum") / total
            norm = accelerator.clip_grad_norm_(network.parameters(), config.clip)
            for optim in optims:
                optim.step()
                optim.zero_grad()
            if not math.isfinite(loss.item()):  # asked last: a GPU is waited for here
                raise EmsyncError(_not_a_number(crops, progress.step, config.batch, loss.item()))
            progress.step += 1
            progress.tokens += config.batch * shape.context
            progress.seconds, stop = _agreed(time.monotonic() - started, bool(caught), accelerator)
            row = {"loss": loss.item(), "norm": float(norm), "rate": factor}
            last = progress.share(config) >= 1.0
            if held and (progress.step % config.validate_every == 0 or last):
                row["validation"] = validate(model, store, held, config, accelerator.device)
            if log is not None:
                log.write(progress, row)
                if report is not None:
                    report(progress, row)
                if time.monotonic() - saved > config.save_minutes * 60:
                    save(out, composer, optims, progress, config)
                    saved = time.monotonic()
        if log is not None:
            save(out, composer, optims, progress, config)
            log.close()
    accelerator.end_training()
    return Composer(model.eval(), store.tokenizer, store.tempo)


def _accelerator(bf16: bool) -> Any:
    from accelerate import Accelerator

    return Accelerator(mixed_precision="bf16" if bf16 else "no")


@torch.no_grad()
def validate(
    model: EventTransformer, store: Store, held: list[Song], config: TrainConfig, device: Any
) -> float:
    """Return the nats per token of the same held-out crops each time, unasked and unweighted."""
    unasked = replace(Cropping.plain(), unasked=1.0)
    crops = Crops(store, held, model.conditioners, model.config.context, unasked, 1.0, seed=1)
    weight = torch.ones(model.config.vocab_size, device=device)
    model.eval()
    total, count = 0.0, 0.0
    for first in range(0, config.validation_crops, 8):
        batch = _collate([crops[i] for i in range(first, min(first + 8, config.validation_crops))])
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=config.bf16):
            loss, tokens = loss_of(model, {k: v.to(device) for k, v in batch.items()}, weight)
        total, count = total + loss.item(), count + tokens.item()
    model.train()
    return total / count


def save(
    out: Path,
    composer: Composer,
    optims: list[torch.optim.Optimizer],
    progress: Progress,
    config: TrainConfig,
) -> None:
    """Write the checkpoint and what exact resuming needs beside it, all of it or nothing."""
    state = {
        f"{o}.{p}.{key}": torch.as_tensor(value).contiguous()
        for o, optim in enumerate(optims)
        for p, values in optim.state_dict()["state"].items()
        for key, value in values.items()
    }
    text = json.dumps({"progress": asdict(progress), "config": asdict(config)}, indent=2)
    saving = out / "saving"
    try:
        shutil.rmtree(saving, ignore_errors=True)
        composer.save_pretrained(saving)
        save_file(state, saving / "optimizer.safetensors")
        (saving / "train.json").write_text(text + "\n")
        os.replace(saving, out / "saved")  # from here on it counts, wherever a kill falls
        _settle(out)
    except (OSError, SafetensorError) as error:
        raise EmsyncError(f"cannot save to {str(out)!r}: {error}; the last save is good") from error


def _settle(out: Path) -> None:
    """Move a whole save to its place; a kill may have left that half done."""
    if (out / "saved").is_dir():
        for path in (out / "saved").iterdir():
            os.replace(path, out / path.name)
        (out / "saved").rmdir()


def restore(
    out: Path, model: EventTransformer, optims: list[torch.optim.Optimizer], config: TrainConfig
) -> Progress | None:
    """Bring back what ``save`` wrote to ``out``; None if it holds no run."""
    _settle(out)
    if not (out / "train.json").is_file():
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
    return Progress(**was["progress"])


def _batches(crops: Crops, first: int, config: TrainConfig, accelerator: Any) -> Iterator[Batch]:
    """Yield this process's share of the parts of the batches, from part ``first`` on."""
    size = config.batch // config.accumulate
    if size % accelerator.num_processes:
        raise UsageError(f"{size} crops cannot be shared by {accelerator.num_processes} processes")
    share = size // accelerator.num_processes
    begin = accelerator.process_index * share

    def rows() -> Iterator[list[int]]:
        number = first
        while True:
            yield list(range(number * size + begin, number * size + begin + share))
            number += 1

    workers = min(12, os.cpu_count() or 1) if accelerator.device.type == "cuda" else 0
    loader: DataLoader[Batch] = DataLoader(
        crops,
        batch_sampler=rows(),
        num_workers=workers,
        collate_fn=_collate,
    )
    for batch in loader:
        yield {k: v.to(accelerator.device, non_blocking=True) for k, v in batch.items()}


def _collate(rows: list[Batch]) -> Batch:
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def _dropout_seed(seed: int, step: int, process: int) -> int:
    """Return a seed of this step's own, so that a resumed run drops what it would have dropped."""
    return int(np.random.default_rng([seed, step, process]).integers(2**63))


def _agreed(seconds: float, stop: bool, accelerator: Any) -> tuple[float, bool]:
    """Return the first process's clock, and whether any is told to stop: all stop at one step."""
    if accelerator.num_processes == 1:
        return seconds, stop
    told = [seconds if accelerator.is_main_process else 0.0, float(stop)]
    total = accelerator.reduce(torch.tensor(told, dtype=torch.float64, device=accelerator.device))
    return float(total[0]), bool(total[1])


def _not_a_number(crops: Crops, step: int, batch: int, loss: float) -> str:
    songs = sorted({crops.song(i).path for i in range(step * batch, (step + 1) * batch)})
    return f"the loss is {loss} at step {step + 1}; its songs: {', '.join(songs)}"


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Yield a list that fills when SIGINT or SIGTERM arrives; a second one stops at once."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: object) -> None:
        caught.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, handle)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Log:
    """Metrics as CSV, and as TensorBoard events if ``board``, going on after ``step``."""

    COLUMNS = ("step", "tokens", "seconds", "loss", "norm", "rate", "validation")

    def __init__(self, out: Path, step: int, board: bool) -> None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / "metrics.csv"
        rows: list[dict[str, str]] = []
        if step and path.exists():  # what ran after the last save is run again
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self.file = path.open("w", newline="")
        self.table = csv.DictWriter(self.file, self.COLUMNS)
        self.table.writeheader()
        self.table.writerows(rows)
        self.board = _board(out / "tensorboard", step) if board else None

    def write(self, progress: Progress, row: dict[str, float]) -> None:
        self.table.writerow({**asdict(progress), **row})
        self.file.flush()
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, progress.step)

    def close(self) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()


def _board(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)
