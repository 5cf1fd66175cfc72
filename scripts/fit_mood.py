"""Fit emsync/music/mood.json on the labelled songs of a store, and say how it agrees with people.

    python scripts/fit_mood.py STORE [--check FOLDER]

FOLDER holds VGMIDI and EMOPIA with their tables ``vgmidi_labels.csv`` and ``emopia_labels.csv``,
which the fit never sees. Intervals are 95 %, by bootstrap over groups (games, videos, versions).
"""

import argparse
import csv
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from emsync.data.songs import read_song
from emsync.data.store import Store
from emsync.errors import InputError
from emsync.music.mood import WEIGHTS, Features, MoodModel, features
from emsync.music.piece import Piece
from emsync.music.statistics import density

FOLDS = 5
PEOPLE = (  # table, columns of the group, the valence and the arousal
    ("vgmidi_labels.csv", "game", "valence", "arousal"),
    ("emopia_labels.csv", "youtube_id", "valence_sign", "arousal_sign"),
)


@dataclass(frozen=True)
class Heard:
    """One song, measured and judged."""

    features: Features
    density: float
    group: str
    valence: float
    arousal: float = np.nan
    origin: str = ""


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(spearmanr(a, b).statistic)


def auc(score: NDArray[np.float64], sign: NDArray[np.float64]) -> float:
    """Return how often a song judged positive scores higher than one judged negative."""
    yes = sign > 0
    above = rankdata(score)[yes].sum() - yes.sum() * (yes.sum() + 1) / 2
    return float(above / (yes.sum() * (~yes).sum()))


def say(
    what: str,
    measure: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    groups: list[str],
) -> str:
    rng = np.random.default_rng(0)
    names = sorted(set(groups))
    members = {name: np.flatnonzero(np.array(groups) == name) for name in names}
    draws = []
    for _ in range(500):
        picked = np.concatenate([members[n] for n in rng.choice(names, len(names))])
        draws.append(measure(a[picked], b[picked]))
    low, high = np.quantile(draws, [0.025, 0.975])
    figure = f"{measure(a, b):.3f} [{low:.3f}, {high:.3f}]"
    text = f"{what}: {figure}, n = {len(a)} in {len(names)} groups"
    print(text, flush=True)
    return text


def measured(piece: Piece, **known: object) -> Iterator[Heard]:
    """Yield the song, or nothing if nothing pitched sounds in it."""
    try:
        yield Heard(features(piece), density(piece), **known)  # type: ignore[arg-type]
    except InputError:
        return


def labelled(store: Store) -> Iterator[Heard]:
    for song in store.songs:
        if song.valence is not None:
            yield from measured(
                store.tokenizer.decode(store.ids(song)),
                group=song.group, valence=song.valence, origin=song.origin,
            )  # fmt: skip


def judged(folder: Path, table: str, group: str, valence: str, arousal: str) -> Iterator[Heard]:
    for row in csv.DictReader((folder / table).read_text(encoding="utf-8").splitlines()):
        yield from measured(
            read_song(folder / row["path"]),
            group=row[group], valence=float(row[valence]), arousal=float(row[arousal]),
        )  # fmt: skip


def cross_validated(songs: list[Heard]) -> NDArray[np.float64]:
    """Return the valences predicted by models that saw no version of the song."""
    fold = np.array([zlib.crc32(song.group.encode()) % FOLDS for song in songs])
    guess = np.zeros(len(songs))
    for k in range(FOLDS):
        seen = [song for song, f in zip(songs, fold, strict=True) if f != k]
        model = MoodModel.fit([s.features for s in seen], [s.valence for s in seen])
        held = np.flatnonzero(fold == k)
        guess[held] = model.predict([songs[i].features for i in held])
    return guess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--check", type=Path)
    options = parser.parse_args()
    songs = list(labelled(Store.open(options.store)))
    truth, guess = np.array([s.valence for s in songs]), cross_validated(songs)
    facts = []
    for origin in ("deezer", "moods"):
        mine = np.array([s.origin == origin for s in songs])
        groups = [s.group for s in songs if s.origin == origin]
        what = f"cross-validated Spearman with {origin} valence"
        facts.append(say(what, spearman, guess[mine], truth[mine], groups))
    model = MoodModel.fit([s.features for s in songs], list(truth))
    for table, *columns in PEOPLE if options.check else ():
        people = list(judged(options.check, table, *columns))
        name, groups = table.split("_")[0], [s.group for s in people]
        valence = np.array([s.valence for s in people])
        arousal = np.array([s.arousal for s in people])
        guess = model.predict([s.features for s in people])
        major = np.array([s.features.major for s in people])
        both = np.array([model.heard(s.features) for s in people])
        busy = np.array([s.density for s in people])
        facts += [
            say(f"{name}: AUC of density for arousal", auc, busy, arousal, groups),
            say(f"{name}: AUC of the model for valence", auc, guess, valence, groups),
            say(f"{name}: AUC of major less minor for valence", auc, major, valence, groups),
            say(f"{name}: AUC of both, as candidates are judged", auc, both, valence, groups),
        ]
    model.save(WEIGHTS, {"made by": "scripts/fit_mood.py", "figures": facts})


if __name__ == "__main__":
    main()
