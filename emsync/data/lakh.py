"""Read the .npz files of Lakh Pianoroll (Dong et al. 2018) into pieces.

Both layouts of pypianoroll are read: 0.x (``beat_resolution``, uint8 velocities, a tempo for each
step) and 1.x (``resolution``, booleans, tempo and downbeat as columns). A file is a zip of plain
arrays; nothing in it is ever unpickled.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.errors import InputError
from emsync.music import HIGHEST, LOWEST, Piece, long_chords, program_class

LONGEST = 4_000_000  # time steps in one file; LPD's longest songs have a fortieth of them
BEATS = 4  # in a bar: LPD-cleansed holds songs in 4/4 only, and marks just their first downbeat
LARGEST = 256 * 2**20  # bytes of one array: more is no song


def read_lakh(path: Path, labels: Mapping[str, float] | None = None) -> Piece:
    """Return the song at ``path``, from the downbeat at or before its first note on.

    Raises InputError, with the reason, for what is not a sound Lakh Pianoroll file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size > LARGEST:
                    raise ValueError(f"{member.filename} unpacks to {member.file_size} bytes")
            info = json.loads(archive.read("info.json"))
        with np.load(path, allow_pickle=False) as arrays:
            return _piece(arrays, info, labels)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (
        AttributeError, EOFError, KeyError, RuntimeError, TypeError, ValueError,
        NotImplementedError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise InputError(f"{str(path)!r} is not a Lakh Pianoroll file: {error}") from error


def _piece(
    arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any], labels: Mapping[str, float] | None
) -> Piece:
    resolution = int(info.get("beat_resolution") or info["resolution"])
    if not 1 <= resolution <= 960:
        raise ValueError(f"its resolution is {resolution} steps a beat")
    rows = [
        _notes(arrays, int(key), instrument)
        for key, track in info.items()
        if key.isdigit()
        and (instrument := program_class(int(track["program"]), bool(track["is_drum"]))) is not None
    ]
    notes = np.concatenate(rows) if rows else np.zeros((0, 4), np.int64)
    if not len(notes):
        raise ValueError("it has no notes of the five classes")
    bars = np.flatnonzero(arrays["downbeat"])
    length = int(max(notes[:, 3].max(), bars.max(initial=0))) + 1
    if len(bars) == 1:
        bars = np.arange(bars[0] % (BEATS * resolution), length, BEATS * resolution)
    clock = _clock(arrays["tempo"], resolution, length)
    first = notes[:, 2].min()
    zero = clock[bars[bars <= first].max(initial=0)]  # silence before the first bar is dropped
    chords = long_chords(
        notes[:, 0].astype(np.uint8),
        notes[:, 2].astype(np.float64),
        (notes[:, 3] - notes[:, 2]) / resolution,
    ).astype(np.int64)
    table = np.stack(
        [notes[:, 0], notes[:, 1], clock[notes[:, 2]] - zero, clock[notes[:, 3]] - zero], axis=1
    )
    downbeats = clock[bars] - zero
    return Piece.of(table, downbeats[downbeats >= 0], clock[chords] - zero, labels)


def _notes(arrays: Mapping[str, NDArray[Any]], track: int, instrument: int) -> NDArray[np.int64]:
    """Return (N, 4) rows of class, pitch, first step, step after the last one.

    A note is a run of steps of one velocity in a column of the sparse pianoroll; LPD itself has
    merged equal notes without a gap.
    """
    stem = f"pianoroll_{track}_csc"
    values, steps, columns = (arrays[f"{stem}_{k}"] for k in ("data", "indices", "indptr"))
    shape = tuple(map(int, arrays[f"{stem}_shape"]))
    if not len(steps):
        return np.zeros((0, 4), np.int64)
    counts = np.diff(columns.astype(np.int64))
    if len(shape) != 2 or not 0 < shape[0] <= LONGEST or shape[1] != 128:
        raise ValueError(f"track {track} has a pianoroll of shape {shape}")
    if len(counts) != 128 or (counts < 0).any() or counts.sum() != len(steps):
        raise ValueError(f"track {track} has columns that do not add up")
    if len(values) != len(steps) or steps.min() < 0 or steps.max() >= shape[0]:
        raise ValueError(f"track {track} has steps outside its {shape[0]}")
    pitch = np.repeat(np.arange(128), counts)
    steps = steps.astype(np.int64)
    keep = (values != 0) & (pitch >= LOWEST) & (pitch <= HIGHEST)
    steps, values, pitch = steps[keep], values[keep], pitch[keep]
    if not len(steps):
        return np.zeros((0, 4), np.int64)
    if (np.diff(steps)[np.diff(pitch) == 0] <= 0).any():
        raise ValueError(f"track {track} has steps out of order")
    breaks = (np.diff(steps) != 1) | (np.diff(pitch) != 0) | (values[1:] != values[:-1])
    begin = np.flatnonzero(np.append(True, breaks))
    end = np.append(begin[1:], len(steps)) - 1
    return np.stack(
        [np.full(len(begin), instrument), pitch[begin], steps[begin], steps[end] + 1], axis=1
    )


def _clock(tempo: NDArray[Any], resolution: int, length: int) -> NDArray[np.float64]:
    """Return the (length + 1,) times of the steps in seconds; the last tempo goes on."""
    beats_a_minute = np.asarray(tempo, np.float64).reshape(-1)
    if not len(beats_a_minute) or not (np.isfinite(beats_a_minute) & (beats_a_minute > 0)).all():
        raise ValueError("its tempo is not a positive number everywhere")
    missing = max(0, length - len(beats_a_minute))
    beats_a_minute = np.append(beats_a_minute[:length], np.repeat(beats_a_minute[-1], missing))
    return np.concatenate([[0.0], np.cumsum(60.0 / beats_a_minute / resolution)])
