"""Read MIDI files of any origin into pieces, and refuse what is no song."""

from collections.abc import Mapping
from pathlib import Path

from emsync.data.lakh import MOST_SECONDS
from emsync.errors import InputError
from emsync.formats.smf import load
from emsync.music.piece import Piece, Played


def read_midi(
    path: Path, labels: Mapping[str, float] | None = None, tempo: float | None = None
) -> Piece:
    """Return the song at ``path``, from its start.

    With a ``tempo`` in beats a minute the whole song is brought to it; without, it keeps its own.
    Raises InputError, with the reason, for what is not MIDI or not a song.
    """
    return read_played_midi(path, labels, tempo).piece


def read_played_midi(
    path: Path, labels: Mapping[str, float] | None = None, tempo: float | None = None
) -> Played:
    """Return what ``read_midi`` does, with the velocity and the track of each note."""
    file = load(path)  # without a word on repairs, of which a corpus has thousands
    try:
        if tempo is not None:
            from symusic.core import TempoTick, TempoTickList

            file.score.tempos = TempoTickList([TempoTick(0, tempo)])
        song = file.played(labels)
        piece = song.piece
        if not len(piece):
            raise ValueError("it has no notes of the five classes")
        if piece.duration > MOST_SECONDS:
            raise ValueError(
                f"it lasts {piece.duration:.0f} s; a song has at most {MOST_SECONDS:.0f}"
            )
        return song
    except (IndexError, RuntimeError, ValueError) as error:
        raise InputError(f"{str(path)!r} is not a song in MIDI: {error}") from error
