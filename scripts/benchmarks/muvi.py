"""What sound by flow matching costs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.films import repeated
from benchmarks.measuring import MEASURE

SOUNDED = 30.0  # seconds of sound as latents and back

# Takes sound to latents and back, and prints what each step took: the least of three.
SOUND = """
import json, resource, sys, time
import torch
from emsync.muvi.codec import CodecShape, codec_of
from emsync.sound.mel import RATE, griffin_lim, log_mel
torch.set_num_threads(int(sys.argv[1]))
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
before, took = peak(), {}
def timed(what, work):
    for _ in range(3):
        began = time.perf_counter()
        done = work()
        seconds = time.perf_counter() - began
        took[what] = min(seconds, took.get(what, seconds))
    return done
samples = torch.randn(round(float(sys.argv[2]) * RATE)) / 10
with torch.inference_mode():
    mel = timed("log-mel", lambda: log_mel(samples))
    for name, what in (("linear", 64), ("autoencoder", CodecShape())):
        codec = codec_of(what)
        latents = timed(f"encode, {name}", lambda: codec.encode(mel))
        timed(f"decode, {name}", lambda: codec.decode(latents))
    timed("Griffin-Lim, 32 iterations", lambda: griffin_lim(mel, len(samples)))
print(json.dumps({"seconds": took, "peak memory, MB": peak(), "of which torch, MB": before}))
"""

# Opens a checkpoint of the kind "muvi", makes one sound for a film, and prints what that took.
MAKE = """
import json, sys, torch
from pathlib import Path
import emsync
from emsync.muvi.maker import Muvi
folder, film, out, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
maker, asked = Muvi.open(Path(folder), "cpu"), emsync.Options(candidates=1)
made = emsync.generate(film, asked, checkpoint=maker)
made.save(out)
print(json.dumps(dict(made.timings)))
"""


def sounding(threads: int) -> dict[str, Any]:
    """Return what it costs to take 30 s of sound to latents and back, by untrained codecs."""
    command = [sys.executable, "-c", SOUND, str(threads), str(SOUNDED)]
    said: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    return {"seconds of sound": SOUNDED, **said}


def made_sound(clip: Path, folder: Path, threads: int) -> dict[str, Any]:
    """Return what it costs to make SOUNDED seconds of sound for ``clip`` by an untrained flow.

    From an empty process to the file; "draw" is what noise takes to become sound.
    """
    from emsync.muvi.checkpoint import Shape, System, installed_conditioners
    from emsync.muvi.codec import CodecShape
    from emsync.muvi.dit import DitShape
    from emsync.synchrony.towers import TowerConfig

    told = installed_conditioners()
    System(Shape(CodecShape(), DitShape(), told, TowerConfig())).save(folder / "muvi")
    film = repeated(clip, folder, SOUNDED)
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", MAKE]
    run = json.loads(
        subprocess.run(
            [*command, str(folder / "muvi"), str(film), str(folder / "made.wav"), str(threads)],
            check=True, stdout=subprocess.PIPE,
        ).stdout
    )  # fmt: skip
    return {
        "seconds of film": SOUNDED,
        "seconds": run["seconds"],
        "seconds to draw": run["said"]["compose"],
        "peak memory, MB": run["peak"],
    }
