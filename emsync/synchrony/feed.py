"""What towers learn from, step by step: films, the music of each, and music that nearly belongs.

Films are made to the accents of a song as they are wanted, and never twice the same. What a step
meets depends on its number and the seed alone.

Shapes: B films of T rows, X pieces of music more for each film.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emsync.arrays import Float32s, Picture
from emsync.errors import UsageError
from emsync.limits import quoted
from emsync.retrieval.examples import Meetings
from emsync.settings import Within
from emsync.synchrony.drawn.film import drawn
from emsync.synchrony.drawn.kinds import SEEN, UNSEEN
from emsync.synchrony.negatives import MEL_RATE, Heard, Recording, replaced, segment, shift, silence
from emsync.synchrony.passages import Passages
from emsync.synchrony.seen import RATE

HELD_SEED = 2_024  # of the films that are measured on, whatever is trained with
GRID = 2  # rows of the mel between places where a clip may begin: notes have one for each two

Group: TypeAlias = Literal["seen", "unseen"]


@dataclass(frozen=True, kw_only=True)
class FeedConfig:
    """How batches are made."""

    films: Annotated[int, Within(2, 4096), "of a batch, each of another song"] = 24
    seconds: Annotated[float, Within(1, 60), "of each film"] = 8.0
    shift: bool = True  # whether a film is also told from its music, moved off the beat
    replacement: bool = True  # and from its music, of which a part is another's


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
        self.count = 8 * round(RATE * config.seconds)  # rows of the mel of a clip
        self._numbers = passages.places("train")
        self._meetings = Meetings(passages.rows, self._numbers, config.films, seed)
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
            luma.append(self._drawn(place, start, str(rng.choice(SEEN)), rng))
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

        They are drawn in kinds that are trained on, or in those that are not, and are the same
        whatever the seed of the training.
        """
        kinds = {"seen": SEEN, "unseen": UNSEEN}[group]
        places = self.passages.places("held")[: films * most]
        found = []
        for first in range(0, len(places), films):
            luma, starts = [], []
            for turn, place in enumerate(places[first : first + films], first):
                rng = np.random.default_rng([HELD_SEED, turn, len(kinds)])
                starts.append(self._start(place, rng))
                luma.append(self._drawn(place, starts[-1], kinds[turn % len(kinds)], rng))
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
        rows = round(self.passages.rows[place].seconds * MEL_RATE)
        return GRID * int(rng.integers((rows - self.count) // GRID + 1))

    def _drawn(self, place: int, start: int, kind: str, rng: Generator) -> Picture:
        accents = self.passages.accents(place) - (start / MEL_RATE, 0.0, 0.0)
        beat = self.passages.rows[place].beat
        return drawn(accents, beat, self.config.seconds, kind, rng)

    def _extras(
        self, recording: Recording, start: int, own: Heard, other: Heard, rng: Generator
    ) -> list[Heard | None]:
        """Return the music of a film moved, and replaced in part by another's; else silence."""
        moved: Heard | None = None
        if self.config.shift:
            by = shift(recording.beat * MEL_RATE, start, self.count, len(recording.mel), rng)
            moved = silence(self.count) if by is None else recording.heard(start + by, self.count)
        return [moved, replaced(own, other, segment(rng)) if self.config.replacement else None]
