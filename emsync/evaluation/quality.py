"""Scores beside real songs: ``emsync evaluate quality``.

By the measures of ``metrics.portrait``, and where muspy is installed by its statistics, too.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from emsync.data.songs import Named, find_songs, read_song
from emsync.errors import InputError
from emsync.metrics import quality
from emsync.metrics.portrait import beside, portrait, ranges_of
from emsync.music.piece import Piece
from emsync.plain import plain
from emsync.progress import Progress, silent

SONGS = 100  # real songs that are measured, unless another number is given


def evaluate(
    scores: Sequence[Path], reference: Path, limit: int = SONGS, progress: Progress = silent
) -> dict[str, Any]:
    """Return the symbolic quality of scores (files and folders) beside that of real songs.

    At most ``limit`` songs of the folder ``reference``, spread evenly over their names, each cut
    to the median length of the scores.
    """
    songs = [named for named in find_songs([reference]) if named[1] not in set(scores)]
    pieces, skipped = read_all(find_songs(scores), progress, "Reading scores")
    if not pieces:
        raise InputError("none of the scores could be read" + first_reason(skipped))
    seconds = float(np.median([piece.duration for piece in pieces]))
    real, unread = read_all(spread(songs, limit), progress, "Reading songs", seconds)
    if not real:
        raise InputError(f"no song in {str(reference)!r} could be read" + first_reason(unread))
    progress("Measuring", 0.0)
    return plain({
        "scores": len(pieces),
        "songs": len(real),
        "seconds": seconds,
        **compared(pieces, real),
        "failed": skipped + unread,
    })  # fmt: skip


def compared(pieces: Sequence[Piece], songs: Sequence[Piece]) -> dict[str, Any]:
    """Return the measures of pieces beside those of songs as long as they are.

    Under "portrait" all of ours, and under "statistics" muspy's; none where it is not installed.
    """
    ranges = ranges_of([portrait(song) for song in songs])
    found = [portrait(piece) for piece in pieces]
    report: dict[str, Any] = {"portrait": beside(found, [ranges] * len(found))}
    if find_spec("muspy") is not None:
        report["statistics"] = quality.compare(pieces, songs)
    return report


def read_all(
    songs: Sequence[Named],
    progress: Progress,
    stage: str,
    seconds: float | None = None,
) -> tuple[list[Piece], list[dict[str, str]]]:
    """Return the pieces that could be read, cut to an excerpt of ``seconds``, and the others."""
    pieces, failed = [], []
    for count, (name, path) in enumerate(songs, 1):
        try:
            piece = read_song(path)
        except InputError as error:
            failed.append({"path": name, "reason": str(error)})
        else:
            piece = piece if seconds is None else quality.excerpt(piece, seconds)
            pieces += [piece] if len(piece) else []
        progress(stage, count / len(songs))
    return pieces, failed


def spread(songs: Sequence[Named], limit: int) -> Sequence[Named]:
    """Return ``limit`` songs at most, evenly over their names."""
    return [songs[i * len(songs) // limit] for i in range(limit)] if limit < len(songs) else songs


def first_reason(failed: Sequence[Mapping[str, str]]) -> str:
    """Return the end of a sentence that says why the first of several could not be read."""
    return f": {failed[0]['reason']}" if failed else "; give .mid or .npz files"
