"""Measure speed and memory, each figure beside a baseline of the same run; prints one JSON object.

    python scripts/benchmark.py [--only PART ...] [--checkpoint NAME] [--video CLIP] [--threads 2]

Decoding is measured on emsync-base's shape with random weights, which makes no difference to the
speed. What is short is timed as the least of several runs, so that a busy machine counts less.
Without --video the demonstration's clip is drawn, with noise; a film is repeated to the lengths
asked for. Without --songs nothing is prepared.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from benchmarks import (
    conditions,
    decoding,
    drafts,
    films,
    muvi,
    networks,
    retrieval,
    rules,
    songs,
    starting,
)

from emsync.model.composer import Composer
from emsync.options import CHECKPOINT

FILM = 60.0  # seconds of the clip that is watched and composed for
PORTRAIT = (2160, 3840, 4.0)  # pixels, pixels and seconds of a telephone's film


@dataclass
class Bench:
    """What the parts measure, and a folder for their films and scores."""

    asked: argparse.Namespace
    folder: Path

    @cached_property
    def shipped(self) -> Composer:
        return Composer.from_pretrained(CHECKPOINT)

    @cached_property
    def base(self) -> Composer:
        return networks.random_base(self.shipped)

    @cached_property
    def clip(self) -> Path:
        given: Path | None = self.asked.video
        return given or films.drawn(self.folder)

    def film(self, seconds: float) -> Path:
        return films.repeated(self.clip, self.folder, seconds)

    def generating(self) -> dict[str, Any]:
        """Return what composing costs with the large network and with a trained one."""
        asked, film = self.asked, self.film(FILM)
        self.base.save_pretrained(self.folder / "base", torch.int8)
        return {
            f"{name}, {how}": films.generating(film, checkpoint, asked.threads, *more)
            for name, checkpoint, how, more in (
                ("random emsync-base", self.folder / "base", "plain", films.PLAIN),
                ("random emsync-base", self.folder / "base", "as it comes", ()),
                (asked.checkpoint, asked.checkpoint, "plain", films.PLAIN),
                (asked.checkpoint, asked.checkpoint, "as it comes", ()),
            )
        }

    def watching(self) -> dict[str, Any]:
        """Return how fast a film and one of a telephone are watched."""
        portrait = films.redrawn(self.clip, self.folder / "portrait.mp4", *PORTRAIT)
        return {"film": films.watching(self.film(FILM)), "portrait": films.watching(portrait)}

    def lengths(self) -> dict[str, Any]:
        """Return what films of several lengths cost."""
        made = [self.film(seconds) for seconds in self.asked.lengths]
        return films.over_lengths(made, self.asked.checkpoint, self.asked.threads)

    def retrieval(self) -> dict[str, Any]:
        """Return what it costs to seek by two systems."""
        names, threads = ("of-vm-net", "vm-net"), self.asked.threads
        return {name: retrieval.seeking(self.folder, name, threads) for name in names}

    def muvi(self) -> dict[str, Any]:
        """Return what sound by flow matching costs."""
        threads = self.asked.threads
        return {
            "sound": muvi.sounding(threads),
            "film": muvi.made_sound(self.clip, self.folder, threads),
        }

    def prepare(self) -> dict[str, Any]:
        """Return how fast songs are read, if there are any."""
        return songs.preparing(self.asked.songs) if self.asked.songs else {"skipped": "no --songs"}


PARTS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "start": lambda _: starting.starting(),
    "first": lambda bench: starting.first_run(bench.folder),
    "decode": lambda bench: decoding.decoding(bench.base.model),
    "gpu": lambda bench: decoding.on_gpu(bench.base.model),
    "drafts": lambda bench: drafts.drafting(bench.base.model, bench.shipped),
    "conditions": lambda _: conditions.telling(),
    "guidance": lambda _: conditions.guiding(),
    "rules": lambda bench: rules.ruling(bench.shipped),
    "prepare": Bench.prepare,
    "retrieval": Bench.retrieval,
    "muvi": Bench.muvi,
    "generate": Bench.generating,
    "watch": Bench.watching,
    "lengths": Bench.lengths,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="a trained one to compose with")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--songs", type=Path, help="a folder of Lakh Pianoroll")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lengths", type=float, nargs="+", default=[10.0, 60.0, 180.0, 600.0])
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    report: dict[str, Any] = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "threads of the model": asked.threads,
        "film": str(asked.video or "the demonstration's, 640x360, 25 frames a second, with noise"),
    }
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(asked, Path(folder))
        for part, measured in PARTS.items():
            if part in asked.only:
                report[part] = measured(bench)
                print(f"{part}: done", file=sys.stderr)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
