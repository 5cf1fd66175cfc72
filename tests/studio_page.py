"""The page of the studio in a real browser: a server, a Chromium, and what was asked of it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")


def chromium() -> str:
    """Return the path of a Chromium; the test is skipped where there is none to drive."""
    pytest.importorskip("playwright", reason="playwright drives the page: '.[browser]' brings it")
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(CHROMIUMS)} is installed to show the page in")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a headless Chromium."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


class Served:
    """A studio that runs in a process of its own."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home, self.arguments = home, arguments
        self.start()

    def start(self) -> None:
        """Start it, and wait for its address."""
        command = [sys.executable, "-m", "emsync", "studio", "--no-browser", "--home"]
        self.process = subprocess.Popen(
            [*command, str(self.home), *self.arguments], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, line
        self.address = found[0]

    def stop(self, kill: bool = False) -> int:
        """End it, by SIGKILL or as a person does; return its exit code."""
        self.process.kill() if kill else self.process.terminate()
        code = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[Served]:
    """Yield a studio whose films lie in ``home``."""
    studio = Served(home, *arguments)
    try:
        yield studio
    finally:
        with suppress(ProcessLookupError):
            studio.stop()


class Watched:
    """A page, with what went wrong in it and what it asked for."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        page.goto(address)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.hosts.add(request.url.split("/")[2])

    @property
    def elsewhere(self) -> set[str]:
        """The hosts that were asked for something, but for the studio's own."""
        return self.hosts - {self.address.split("/")[2]}
