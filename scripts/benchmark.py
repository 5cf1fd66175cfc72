"""Measure speed, each figure beside a baseline of the same run; prints one JSON object.

    python scripts/benchmark.py [--checkpoint NAME] [--video CLIP] [--songs LPD_DIR] [--threads 2]

Without --video the demonstration's clip is drawn; without --songs nothing is prepared.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from emsync.composer import Composer
from emsync.model import Cache, EventTransformer
from emsync.sampling import Sampling, sample


def best(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the least seconds that ``work`` takes, after one run to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def features(model: EventTransformer, batch: int, tokens: int) -> dict[str, torch.Tensor]:
    """Return features of which nothing is asked."""
    return {
        c.name: torch.full((batch, 2 if c.place == "prefix" else tokens, c.channels), torch.nan)
        for c in model.conditioners
    }


@torch.inference_mode()
def step_seconds(model: EventTransformer, batch: int, read: int) -> float:
    """Return the seconds of one decoding step with the cache after ``read`` tokens."""
    cache = Cache(model, batch)
    ids = torch.randint(6, model.config.vocab_size, (batch, read))
    model(ids, features(model, batch, read), cache)
    length, one = cache.length, features(model, batch, 1)

    def step() -> None:
        cache.length = length
        model(ids[:, :1], one, cache)

    return best(step, 20)


@torch.inference_mode()
def decoding(model: EventTransformer) -> dict[str, Any]:
    """Return tokens a second with the cache against reading the whole context for each token."""
    read = model.config.context - 1
    ids = torch.randint(6, model.config.vocab_size, (1, read))
    whole = best(lambda: model(ids, features(model, 1, read)), 3)
    cached, eight = step_seconds(model, 1, read), step_seconds(model, 8, read)
    return {
        "context": read,
        "tokens_per_second": 1 / cached,
        "baseline without cache, tokens_per_second": 1 / whole,
        "ratio to no cache": whole / cached,
        "batch of 8, tokens_per_second": 8 / eight,
        "ratio of batch 8 to batch 1": 8 * cached / eight,
    }


def composing(composer: Composer, lengths: tuple[float, ...]) -> list[dict[str, float]]:
    """Return the cost of pieces of several lengths, everything in sampling included."""
    rows = []
    for seconds in lengths:
        start = time.perf_counter()
        settings = Sampling(**composer.sampling)
        targets = composer.unasked(seconds)
        (ids,) = sample(composer.model, composer.tokenizer, [targets], [seconds], [0], settings)
        spent = time.perf_counter() - start
        rows.append(
            {
                "seconds of music": seconds,
                "tokens": len(ids),
                "tokens_per_second": len(ids) / spent,
                "seconds": spent,
                "ratio to real time": seconds / spent,
            }
        )
    return rows


def watching(clip: Path) -> dict[str, Any]:
    """Return how much faster than the film it is watched: decode, cuts, motion and colour."""
    from emsync.video import open_video, watch

    video = open_video(clip)
    seconds = best(lambda: watch(video), 2)
    return {
        "size": f"{video.width}x{video.height}",
        "seconds of film": video.duration,
        "seconds": seconds,
        "ratio to real time": video.duration / seconds,
    }


def preparing(songs: Path) -> dict[str, Any]:
    """Return songs a second of one process that reads and tokenizes Lakh Pianoroll."""
    from emsync.data.lakh import read_lakh
    from emsync_tokenizers.events import Events

    files = sorted(songs.rglob("*.npz"))[:300]
    tokenizer = Events()
    start = time.perf_counter()
    tokens = sum(len(tokenizer.encode(read_lakh(path))) for path in files)
    spent = time.perf_counter() - start
    return {"songs": len(files), "songs_per_second": len(files) / spent, "tokens": tokens}


def starting() -> dict[str, float]:
    """Return the seconds of ``emsync --help`` against an empty Python process."""

    def run(*arguments: str) -> Callable[[], object]:
        command = [sys.executable, *arguments]
        return lambda: subprocess.run(command, check=True, capture_output=True)

    empty, told = best(run("-c", "")), best(run("-m", "emsync", "--help"))
    return {"help, seconds": told, "baseline empty process, seconds": empty}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--checkpoint", default="emsync-small")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--songs", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lengths", type=float, nargs="+", default=[10.0, 60.0])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    composer = Composer.from_pretrained(args.checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        clip = args.video or Path(folder) / "clip.mp4"
        if args.video is None:
            from emsync.demo import draw_clip

            draw_clip(clip)
        report = {
            "machine": {"processor": platform.machine(), "threads": args.threads},
            "parameters": sum(p.numel() for p in composer.model.parameters()),
            "start": starting(),
            "decode": decoding(composer.model),
            "compose": composing(composer, tuple(args.lengths)),
            "watch": watching(clip),
        }
        if args.songs:
            report["prepare"] = preparing(args.songs)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
