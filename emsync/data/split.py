"""Which songs of a store are trained on, and how a checkpoint recognizes them later.

Songs of one duplicate group are versions of one another and are never divided.
"""

import hashlib
from collections.abc import Set
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from emsync.data.store import Song, Store
from emsync.errors import AssetError
from emsync.files import atomic_write
from emsync.limits import read_bytes
from emsync.npy import plain_array

KEYS = "trained.npy"  # the file of a checkpoint that says which songs it knows


def split(store: Store, share: float) -> tuple[list[Song], list[Song]]:
    """Return the songs to train on and those held out, one copy of each (rank 0)."""
    keep = [song for song in store.songs if song.rank == 0]
    held = [song for song in keep if is_held_out(song.group, share)]
    return [song for song in keep if not is_held_out(song.group, share)], held


def is_held_out(group: str, share: float) -> bool:
    """Return whether a duplicate group belongs to the ``share`` that is never trained on.

    It depends on the group's name alone, so that every store and every run agree.
    """
    return _hash(group) < share * 2**32


def song_key(path: str) -> int:
    """Return the 32-bit key of a song: of its file's name without the ending, in any folder.

    The folder has no part in it, since the same corpus may lie elsewhere when it is measured. So a
    held-out song with the file name of a trained one counts as trained: it is left out of the
    measures, but no trained song can get into them. In Lakh Pianoroll every name is unique.
    """
    return _hash(PurePosixPath(path).stem)


def _hash(name: str) -> int:
    """Return 32 bits of the SHA-256 of a name, which may have bytes that are no UTF-8."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4])


def trained_keys(store: Store, share: float) -> set[int]:
    """Return the keys of all songs whose group is trained on, also of versions never drawn."""
    return {song_key(song.path) for song in store.songs if not is_held_out(song.group, share)}


def write_keys(checkpoint: Path, keys: Set[int], before: Path | None = None) -> None:
    """Write the keys of songs that are learned from beside the weights of ``checkpoint``.

    With them go those of the checkpoint ``before``, from which it goes on: its songs may be others.
    """
    if before is not None:
        keys = keys | set(read_keys(before).tolist())
    with atomic_write(checkpoint / KEYS) as part, part.open("wb") as file:
        np.save(file, np.array(sorted(keys), np.uint32))


def read_keys(checkpoint: Path) -> NDArray[np.uint32]:
    """Return what ``write_keys`` left beside the weights of ``checkpoint``."""
    path = checkpoint / KEYS
    try:
        keys = plain_array(read_bytes(path, error=AssetError), "it")
        if keys.dtype != np.uint32 or (keys[1:] <= keys[:-1]).any():
            raise ValueError("it holds no ascending keys")
    except (AssetError, ValueError) as error:
        raise AssetError(
            f"it is unknown what {str(checkpoint)!r} was trained on: {error}; training writes that "
            "file beside the weights"
        ) from error
    return keys
