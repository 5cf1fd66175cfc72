"""The emotion of songs: valence from people and their tags, arousal from the notes.

A song's valence is the Deezer annotation where there is one, else a ridge regression from the
Last.fm mood tags fitted on the songs that have both, else NaN. Arousal is the note density per
instrument: emsync's own way, which the system's paper does not give. Both end in [-1, 1] after
outliers beyond 1.5 interquartile ranges are set aside. A CSV of one's own replaces all of it.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.errors import InputError
from emsync.limits import one_line, quoted, read_text, shown
from emsync.music.ridge import Ridge

MOST_MOODS = 2000  # that are told apart; Last.fm's are some hundred

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """One song's row of an index."""

    path: str  # relative to the folder of the corpus
    group: str  # songs of one group are versions of one another and are never split
    rank: int = 0  # 0 is the copy to keep
    valence: float = np.nan  # as annotated, any scale
    moods: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Labels:
    """The labels of one song, and the duplicate group it belongs to."""

    group: str
    rank: int = 0
    valence: float | None = None  # in [-1, 1]
    arousal: float | None = None  # in [-1, 1]; None: measured on the notes
    origin: str = ""  # of the labels: "deezer", "moods" or "csv"


@dataclass(frozen=True)
class Scale:
    """A linear map of a measured range to [-1, 1]."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Return ``value`` in [-1, 1]; what lies beyond the range is clipped to it."""
        return float(np.clip(2 * (value - self.low) / (self.high - self.low) - 1, -1, 1))

    @classmethod
    def of(cls, values: Sequence[float]) -> "Scale":
        """Return the range of ``values`` without those beyond 1.5 interquartile ranges."""
        known = np.asarray(values, np.float64)
        known = known[np.isfinite(known)]
        if not len(known):
            return cls(0.0, 1.0)
        first, third = np.quantile(known, [0.25, 0.75])
        reach = 1.5 * (third - first)
        inside = known[(known >= first - reach) & (known <= third + reach)]
        low, high = float(inside.min()), float(inside.max())
        return cls(low, high if high > low else low + 1.0)


def read_labels(path: Path) -> dict[str, Labels]:
    """Return the labels by song of an index of Lakh Pianoroll, or of a CSV of one's own.

    One's own has the columns path, valence and arousal, the latter two in [-1, 1] or empty, and
    may have a group.
    """
    try:
        rows = _rows(path)
        if rows and "dup_group" not in rows[0]:
            return {row["path"]: _own(row) for row in rows}
    except (KeyError, ValueError) as error:
        reason = _column(error)
        raise InputError(f"{quoted(path)} is not a table of labels: {reason}") from error
    facts = read_index(path)
    felt = valences(facts)
    labels = {}
    for name, song in facts.items():
        valence, origin = felt.get(name, (None, ""))
        labels[name] = Labels(song.group, song.rank, valence, origin=origin)
    return labels


def read_index(path: Path) -> dict[str, Facts]:
    """Return the facts of an index of Lakh Pianoroll by path (see ``lpd_index.csv``)."""
    try:
        return {
            row["path"]: Facts(
                path=row["path"],
                group=row["dup_group"],
                rank=int(row["dup_rank"]),
                valence=float(row["deezer_valence"] or "nan"),
                moods=frozenset(filter(None, row["lastfm_moods"].split(";"))),
            )
            for row in _rows(path)
        }
    except (KeyError, TypeError, ValueError) as error:
        reason = _column(error)
        raise InputError(f"{quoted(path)} is not an index of songs: {reason}") from error


def _column(error: Exception) -> str:
    """Return what is wrong with a table, in words."""
    text = one_line(str(error))
    return f"it has no column {text}" if isinstance(error, KeyError) else text


def _rows(path: Path) -> list[dict[str, str]]:
    text = read_text(path)
    try:
        return list(csv.DictReader(StringIO(text, newline=""), restval=""))
    except csv.Error as error:
        raise InputError(f"{str(path)!r} is not a CSV: {error}") from error


def _own(row: Mapping[str, str]) -> Labels:
    labels: dict[str, float | None] = {}
    for name in ("valence", "arousal"):
        value = float(row[name]) if row[name].strip() else None
        if value is not None and not -1 <= value <= 1:
            raise ValueError(
                f"the {name} of {shown(row['path'])} is {value}, not in [-1, 1] or empty"
            )
        labels[name] = value
    return Labels(row.get("group") or row["path"], 0, labels["valence"], labels["arousal"], "csv")


@dataclass(frozen=True, eq=False)
class TagModel:
    """Valence from mood tags, by ridge regression."""

    moods: tuple[str, ...]  # (M,)
    ridge: Ridge  # from (N, M) whether each song has each tag

    @classmethod
    def fit(cls, songs: Iterable[Facts], penalty: float = 10.0, least: int = 10) -> "TagModel":
        """Fit on the songs that have both a valence and tags used ``least`` times there."""
        both = [s for s in songs if s.moods and np.isfinite(s.valence)]
        counts = Counter(mood for s in both for mood in s.moods)
        moods = tuple(sorted(mood for mood, count in counts.items() if count >= least))
        if len(moods) > MOST_MOODS:  # the fit takes the square of them
            raise InputError(f"{len(moods)} mood tags are too many; {MOST_MOODS} are the most")
        y = np.array([s.valence for s in both])
        return cls(moods, Ridge.fit(_tagged(both, moods), y, penalty))

    def predict(self, songs: Sequence[Facts]) -> Floats:
        """Return the (N,) valences; NaN for a song without a known tag."""
        x = _tagged(songs, self.moods)
        return np.where(x.any(axis=1), self.ridge.predict(x), np.nan)


def _tagged(songs: Sequence[Facts], moods: Sequence[str]) -> Floats:
    """Return for each of (N,) songs whether it has each of (M,) tags: 1 or 0."""
    rows = [[mood in s.moods for mood in moods] for s in songs]
    return np.asarray(rows, np.float64).reshape(len(songs), len(moods))


def valences(songs: Mapping[str, Facts]) -> dict[str, tuple[float, str]]:
    """Return (valence in [-1, 1], origin) by path, for the songs that have one.

    Annotated and predicted values are scaled together, since the model predicts annotations.
    """
    model = TagModel.fit(songs.values())
    everyone = list(songs.values())
    guessed = model.predict(everyone)
    raw = {
        s.path: (s.valence, "deezer") if np.isfinite(s.valence) else (float(g), "moods")
        for s, g in zip(everyone, guessed, strict=True)
        if np.isfinite(s.valence) or np.isfinite(g)
    }
    scale = Scale.of([value for value, _ in raw.values()])
    return {path: (scale(value), origin) for path, (value, origin) in raw.items()}
