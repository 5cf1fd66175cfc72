"""Measure training: tokens a second, and the share of the matrix rate of the same run, as JSON.

    python scripts/benchmark_training.py [--attention plain skewed ...] [--compile] [...]

The default shape is that of emsync-base. A step is what the training loop does on the device: it
reads a batch, clips the gradients, and Muon and Adam move the weights. Runs from a checkout, as
``train_portable.py`` does.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from train_portable import ROOT, offer

ADDED = ("chords", "instruments", "given")
CONDITIONERS = ("valence_arousal", "metre", "boundaries", "onset_density", "chroma", *ADDED)
VOCABULARY = 1011


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median seconds that ``work`` takes on the device, after two runs to warm up."""
    spent = []
    for _ in range(repeats + 2):
        wait()
        start = time.perf_counter()
        work()
        wait()
        spent.append(time.perf_counter() - start)
    return sorted(spent[2:])[repeats // 2]


def wait() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations a second of a large product of random matrices."""
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / seconds(lambda: a @ b, 10)


def operations(model: Any) -> float:
    """Return the model's own work on a token, forwards and backwards.

    Each weight of a matrix costs six, and causal relative attention nine for each position, channel
    and layer: it has three products, and what lies in the future is not counted.
    """
    blocks = [p for name, p in model.blocks.named_parameters() if not name.endswith("distance")]
    weights = sum(p.numel() for p in [*blocks, model.head.weight] if p.ndim == 2)
    return 6 * weights + 9 * model.longest * model.config.width * model.config.depth


def measure(asked: argparse.Namespace, attention: str) -> dict[str, Any]:
    """Return the figures of one form of attention."""
    from emsync import plugins
    from emsync.conditioning import Conditioner
    from emsync.model.attention import check_attention
    from emsync.model.transformer import EventTransformer, ModelConfig
    from emsync.training.accelerator import SingleProcess
    from emsync.training.config import TrainConfig
    from emsync.training.fast import speed_up
    from emsync.training.loop import optimizers
    from emsync.training.loss import loss_of

    torch.manual_seed(0)
    machine = SingleProcess(asked.bf16)
    check_attention(attention, machine.device)
    conditioners = [
        plugins.load(plugins.CONDITIONERS, name, Conditioner)() for name in CONDITIONERS
    ]
    shape = ModelConfig(
        VOCABULARY, asked.width, asked.depth, asked.heads, asked.context, dropout=asked.dropout,
        added=ADDED,
    )  # fmt: skip
    model = machine.prepare(EventTransformer(shape, conditioners))
    speed_up(model, attention, asked.compile)
    moves = optimizers(model, TrainConfig("", "", steps=1))
    batch = {"ids": torch.randint(6, VOCABULARY, (asked.batch, asked.context + 1))}
    for c in conditioners:
        rows = 2 if c.place == "prefix" else asked.context
        batch[c.name] = torch.rand(asked.batch, rows, c.channels)
    batch = {key: value.to(machine.device) for key, value in batch.items()}
    weight = torch.ones(VOCABULARY, device=machine.device)

    def step() -> None:
        with machine.autocast():
            loss, count = loss_of(model, batch, weight)
        machine.backward(loss / count)
        machine.clip_grad_norm_(model.parameters(), 1.0)
        for move in moves:
            move.step()
            move.zero_grad()

    dtype = torch.bfloat16 if asked.bf16 else torch.float32
    spent, peak = seconds(step, asked.steps), matrix_rate(machine.device, dtype)
    rate = asked.batch * asked.context / spent
    figures = {
        "seconds_a_step": round(spent, 4),
        "tokens_a_second": round(rate),
        "matrix_tflops": round(peak / 1e12, 4),
        "share_of_matrix_rate": round(rate * operations(model) / peak, 4),
    }
    if machine.device.type == "cuda":
        figures["gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    return figures


def main() -> None:
    from emsync.errors import UsageError

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--depth", type=int, default=11)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--context", type=int, default=1214)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--attention", nargs="+", default=["plain", "biased", "flexible", "skewed"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--fp32", dest="bf16", action="store_false")
    asked = parser.parse_args()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    report: dict[str, Any] = {
        "device": gpu or f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "asked": vars(asked),
    }
    for attention in asked.attention:
        if gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            report[attention] = measure(asked, attention)
        except torch.cuda.OutOfMemoryError:
            report[attention] = "out of memory"
        except UsageError as error:
            report[attention] = str(error)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        offer(ROOT, Path(folder))
        main()
