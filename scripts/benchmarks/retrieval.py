"""What it costs to seek music among very many tracks."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import MEASURE

if TYPE_CHECKING:
    from emsync.matching.towers import Towers

TRACKS, TRACK = 100_000, 200.0  # of a drawn index, and seconds of each
QUERIES = 3  # films that are looked for in it
APART = 1.0  # SD of the passages of a drawn track about it, where tracks have 1 about each other

# Opens an index, asks it for films, and prints what that took; then looks at all tracks of it.
ASK = """
import json, resource, sys, time
from pathlib import Path
import numpy as np, torch
from emsync.matching.index import read_index
from emsync.matching.matcher import choose
torch.set_num_threads(int(sys.argv[4]))
matcher, path = choose(sys.argv[1]), Path(sys.argv[2])
matcher.system
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
before = peak()
took = {"seconds to open": [], "seconds to verify": [], "seconds to ask": []}
def timed(what, work):
    began = time.perf_counter()
    done = work()
    took["seconds to " + what].append(time.perf_counter() - began)
    return done
for _ in range(3):
    shelf = timed("open", lambda: read_index(path, matcher.stamp)).shelf
    timed("verify", lambda: matcher.verify(shelf))
with np.load(sys.argv[3]) as films:
    films = [{name: films[name][i] for name in films} for i in range(len(films["seconds"]))]
found = [timed("ask", lambda: matcher.rank(film, shelf, 10)) for film in films]
asked, kept = peak(), []
for film, some in zip(films, found):
    every = [m for at in range(0, len(shelf), 1000) for m in
             matcher.matches(film, shelf, np.arange(at, min(at + 1000, len(shelf))))]
    best = {m.track for m in sorted(every, key=lambda m: -m.score)[:10]}
    kept.append(len(best & {m.track for m in some}) / len(best))
print(json.dumps({**{name: [max(t), min(t)] for name, t in took.items()},
                  "before": before, "asked": asked, "recall": float(np.mean(kept))}))
"""


def seeking(folder: Path, name: str, threads: int) -> dict[str, Any]:
    """Return what it costs to seek among TRACKS drawn tracks by an untrained system ``name``.

    Seconds are the slowest and the fastest: at first the index may have to come from the disk.
    """
    from emsync.matching.index import Track, read_index, write_index
    from emsync.matching.matcher import choose
    from emsync.matching.towers import Towers
    from emsync.retrieval.checkpoint import System
    from emsync.retrieval.heard import WIDTHS as HEARD
    from emsync.retrieval.seen import WIDTHS as SEEN

    films, music = ({key: known[key] for key in keys} for known, keys in (
        (SEEN, ("motion", "colour")), (HEARD, ("mel", "onsets", "chroma")),
    ))  # fmt: skip
    System.build(name, films, music).save(folder / name)
    matcher = choose(f"{name}:{folder / name}")
    assert isinstance(matcher, Towers)
    network, width = matcher.system.network, _embedded(matcher)
    starts = np.arange(0, TRACK - network.passage + 1, network.hop, dtype=np.float32)
    rows = np.memmap(folder / "rows", np.float16, "w+", shape=(TRACKS, len(starts), width))
    rng = np.random.default_rng(0)
    for block in np.array_split(rows, TRACKS // 1000):
        own = rng.standard_normal((len(block), 1, width), np.float32)
        own = own + APART * rng.standard_normal(block.shape, np.float32)
        block[:] = own / np.linalg.norm(own, axis=2, keepdims=True)
    tracks = [
        Track(f"{i:06}", 1, 1, TRACK, {
            "starts": starts, "passages": rows[i], "mean": rows[i].mean(0, np.float32)[None],
        })
        for i in range(TRACKS)
    ]  # fmt: skip
    index, began = folder / f"{name}.safetensors", time.perf_counter()
    write_index(index, matcher.stamp, tracks)
    written = time.perf_counter() - began
    parts = [(at, at + 10) for at in range(0, 60, 10)] if name == "of-vm-net" else [(0, 60)]
    sought = rng.choice(TRACKS, QUERIES, replace=False)
    embedded = rows[sought][:, : len(parts)].astype(np.float32)
    embedded += rng.standard_normal(embedded.shape, np.float32) / np.sqrt(width)
    embedded /= np.linalg.norm(embedded, axis=2, keepdims=True)
    np.savez(
        folder / "films.npz", seconds=np.full((QUERIES, 1), 60.0), embedded=embedded,
        parts=np.tile(np.array(parts), (QUERIES, 1, 1)),
    )  # fmt: skip
    asked = (f"{name}:{folder / name}", str(index), str(folder / "films.npz"), str(threads))
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", ASK, *asked]
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["said"]
    assert len(read_index(index, matcher.stamp).shelf) == TRACKS
    return {
        "tracks": TRACKS,
        "passages of a track": len(starts),
        "numbers of a passage": width,
        "index, MB": index.stat().st_size / 1e6,
        "seconds to write": written,
        **{key: value for key, value in said.items() if key.startswith("seconds")},
        "peak memory before the index is opened, torch included, MB": said["before"],
        "peak memory once it was asked, mapped pages included, MB": said["asked"],
        "share of the best ten of all passages that the shortlist keeps": said["recall"],
    }


def _embedded(matcher: "Towers") -> int:
    """Return how many numbers a passage has."""
    return matcher.hear(np.zeros(matcher.rate, np.float32))["mean"].shape[1]
