"""Music that does not belong to a film, though it nearly does (MuVi, section 3.2).

*Temporal shift*: the music of another place of the same recording, so far away that no beat lies
where a beat or a half beat lay. *Random replacement*: a passage of the music is another song's.
Where
nothing can be moved, *silence* stands for it.

The paper's figures are lost in part; ours: a shift is (k + a) beats to either side, k whole, and
a at least NEAR from 0, from one half and from 1. A passage is 20 to 50 % of the clip, and lies at
least 5 % from its ends; 5 % of the clip before it and after it fade, their powers adding up to one.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s
from emsync.music.piece import Piece
from emsync.sound.mel import BANDS, ROW_RATE, SILENCE
from emsync.synchrony import notes
from emsync.synchrony.seen import RATE

ROWS = ROW_RATE // RATE  # of a mel, in one row of a film
NEAR = 0.2  # beats; what is moved to so near a beat or a half beat might still seem to be in time
SHORTEST, LONGEST = 0.2, 0.5  # shares of the clip that are replaced
FADE = 0.05  # share of the clip


class Heard(NamedTuple):
    """A clip of music in both forms."""

    mel: Float32s  # (n, 160) log magnitudes, ROW_RATE rows a second
    notes: Float32s  # (n / 2, notes.COLUMNS), notes.RATE rows a second


@dataclass(frozen=True, eq=False)
class Recording:
    """A passage of a song, as it sounds and as it is written."""

    mel: NDArray[np.floating]  # (N, 160) log magnitudes, ROW_RATE rows a second
    piece: Piece  # its times from the recording's start
    beat: float  # seconds from one beat to the next; NaN or 0 where there is none

    def heard(self, start: int, count: int) -> Heard:
        """Return the clip of ``count`` rows of the mel from row ``start`` on; count is even."""
        mel = np.asarray(self.mel[start : start + count], np.float32)
        return Heard(mel, notes.rows(self.piece, start / ROW_RATE, count * notes.RATE // ROW_RATE))


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


def off_the_beat(
    recording: Recording, start: int, count: int, rng: np.random.Generator
) -> int | None:
    """Return by how many rows to move the clip of ``count`` rows from row ``start`` on, if at all.

    See ``shift``.
    """
    return shift(recording.beat * ROW_RATE, start, count, len(recording.mel), rng)


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
    mixed = np.where(shares[:, None] < 1, own, other).astype(np.float32)
    fades = (shares > 0) & (shares < 1)  # logarithms take long, and elsewhere nothing is mixed
    share = shares[fades, None]
    powers = 2 * own[fades] + np.log1p(-share), 2 * other[fades] + np.log(share)
    mixed[fades] = np.logaddexp(*powers) / 2
    return mixed


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


def silence(count: int) -> Heard:
    """Return a clip of ``count`` rows of a mel in which nothing sounds."""
    mel = np.full((count, BANDS), SILENCE, np.float32)
    return Heard(mel, np.zeros((count * notes.RATE // ROW_RATE, notes.COLUMNS), np.float32))
