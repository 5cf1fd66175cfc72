"""Compose for every clip of a folder and measure how the music meets the cuts.

    python scripts/suite.py CLIPS [--checkpoint NAME] [--seeds 0 1 2] [--out DIR]

prints a Markdown table and, last, one JSON object: for each clip and seed the duration, notes and
instruments of the score; over all kept cuts the share answered by a boundary chord within a second
(asked, unasked, and against shuffled cuts), and by an event within one and two frames and half a
second, before and after time is fitted. What cannot be read is listed with its exit code.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from emsync.analysis import Analysis
from emsync.composer import Composer
from emsync.errors import EmsyncError
from emsync.generate import Wishes, compose, fade_of, see, titles
from emsync.hits import CutReport
from emsync.metrics.control import answered
from emsync.midi import check, write_midi
from emsync.music import Seconds
from emsync.sampling import Sampling, sample
from emsync.tempo import at_tempo, tempo_of

SUFFIXES = {".3gp", ".mkv", ".mov", ".mp4", ".mpg", ".ogv", ".webm"}


def chords(composer: Composer, video: Analysis, seed: int, sampling: Sampling) -> Seconds:
    """Return the times of the boundary chords in the video's time, before any fitting."""
    slower = 1.0
    if composer.tempo is not None:
        tempo = tempo_of(video)
        video, slower = at_tempo(video, composer.tempo, tempo), composer.tempo / tempo
    (ids,) = sample(
        composer.model,
        composer.tokenizer,
        [composer.targets(video)],
        [video.duration],
        [seed],
        sampling,
    )
    return composer.tokenizer.decode(ids).stretched(slower).chords


def within(reports: Sequence[CutReport], rate: Fraction) -> dict[str, int]:
    """Return how many cuts have an event near, before and after fitting, and of which kind."""
    frame = 1000 / float(rate)
    counts = {"1 frame": 0, "2 frames": 0, "0.5 s": 0, "before 1 frame": 0, "before 2 frames": 0,
              "before 0.5 s": 0, "1 frame, chord or downbeat": 0}  # fmt: skip
    for report in reports:
        for stage, hit in (("", report.nearest), ("before ", report.before)):
            if hit is not None:
                error = abs(hit.error_ms)
                counts[f"{stage}1 frame"] += error <= frame
                counts[f"{stage}2 frames"] += error <= 2 * frame
                counts[f"{stage}0.5 s"] += error <= 500
        if report.hit is not None and report.hit.kind != "beat":
            counts["1 frame, chord or downbeat"] += abs(report.hit.error_ms) <= frame
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clips", type=Path)
    parser.add_argument("--checkpoint", default="emsync-small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="keep the scores here")
    args = parser.parse_args()
    composer = Composer.from_pretrained(args.checkpoint)
    sampling = Sampling(**composer.sampling)
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    asked = dict.fromkeys(("asked", "unasked", "shuffled"), 0)
    cuts, near, tempo = 0, {}, []
    print("| clip | seed | s | score s | notes | instruments | cuts | hit | chord in 1 s | check |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        for clip in sorted(p for p in args.clips.iterdir() if p.suffix in SUFFIXES):
            try:
                video = see(clip, Wishes())
            except EmsyncError as error:
                failed[clip.name] = f"{error.exit_code}: {error}"
                continue
            kept = np.array([cut.time for cut in video.kept])
            for seed in args.seeds:
                wishes = Wishes(seed=seed)
                best, *_ = compose(composer, video, wishes, sampling)
                score = out / f"{clip.stem}.{seed}.mid"
                write_midi(score, best.fitted, titles(video, wishes), fade=fade_of(wishes, video.duration))
                report = check(score)
                hit = [r for r in best.fitted.kept if r.hit is not None]
                found = 0
                if len(kept):
                    own = chords(composer, video, seed, sampling)
                    free = chords(composer, replace(video, cuts=()), seed, sampling)
                    moved = np.sort((kept + rng.uniform(0, video.duration)) % video.duration)
                    found = answered(kept, own)
                    cuts += len(kept)
                    asked["asked"] += found
                    asked["unasked"] += answered(kept, free)
                    asked["shuffled"] += answered(moved, own)
                    counts = within(best.fitted.kept, Fraction(video.fps))
                    near = {k: near.get(k, 0) + v for k, v in counts.items()}
                    tempo += [abs(r.tempo_change) * 100 for r in hit]
                rows.append(
                    {
                        "clip": clip.name, "seed": seed, "duration": video.duration,
                        "score_duration": report.facts["duration"], "notes": len(best.fitted.piece),
                        "instruments": best.fitted.piece.instruments, "cuts": len(kept),
                        "hits": len(hit), "chords": found, "errors": report.errors,
                    }
                )  # fmt: skip
                r = rows[-1]
                print(
                    f"| {clip.name} | {seed} | {r['duration']:.3f} | {r['score_duration']:.3f} | "
                    f"{r['notes']} | {len(r['instruments'])} | {r['cuts']} | {r['hits']} | "
                    f"{found} | {'ok' if report.ok else '; '.join(report.errors)} |",
                    flush=True,
                )
    summary = {
        "kept_cuts": cuts,
        "chord_within_1_s": {k: v / max(1, cuts) for k, v in asked.items()},
        "event_near": {k: v / max(1, cuts) for k, v in near.items()},
        "tempo_change_percent": {
            "median": float(np.median(tempo)) if tempo else None,
            "largest": max(tempo, default=None),
        },
        "failed": failed,
        "checks_passed": sum(not row["errors"] for row in rows),
        "scores": len(rows),
    }
    print(json.dumps({"summary": summary, "clips": rows}))


if __name__ == "__main__":
    main()
