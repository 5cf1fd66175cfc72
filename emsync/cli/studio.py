"""A page to see a film and its plan, and to hear and change its music: ``studio``."""

from pathlib import Path
from typing import Annotated

import typer

from emsync.cli.app import app


@app.command()
def studio(
    clip: Annotated[
        Path | None, typer.Argument(metavar="CLIP", help="a video to begin with")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="of this machine", show_default="a free one")
    ] = 0,
    home: Annotated[
        Path | None,
        typer.Option(
            help="the folder of the studio's films", show_default="~/.local/share/emsync/studio"
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="print the address, and open no browser")
    ] = False,
) -> None:
    """See a film, its plan and its music in one page, and change them by hand."""
    from emsync.studio.serve import serve

    def tell(address: str) -> None:
        print(f"emsync studio: {address}  (Ctrl-C ends it)", flush=True)

    serve(clip, port, home, not no_browser, tell)
