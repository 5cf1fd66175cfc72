"""Measure the studio: from the drop to strip and first piece, beside `emsync generate`; JSON.

    python scripts/benchmark_studio.py CLIP [--candidates 4] [--cold]

The studio runs in an empty folder, its worker not yet started. The baseline is the command line on
the same clip with as many candidates, which starts anew. With --cold nothing is compiled before.
Memory is the most that each process ever held, where the system tells.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit


class Page:
    """Talks to a studio as its page does."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self.headers = {"host": self.host}
        key = parts.fragment.partition("=")[2]
        answer, told = self.ask("POST", "/api/key", json.dumps({"key": key}).encode())
        self.headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
        self.headers["x-emsync"] = told["token"]

    def open(self, method: str, path: str, body: Any = None, **more: str) -> HTTPResponse:
        connection = HTTPConnection(self.host)
        connection.request(method, path, body, {**self.headers, **more})
        return connection.getresponse()

    def ask(
        self, method: str, path: str, body: Any = None, **more: str
    ) -> tuple[HTTPResponse, Any]:
        answer = self.open(method, path, body, **more)
        told = json.loads(answer.read())
        if answer.status >= 400:
            raise SystemExit(told["error"])
        return answer, told

    def events(self, job: str) -> Iterator[tuple[str, Any]]:
        """Yield the events of a job as they come, up to its end."""
        answer, name = self.open("GET", f"/api/jobs/{job}/events"), ""
        for raw in answer:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])


@contextmanager
def studio(home: str, numba: str) -> Iterator[tuple[Page, int, float]]:
    """Yield a page of a studio that has just started, its process, and the seconds that took."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "emsync", "studio", "--no-browser", "--home", home]
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": numba} if numba else {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    address = process.stdout.readline().split(" ")[2].strip()
    try:
        yield Page(address), process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def peak(pid: int) -> int | None:
    """Return the most MB that a process held, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(x.split()[1]) // 1000 for x in lines if x.startswith("VmHWM")), None)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, where the system tells."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()] if listed.exists() else []


def measured(clip: Path, candidates: int, home: str, numba: str) -> dict[str, Any]:
    """Return seconds from the drop, and memory."""
    with studio(home, numba) as (page, pid, up), clip.open("rb") as body:
        began = time.perf_counter()

        def passed() -> float:
            return round(time.perf_counter() - began, 2)

        size = str(clip.stat().st_size)
        _, told = page.ask("POST", "/api/films", body, **{"x-name": quote(clip.name),
                                                          "content-length": size})  # fmt: skip
        film, job = told["film"]["id"], told["jobs"][0]["id"]
        figures: dict[str, Any] = {"server is up": round(up, 2), "film has arrived": passed()}
        pictures: list[float] = []
        for name, _ in page.events(job):
            if name == "strip":
                pictures.append(passed())
        figures["first picture"], figures["strip is whole"] = pictures[0], pictures[-1]
        figures["cuts, feeling and plan"] = passed()
        _, told = page.ask("GET", f"/api/films/{film}")
        wishes = {"version": told["document"]["version"], "wishes": {"candidates": candidates}}
        page.ask("PUT", f"/api/films/{film}/document", json.dumps(wishes).encode())
        began = time.perf_counter()
        work = json.dumps({"kind": "compose"}).encode()
        _, told = page.ask("POST", f"/api/films/{film}/jobs", work)
        heard: list[float] = []
        for name, _ in page.events(told["job"]["id"]):
            if name == "candidate":
                heard.append(passed())
        figures["from Compose to each piece"] = heard
        figures["MB, server"] = peak(pid)
        figures["MB, worker"] = max((peak(child) or 0 for child in children(pid)), default=None)
        return figures


def baseline(clip: Path, candidates: int, folder: str, numba: str) -> float:
    """Return the seconds of `emsync generate` with its sound."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "emsync", "generate", str(clip), "-o", f"{folder}/score.mid"]
    more = ["--audio", f"{folder}/score.flac", "--candidates", str(candidates)]
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": numba} if numba else {})}
    subprocess.run([*command, *more], check=True, capture_output=True, env=environment)
    return round(time.perf_counter() - began, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--cold", action="store_true", help="compile the decoder first")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, numba = f"{folder}/home", f"{folder}/numba" if asked.cold else ""
        report = {
            "clip": asked.clip.name,
            "studio, seconds": measured(asked.clip, asked.candidates, home, numba),
            "generate, seconds": baseline(asked.clip, asked.candidates, folder, numba),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
