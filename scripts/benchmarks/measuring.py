"""How all parts measure: the least seconds of several runs, and commands in their own processes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Runs what it is told and prints what it took. A child's peak memory is never less than that of
# the process it was started from, so this one, which is small, stands between.
MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
said = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE).stdout
seconds = time.perf_counter() - began
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
print(json.dumps({"seconds": seconds, "peak": peak / 1e6, "said": json.loads(said)}))
"""


@dataclass(frozen=True)
class Run:
    """What a command of emsync took, and the JSON object that it printed."""

    seconds: float  # wall, from nothing to its end
    peak: float  # MB of memory
    said: Mapping[str, Any]


def emsync(*arguments: str | Path) -> Run:
    """Run a command of emsync in a process of its own."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "emsync", *arguments, "--json"]
    return Run(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def best(
    work: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the least seconds that ``work`` takes, after one run to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)
