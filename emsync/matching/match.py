"""Music that moves with a film, found in a folder: ranked by CM or DM, wherever it may start.

A track is heard once: its onset strength and its beats are kept in an index. For a query the film
is watched once, and all tracks are slid along it together.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.errors import InputError, UsageError
from emsync.files import atomic_write, check_target
from emsync.limits import check_file
from emsync.locks import locked
from emsync.metrics.rhythm import POWER, Variant, continuous, discrete, distances
from emsync.npy import BROKEN, Arrays, open_archive
from emsync.options import LUFS, Metric, PathLike, check_lufs
from emsync.progress import Progress, silent
from emsync.signals import STEP_RATE
from emsync.sound import audio
from emsync.sound.decode import read_stereo
from emsync.sound.levelling import level
from emsync.sound.loudness import Loudness
from emsync.sound.mux import check_mux, mux, soundtrack
from emsync.sound.rhythm import Rhythm, beats, read_rhythm
from emsync.targets import check_apart
from emsync.video.film import Film, open_film
from emsync.video.impact import Impact, check_moves
from emsync.video.watch import watch

MOST_BYTES = 2**33  # of an index: a million hours of music have less
VERSION = 1  # of the index; raised when what is heard, or how it is kept, changes
SOUNDS = frozenset([
    ".aac", ".aif", ".aiff", ".ape", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp2", ".mp3", ".oga",
    ".ogg", ".opus", ".wav", ".wma", ".wv",
])  # fmt: skip
BATCH = 2**20  # steps of music that are slid along a film at once


@dataclass(frozen=True, eq=False)
class Track:
    """A file of a library and its rhythm."""

    name: str  # path within the library, with slashes
    size: int  # bytes
    changed: int  # nanoseconds: the file's time of modification
    rhythm: Rhythm  # the signal in half precision, its largest value 1


@dataclass(frozen=True)
class Match:
    """How well a track meets a film, and where in the track the film best starts."""

    path: Path
    score: float
    offset: float  # seconds of the track


@dataclass(frozen=True, eq=False)
class Library:
    """The tracks of a folder, and what became of its files."""

    tracks: list[Track]
    skipped: list[tuple[str, str]]  # name and reason of each file that could not be heard
    heard: int  # tracks that were not in the index, or have changed since
    rebuilt: str  # why an index was rebuilt, if it was


@dataclass(frozen=True, eq=False)
class Ranking:
    """The tracks of a library, ranked for a film."""

    matches: tuple[Match, ...]  # the best, best first
    metric: Metric
    tracks: int  # that were ranked
    heard: int  # of them, those that were not in the index, or have changed since
    rebuilt: str  # why the index was rebuilt, if it was
    skipped: tuple[tuple[Path, str], ...]  # files that could not be heard, and why
    index: Path | None = None
    video: Path | None = None  # the film with the best track, if it was written
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds
    loudness: Loudness | None = None  # of the sound in ``video``

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {
            "matches": [
                {"path": str(m.path), "score": m.score, "offset": m.offset} for m in self.matches
            ],
            "metric": self.metric,
            "tracks": self.tracks,
            "heard": self.heard,
            "rebuilt": self.rebuilt or None,
            "index": None if self.index is None else str(self.index),
            "skipped": [{"path": str(path), "reason": why} for path, why in self.skipped],
            "video": None if self.video is None else str(self.video),
            "loudness": None if self.loudness is None else self.loudness.to_json(),
            "timings": {stage: round(seconds, 3) for stage, seconds in self.timings.items()},
        }


def match(
    video: PathLike | Film,
    library: PathLike,
    *,
    metric: Metric = "cm",
    top: int = 10,
    index: PathLike | None = None,
    out: PathLike | None = None,
    lufs: float = LUFS,
    progress: Progress = silent,
) -> Ranking:
    """Rank the music in the folder ``library`` by how its rhythm meets that of ``video``.

    ``index`` is a file that keeps what was heard for the next time. ``out`` is written with the
    film and the best track from its offset on, at an integrated loudness of ``lufs``; it is silent
    where the track ends before the film.
    """
    check_lufs(lufs)
    if metric not in get_args(Metric):
        raise UsageError(f"metric is {metric!r}; choose one of {', '.join(get_args(Metric))}")
    if top < 1:
        raise UsageError(f"top is {top}; choose 1 or more")
    film = video if isinstance(video, Film) else open_film(video)
    library, index = Path(library), None if index is None else Path(index)
    out = None if out is None else Path(out)
    tracks = sounds_of(library)
    check_apart(
        [path for path in (index, out) if path is not None],
        {"the video": film.path, "a track of the library": tracks},
    )
    if index is not None:
        check_target(index)
        _check_index(index)
    if out is not None:
        check_mux(film, out)
    began = time.perf_counter()
    duration, signal = visible_impact(film, progress)
    check_moves(signal, film.path)
    watched = time.perf_counter()
    found = listen_to(library, index, progress)
    listened = time.perf_counter()
    pictures = Rhythm(signal, beats(signal) if metric == "dm" else np.zeros(0, np.int32))
    ranking = rank(pictures, found.tracks, metric)
    ranked, loudness = time.perf_counter(), None
    if out is not None:
        best = ranking[0]
        sound = read_stereo(library / best.path, best.offset, duration)
        goes_on = sound.duration > duration - 1 / STEP_RATE
        sound = audio.finish(sound, duration, audio.FADE if goes_on else 0.0)
        music = level(sound, lufs, "the track")
        loudness = music.loudness
        mux(
            film, soundtrack(film, music), out,
            lambda seconds: progress("Writing the film", seconds / duration),
        )  # fmt: skip
    return Ranking(
        tuple(replace(m, path=library / m.path) for m in ranking[:top]),
        metric,
        len(found.tracks),
        found.heard,
        found.rebuilt,
        tuple((library / name, why) for name, why in found.skipped),
        index,
        out,
        {
            "watch": watched - began,
            "listen": listened - watched,
            "query": ranked - listened,
        },
        loudness,
    )


def rank(
    pictures: Rhythm,
    tracks: Sequence[Track],
    metric: Metric = "cm",
    power: float = POWER,
    variant: Variant = "whole",
) -> list[Match]:
    """Return how well each track meets the pictures, best first, at the best offset of each.

    Offsets are those at which the film ends with the track or before; 0 if the track is shorter.
    """
    length = len(pictures.signal)
    comb = np.bincount(pictures.beats, minlength=length)[:length].astype(np.float64)
    matches = []
    for batch in _batches(tracks):
        width = max(length, *(len(track.rhythm.signal) for track in batch))
        rows = np.zeros((len(batch), width))
        for row, track in zip(rows, batch, strict=True):
            if metric == "cm":
                row[: len(track.rhythm.signal)] = track.rhythm.signal
            else:
                row[:] = _nearness(track.rhythm.beats, width)
        curves = (
            continuous(rows, np.asarray(pictures.signal, np.float64), power, variant)
            if metric == "cm"
            else discrete(rows, comb)
        )
        for curve, track in zip(curves, batch, strict=True):
            tried = curve[: max(0, len(track.rhythm.signal) - length) + 1]
            best = int(tried.argmax())
            silent = metric == "dm" and not (len(track.rhythm.beats) and comb.any())
            score = 0.0 if silent else float(tried[best])
            matches.append(Match(Path(track.name), round(score, 6), round(best / STEP_RATE, 3)))
    return sorted(matches, key=lambda m: (-m.score, m.path.as_posix()))


def visible_impact(film: Film, progress: Progress = silent) -> tuple[float, Float64s]:
    """Watch ``film``; return its seconds and its visible impact."""
    impact = Impact()
    footage = watch(film, lambda share: progress("Watching", share), [impact])
    return footage.film.duration, impact.signal(footage.film.duration)


def _nearness(steps: NDArray[np.int32], width: int) -> Float64s:
    """Return the (width,) seconds from each step to the nearest beat; all 0 without beats."""
    if not len(steps):
        return np.zeros(width)
    return distances(steps.astype(np.float64), np.arange(width, dtype=np.float64)) / STEP_RATE


def _batches(tracks: Sequence[Track]) -> Iterator[list[Track]]:
    """Yield tracks of about one length together, at most BATCH steps at once."""
    batch: list[Track] = []
    for track in sorted(tracks, key=lambda t: len(t.rhythm.signal)):
        if batch and (len(batch) + 1) * len(track.rhythm.signal) > BATCH:
            yield batch
            batch = []
        batch.append(track)
    if batch:
        yield batch


# --- the index ------------------------------------------------------------------------------------


def sounds_of(folder: Path) -> list[Path]:
    """Return the files of sound in ``folder``, by name. InputError when there are none."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}; name one that holds music")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file())
    if not files:
        raise InputError(f"{str(folder)!r} holds no music; known are {' '.join(sorted(SOUNDS))}")
    return files


def listen_to(folder: Path, index: Path | None = None, progress: Progress = silent) -> Library:
    """Return the tracks of ``folder``, heard now unless ``index`` has them unchanged.

    Afterwards ``index`` holds exactly these tracks. InputError when there are none.
    """
    files = sounds_of(folder)
    if index is None:
        return _listen(folder, files, None, progress)
    check_target(index)
    with locked(index, "writing"):
        return _listen(folder, files, index, progress)


def _check_index(index: Path) -> None:
    """Refuse, before a film is watched, an index that is none, or that another process writes."""
    with locked(index, "writing"):
        read_index(index)


def _listen(folder: Path, files: Sequence[Path], index: Path | None, progress: Progress) -> Library:
    """Return the tracks of ``folder``; nobody else writes ``index`` meanwhile."""
    kept, rebuilt = ({}, "") if index is None else read_index(index)
    tracks: list[Track] = []
    stale: list[tuple[Path, str, os.stat_result]] = []
    for path in files:
        name, facts = path.relative_to(folder).as_posix(), path.stat()
        known = kept.get(name)
        if known and (known.size, known.changed) == (facts.st_size, facts.st_mtime_ns):
            tracks.append(known)
        else:
            stale.append((path, name, facts))
    skipped: list[tuple[str, str]] = []
    for (_, name, facts), heard in _hear(stale, progress):
        if isinstance(heard, InputError):
            skipped.append((name, str(heard)))
        else:
            tracks.append(Track(name, facts.st_size, facts.st_mtime_ns, heard))
    if not tracks:
        raise InputError(f"no file of {str(folder)!r} can be heard: {skipped[0][1]}")
    tracks.sort(key=lambda track: track.name)
    if index is not None and (rebuilt or {t.name: t for t in tracks} != kept):
        write_index(index, tracks)
    return Library(tracks, sorted(skipped), len(stale) - len(skipped), rebuilt)


def _hear(
    stale: Sequence[tuple[Path, str, os.stat_result]], progress: Progress
) -> Iterator[tuple[tuple[Path, str, os.stat_result], Rhythm | InputError]]:
    """Yield each file with its rhythm, or with why it has none, on all processors."""
    if not stale:
        return
    progress("Listening", 0.0)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        jobs = {pool.submit(read_rhythm, item[0]): item for item in stale}
        for done, job in enumerate(as_completed(jobs), 1):
            error = job.exception()
            if error is not None and not isinstance(error, InputError):
                raise error
            yield jobs[job], job.result() if error is None else error
            progress("Listening", done / len(stale))
    finally:
        pool.shutdown(cancel_futures=True)


def read_index(path: Path) -> tuple[dict[str, Track], str]:
    """Return the tracks of an index by name, and why it must be rebuilt, if so.

    No file is an empty index. InputError says so when the file is no index, or of a newer emsync:
    it is not overwritten.
    """
    if not path.exists():
        return {}, ""
    check_file(path)
    try:
        with open_archive(path, MOST_BYTES) as archive:
            data = Arrays(archive)
            if (version := int(data["emsync_rhythm"][0])) < VERSION:
                return {}, f"{str(path)!r} is of version {version}; this emsync has {VERSION}"
            if version > VERSION:
                raise InputError(
                    f"{str(path)!r} is of version {version}, this emsync has {VERSION}; name "
                    "another index or take a newer emsync"
                )
            return {track.name: track for track in _tracks(data)}, ""
    except (OSError, *BROKEN) as error:
        raise InputError(
            f"{str(path)!r} is not an index of music, or is broken; delete it or name another"
        ) from error


def _tracks(data: Arrays) -> Iterator[Track]:
    """Yield the tracks of an index; ValueError where they are not as ``write_index`` has them."""
    names = data.texts("names").tolist()
    lengths, counts = _parts(data, "lengths", "signals"), _parts(data, "counts", "beats")
    rows = zip(
        names, data["sizes"].tolist(), data["changed"].tolist(), lengths, counts, strict=True
    )
    for name, size, changed, signal, steps in rows:
        sound = signal.dtype == np.float16 and ((signal >= 0) & (signal <= 1)).all()
        within = np.concatenate([[-1], steps, [len(signal)]])
        if not sound or steps.dtype != np.int32 or (np.diff(within) <= 0).any():
            raise ValueError(f"{name!r} has no rhythm")
        yield Track(name, int(size), int(changed), Rhythm(signal, steps))


def _parts(data: Arrays, lengths: str, values: str) -> list[NDArray[Any]]:
    """Return the array ``values``, cut into parts of the ``lengths``."""
    each, whole = data[lengths], data[values]
    if each.dtype != np.int64 or (each < 0).any() or (each > len(whole)).any():
        raise ValueError(f"{lengths} cannot be")
    if each.sum() != len(whole):
        raise ValueError(f"{lengths} do not add up to {values}")
    return np.split(whole, np.cumsum(each)[:-1])


def write_index(path: Path, tracks: Sequence[Track]) -> None:
    """Write the tracks to ``path``, atomically: arrays without pickles."""
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(
            file,
            emsync_rhythm=np.array(VERSION),
            names=np.array([t.name for t in tracks]),
            sizes=np.array([t.size for t in tracks], np.int64),
            changed=np.array([t.changed for t in tracks], np.int64),
            lengths=np.array([len(t.rhythm.signal) for t in tracks], np.int64),
            signals=np.concatenate([t.rhythm.signal for t in tracks]),
            counts=np.array([len(t.rhythm.beats) for t in tracks], np.int64),
            beats=np.concatenate([t.rhythm.beats for t in tracks]),
        )
