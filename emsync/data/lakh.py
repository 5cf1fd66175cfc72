"""Read the .npz files of Lakh Pianoroll (Dong et al. 2018) into pieces.

Both layouts of pypianoroll are read: 0.x (``beat_resolution``, uint8 velocities, a tempo for each
step) and 1.x (``resolution``, booleans, tempo and downbeat as columns, or left out). A file is a
zip of plain arrays: nothing in it is ever unpickled, or unpacked beyond the size it declares.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.errors import InputError
from emsync.limits import one_line, parse_json, read_bytes
from emsync.music.piece import (
    BEATS,
    HIGHEST,
    LOWEST,
    Piece,
    Played,
    long_chords,
    program_class,
)
from emsync.npy import BROKEN, Arrays, open_archive, unpack

LARGEST = 32 * 2**20  # bytes of a file, packed and unpacked; LPD's largest song unpacks to 2 MiB
MOST_STEPS = 4_000_000  # of one song; LPD's longest songs have a fortieth of them
MOST_SECONDS = 7200.0  # of one song: what plays for longer than two hours is no song
TEMPO = 120.0  # beats a minute where a file has none, as in MIDI


def read_lakh(
    path: Path, labels: Mapping[str, float] | None = None, tempo: float | None = None
) -> Piece:
    """Return the song at ``path``, from the downbeat at or before its first note on.

    With a ``tempo`` in beats a minute the whole song is brought to it; without, it keeps its own.
    Raises InputError, with the reason, for what is not a sound Lakh Pianoroll file.
    """
    return read_played_lakh(path, labels, tempo).piece


def read_played_lakh(
    path: Path, labels: Mapping[str, float] | None = None, tempo: float | None = None
) -> Played:
    """Return what ``read_lakh`` does, with the velocity and the track of each note."""
    data = read_bytes(path, LARGEST)
    try:
        with open_archive(data, LARGEST) as archive:
            info = parse_json(unpack(archive, "info.json").decode("utf-8"), "info.json")
            return _played(Arrays(archive), info, labels, tempo)
    except KeyError as error:
        raise InputError(f"{str(path)!r} is not a Lakh Pianoroll file: no {error}") from error
    except (*BROKEN, AttributeError, TypeError, InputError) as error:
        reason = one_line(str(error))
        raise InputError(f"{str(path)!r} is not a Lakh Pianoroll file: {reason}") from error


def _played(
    array: Arrays,
    info: Mapping[str, Any],
    labels: Mapping[str, float] | None,
    new_tempo: float | None,
) -> Played:
    resolution = int(info.get("beat_resolution") or info["resolution"])
    if not 1 <= resolution <= 960:
        raise ValueError(f"its resolution is {resolution} steps a beat")
    rows = [np.zeros((0, 6), np.int64)]
    for track in range(len(info)):
        if (facts := info.get(str(track))) is not None:
            program = int(facts["program"])
            if not 0 <= program < 128:
                raise ValueError(f"track {track} has program {program}")
            instrument = program_class(program, bool(facts["is_drum"]))
            if instrument is not None:
                rows.append(_notes(array, track, instrument))
    notes = np.concatenate(rows)
    if not len(notes):
        raise ValueError("it has no notes of the five classes")
    downbeat = array.get("downbeat")
    tempo = array.get("tempo") if new_tempo is None else np.array([new_tempo])
    marked = np.zeros(1, np.int64) if downbeat is None else np.flatnonzero(downbeat)
    length = int(max(notes[:, 3].max(), marked.max(initial=0))) + 1
    bars = _bars(marked, BEATS * resolution, length)  # LPD-cleansed holds songs in 4/4 only
    clock = _clock(np.array([TEMPO]) if tempo is None else tempo, resolution, length)
    first = notes[:, 2].min()
    zero = clock[bars[bars <= first].max(initial=0)]  # silence before the first bar is dropped
    chords = long_chords(
        notes[:, 0].astype(np.uint8),
        notes[:, 2].astype(np.float64),
        (notes[:, 3] - notes[:, 2]) / resolution,
    ).astype(np.int64)
    times = (clock[notes[:, step]] - zero for step in (2, 3))
    table = np.stack([notes[:, 0], notes[:, 1], *times, notes[:, 4], notes[:, 5]], axis=1)
    downbeats = clock[bars] - zero
    return Played.of(table, downbeats[downbeats >= 0], clock[chords] - zero, labels)


def _notes(array: Arrays, track: int, instrument: int) -> NDArray[np.int64]:
    """Return (N, 6) rows of class, pitch, first step, step after the last, velocity, track.

    A note is a run of steps of one velocity in a column of the sparse pianoroll; LPD itself has
    merged equal notes without a gap.
    """
    stem = f"pianoroll_{track}_csc"
    parts = [array.get(f"{stem}_{part}") for part in ("data", "indices", "indptr", "shape")]
    if any(part is None for part in parts):
        raise ValueError(f"track {track} has no whole pianoroll")
    values, steps, columns, shape = (np.asarray(part) for part in parts)
    if not len(steps):
        return np.zeros((0, 6), np.int64)
    if any(part.dtype.kind not in "iu" for part in (steps, columns, shape)):
        raise ValueError(f"track {track} has steps that are no integers")
    if len(shape) != 2 or not 0 < shape[0] <= MOST_STEPS or shape[1] != 128:
        raise ValueError(f"track {track} has a pianoroll of shape {tuple(map(int, shape))}")
    ends = columns.astype(np.int64)
    counts = ends[1:] - ends[:-1]
    if len(counts) != 128 or (counts < 0).any() or counts.sum() != len(steps):
        raise ValueError(f"track {track} has columns that do not add up")
    if len(values) != len(steps) or steps.min() < 0 or steps.max() >= shape[0]:
        raise ValueError(f"track {track} has steps outside its {shape[0]}")
    pitch = np.repeat(np.arange(128), counts)
    steps = steps.astype(np.int64)
    keep = (values != 0) & (pitch >= LOWEST) & (pitch <= HIGHEST)
    steps, values, pitch = steps[keep], values[keep], pitch[keep]
    if not len(steps):
        return np.zeros((0, 6), np.int64)
    if (np.diff(steps)[np.diff(pitch) == 0] <= 0).any():
        raise ValueError(f"track {track} has steps out of order")
    breaks = (np.diff(steps) != 1) | (np.diff(pitch) != 0) | (values[1:] != values[:-1])
    begin = np.flatnonzero(np.append(True, breaks))
    end = np.append(begin[1:], len(steps)) - 1
    facts = (instrument, pitch[begin], steps[begin], steps[end] + 1, values[begin], track)
    return np.stack(np.broadcast_arrays(*facts), axis=1).astype(np.int64)


def _bars(marked: NDArray[np.int64], bar: int, length: int) -> NDArray[np.int64]:
    """Return the steps of all downbeats up to ``length``, of which the file has marked some.

    pypianoroll marks none after the last time signature: bars go on as the last two marks have it,
    or every ``bar`` steps where there is but one.
    """
    if not len(marked):
        return marked
    if len(marked) == 1:
        return np.arange(marked[0] % bar, length, bar)
    last = marked[-1] - marked[-2]
    return np.append(marked, np.arange(marked[-1] + last, length, last))


def _clock(tempo: NDArray[Any], resolution: int, length: int) -> NDArray[np.float64]:
    """Return the (length + 1,) times of the steps in seconds; the last tempo goes on."""
    beats_a_minute = tempo.astype(np.float64)[:length]
    if not len(beats_a_minute) or not (np.isfinite(beats_a_minute) & (beats_a_minute >= 1)).all():
        raise ValueError("its tempo is not a number of at least one beat a minute everywhere")
    missing = length - len(beats_a_minute)
    beats_a_minute = np.append(beats_a_minute, np.repeat(beats_a_minute[-1], missing))
    clock = np.concatenate([[0.0], np.cumsum(60.0 / beats_a_minute / resolution)])
    if clock[-1] > MOST_SECONDS:
        raise ValueError(f"it lasts {clock[-1]:.0f} s; a song has at most {MOST_SECONDS:.0f}")
    return clock
