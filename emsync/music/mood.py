"""Mood: how pleasant music sounds, by its notes alone.

A ridge regression from features of the notes to the valence of songs of Lakh Pianoroll whose
recordings people annotated (Deezer) or tagged (Last.fm); ``scripts/fit_mood.py`` makes its weights
and says how well it agrees with people on music it never saw. It judges what a model composed.

Conventions
-----------
Pitched means all but the drums. A frame is a quarter of a second in which something pitched sounds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s
from emsync.errors import InputError
from emsync.music.piece import CLASSES, DRUMS, Piece
from emsync.music.ridge import Ridge
from emsync.music.statistics import density, onset_density, pitch_class_seconds
from emsync.music.tonality import key_fits

FRAME = 0.25  # seconds
SHORTEST, LONGEST = 0.008, 2.0  # seconds that a note counts for
WEIGHTS = Path(__file__).with_name("mood.json")

REACH = 4.0  # of the sum of two standard scores; beyond it lie a few songs in ten thousand


@dataclass(frozen=True)
class Features:
    """What the mood model sees of a piece."""

    major: float  # best correlation with a major key, less the best with a minor one
    clarity: float  # the better of the two
    thirds: float  # share of frames with a major third above the bass, less that with a minor one
    clashes: float  # share of frames with two pitch classes a semitone apart
    tritones: float  # share of frames with two of them a tritone apart
    colours: float  # pitch classes that sound together, mean over the frames
    onsets: float  # log2 of distinct onsets a second
    density: float  # log2 of notes a second of each instrument
    tempo: float  # log2 of bars a minute
    register: float  # mean pitch, in octaves
    spread: float  # standard deviation of the pitch, in octaves
    length: float  # mean log2 of the seconds of a note
    drums: float  # share of the notes
    bass: float
    guitar: float
    piano: float
    instruments: float  # classes that play


def features(piece: Piece) -> Features:
    """Measure a piece; InputError when nothing pitched sounds in it."""
    pitched = piece.classes != DRUMS
    if not pitched.any():
        raise InputError("the piece has no pitched notes, so it has no mood to measure")
    pitch = piece.pitches[pitched].astype(np.int64)
    length = np.maximum((piece.offsets - piece.onsets)[pitched], SHORTEST)
    weight = pitch_class_seconds(piece, SHORTEST, LONGEST)
    fits = key_fits(weight)  # (24,) of the keys, major first
    sounding, bass = _frames(piece, pitched)
    above = np.take_along_axis(sounding, (bass[:, None] + np.array([3, 4])) % 12, axis=1)
    shares = np.bincount(piece.classes, minlength=len(CLASSES)) / len(piece)
    classes = len(np.unique(piece.classes))
    bars = float(np.median(np.diff(piece.downbeats))) if len(piece.downbeats) > 1 else 2.0
    return Features(
        major=float(fits[:12].max() - fits[12:].max()),
        clarity=float(fits.max()),
        thirds=float(above[:, 1].mean() - above[:, 0].mean()),
        clashes=_together(sounding, 1),
        tritones=_together(sounding, 6),
        colours=float(sounding.sum(1).mean()),
        onsets=float(np.log2(onset_density(piece, piece.duration))),
        density=float(np.log2(density(piece))),
        tempo=float(np.log2(60 / bars)),
        register=float(pitch.mean() / 12),
        spread=float(pitch.std() / 12),
        length=float(np.log2(length).mean()),
        drums=float(shares[0]),
        bass=float(shares[1]),
        guitar=float(shares[2]),
        piano=float(shares[3]),
        instruments=float(classes),
    )


def major_third_share(piece: Piece) -> float:
    """Return, of the frames with a third above the bass, the share in which it is a major one."""
    sounding, bass = _frames(piece, piece.classes != DRUMS)
    minor, major = np.take_along_axis(
        sounding, (bass[:, None] + np.array([3, 4])) % 12, axis=1
    ).sum(0)
    return float(major / (minor + major)) if minor + major else float("nan")


def _frames(piece: Piece, pitched: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Float64s]:
    """Return the (F, 12) pitch classes that sound in each frame, and the (F,) lowest pitch."""
    first = np.floor(piece.onsets[pitched] / FRAME).astype(np.int64)
    last = np.maximum(np.ceil(piece.offsets[pitched] / FRAME).astype(np.int64), first + 1)
    pitch = piece.pitches[pitched].astype(np.int64)
    rows = int(last.max(initial=0)) + 1
    edges = _count(first, pitch, rows) - _count(last, pitch, rows)
    roll = np.cumsum(edges, axis=0, dtype=np.int16) > 0
    roll = roll[roll.any(axis=1)]
    classes: NDArray[np.bool_] = np.logical_or.reduce(roll.reshape(len(roll), 11, 12), axis=1)
    return classes, roll.argmax(axis=1)


def _count(frames: Int64s, pitches: Int64s, rows: int) -> NDArray[np.int16]:
    """Return the (rows, 132) counts of the pitches in the frames; 132 is eleven octaves."""
    counts = np.bincount(frames * 132 + pitches, minlength=rows * 132)
    return counts.astype(np.int16).reshape(rows, 132)


def _together(sounding: NDArray[np.bool_], semitones: int) -> float:
    """Return the share of frames in which two pitch classes stand ``semitones`` apart."""
    return float((sounding & np.roll(sounding, semitones, axis=1)).any(axis=1).mean())


@dataclass(frozen=True, eq=False)
class MoodModel:
    """Valence from features, by ridge regression on standardised ones."""

    names: Sequence[str]  # (K,) of the features
    means: Float64s  # (K,)
    scales: Float64s  # (K,) standard deviations
    weights: Float64s  # (K,)
    intercept: float
    spread: float  # standard deviation of what it predicts of the songs it was fitted on

    @classmethod
    def fit(
        cls, rows: Sequence[Features], valences: Sequence[float], penalty: float = 30.0
    ) -> "MoodModel":
        """Fit on the features of songs and their valences."""
        x, y = _table(rows), np.asarray(valences, np.float64)
        means, scales = x.mean(0), np.where(x.std(0) > 1e-6, x.std(0), 1.0)
        z = (x - means) / scales
        model = Ridge.fit(z, y, penalty)
        spread = float(model.predict(z).std())
        names = tuple(asdict(rows[0]))
        return cls(names, means, scales, model.weights, model.intercept, spread)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "MoodModel":
        """Read what ``save`` wrote; by default the weights that come with emsync."""
        data = json.loads(path.read_text())
        lists = {k: np.array(data[k]) for k in ("means", "scales", "weights")}
        intercept, spread = float(data["intercept"]), float(data["spread"])
        return cls(tuple(data["names"]), intercept=intercept, spread=spread, **lists)

    def save(self, path: Path, facts: Mapping[str, object]) -> None:
        """Write the weights, with ``facts`` about them, as JSON."""
        lists = {k: np.round(getattr(self, k), 6).tolist() for k in ("means", "scales", "weights")}
        numbers = {"intercept": self.intercept, "spread": self.spread}
        data = {"names": list(self.names), **lists, **numbers, "facts": facts}
        path.write_text(json.dumps(data, indent=1) + "\n")

    def predict(self, rows: Sequence[Features]) -> Float64s:
        """Return the (N,) valences."""
        z = (_table(rows) - self.means) / self.scales
        return z @ self.weights + self.intercept

    def heard(self, found: Features) -> float:
        """Return the valence in [-1, 1] that the notes suggest; candidates are judged by it.

        Half of it is the prediction, half the mode: of piano music, which the fit did not see,
        people agree with the mode more (see the facts in ``mood.json``).
        """
        at = list(self.names).index("major")
        mood = (self.predict([found])[0] - self.intercept) / self.spread
        mode = (found.major - self.means[at]) / self.scales[at]
        return float(np.clip((mood + mode) / REACH, -1, 1))


def _table(rows: Sequence[Features]) -> Float64s:
    return np.array([list(asdict(row).values()) for row in rows], np.float64)
