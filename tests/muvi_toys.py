"""A small store of passages, without a song that was played."""

from pathlib import Path

import numpy as np

from emsync.arrays import Float32s
from emsync.music.piece import PIANO
from emsync.progress import Stopwatch
from emsync.retrieval.filling import Made, Task, fill
from emsync.sound.mel import BANDS
from emsync.synchrony.passages import PASSAGES, Passage, Playing


def spectrogram(rows: int, seed: int = 0) -> Float32s:
    """Return the (rows, BANDS) spectrogram of tones that begin and fade."""
    rng = np.random.default_rng(seed)
    faded = np.zeros((rows, 6))
    for row, struck in enumerate(rng.random((rows, 6)) < 0.08):
        faded[row] = struck + 0.9 * faded[row - 1]
    places = rng.random((6, 1))
    tones = np.exp(-(((np.arange(BANDS) / BANDS - places) / 0.03) ** 2))
    return np.log(faded @ tones + 1e-3).astype(np.float32)


def passages(folder: Path, count: int, seconds: int = 4) -> Path:
    """Write a store of ``count`` passages, every fourth of them held out."""
    rows = [
        Passage(i, f"song {i}", f"group {i}", "train" if i % 4 else "held", float(seconds), 0.5)
        for i in range(count)
    ]
    tasks = [Task(row.song, row, folder / row.song) for row in rows]
    fill(PASSAGES, folder, Playing(float(seconds)).head(), tasks, made, 1, lambda *_: None)
    return folder


def made(task: Task[Passage], watch: Stopwatch) -> Made[Passage]:
    """Return one passage."""
    mel = spectrogram(round(80 * task.row.seconds), task.row.number).astype(np.float16)
    times = np.arange(0, task.row.seconds, 0.5)
    notes = {name: np.full(len(times), 60, np.uint8) for name in ("pitches", "velocities")}
    classes = np.full(len(times), PIANO, np.uint8)
    beats = {"downbeats": times[::4], "beats": times, "accents": np.zeros((0, 3))}
    columns = {"mel": mel, "onsets": times, "offsets": times + 0.4, "classes": classes}
    return Made(task.row, {**columns, **notes, **beats})
