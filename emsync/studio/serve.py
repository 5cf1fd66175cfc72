"""``emsync studio``: a server for this machine's own browser, and the browser that shows it."""

import asyncio
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import AssetError, UsageError
from emsync.files import SIGNALS
from emsync.locks import locked

if TYPE_CHECKING:
    from emsync.studio.studio import Studio

HOST = "127.0.0.1"


def default_home() -> Path:
    """Return the folder of the studio's films."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "emsync" / "studio"


def check_installed() -> None:
    """Refuse to go on without what the extra brings."""
    if any(find_spec(name) is None for name in ("starlette", "uvicorn")):
        raise AssetError("the studio needs starlette and uvicorn; pip install 'emsync[studio]'")


def serve(
    clip: Path | None = None,
    port: int = 0,
    home: Path | None = None,
    browser: bool = True,
    told: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the studio until it is interrupted; ``told`` is given the address of its page.

    ``port`` 0 takes a free one. ``clip`` is taken in first. The page opens in a browser if
    ``browser`` says so.
    """
    check_installed()
    if clip is not None:
        from emsync.video.film import open_film

        open_film(clip)  # refused before anything is started
    from emsync.studio.projects import open_home
    from emsync.studio.studio import Studio

    home = open_home(home or default_home())
    with locked(home, "showing the films of the studio in"), _bound(port) as listener:
        with suppress(KeyboardInterrupt):  # before it serves; from then on a signal ends it well
            asyncio.run(_serve(Studio(home), listener, clip, browser, told))
        print(file=sys.stderr)  # after the ^C of the person who ended it


async def _serve(
    studio: "Studio",
    listener: socket.socket,
    clip: Path | None,
    browser: bool,
    told: Callable[[str], None],
) -> None:
    import uvicorn

    from emsync.studio.app import create_app
    from emsync.studio.guard import Secrets

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants one ignored
                    signal.signal(number, self.end)
            yield  # and a second signal does not cut short what the first has begun

        def end(self, number: int, frame: object) -> None:
            self.should_exit = True

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await studio.stop()  # which ends the streams of events that pages listen to
            await super().shutdown(sockets)

    secrets = Secrets(listener.getsockname()[1])
    config = uvicorn.Config(
        create_app(studio, secrets),
        lifespan="off",
        log_level="critical",  # what is cut off by the end is no error; faults print their trace
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    film = f"&film={await studio.add_copy(clip)}" if clip is not None else ""
    address = f"http://{HOST}:{secrets.port}/#k="
    told(f"{address}{secrets.key}{film}")
    if browser:
        show = threading.Thread(
            target=_show, args=(f"{address}{secrets.new_pass()}{film}",), daemon=True
        )
        show.start()
    await studio.start()
    try:
        await Server(config).serve(sockets=[listener])
    finally:
        await studio.stop()  # however it ends


def _show(address: str) -> None:
    with suppress(webbrowser.Error, OSError):  # the address is printed, too
        webbrowser.open(address)


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # who comes early waits
    except OSError as error:
        listener.close()
        reason = error.strerror
        raise UsageError(f"port {port} cannot be used: {reason}; leave out --port") from error
    return listener
