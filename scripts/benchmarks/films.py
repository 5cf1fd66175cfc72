"""Whole runs: films watched and composed for, from an empty process to the file."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import best, emsync
from emsync.demo import HEIGHT, LENGTH, WIDTH, draw_clip

PLAIN = ("--candidates", "1", "--guidance", "1")  # one piece, and every token foretold once


def generating(clip: Path, checkpoint: str | Path, threads: int, *more: str) -> dict[str, Any]:
    """Return what it costs to compose for ``clip``, from an empty process to the file.

    Tokens a second are those of the piece that is kept, and what composing does besides counts.
    """
    score = clip.with_suffix(".mid")
    run = emsync(
        "generate", clip, "--out", score, "--checkpoint", checkpoint, "--device", "cpu",
        "--threads", str(threads), *more,
    )  # fmt: skip
    composing = run.said["timings"]["compose"]
    return {
        "seconds of film": run.said["duration"],
        "seconds": run.seconds,
        "ratio to real time": run.said["duration"] / run.seconds,
        "seconds beside composing": run.seconds - composing,
        "tokens": run.said["tokens"],
        "tokens_per_second": run.said["tokens"] / composing,
        "peak memory, MB": run.peak,
        "timings": run.said["timings"],
    }


def over_lengths(films: Sequence[Path], checkpoint: str, threads: int) -> dict[str, Any]:
    """Return the cost of composing for films of several lengths, and of watching their extremes."""
    rows = [generating(film, checkpoint, threads, *PLAIN) for film in films]
    watched = {film.name: emsync("analyze", film).peak for film in (films[0], films[-1])}
    return {"generate": rows, "analyze, peak memory, MB": watched}


def watching(clip: Path) -> dict[str, Any]:
    """Return how fast a film is watched and felt, by each cue and by all, against decoding alone.

    "fixed" watches for cuts, motion and colour only.
    """
    import av

    from emsync.analysis import Analysis
    from emsync.emotion.estimator import choose
    from emsync.options import ESTIMATOR
    from emsync.video.film import open_film
    from emsync.video.watch import watch

    def decode() -> None:
        with av.open(str(clip)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for _ in container.decode(video=0):
                pass

    def feel(cues: str) -> None:
        estimator = choose(cues)
        Analysis.of(watch(video, needs=estimator.needs), estimator)

    video, decoded = open_film(clip), best(decode, 1)
    cues = ["fixed:0/0", *ESTIMATOR.split(","), ESTIMATOR]
    felt = {cue: best(partial(feel, cue), 1) for cue in cues}
    return {
        "size": f"{video.width}x{video.height}",
        "seconds of film": video.duration,
        "ratio to real time": {cue: video.duration / spent for cue, spent in felt.items()},
        "baseline decoding alone, ratio to real time": video.duration / decoded,
        "ratio to decoding alone": {cue: decoded / spent for cue, spent in felt.items()},
    }


def ffmpeg(*arguments: str | Path) -> None:
    """Run FFmpeg."""
    from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


def redrawn(clip: Path, out: Path, width: int, height: int, seconds: float) -> Path:
    """Draw the first ``seconds`` of a film anew, in another size and with noise."""
    size = f"{width}:{height}"
    filled = f"scale={size}:force_original_aspect_ratio=increase,crop={size}"
    ffmpeg(
        "-i", clip, "-t", str(seconds), "-vf", f"{filled},noise=alls=6:allf=t", "-an",
        "-c:v", "libx264", "-preset", "veryfast", out,
    )  # fmt: skip
    return out


def drawn(folder: Path) -> Path:
    """Draw the demonstration's clip, with noise."""
    draw_clip(folder / "clean.mp4")
    return redrawn(folder / "clean.mp4", folder / "clip.mp4", WIDTH, HEIGHT, LENGTH)


def repeated(clip: Path, folder: Path, seconds: float) -> Path:
    """Write a film that is ``clip`` over and over, its pictures untouched."""
    out = folder / f"{seconds:g}-s.mkv"
    ffmpeg(
        "-y", "-stream_loop", "-1", "-i", clip, "-t", str(seconds), "-map", "v:0", "-c", "copy", out
    )
    return out
