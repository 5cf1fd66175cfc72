"""The command line."""

from emsync.cli import compose, evaluate, listen, studio, train  # each adds its commands to the app
from emsync.cli.app import app, main

__all__ = ["app", "compose", "evaluate", "listen", "main", "studio", "train"]
