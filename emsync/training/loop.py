"""Train an event transformer on a store: one visible loop, from two cores to many GPUs.

emsync train small.toml
accelerate launch --num_processes 8 -m emsync train base.toml
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from emsync.checkpoints import files_of_checkpoint, find_checkpoint
from emsync.data.split import KEYS, split, trained_keys, write_keys
from emsync.data.store import Store
from emsync.errors import EmsyncError, InputError, UsageError, warn
from emsync.limits import shown
from emsync.model.attention import check_attention
from emsync.model.composer import Composer, load_weights
from emsync.model.transformer import EventTransformer
from emsync.options import Sampling
from emsync.targets import check_apart
from emsync.training.accelerator import Accelerator, accelerator
from emsync.training.batches import Batch, Crops, batches
from emsync.training.config import TrainConfig
from emsync.training.fast import speed_up
from emsync.training.guard import MOST, Guard
from emsync.training.held_out import HeldOut
from emsync.training.log import Log
from emsync.training.loss import loss_of, token_weights, weights_of
from emsync.training.memory import check_size, memory_errors
from emsync.training.resume import RunState, restore, restored_snapshot, save
from emsync.training.running import claimed, rate_at, seed_of, signals
from emsync.training.saving import has_run, kept
from emsync.training.start import from_checkpoint, from_nothing, take_weights

FILES = (
    *("model.safetensors", "config.json", "train.json", "optimizer.safetensors"),
    *("snapshot.safetensors", "metrics.csv", KEYS),
)
COLUMNS = ("step", "tokens", "seconds", "loss", "norm", "rate", "validation")
Figures = dict[str, float]  # "loss", "norm", "rate" of a step, and now and then "validation"
Report = Callable[[RunState, Figures], None]


def train(config: TrainConfig, report: Report | None = None) -> Composer:
    """Train until the budget is spent, going on from ``config.out`` if it holds a run.

    Writes ``model.safetensors``, ``config.json``, ``train.json``, ``metrics.csv``, TensorBoard
    events and ``trained_keys`` there; ``report`` is called after each step.
    SIGINT and SIGTERM save and stop. A run that runs away goes back to where it was well, at half
    the rates; EmsyncError where it does so again and again, or its first loss is no number. Needs
    torch, NumPy and safetensors only: without Accelerate it is one process, without TensorBoard it
    leaves no events.
    """
    stored = [Path(config.store) / name for name in ("store.json", "tokens.bin", "songs.jsonl")]
    begun = files_of_checkpoint(config.start_from)
    read = {"the store": stored, "the checkpoint to start from": begun}
    check_apart([Path(config.out) / name for name in FILES], read)
    machine, out = accelerator(config.bf16), Path(config.out)
    with claimed(out) if machine.is_main_process else nullcontext(), memory_errors():
        return _train(config, machine, report)


def _train(config: TrainConfig, machine: Accelerator, report: Report | None) -> Composer:
    """Train on ``machine``, which alone writes to the folder of the run."""
    torch.manual_seed(config.seed)
    run = set_up(config, machine)
    out, state, guard, begun = Path(config.out), run.state, run.guard, run.state.step
    log = Log(out, state.step, COLUMNS) if machine.is_main_process else None
    if log is not None:
        write_keys(out, trained_keys(run.store, config.validation))
    parts = batches(run.crops, state.step * config.accumulate, config, machine)
    started, saved = time.monotonic() - state.seconds, time.monotonic()

    with signals() as caught, nullcontext() if log is None else closing(log):
        stop = False
        while state.share(config) < 1.0 and not stop:
            figures = step(run, [next(parts) for _ in range(config.accumulate)], config, machine)
            loss, norm = figures["loss"], figures["norm"]
            if state.step == begun and not math.isfinite(loss):  # no going back would help
                raise EmsyncError(_not_a_number(run.crops, state.step, config.batch, loss))
            state.step += 1
            state.tokens += config.batch * run.crops.context
            state.seconds, stop, wild = _agreed(
                time.monotonic() - started, bool(caught), guard.is_wild(loss, norm), machine
            )
            if guard.ran_away(loss, norm, wild):
                _go_back(run, figures, out)
            last = state.share(config) >= 1.0
            if guard.strikes and (last or stop):  # what is wild is never saved
                guard.put_back()
            if run.held is not None and (state.step % config.validate_every == 0 or last):
                figures["validation"] = run.held.nats(machine)
            if log is not None:
                log.write(asdict(state), figures)
                if report is not None:
                    report(state, figures)
                due = time.monotonic() - saved > config.save_minutes * 60
                if due and not guard.strikes:
                    save(out, run.composer, run.optims, state, config, guard.snapshot)
                    saved = time.monotonic()
        if log is not None:
            save(out, run.composer, run.optims, state, config, guard.snapshot)
    machine.end_training()
    return replace(run.composer, model=run.composer.model.eval())


@dataclass(frozen=True, eq=False)
class Run:
    """What a run trains, and on what."""

    store: Store
    crops: Crops
    held: HeldOut | None  # None: no song is held out
    composer: Composer
    network: torch.nn.Module  # the composer's model, as it is spread over the processes
    optims: list[torch.optim.Optimizer]
    rates: list[list[float]]  # of each optimizer's groups, before warm-up and decay
    weight: Tensor  # (vocabulary,) of each token in the loss
    state: RunState
    guard: Guard


def set_up(config: TrainConfig, machine: Accelerator) -> Run:
    """Return the run that ``config`` describes, as far as it has come."""
    check_attention(config.attention, machine.device)
    out = Path(config.out)
    goes_on = has_run(out)
    origin = config.out if goes_on else config.start_from
    folder = find_checkpoint(origin) if origin else None
    start = Composer.without_weights(folder) if folder else None
    shape, conditioners = from_checkpoint(config, start, origin) if start else from_nothing(config)
    if start and goes_on and len(conditioners) > len(start.model.conditioners):
        new = shown(conditioners[-1].name)
        raise UsageError(
            f"the run in {config.out!r} does not know the condition {new}; to teach it, name "
            "another folder in out, and this one in start_from"
        )
    store = Store.open(Path(config.store))
    if start and start.tokenizer.vocab_size != store.tokenizer.vocab_size:
        raise UsageError(
            f"the store {config.store!r} has {store.tokenizer.vocab_size} kinds of tokens, the "
            f"checkpoint {origin!r} {start.tokenizer.vocab_size}; prepare the songs with "
            f"--tokenizer {start.tokenizer.name}"
        )
    songs, held = split(store, config.validation)
    if not songs:
        raise InputError(f"the store {config.store!r} has no song to train on")
    shape = replace(shape, vocab_size=store.tokenizer.vocab_size)
    check_size(shape, conditioners)
    model = EventTransformer(shape, conditioners)
    if start and folder and not goes_on:  # of a run that goes on ``restore`` reads them
        load_weights(start.model, folder / "model.safetensors")
        take_weights(model, start.model)
    speed_up(model, config.attention, config.compile)
    optims = optimizers(model, config)
    state = restore(out, model, optims, config) or RunState()
    crops = Crops(
        store, songs, conditioners, shape.context, config.cropping, config.labelled_weight,
        config.seed,
    )  # fmt: skip
    network = machine.prepare(model)
    optims = [machine.prepare(optim) for optim in optims]
    return Run(
        store=store,
        crops=crops,
        held=HeldOut(store, held, model, config.validation_crops) if held else None,
        composer=Composer(
            model, store.tokenizer, store.tempo, start.sampling if start else Sampling()
        ),
        network=network,
        optims=optims,
        rates=[[group["lr"] for group in optim.param_groups] for optim in optims],
        weight=token_weights(store.tokenizer, config.chord_weight).to(machine.device),
        state=state,
        guard=Guard(model, optims, state, restored_snapshot(out, model)),
    )


def step(run: Run, parts: Sequence[Batch], config: TrainConfig, machine: Accelerator) -> Figures:
    """Move the weights by the ``parts`` of one batch; return the loss, gradient norm and rate."""
    factor = rate_at(run.state.share(config), config.warm_up, config.decay) * run.guard.factor
    for optim, rates in zip(run.optims, run.rates, strict=True):
        for group, rate in zip(optim.param_groups, rates, strict=True):
            group["lr"] = rate * factor
    # of the whole batch, whatever its parts and processes
    total = torch.stack([weights_of(part, run.weight).sum() for part in parts]).sum()
    total = machine.reduce(total, "sum")
    loss = torch.zeros((), device=machine.device)
    torch.manual_seed(seed_of(config.seed, run.state.step, machine.process_index))
    for part in parts:
        with machine.autocast():
            summed, _ = loss_of(run.network, part, run.weight)
        # DDP averages the gradients; their sum is that of the whole batch
        machine.backward(summed / total * machine.num_processes)
        loss += machine.reduce(summed.detach(), "sum") / total
    norm = machine.clip_grad_norm_(run.network.parameters(), config.clip)
    for optim in run.optims:
        optim.step()
        optim.zero_grad()
    return {"loss": loss.item(), "norm": float(norm), "rate": factor}


def optimizers(model: torch.nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
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


def _agreed(
    seconds: float, stop: bool, wild: bool, machine: Accelerator
) -> tuple[float, bool, bool]:
    """Return the first process's clock, and whether any has a signal, or sees a wild step.

    So all stop, and go back, at one step.
    """
    if machine.num_processes == 1:
        return seconds, stop, wild
    mine = [seconds if machine.is_main_process else 0.0, float(stop), float(wild)]
    total = machine.reduce(torch.tensor(mine, dtype=torch.float64, device=machine.device))
    return float(total[0]), bool(total[1]), bool(total[2])


def _go_back(run: Run, figures: Figures, out: Path) -> None:
    """Let a run that ran away go back, and say so; EmsyncError where it did so too often."""
    state, guard = run.state, run.guard
    words = f"loss {figures['loss']:.4g} and norm {figures['norm']:.4g} at step {state.step}"
    if state.backs + 1 == MOST:
        raise EmsyncError(
            f"training ran away {MOST} times, now with {words}, at {guard.factor:g} of its rates; "
            f"{kept(out)}; lower rate and rate_adam to go on"
        )
    guard.go_back()
    warn(
        f"training ran away, with {words}: it goes back to what it knew at step {state.good}, and "
        f"on at {guard.factor:g} of its rates"
    )


def _not_a_number(crops: Crops, step: int, batch: int, loss: float) -> str:
    songs = sorted({crops.song(i).path for i in range(step * batch, (step + 1) * batch)})
    return f"the loss is {loss} at step {step + 1}; its songs: {', '.join(songs)}"
