"""The command line."""

from emsync.cli.app import main

__all__ = ["main"]
