"""The songs of a corpus that a store is made of: one of each group of versions, if it plays on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from emsync.data.labels import Labels, read_labels
from emsync.data.prepare import of_songs
from emsync.data.songs import Named, find_songs, read_played
from emsync.errors import InputError, UsageError, warn
from emsync.limits import quoted
from emsync.progress import Progress, silent
from emsync.retrieval.drawn.playing import passage

Chosen: TypeAlias = tuple[Named, str]  # a song, and its group


def chosen_songs(
    songs: Path,
    labels: Path | None,
    count: int,
    seconds: float,
    seed: int,
    progress: Progress = silent,
) -> list[Chosen]:
    """Return at most ``count`` songs that play for ``seconds``, in an order of the seed's.

    ``labels`` is the index that names the duplicate groups, as in ``prepare``; without, each song
    is its own group.
    """
    if count < 1:
        raise UsageError(f"count is {count}; choose 1 song or more")
    found = find_songs([songs])
    if not found:
        raise InputError(f"there are no songs in {quoted(songs)}: no .npz, .mid or .midi file")
    known = of_songs(read_labels(labels), found, labels) if labels else {}
    progress("Choosing songs", 0.0)
    chosen: list[Chosen] = []
    broken: list[InputError] = []
    for song in islice(_playable(found, known, seconds, seed, broken), count):
        chosen.append(song)
        progress("Choosing songs", len(chosen) / count)
    if broken:
        warn(
            f"songs that cannot be read are left out, {len(broken)} by now; the first: {broken[0]}"
        )
    if not chosen:
        raise InputError(f"no song in {quoted(songs)} plays for {seconds:g} seconds")
    return chosen


def _playable(
    found: Sequence[Named],
    known: Mapping[str, Labels],
    seconds: float,
    seed: int,
    broken: list[InputError],
) -> Iterator[Chosen]:
    """Yield one song of each group, that can be played; why others cannot goes to ``broken``."""
    groups: set[str] = set()
    for place in np.random.default_rng(seed).permutation(len(found)):
        name, path = found[place]
        group = known[name].group if name in known else name
        if group in groups:
            continue
        try:
            song = read_played(path)
        except InputError as error:
            broken.append(error)
            continue
        if passage(song, seconds, np.random.default_rng(0)) is not None:
            groups.add(group)
            yield (name, path), group
