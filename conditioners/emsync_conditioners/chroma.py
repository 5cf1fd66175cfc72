"""The key and its mode, moment by moment: how much each pitch class sounds."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import (
    NO_CHORD,
    TONES,
    Analysis,
    Conditioner,
    Cursor,
    Floats,
    Harmony,
    Piece,
    Place,
    Seconds,
    Timeline,
    Windows,
    Within,
    in_windows,
    pitch_class,
    sounded,
    window_starts,
)

SILENT = 1e-6  # seconds of sound; less is silence
LONGEST = 2.0  # seconds of a note that count

# Shares of the twelve pitch classes, from the tonic up, in music in major and in minor: means over
# the passages of 8 s of 600 songs of Lakh Pianoroll whose best key fits by 0.7 or more
MAJOR = (0.282, 0.002, 0.092, 0.006, 0.125, 0.115, 0.006, 0.201, 0.006, 0.096, 0.025, 0.042)
MINOR = (0.289, 0.010, 0.057, 0.172, 0.007, 0.098, 0.005, 0.162, 0.084, 0.013, 0.091, 0.013)
POINTED = 1.5  # power of the shares that a film requests: the mode is heard better than with 1 or 2


@dataclass(frozen=True)
class Chroma(Conditioner):
    """How much each pitch class sounds in the next seconds, for each token.

    Targets are (F, 12), a row for the ``window`` from each ``step`` on: the share of each pitch
    class, from C, in what sounds; NaN where nothing pitched sounds or nothing is requested. The
    model reads the square roots, in which small shares count.
    """

    name: ClassVar[str] = "chroma"
    summary: ClassVar[str] = "the key: how much each pitch class sounds in the next seconds"
    place: ClassVar[Place] = "position"
    channels: ClassVar[int] = 12
    reads: ClassVar[frozenset[str]] = frozenset({"arc", "duration", "sheet", "tonic"})

    window: Annotated[float, Within(0.1, 600)] = 8.0  # seconds
    step: Annotated[float, Within(0.05, 60)] = 0.5  # seconds
    # share of the planned chords in what a film requests, beside its key; 0 for a network that the
    # condition ``chords`` tells them: it follows them more closely then
    chords: Annotated[float, Within(0, 1)] = 0.9

    def from_music(self, piece: Piece) -> Floats:
        starts = window_starts(piece.duration, self.step)
        until, since = (sounded(piece, times, LONGEST) for times in (starts + self.window, starts))
        sounding = until - since
        total = sounding.sum(axis=1, keepdims=True)
        shares = np.maximum(sounding, 0.0) / np.where(total > SILENT, total, np.nan)
        return shares.astype(np.float32)

    def from_video(self, video: Analysis) -> Floats:
        """Request the key of the lead sheet and its chords; without one, that of the valence.

        The tonic's major where the valence is pleasant, its minor where it is not: that people hear
        a piece as pleasant agrees with its mode: AUC 0.69 on VGMIDI, 0.77 on EMOPIA
        (``music/mood.json``); and Ionian is the happiest of the diatonic modes (Temperley & Tan
        2013).
        """
        starts, sheet = window_starts(video.duration, self.step), video.sheet
        if sheet is not None:
            minor = np.array([passage.minor for passage in sheet.passages])
            keys = key_shares(sheet.tonic, minor[sheet.passage(starts)])
            chords = chord_shares(sheet.harmony, starts, self.window)
            some = chords.sum(axis=1, keepdims=True) > 0
            mixed = (1 - self.chords) * keys + self.chords * chords
            return np.where(some, mixed, keys).astype(np.float32)
        valence = video.feelings(starts)[:, 0]
        keys = key_shares(pitch_class(video.tonic or "C"), valence < 0)
        return np.where(np.isnan(valence)[:, None], np.nan, keys).astype(np.float32)

    def features(self, target: Floats, timeline: Timeline) -> Floats:
        return in_windows(np.sqrt(target), timeline.times, self.step)

    def cursor(self, target: Floats) -> Cursor:
        return Windows(self, target, self.step)


def key_shares(tonic: int, minor: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the (F, 12) shares that a film requests of the tonic's minor or major."""
    shares = np.array([MAJOR, MINOR]) ** POINTED
    shares /= shares.sum(axis=1, keepdims=True)
    return np.roll(shares, tonic, axis=1)[minor.astype(np.intp)]


def chord_shares(harmony: Harmony, starts: Seconds, window: float) -> NDArray[np.float64]:
    """Return the (F, 12) shares of the chords' tones in the ``window`` seconds from each start.

    Zeros where there is no chord.
    """
    edges = np.append(harmony.starts, max(harmony.starts.max(), starts.max() + window))
    tones = TONES[harmony.chords] * (harmony.chords != NO_CHORD)[:, None]
    sounding = np.diff(edges)[:, None] * tones
    since = np.concatenate([np.zeros((1, 12)), np.cumsum(sounding, axis=0)])

    def until(times: Seconds) -> NDArray[np.float64]:
        return np.stack([np.interp(times, edges, column) for column in since.T], axis=1)

    shares = until(starts + window) - until(starts)
    total = shares.sum(axis=1, keepdims=True)
    return shares / np.where(total > SILENT, total, np.inf)
