"""The songs of a corpus: find their files, and read them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from emsync.data.lakh import read_played_lakh
from emsync.data.midi import read_played_midi
from emsync.errors import InputError, UsageError
from emsync.music.piece import Piece, Played

READERS: Mapping[str, Callable[..., Played]] = {
    ".npz": read_played_lakh,
    ".mid": read_played_midi,
    ".midi": read_played_midi,
}

Named: TypeAlias = tuple[str, Path]  # a song's name in a store, and its file


def read_song(path: Path, tempo: float | None = None) -> Piece:
    """Return the music of a Lakh Pianoroll or MIDI file, brought to ``tempo`` if there is one."""
    return read_played(path, tempo).piece


def read_played(path: Path, tempo: float | None = None) -> Played:
    """Return what ``read_song`` does, with the velocity and the track of each note."""
    return READERS[path.suffix.lower()](path, tempo=tempo)


def find_songs(sources: Sequence[Path]) -> list[Named]:
    """Return (name, path) of the songs in files and folders, in the order of their names."""
    found: dict[str, Path] = {}
    for source in sources:
        if not source.exists():
            raise InputError(f"cannot read {str(source)!r}: there is no such file or folder")
        files = source.rglob("*") if source.is_dir() else [source]
        for path in files:
            if path.suffix.lower() not in READERS:
                continue
            name = path.relative_to(source).as_posix() if source.is_dir() else path.name
            if found.setdefault(name, path) != path:
                raise UsageError(f"two songs are called {name!r}: {found[name]} and {path}")
    return sorted(found.items())
