"""Measure a batch: with more workers beside one, and with a worker that is killed; JSON.

    python scripts/benchmark_batch.py CLIPS [--films 100] [--seconds 10] [--rounds 5] [--workers 2]

Films are cut from those of the folder CLIPS and shared out to rounds. In each round the same films
are composed for in each way, so that a busy machine slows all of them; ratios are medians over the
rounds. A worker of its own has all processors; "one of one" has one.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av

from emsync.video.film import FILMS

RATE, WIDTH = 25, 320  # frames a second, and pixels, of the films


def cut(clip: Path, start: float, seconds: float, out: Path) -> bool:
    """Write ``seconds`` of ``clip`` from ``start`` on; False where it has not as many."""
    out.parent.mkdir(parents=True, exist_ok=True)
    number, wanted = 0, round(seconds * RATE)
    with av.open(clip) as read, av.open(out, "w") as written:
        source = read.streams.video[0]
        stream: Any = written.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.pix_fmt = min(WIDTH, source.width) // 2 * 2, "yuv420p"
        stream.height = round(source.height * stream.width / source.width) // 2 * 2
        for frame in read.decode(source):
            while (
                number < wanted and frame.time is not None and frame.time >= start + number / RATE
            ):
                picture = frame.reformat(stream.width, stream.height, "yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, RATE)
                written.mux(stream.encode(picture))
                number += 1
            if number == wanted:
                break
        written.mux(stream.encode(None))
    if number < wanted:
        out.unlink(missing_ok=True)
    return number == wanted


def cut_all(clips: Path, films: int, seconds: float, rounds: int, out: Path) -> None:
    """Fill a folder for each round, as evenly as can be."""
    found = sorted(path for path in clips.iterdir() if path.suffix in FILMS)
    made = 0
    for turn in count():
        before = made
        for clip in found:
            if made < films:
                place = out / str(made % rounds) / f"{made}.mp4"
                made += cut(clip, turn * seconds / 4, seconds, place)
        if made == films:
            return
        if made == before:
            raise SystemExit(f"{clips} has only {made} parts of {seconds:g} s; take fewer --films")


def start(films: Path, out: Path, workers: int, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "emsync", "batch", films, "--out", out, "--workers", str(workers),
         "--device", "cpu", "--json"],
        env={**os.environ, **more}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def seconds_of(films: Path, out: Path, workers: int, **more: str) -> float:
    began = time.perf_counter()
    if start(films, out, workers, **more).wait():
        raise SystemExit(f"the batch of {films} failed; see {out}")
    return time.perf_counter() - began


def with_a_kill(films: Path, out: Path, workers: int) -> dict[str, Any]:
    """Kill a worker once the first film is done; return what became of the films."""
    run = start(films, out, workers)
    while not list(out.rglob("*.film.json")) and run.poll() is None:
        time.sleep(0.05)
    listed = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    working = [pid for pid in listed if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(working[0]), signal.SIGKILL)
    said, _ = run.communicate()
    report = json.loads(said)
    return {
        "films": len(list(films.iterdir())),
        "composed": report["composed"],
        "failed": report["failed"],
        "scores": len(list(out.rglob("*.mid"))),
    }


def ratios(over: Sequence[float], under: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(over, under, strict=True)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    many = f"{given.workers} workers"
    ways: dict[str, tuple[int, dict[str, str]]] = {
        "one": (1, {}), "one of one": (1, {"OMP_NUM_THREADS": "1"}), many: (given.workers, {}),
    }  # fmt: skip
    spent: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cut_all(given.clips, given.films, given.seconds, given.rounds, folder / "films")
        for number in range(given.rounds):
            films = folder / "films" / str(number)
            for way, (workers, more) in ways.items():
                spent[way].append(seconds_of(films, folder / way / str(number), workers, **more))
        killed = with_a_kill(folder / "films" / "0", folder / "killed", given.workers)
    report = {
        "seconds": {way: [round(value, 2) for value in values] for way, values in spent.items()},
        f"one against {many}": ratios(spent["one"], spent[many]),
        f"one of one against {many}": ratios(spent["one of one"], spent[many]),
        "one worker of two killed": killed,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
