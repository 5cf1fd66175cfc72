"""A piece of music, and what is measured on it."""

from emsync.arrays import Seconds
from emsync.music.piece import (
    BASS,
    BEATS,
    CLASSES,
    DRUMS,
    GUITAR,
    HIGHEST,
    LOWEST,
    PIANO,
    PROGRAMS,
    STRINGS,
    Piece,
    Score,
    from_score,
    to_score,
)

__all__ = [
    "BASS",
    "BEATS",
    "CLASSES",
    "DRUMS",
    "GUITAR",
    "HIGHEST",
    "LOWEST",
    "PIANO",
    "PROGRAMS",
    "STRINGS",
    "Piece",
    "Score",
    "Seconds",
    "from_score",
    "to_score",
]
