"""The page of the studio in a real browser: a server, a Chromium, and what was asked of it."""

import base64
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from emsync.studio.studio import Limits

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")
PATIENCE = 120_000  # milliseconds for what a busy machine may be slow at
SIZE = {"width": 1280, "height": 900}  # of a window
KEYS = 400  # Tab is pressed at most
CARRIED = """([data, name, type]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  return carried;
}"""
FOCUSED = """() => {
  const it = document.activeElement;
  return it.ariaLabel ?? (it.labels?.[0] ?? it).textContent.trim();
}"""


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
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]  # which stays, when it is started again
        self.start()

    def start(self) -> None:
        """Start it, and wait for its address."""
        command = [sys.executable, "-m", "emsync", "studio", "--no-browser"]
        command += ["--home", str(self.home), "--port", str(self.port), *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
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
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(PATIENCE)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        self.go_to(address)

    def go_to(self, address: str) -> None:
        """Open another address in this window."""
        self.address = address
        self.page.goto(address)

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

    # --- what a person does ---

    def drop(self, path: Path, type_: str = "video/mp4") -> None:
        """Drop a file into the window."""
        data = base64.b64encode(path.read_bytes()).decode()
        carried = self.page.evaluate_handle(CARRIED, [data, path.name, type_])
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event("body", event, {"dataTransfer": carried})

    def button(self, name: str) -> Any:
        """The button whose name fits a pattern."""
        return self.page.get_by_role("button", name=re.compile(name))

    def slider(self, name: str) -> Any:
        """The slider of this name."""
        return self.page.get_by_role("slider", name=name, exact=True)

    def tab_to(self, name: str) -> None:
        """Press Tab until what has the focus has a name that fits a pattern."""
        for _ in range(KEYS):
            self.page.keyboard.press("Tab")
            if re.search(name, self.page.evaluate(FOCUSED)):
                return
        raise AssertionError(f"Tab does not come to {name!r}")

    # --- what is so ---

    @property
    def film(self) -> str:
        """The id of the film that is open."""
        return str(self.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('film')"))

    def get(self, path: str) -> Any:
        """The JSON of a path of the studio."""
        return self.raw(path).json()

    def raw(self, path: str) -> Any:
        """The answer of a path of the studio."""
        answer = self.page.request.get(self.address.split("/#")[0] + path)
        assert answer.ok, answer.text()
        return answer

    def told(self) -> Any:
        """All of the film that is open but its takes' notes."""
        return self.get(f"/api/films/{self.film}")

    def document(self) -> Any:
        """The document of the film that is open."""
        return self.told()["document"]

    def until(self, holds: Callable[[], Any], why: str, seconds: float = PATIENCE / 1000) -> Any:
        """Wait until something holds, and return it."""
        for _ in range(round(seconds / 0.05)):
            if found := holds():
                return found
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{why}, after {seconds:g} s")

    def gone(self, pattern: str) -> None:
        """Wait until the page shows no text that fits any more."""
        self.page.get_by_text(re.compile(pattern)).first.wait_for(state="hidden")

    def said(self, pattern: str) -> Any:
        """Wait until the page shows a text that fits."""
        text = self.page.get_by_text(re.compile(pattern)).first
        text.wait_for()
        return text


@contextmanager
def served_here(home: Path, limits: Limits) -> Iterator[str]:
    """Yield the address of a studio with other limits, in a thread of this process."""
    import uvicorn

    from emsync.studio.app import create_app
    from emsync.studio.guard import Secrets
    from emsync.studio.studio import Studio

    with socket.create_server(("127.0.0.1", 0)) as listener:
        secrets = Secrets(listener.getsockname()[1])
        config = uvicorn.Config(create_app(Studio(home, limits), secrets), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        yield f"http://127.0.0.1:{secrets.port}/#k={secrets.key}"
        server.should_exit = True
        thread.join()


@contextmanager
def window(chromium: Any, address: str, film: str = "", **how: Any) -> Iterator[Watched]:
    """Yield a window of its own, with a film or none; ``how`` it is opened as Playwright has it.

    At its end no error must have been told there, and no other host asked.
    """
    context = chromium.new_context(viewport=SIZE, **how)
    page = Watched(context.new_page(), f"{address}&film={film}" if film else address)
    if film:
        page.button("^Compose").wait_for()
    else:
        page.said("^Drop a film here$")
    yield page
    context.close()
    assert not page.errors, page.errors
    assert not page.elsewhere, page.elsewhere
