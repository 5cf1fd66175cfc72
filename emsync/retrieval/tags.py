"""Unified tags: one label a song, and so one for all its films, out of the tags of those films.

Music is tagged by the films that use it, and both are then taught the same labels (Mao et al.,
*Unified Pretraining Target Based Video-Music Retrieval*, section 2.1). The label of a song is the
tag that tells it best from the other songs, by TF-IDF.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

LEAST = 2  # songs of a label: one of fewer teaches nothing that songs share

Films = Iterable[tuple[str, Sequence[str]]]  # the song and the tags of each film


def weights(films: Films) -> dict[str, dict[str, float]]:
    """Return TF-IDF of each tag of each song (eq. 1): n / |T| · log(N / N_i).

    |T| tags have all films of the song together, repeated ones counted again, n times this one; of
    N songs N_i have it. Songs whose films have no tag are left out.
    """
    counts = _counts(films)
    songs = Counter(tag for tags in counts.values() for tag in tags)
    return {
        song: {
            tag: n / tags.total() * math.log(len(counts) / songs[tag]) for tag, n in tags.items()
        }
        for song, tags in counts.items()
    }


def unified(films: Films, least: int = LEAST) -> dict[str, str]:
    """Return the label of each song; of films without tags it has none.

    The best tag is that of the greatest weight; of equals the one that more of its films have, then
    the first of the alphabet. While some label has fewer than ``least`` songs, the first such one
    is given up: its songs take their next best tag. A song that has run out of tags takes the best
    one that others were left with; where there is none, it has no label.
    """
    films = list(films)
    counts = _counts(films)
    waiting = {
        song: sorted(own, key=lambda tag: (own[tag], counts[song][tag], _reversed(tag)))
        for song, own in weights(films).items()
    }  # the best last
    spare = {song: tags.copy() for song, tags in waiting.items()}
    bearers: dict[str, set[str]] = {}
    for song, tags in waiting.items():
        bearers.setdefault(tags.pop(), set()).add(song)
    while rare := [tag for tag, songs in bearers.items() if len(songs) < least]:
        for song in sorted(bearers.pop(min(rare))):
            if waiting[song]:
                bearers.setdefault(waiting[song].pop(), set()).add(song)
    labels = {song: tag for tag, songs in bearers.items() for song in songs}
    for song, tags in spare.items():
        left = next((tag for tag in reversed(tags) if tag in bearers), None)
        if song not in labels and left is not None:
            labels[song] = left
    return dict(sorted(labels.items()))


def _counts(films: Films) -> Mapping[str, Counter[str]]:
    """Return how often each song has each tag."""
    counts: dict[str, Counter[str]] = {}
    for song, tags in films:
        if tags:
            counts.setdefault(song, Counter()).update(tags)
    return counts


def _reversed(tag: str) -> tuple[int, ...]:
    """Return what sorts tags from the last of the alphabet to the first."""
    return (*(-ord(letter) for letter in tag), 1)
