"""Register: whether instruments play where they sound, and keep out of each other's way.

Conventions: a class of instruments stands for many, so its range is that of all of them: bass 23 to
67 (the low B of five strings to its 24th fret), guitar 40 to 88, strings 28 (double bass) to 103,
piano all of it. A measure that a piece does not have is NaN.

outside    share of the pitched notes that lie outside the range of their class
crossing   share of the time in which bass and others sound that the bass is not below them all
bass, guitar, piano, strings
           mean pitch of the notes of a class
"""

import math

import numpy as np
from numpy.typing import NDArray

from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece

RANGES = {BASS: (23, 67), GUITAR: (40, 88), PIANO: (21, 108), STRINGS: (28, 103)}
FRAME = 0.125  # seconds


def register_of(piece: Piece) -> dict[str, float]:
    """Return the measures of a piece in seconds, by their names."""
    pitched = piece.where(piece.classes != DRUMS)
    limits = np.array([RANGES.get(c, (0, 127)) for c in range(len(CLASSES))])
    low, high = limits[pitched.classes].T
    beyond = (pitched.pitches < low) | (pitched.pitches > high)
    found = {
        "outside": float(beyond.mean()) if len(pitched) else math.nan,
        "crossing": _crossing(pitched),
    }
    for c in RANGES:
        own = pitched.pitches[pitched.classes == c]
        found[CLASSES[c]] = float(own.mean()) if len(own) else math.nan
    return found


def lowest(piece: Piece, frames: int) -> NDArray[np.int64]:
    """Return the (frames,) lowest pitch that sounds in each FRAME; 128 in silence."""
    found = np.full(frames, 128, np.int64)
    first = np.floor(piece.onsets / FRAME + 1e-6).astype(np.int64)
    last = np.maximum(np.ceil(piece.offsets / FRAME - 1e-6).astype(np.int64), first + 1)
    for pitch, start, stop in zip(
        piece.pitches.tolist(), first.tolist(), last.tolist(), strict=True
    ):
        row = found[start:stop]
        np.minimum(row, pitch, out=row)
    return found


def _crossing(pitched: Piece) -> float:
    frames = math.ceil(pitched.duration / FRAME) + 1
    bass = lowest(pitched.where(pitched.classes == BASS), frames)
    others = lowest(pitched.where(pitched.classes != BASS), frames)
    both = (bass < 128) & (others < 128)
    return float((bass > others)[both].mean()) if both.any() else math.nan
