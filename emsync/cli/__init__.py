"""The command line."""

from emsync.cli import (  # each adds its commands to the app
    compose,
    evaluate,
    listen,
    many,
    pairs,
    studio,
    train,
)
from emsync.cli.app import app, main

__all__ = ["app", "compose", "evaluate", "listen", "main", "many", "pairs", "studio", "train"]
