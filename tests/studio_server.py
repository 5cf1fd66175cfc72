"""A studio of its own process, with the real worker."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]


def events_of(lines: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and the data of the events that are sent as ``lines``."""
    told, name = [], ""
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            told.append((name, json.loads(value)))
    return told


class Server:
    """A studio of its own process, and a client that has its key."""

    def __init__(self, home: Path, *words: str, python: tuple[str, ...] = ()) -> None:
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *python, "-m", "emsync", "studio", "--no-browser", "--home",
             str(home), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.seconds = time.monotonic() - begun
        found = re.search(r"(http://127\.0\.0\.1:(\d+))/#k=([\w-]+)(?:&film=(\w+))?", self.line)
        assert found, self.process.communicate()
        self.base, self.port, self.key = found[1], int(found[2]), found[3]
        self.film = found[4]
        self.client = httpx.Client(base_url=self.base, timeout=60)
        told = self.client.post("/api/key", json={"key": self.key}).json()
        self.client.headers["x-emsync"] = told["token"]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str, float]:
        """Send a signal; return the exit code, what was printed, and the seconds that it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        out, error = self.process.communicate(timeout=30)
        return self.process.returncode, self.line + out, error, time.monotonic() - begun

    def worker(self) -> int:
        """Return the process that works, once there is one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while not (found := children.read_text().split()):
            time.sleep(0.01)
        return int(found[0])

    def follow(self, job: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of a job up to its end."""
        with self.client.stream("GET", f"/api/jobs/{job}/events") as answer:
            return events_of(answer.iter_lines())


@contextmanager
def server(home: Path, *words: str, python: tuple[str, ...] = ()) -> Iterator[Server]:
    """Yield a studio that is killed in the end, where it has not ended before."""
    running = Server(home, *words, python=python)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()
        running.client.close()


def wait_for(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
