"""``emsync studio``: a server for this machine's own browser, and the browser that shows it."""

import asyncio
import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from emsync.errors import AssetError, UsageError

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
    import uvicorn

    from emsync.studio.app import create_app
    from emsync.studio.guard import Secrets
    from emsync.studio.studio import Limits

    with _bound(port) as listener:
        secrets = Secrets(listener.getsockname()[1])
        app = create_app(home or default_home(), secrets, Limits())
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on",
                                timeout_graceful_shutdown=1)  # fmt: skip
        server = uvicorn.Server(config)

        async def run() -> None:
            place = ""
            if clip is not None:
                place = f"&film={await app.state.studio.add_copy(clip)}"
            address = f"http://{HOST}:{secrets.port}/#k={secrets.key}{place}"
            told(address)
            if browser:
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)
            await server.serve(sockets=[listener])

        try:
            asyncio.run(run())
        except KeyboardInterrupt:
            print(file=sys.stderr)  # how a person ends it


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        reason = error.strerror
        raise UsageError(f"port {port} cannot be used: {reason}; leave out --port") from error
    return listener
