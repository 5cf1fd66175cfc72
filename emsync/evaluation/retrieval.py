"""Measure how well the music of films is found among that of others: ``emsync evaluate retrieval``.

A query is a film of a store that was held out, its gallery the music under it and one passage of
each of many other songs, all equally long and from their beginning. Nothing is drawn that a system
was trained on. Beside the systems stand CM and DM, a network that learned nothing, and chance.

Shapes: Q films and the music of each, G passages of a gallery: the right one first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emsync.arrays import Float64s, Int64s
from emsync.data.split import read_keys, song_key
from emsync.errors import InputError, UsageError
from emsync.limits import shown
from emsync.matching.matcher import Columns
from emsync.metrics.frechet import frechet
from emsync.metrics.retrieval import mean, median, permutation_p, ranks
from emsync.progress import Progress, silent
from emsync.retrieval.checkpoint import System, find
from emsync.retrieval.pairs import Pair, PairStore
from emsync.retrieval.pulses import cm_scores, dm_scores
from emsync.retrieval.reader import Reader
from emsync.retrieval.scoring import by_own, by_query, flow_order
from emsync.signals import STEP_RATE

MOST = 1000  # passages of a gallery beside the right one, if not told otherwise
LEAST = 8  # seconds of a film, at least
FIRST = (1, 5, 10, 25)  # how many of the found are looked through
FITTED = 1000  # tracks at most to which the space of the Fréchet distance is fitted
SOUND = "musicnn"  # the column in whose space that is
RHYTHM = ("impact", "rhythm", "pulse")  # the columns that CM and DM need
OWN = ", cut where its own film is"  # after the name of a system that divides films


@dataclass(frozen=True, eq=False)
class Asked:
    """The films that music is sought for, their own music, and among what it is sought."""

    pairs: list[Pair]
    films: list[Columns]
    music: list[Columns]  # (Q,) the right one of each film
    gallery: Int64s  # (Q, G) numbers of ``music``: the right one first
    seconds: int

    @property
    def units(self) -> list[str]:
        """What of each film was drawn by chance: its source if it is real, else its song."""
        return [pair.group if pair.style else pair.source or pair.name for pair in self.pairs]


def evaluate(
    store: Path,
    checkpoints: Sequence[str],
    gallery: int | None = None,
    style: str = "",
    seconds: int = LEAST,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure the systems ``checkpoints`` on the held-out films of a store, or on those of a style.

    ``gallery`` is how many other songs there are; all are cut to the seconds of the shortest film,
    and films of fewer than ``seconds`` are left out.
    """
    systems = {name: System.load(name) for name in checkpoints}
    trained = {int(key) for name in checkpoints for key in read_keys(find(name))}
    opened = PairStore.open(store)
    asked = ask(opened, trained, gallery, style, seconds, seed)
    scores: dict[str, Float64s] = {}
    order: dict[str, Float64s] = {}
    for name, system in systems.items():
        scores[name] = by_query(system, asked.films, asked.music, _told(progress, name))
        if system.network.looks_at:
            scores[name + OWN] = by_own(system, asked.films, asked.music)
            order[name] = flow_order(system, asked.films, asked.music)
    for name, system in list(systems.items())[:1]:
        bare = untrained(system, seed)
        scores["untrained"] = by_query(bare, asked.films, asked.music, _told(progress, "untrained"))
        if name in order:
            order["untrained"] = flow_order(bare, asked.films, asked.music)
    there = {*asked.films[0], *asked.music[0]}
    if there.issuperset(RHYTHM):
        progress("Sliding rhythms", 0.0)
        scores["cm"] = cm_scores(asked.films, asked.music, asked.seconds)
        scores["dm"] = dm_scores(asked.films, asked.music, asked.seconds)
    return report(opened, asked, scores, order, seed)


def ask(
    store: PairStore,
    trained: set[int],
    gallery: int | None,
    style: str,
    seconds: int,
    seed: int,
) -> Asked:
    """Return the held-out films, each with its gallery, drawn by ``seed``.

    UsageError where there is no such style, or the gallery has more songs than there are.
    """
    name = shown(str(store.folder))
    if style and style not in (known := {pair.style for pair in store.pairs}):
        raise UsageError(
            f"the store {name} has no films of the style {shown(style)}, but "
            f"{', '.join(sorted(known))}"
        )
    held = [
        place
        for place, pair in enumerate(store.pairs)
        if pair.split == "held"
        and song_key(pair.song) not in trained
        and (not style or pair.style == style)
    ]
    both = [(place, store.film(place), store.music(place)) for place in held]
    lengths = [_seconds(film, music) for _, film, music in both]
    kept = [one for one, length in zip(both, lengths, strict=True) if length >= seconds]
    pairs = [store.pairs[place] for place, _, _ in kept]
    songs = len({pair.group for pair in pairs})
    if songs < 2:
        raise InputError(
            f"the store {name} has {songs} held-out songs of {seconds} s or more that were not "
            "trained on; music is sought among two or more"
        )
    others = min(MOST, songs - 1) if gallery is None else gallery
    if not 1 <= others < songs:
        raise UsageError(
            f"gallery is {others}; the store {name} has {songs} held-out songs, so choose from 1 "
            f"to {songs - 1}"
        )
    shortest = min(length for length in lengths if length >= seconds)
    return Asked(
        pairs,
        [cut(film, shortest) for _, film, _ in kept],
        [cut(music, shortest) for _, _, music in kept],
        galleries([pair.group for pair in pairs], others, seed),
        shortest,
    )


def galleries(groups: Sequence[str], others: int, seed: int) -> Int64s:
    """Return the (Q, 1 + others) numbers of each film's own music, and of music of other groups.

    Of each of those groups there is one passage, drawn by chance.
    """
    by_group: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        by_group.setdefault(group, []).append(number)
    rows = []
    for number, group in enumerate(groups):
        rng = np.random.default_rng([seed, number])
        names = [name for name in by_group if name != group]
        chosen = rng.choice(len(names), others, replace=False)
        rows.append([number, *(int(rng.choice(by_group[names[i]])) for i in chosen)])
    return np.array(rows, np.int64)


def cut(columns: Columns, seconds: int) -> Columns:
    """Return the first seconds of a film's columns, or of music's."""
    kept = {}
    for name, rows in columns.items():
        if name in ("beats", "pulse"):
            kept[name] = rows[rows < seconds]
        elif name == "strength":
            kept[name] = rows[columns["beats"] < seconds]
        elif name in ("impact", "rhythm"):
            kept[name] = rows[: round(seconds * STEP_RATE)]
        else:
            kept[name] = rows[: 4 * seconds if name == "flow" else seconds]
    return kept


def untrained(system: System, seed: int) -> System:
    """Return a system of the same shape that reads the same, and whose network learned nothing."""
    torch.manual_seed(seed)
    new = System.build(
        system.name, system.films.widths, system.music.widths, asdict(system.network.settings)
    )
    new.films, new.music = system.films, system.music
    return new.eval()


def report(
    store: PairStore,
    asked: Asked,
    scores: Mapping[str, Float64s],
    order: Mapping[str, Float64s],
    seed: int,
) -> dict[str, Any]:
    """Return all figures of what the scores, each (Q, Q) of films and music, find."""
    songs = asked.gallery.shape[1]
    space = sound_space(store, asked)
    rows = {}
    for name, table in scores.items():
        found = np.take_along_axis(table, asked.gallery, 1)
        rows[name] = figures(found, asked.units, seed)
        if space is not None:
            best = asked.gallery[np.arange(len(found)), found.argmax(1)]
            rows[name]["frechet"] = space.distance(best)
        if name in order:
            rows[name]["flow_order"] = asdict(mean(order[name], asked.units, seed))
    chance: dict[str, Any] = {f"recall_{k}": k / songs for k in FIRST if k <= songs}
    chance |= {"median_rank": (songs + 1) / 2, "percentile": 0.5}
    if space is not None:
        rng = np.random.default_rng(seed)
        chance["frechet"] = space.distance(rng.permutation(len(asked.pairs)))
    return {
        "store": str(store.folder),
        "films": len(asked.pairs),
        "units": len(set(asked.units)),
        "styles": sorted({pair.style for pair in asked.pairs if pair.style}),
        "gallery": songs,
        "seconds": asked.seconds,
        "seed": seed,
        "chance": chance,
        "systems": rows,
        "note": "" if "cm" in rows else "CM and DM are left out: the store has no rhythm",
    }


def figures(found: Float64s, units: Sequence[str], seed: int) -> dict[str, Any]:
    """Return what (Q, G) scores say, the right passage first: each figure with its interval."""
    place, songs = ranks(found), found.shape[1]
    rows: dict[str, Any] = {
        f"recall_{k}": asdict(mean(place <= k, units, seed)) for k in FIRST if k <= songs
    }
    rows["median_rank"] = asdict(median(place, units, seed))
    rows["percentile"] = asdict(mean((place - 1) / (songs - 1), units, seed))
    rows["p"] = permutation_p(place, songs, seed)
    return rows


@dataclass(frozen=True, eq=False)
class SoundSpace:
    """The seconds of all music in the space of the Fréchet distance."""

    rows: Float64s  # (Q, seconds, D)

    def distance(self, found: Int64s) -> float:
        """Return the distance of the music that was found to all that is right."""
        width = self.rows.shape[-1]
        return float(frechet(self.rows[found].reshape(-1, width), self.rows.reshape(-1, width)))


def sound_space(store: PairStore, asked: Asked) -> SoundSpace | None:
    """Return the music in the first principal components of the column SOUND; None without it.

    They are those of songs that are trained on, or where the store has none, of what is asked for.
    """
    if SOUND not in asked.music[0]:
        return None
    train = [place for place, pair in enumerate(store.pairs) if pair.split == "train"]
    evenly = np.unique(np.linspace(0, len(train) - 1, FITTED).round().astype(int)) if train else []
    fitted = [store.music(train[i])[SOUND] for i in evenly] or [m[SOUND] for m in asked.music]
    reader = Reader({SOUND: fitted[0].shape[1]})
    reader.fit({SOUND: fitted})
    return SoundSpace(np.stack([reader(music).double().numpy() for music in asked.music]))


def _seconds(film: Columns, music: Columns) -> int:
    """Return the whole seconds that both sides of a pair have."""
    return min(len(rows) for side in (film, music) for rows in side.values() if rows.ndim == 2)


def _told(progress: Progress, name: str) -> Progress:
    return lambda _stage, share: progress(f"Scoring, {name}", share)
