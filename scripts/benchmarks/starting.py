"""What it takes to begin: an empty process, and the first run on a machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import best

# Makes the decoder ready, and prints the seconds that took.
READY = """
import json, time
from emsync.model.composer import Composer
from emsync.model.sliding_window import make_ready
from emsync.progress import silent
model, began = Composer.from_pretrained().model, time.perf_counter()
make_ready(model, silent)
print(json.dumps(time.perf_counter() - began))
"""


def starting() -> dict[str, Any]:
    """Return the seconds of ``emsync --help`` against an empty Python process."""

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    told = python("-X", "importtime", "-m", "emsync", "--help").stderr
    return {
        "help, seconds": best(lambda: python("-m", "emsync", "--help")),
        "baseline empty process, seconds": best(lambda: python("-c", "")),
        "help imports torch": any(line.endswith("| torch") for line in told.splitlines()),
    }


def first_run(folder: Path) -> dict[str, Any]:
    """Return what compiling the decoder costs, against loading what was compiled."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "numba")}

    def ready() -> float:
        command = [sys.executable, "-c", READY]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        return float(json.loads(made.stdout))

    return {"compiling, seconds": ready(), "baseline loading, seconds": ready()}
