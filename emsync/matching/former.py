"""The index of the first version: one .npz file with the rhythm of each track. It is only read.

It has the onset strength itself, whose accents and beats are taken here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.limits import check_file
from emsync.matching.index import Index, Track, broken
from emsync.npy import BROKEN, Arrays, open_archive
from emsync.signals import STEP_RATE
from emsync.sound.rhythm import rhythm_in

MOST_BYTES = 2**33  # of an index: a million hours of music have less
VERSION = 1


def read_former(path: Path) -> Index:
    """Return the index in a file of the first version. InputError says so when it is none."""
    check_file(path)
    try:
        with open_archive(path, MOST_BYTES) as archive:
            data = Arrays(archive)
            if (version := int(data["emsync_rhythm"][0])) != VERSION:
                raise ValueError(f"it is of version {version}")
            return Index.of(sorted(_tracks(data), key=lambda track: track.name))
    except (OSError, *BROKEN) as error:
        raise broken(path) from error


def _tracks(data: Arrays) -> Iterator[Track]:
    """Yield the tracks of an index; ValueError where they contradict each other."""
    names, onsets = data.texts("names").tolist(), _parts(data, "lengths", "signals")
    rows = zip(names, data["sizes"].tolist(), data["changed"].tolist(), onsets, strict=True)
    for name, size, changed, signal in rows:
        if not ((signal >= 0) & (signal <= 1)).all():
            raise ValueError(f"the onsets of {name!r} are not from 0 to 1")
        rhythm = rhythm_in(signal)
        columns = {"onsets": rhythm.signal, "beats": rhythm.beats}
        yield Track(name, int(size), int(changed), len(signal) / STEP_RATE, columns)


def _parts(data: Arrays, lengths: str, values: str) -> list[NDArray[Any]]:
    """Return the array ``values``, cut into parts of the ``lengths``."""
    each, whole = data[lengths], data[values]
    if each.dtype != np.int64 or (each < 0).any() or (each > len(whole)).any():
        raise ValueError(f"{lengths} cannot be")
    if each.sum() != len(whole):
        raise ValueError(f"{lengths} do not add up to {values}")
    return np.split(whole, np.cumsum(each)[:-1])
