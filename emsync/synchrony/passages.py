"""A store of passages of songs: as they sound, as they are written, and where their accents are.

Each passage begins on a downbeat, and is played by other instruments, in another room and as loud
or soft as it happens, so that nothing but the music tells which song it is. Songs are divided by
duplicate group into those to learn from and those held out. A passage of S seconds has

========================================  ======================================================
mel                                       (80 S, 160) float16: the log-mel spectrogram
onsets, offsets                           (N,) float64: seconds
pitches, classes, velocities              (N,) uint8
downbeats, beats                          (K,), (B,) float64: seconds
accents                                   (A, 3) float64: seconds, strength in [0, 1], and which
                                          of BEAT, HALF, BAR and HIT; ascending
========================================  ======================================================

A bar line is a half bar and a beat too, and stands there once, as a BAR; a HIT is a stroke on a
drum, wherever it is.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Seconds
from emsync.data.songs import read_played
from emsync.data.split import is_held_out, song_key
from emsync.errors import InputError, UsageError
from emsync.limits import quoted
from emsync.matching.matcher import Columns
from emsync.music.piece import BEATS, DRUMS, Piece, Played
from emsync.options import PathLike
from emsync.progress import Progress, Stopwatch, silent
from emsync.retrieval.drawn.choosing import Chosen, chosen_songs
from emsync.retrieval.drawn.course import beats_of
from emsync.retrieval.drawn.playing import Hall, passage, play
from emsync.retrieval.filling import Filled, Made, Task, fill
from emsync.retrieval.stores import Head, Kind

VERSION = 1  # of what is played; raised when a seed no longer gives what it gave
SECONDS = (4.0, 120.0)  # that a passage may last
HALL = Hall(rate=24_000, gain=(-30.0, -16.0), low_pass=(5_000.0, 11_900.0))
BEAT, HALF, BAR, HIT = range(4)  # kinds of accents
TOGETHER = 0.03  # seconds within which strokes are one accent
NEAR = 0.06  # seconds around a beat in which what is struck makes it strong
NOTES = ("onsets", "offsets", "pitches", "classes", "velocities")
STAMPS = {name: f"{name} 1" for name in ("mel", *NOTES, "downbeats", "beats", "accents")}


@dataclass(frozen=True)
class Passage:
    """A passage of a song, as the store's table has it."""

    number: int
    song: str
    group: str  # songs of a group are versions of one another, and are in one split
    split: str  # "train" or "held"
    seconds: float
    beat: float  # seconds from one beat to the next; 0 where there is none

    @property
    def name(self) -> str:
        """Return the song's."""
        return self.song

    def becomes(self, made: Self) -> bool:
        """Return whether ``made`` is this passage, whose beat is not known before."""
        return dataclasses.replace(self, beat=made.beat) == made


PASSAGES = Kind("passage", "passages", "emsync pairs play", Passage, shard=32)


@dataclass(frozen=True)
class Playing:
    """How the passages of a store are played."""

    seconds: float = 24.0
    held: float = 0.15  # share of the songs that is never trained on
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = SECONDS
        if not low <= self.seconds <= high or self.seconds % 1:
            raise UsageError(
                f"a passage lasts {low:g} to {high:g} whole seconds, not {self.seconds:g}"
            )
        if not 0 <= self.held <= 1:
            raise UsageError(f"the share held out is {self.held}; choose from 0 to 1")

    def head(self) -> Head:
        """Return what a store of it says of itself."""
        made = {"by": "play", "version": VERSION, "held": self.held, "seed": self.seed}
        return Head(self.seconds, {}, STAMPS, made)


@dataclass(frozen=True, eq=False)
class Passages:
    """A store to read from; its arrays stay on the disk until they are used."""

    folder: Path
    head: Head
    rows: tuple[Passage, ...]

    @classmethod
    def open(cls, path: PathLike) -> Self:
        """Return the store in the folder ``path``; InputError where there is no whole one."""
        return cls(Path(path), *PASSAGES.read(Path(path)))

    def __len__(self) -> int:
        return len(self.rows)

    def places(self, split: str) -> list[int]:
        """Return which of ``rows`` are of a split."""
        return [place for place, row in enumerate(self.rows) if row.split == split]

    def song_keys(self, split: str) -> set[int]:
        """Return the keys of the songs of a split; see ``emsync.data.split.song_key``."""
        return {song_key(self.rows[place].song) for place in self.places(split)}

    def mel(self, place: int) -> NDArray[np.float16]:
        """Return the (80 S, 160) spectrogram of ``rows[place]``."""
        return self._array(place, "mel", 2)

    def piece(self, place: int) -> Piece:
        """Return the notes of ``rows[place]``."""
        onsets, offsets, pitches, classes = (self._array(place, name, 1) for name in NOTES[:4])
        downbeats = self._array(place, "downbeats", 1)
        return Piece(classes, pitches, onsets, offsets, downbeats, np.zeros(0))

    def velocities(self, place: int) -> NDArray[np.uint8]:
        """Return the (N,) velocities of the notes of ``rows[place]``."""
        return self._array(place, "velocities", 1)

    def beats(self, place: int) -> Seconds:
        """Return the (B,) beats of ``rows[place]``."""
        return self._array(place, "beats", 1)

    def accents(self, place: int) -> Float64s:
        """Return the (A, 3) times, strengths and kinds of the accents of ``rows[place]``."""
        return self._array(place, "accents", 2)

    def _array(self, place: int, name: str, dimensions: int) -> NDArray[Any]:
        number = self.rows[place].number
        shard = number // PASSAGES.shard
        if shard not in self._shards:
            self._shards[shard] = PASSAGES.map_shard(self.folder, shard)
        return PASSAGES.array_in(self._shards[shard], self.folder, number, name, dimensions)

    @cached_property
    def _shards(self) -> dict[int, dict[str, NDArray[Any]]]:
        return {}


# --- making one -----------------------------------------------------------------------------------


def play_passages(
    folder: Path,
    songs: Path,
    count: int,
    playing: Playing = Playing(),
    labels: Path | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Filled:
    """Play passages of ``count`` songs into the store ``folder``; go on where a killed run stopped.

    ``labels`` is the index that names the duplicate groups, as in ``prepare``; without, each song
    is its own group.
    """
    chosen = chosen_songs(songs, labels, count, playing.seconds, playing.seed, progress)
    tasks = _tasks(chosen, playing)
    make = partial(make_passage, playing)
    return fill(PASSAGES, folder, playing.head(), tasks, make, workers, progress)


def _tasks(chosen: Sequence[Chosen], playing: Playing) -> list[Task[Passage]]:
    return [
        Task(name, Passage(number, name, group, split, playing.seconds, 0.0), path)
        for number, ((name, path), group) in enumerate(chosen)
        for split in ("held" if is_held_out(group, playing.held) else "train",)
    ]


def make_passage(playing: Playing, task: Task[Passage], watch: Stopwatch) -> Made[Passage]:
    """Return one passage, played."""
    rng = np.random.default_rng([playing.seed, song_key(task.row.song)])
    of_song, of_sound = rng.spawn(2)
    played = passage(read_played(task.path), playing.seconds, of_song)
    if played is None:
        raise InputError(f"{quoted(task.path)} does not play for {playing.seconds:g} seconds")
    with watch("playing"):
        samples = play(played, playing.seconds, of_sound, HALL)
    with watch("hearing"):
        mel = _mel(samples)
    written = written_arrays(played, playing.seconds)
    beat = float(np.median(np.diff(written["beats"]))) if len(written["beats"]) > 1 else 0.0
    row = dataclasses.replace(task.row, beat=round(beat, 6))
    return Made(row, {"mel": mel, **written})


def _mel(samples: Float32s) -> NDArray[np.float16]:
    import torch

    from emsync.sound.mel import log_mel

    return log_mel(torch.from_numpy(samples)).numpy().astype(np.float16)


def written_arrays(played: Played, seconds: float) -> Columns:
    """Return what a store has of the notes of a passage of ``seconds``."""
    piece = played.piece
    beats = beats_of(piece.downbeats)
    beats = beats[beats < seconds]
    return {
        "onsets": piece.onsets,
        "offsets": piece.offsets,
        "pitches": piece.pitches,
        "classes": piece.classes,
        "velocities": played.velocities,
        "downbeats": piece.downbeats,
        "beats": beats,
        "accents": accents_of(played, beats),
    }


def accents_of(played: Played, beats: Seconds) -> Float64s:
    """Return the (A, 3) accents of a passage, the first of whose ``beats`` is a bar line.

    A beat is as strong as what is struck around it, a stroke as the drums are: the sum of the
    squares of velocities, its root as a share of the greatest.
    """
    onsets, power = played.piece.onsets, (played.velocities / 127.0) ** 2
    drums = played.piece.classes == DRUMS
    at, loud = _together(onsets[drums], power[drums])
    places = np.arange(len(beats)) % BEATS
    kinds = np.where(places == 0, BAR, np.where(places == BEATS // 2, HALF, BEAT))
    before, until = (np.searchsorted(onsets, beats + edge) for edge in (-NEAR, NEAR))
    total = np.concatenate([[0.0], np.cumsum(power)])
    rows = [
        np.stack([beats, _shares(total[until] - total[before]), kinds], axis=1),
        np.stack([at, _shares(loud), np.full(len(at), HIT)], axis=1),
    ]
    both = np.concatenate(rows)
    return both[np.lexsort((both[:, 2], both[:, 0]))]


def _shares(power: Float64s) -> Float64s:
    """Return the roots of powers as shares of the greatest, in thousandths."""
    roots = np.sqrt(np.maximum(power, 0.0))
    return np.asarray(np.round(roots / max(roots.max(initial=0.0), 1e-9), 3))


def _together(times: Seconds, power: Float64s) -> tuple[Seconds, Float64s]:
    """Return (n,) times and powers of which those within TOGETHER of the one before are one."""
    if not len(times):
        return times, power
    group = np.cumsum(np.diff(times, prepend=times[0]) >= TOGETHER)
    first = np.searchsorted(group, np.arange(group[-1] + 1))
    return times[first], np.bincount(group, power).astype(np.float64)
