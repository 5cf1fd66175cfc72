"""What towers learn from, step by step: films, the music of each, and music that nearly belongs.

Films are made to the accents of a song as they are wanted, and never twice the same. What a step
meets depends on its number and the seed alone.

Shapes: B films of T rows, X pieces of music more for each film.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Picture
from emsync.errors import UsageError
from emsync.limits import quoted, shown
from emsync.retrieval.examples import Meetings
from emsync.settings import Within
from emsync.sound.mel import ROW_RATE
from emsync.synchrony.drawn.film import drawn
from emsync.synchrony.drawn.kinds import SEEN, UNSEEN
from emsync.synchrony.footage import Clip, Clips
from emsync.synchrony.negatives import (
    ROWS,
    Heard,
    Recording,
    off_the_beat,
    replaced,
    segment,
    silence,
)
from emsync.synchrony.passages import Passages
from emsync.synchrony.retimed import retimed
from emsync.synchrony.seen import row_count

HELD_SEED = 2_024  # of the films that are measured on, whatever is trained with
GRID = 2  # rows of the mel between places where a clip may begin: notes have one for each two

Group: TypeAlias = Literal["seen", "unseen", "footage"]
GROUPS: tuple[Group, ...] = ("seen", "unseen", "footage")


@dataclass(frozen=True, kw_only=True)
class FeedConfig:
    """How batches are made."""

    films: Annotated[int, Within(2, 4096), "of a batch, each of another song"] = 24
    seconds: Annotated[float, Within(1, 60), "of each film"] = 8.0
    shift: bool = True  # whether a film is also told from its music, moved off the beat
    replacement: bool = True  # and from its music, of which a part is another's
    footage: Annotated[str, "folder that `emsync pairs watch` wrote; without, all are drawn"] = ""
    retimed: Annotated[float, Within(0, 1), "share of the films that are real ones, retimed"] = 0.4
    left_out: Annotated[str, "names of films, with commas, that are only measured on"] = ""


# of the (A, 3) accents of a song, the seconds of its beat, and those of the film
Make: TypeAlias = Callable[[Float64s, float, float, Generator], Picture]


class Batch(NamedTuple):
    """B films, the music of each, and X pieces of music more that do not belong to it."""

    luma: Picture  # (B, T, 27, 48)
    mel: Float32s  # (B, 8 T, 160)
    notes: Float32s  # (B, 4 T, 15)
    extra_mel: Float32s  # (B, X, 8 T, 160)
    extra_notes: Float32s  # (B, X, 4 T, 15)
    extra_is: NDArray[np.bool_]  # (B, X) whether there is one


class Films(NamedTuple):
    """B films, the recording that belongs to each, and from where in it on."""

    luma: Picture  # (B, T, 27, 48)
    recordings: Sequence[Recording]  # (B,)
    starts: Sequence[int]  # (B,) rows of the mel


class Feed:
    """Batches to learn from, and films to measure on."""

    def __init__(self, passages: Passages, config: FeedConfig, seed: int) -> None:
        self.passages, self.config, self.seed = passages, config, seed
        self.count = ROWS * row_count(config.seconds)  # rows of the mel of a clip
        self._numbers = passages.places("train")
        self._meetings = Meetings(passages.rows, self._numbers, config.films, seed)
        self._clips, self._left_out = _divided(config)
        store = quoted(passages.folder)
        if passages.head.seconds < config.seconds:
            raise UsageError(
                f"the passages of {store} last {passages.head.seconds:g} s, too short for films of "
                f"{config.seconds:g} s; play longer ones, or learn from shorter films"
            )
        if not self._meetings.steps:
            raise UsageError(
                f"{store} has {len(self._numbers)} songs to learn from, and a batch {config.films} "
                "films; play more songs, or set fewer films"
            )

    def batch(self, step: int) -> Batch:
        """Return what a step learns from; no two of its films are of one song."""
        luma: list[Picture] = []
        own: list[Heard] = []
        recordings: list[tuple[Recording, int, Generator]] = []
        for turn, place in enumerate(self._places(step)):
            rng = np.random.default_rng([self.seed, step, turn])
            recording, start = self._recording(place), self._start(place, rng)
            real = bool(self._clips) and rng.random() < self.config.retimed
            make = _retimed(self._clips) if real else _drawn(str(rng.choice(SEEN)))
            luma.append(self._film(place, start, make, rng))
            own.append(recording.heard(start, self.count))
            recordings.append((recording, start, rng))
        extras = [
            self._extras(recording, start, own[turn], own[turn - 1], rng)
            for turn, (recording, start, rng) in enumerate(recordings)
        ]
        nothing = silence(self.count)
        there = [[heard or nothing for heard in row] for row in extras]
        return Batch(
            np.stack(luma),
            np.stack([heard.mel for heard in own]),
            np.stack([heard.notes for heard in own]),
            np.stack([[heard.mel for heard in row] for row in there]),
            np.stack([[heard.notes for heard in row] for row in there]),
            np.array([[heard is not None for heard in row] for row in extras]),
        )

    def met(self, step: int) -> str:
        """Return the songs of a step."""
        songs = [self.passages.rows[place].song for place in self._places(step)]
        return f"songs: {', '.join(songs)}"

    def held_out(self, group: Group, films: int = 48, most: int = 2) -> list[Films]:
        """Return ``most`` times ``films`` films, or fewer, to songs that are never trained on.

        They are drawn in kinds that are trained on, or in those that are not, or they are retimed
        of what is left out, if anything is; and are the same whatever the seed of the training.
        """
        makes = {
            "seen": [_drawn(kind) for kind in SEEN],
            "unseen": [_drawn(kind) for kind in UNSEEN],
            "footage": [_retimed(self._left_out)] if self._left_out else [],
        }[group]
        if not makes:
            return []
        places = self.passages.places("held")[: films * most]
        found = []
        for first in range(0, len(places), films):
            luma, starts = [], []
            for turn, place in enumerate(places[first : first + films], first):
                rng = np.random.default_rng([HELD_SEED, turn, GROUPS.index(group)])
                starts.append(self._start(place, rng))
                luma.append(self._film(place, starts[-1], makes[turn % len(makes)], rng))
            recordings = [self._recording(place) for place in places[first : first + films]]
            found.append(Films(np.stack(luma), recordings, starts))
        return found

    def _places(self, step: int) -> list[int]:
        return [self._numbers[place] for place in self._meetings.at(step)]

    def _recording(self, place: int) -> Recording:
        passages = self.passages
        return Recording(passages.mel(place), passages.piece(place), passages.rows[place].beat)

    def _start(self, place: int, rng: Generator) -> int:
        """Return from which row of the mel on a film goes with a passage."""
        rows = round(self.passages.rows[place].seconds * ROW_RATE)
        return GRID * int(rng.integers((rows - self.count) // GRID + 1))

    def _film(self, place: int, start: int, make: Make, rng: Generator) -> Picture:
        accents = self.passages.accents(place) - (start / ROW_RATE, 0.0, 0.0)
        return make(accents, self.passages.rows[place].beat, self.config.seconds, rng)

    def _extras(
        self, recording: Recording, start: int, own: Heard, other: Heard, rng: Generator
    ) -> list[Heard | None]:
        """Return the music of a film moved, and replaced in part by another's; else silence."""
        moved: Heard | None = None
        if self.config.shift:
            by = off_the_beat(recording, start, self.count, rng)
            moved = silence(self.count) if by is None else recording.heard(start + by, self.count)
        return [moved, replaced(own, other, segment(rng)) if self.config.replacement else None]


def _drawn(kind: str) -> Make:
    return lambda accents, beat, seconds, rng: drawn(accents, beat, seconds, kind, rng)


def _retimed(clips: Sequence[Clip]) -> Make:
    return lambda accents, beat, seconds, rng: retimed(clips, accents, beat, seconds, rng)


def _divided(config: FeedConfig) -> tuple[list[Clip], list[Clip]]:
    """Return the films to learn from, and those that are left out; none where there are no real."""
    names = {Path(name.strip()).stem for name in config.left_out.split(",") if name.strip()}
    if not config.footage:
        if names:
            raise UsageError("films are left out, but footage names no folder of any; set it")
        return [], []
    store = Clips.open(config.footage)
    if missing := sorted(names - {row.group for row in store.rows}):
        raise UsageError(
            f"{quoted(store.folder)} has no film {shown(missing[0])} to leave out; it has "
            f"{', '.join(row.group for row in store.rows)}"
        )
    clips = [(store.clip(place), row.group in names) for place, row in enumerate(store.rows)]
    return [clip for clip, out in clips if not out], [clip for clip, out in clips if out]
