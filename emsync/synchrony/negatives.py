"""Music that does not belong to a film, though it nearly does (MuVi, section 3.2).

*Temporal shift*: the music of another place of the same recording, so far away that no beat lies
where a beat or a half beat lay. *Random replacement*: a passage of the music is another song's.
Where neither can be made, the negative is *silence*.

The paper's figures are lost in part; ours: a shift is (k + a) beats to either side, k whole, and
a at least NEAR from 0, from one half and from 1. A passage is 20 to 50 % of the clip, and lies at
least 5 % from its ends; 5 % of the clip before it and after it fade, their powers adding up to one.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s
from emsync.music.piece import Piece
from emsync.synchrony import notes

MEL_RATE = 80  # rows of a mel a second
MEL_FLOOR = math.log(1e-5)  # of a row in which nothing sounds
NEAR = 0.2  # beats; what is moved to so near a beat or a half beat might still seem to be in time
SHORTEST, LONGEST = 0.2, 0.5  # shares of the clip that are replaced
FADE = 0.05  # share of the clip

Kind: TypeAlias = Literal["shift", "replacement", "silence"]


class Heard(NamedTuple):
    """A clip of music in both forms."""

    mel: Float32s  # (n, 160) log magnitudes, MEL_RATE rows a second
    notes: Float32s  # (n / 2, notes.COLUMNS), notes.RATE rows a second


class Negative(NamedTuple):
    """Music that does not belong to a film, and how it was made."""

    kind: Kind
    heard: Heard


@dataclass(frozen=True, eq=False)
class Recording:
    """A passage of a song, as it sounds and as it is written."""

    mel: NDArray[np.floating]  # (N, 160) log magnitudes, MEL_RATE rows a second
    piece: Piece  # its times from the recording's start
    beat: float  # seconds from one beat to the next; NaN or 0 where there is none

    def heard(self, start: int, count: int) -> Heard:
        """Return the clip of ``count`` rows of the mel from row ``start`` on; count is even."""
        mel = np.asarray(self.mel[start : start + count], np.float32)
        return Heard(mel, notes.rows(self.piece, start / MEL_RATE, count * notes.RATE // MEL_RATE))


@dataclass(frozen=True)
class Segment:
    """The passage of a clip that is replaced, in shares of the clip."""

    start: float
    end: float

    def shares(self, count: int) -> Float64s:
        """Return for each of ``count`` rows which share of its power is the other music's.

        It is 1 in the passage, 0 outside, and in the fades sin², so that the rest is cos².
        """
        middles = (np.arange(count) + 0.5) / count
        away = np.maximum(np.maximum(self.start - middles, middles - self.end), 0.0)
        return np.cos(np.pi / 2 * np.minimum(away / FADE, 1.0)) ** 2 * (away < FADE)


def negatives(
    recording: Recording, start: int, count: int, other: Heard | None, rng: np.random.Generator
) -> list[Negative]:
    """Return the negatives of the clip of ``count`` rows of the mel from row ``start`` on.

    ``other`` is as long a clip of another song, if there is one. They are a shift and a
    replacement; one of the two, where the other cannot be made; or silence.
    """
    found = []
    moved = shift(recording.beat * MEL_RATE, start, count, len(recording.mel), rng)
    if moved is not None:
        found.append(Negative("shift", recording.heard(start + moved, count)))
    if other is not None:
        own, passage = recording.heard(start, count), segment(rng)
        found.append(Negative("replacement", replaced(own, other, passage)))
    return found or [Negative("silence", silence(count))]


def shift(beat: float, start: int, count: int, total: int, rng: np.random.Generator) -> int | None:
    """Return by how many rows to move a clip of ``count`` rows from row ``start`` of ``total``.

    All that is possible is equally likely: moved by less than the clip, inside the recording, and
    at least NEAR of a ``beat`` (in rows) from each whole and each half beat. None where there is
    nothing of the kind.
    """
    if not (math.isfinite(beat) and beat > 0):
        return None
    least, most = max(-start, 1 - count), min(total - count - start, count - 1)
    moves = np.arange(least, most + 1)
    phases = np.abs(moves) / beat % 0.5
    allowed = moves[(phases >= NEAR) & (phases <= 0.5 - NEAR)]
    return int(rng.choice(allowed)) if len(allowed) else None


def segment(rng: np.random.Generator) -> Segment:
    """Return a passage to replace."""
    length = rng.uniform(SHORTEST, LONGEST)
    start = rng.uniform(FADE, 1 - FADE - length)
    return Segment(start, start + length)


def replaced(own: Heard, other: Heard, passage: Segment) -> Heard:
    """Return a clip of which a passage is another one's, in both forms alike."""
    return Heard(
        replaced_mel(own.mel, other.mel, passage.shares(len(own.mel))),
        replaced_notes(own.notes, other.notes, passage.shares(len(own.notes))),
    )


def replaced_mel(own: Float32s, other: Float32s, shares: Float64s) -> Float32s:
    """Return (n, 160) log magnitudes whose powers are mixed by the (n,) shares of the other."""
    share = shares[:, None]
    with np.errstate(divide="ignore"):  # the logarithm of nothing is nothing
        mixed = np.logaddexp(2 * own + np.log1p(-share), 2 * other + np.log(share)) / 2
    return np.where(share == 0, own, np.where(share == 1, other, mixed)).astype(np.float32)


def replaced_notes(own: Float32s, other: Float32s, shares: Float64s) -> Float32s:
    """Return (n, 15) rows of notes of which the (n,) shares are the other's.

    Counts are mixed as powers are; the mean pitch is that of what sounds then.
    """
    share = shares[:, None]
    mixed = (1 - share) * own + share * other
    total = mixed[:, notes.SOUNDING]
    sums = [w * x[:, notes.SOUNDING] * x[:, notes.PITCH]
            for w, x in ((1 - share, own), (share, other))]  # fmt: skip
    mixed[:, notes.PITCH] = sum(sums) / np.where(total > 0, total, 1.0)
    return np.where(share == 0, own, np.where(share == 1, other, mixed)).astype(np.float32)


def silence(count: int, bins: int = 160) -> Heard:
    """Return a clip of ``count`` rows of a mel in which nothing sounds."""
    mel = np.full((count, bins), MEL_FLOOR, np.float32)
    return Heard(mel, np.zeros((count * notes.RATE // MEL_RATE, notes.COLUMNS), np.float32))
