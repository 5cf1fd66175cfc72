"""Networks of two towers as matchers: a film and the passages of a track embedded alike.

A track is first known by the mean of its passages, which finds the tracks worth a look; of these
each passage is looked at. The score of a film at an offset is the mean over its parts of the
product with the passage that covers most of what sounds under the part.

Shapes: T tracks, R passages, P parts of a film, D numbers an embedding.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from emsync.arrays import Float32s, Int64s
from emsync.errors import AssetError, InputError
from emsync.limits import quoted, read_bytes, shown
from emsync.matching.matcher import Columns, Match, Matcher, Shelf
from emsync.retrieval import heard, seen
from emsync.video.footage import Footage, Needs
from emsync.video.observers import Observer

if TYPE_CHECKING:
    from emsync.retrieval.checkpoint import System

SHORTLIST = 500  # tracks of which all passages are looked at
LOWEST = -1.0  # of the products of unit vectors: the score of what is silent
SHORTEST = 1.0  # seconds of a film
MOST_WEIGHTS = 2**31  # bytes of a file of weights
DIGITS = 12  # of a checkpoint's digest in a stamp


@dataclass(frozen=True)
class Towers(Matcher):
    """A system of ``emsync.retrieval.checkpoint`` whose network has the name of the matcher."""

    checkpoint: str = ""  # a folder, or the name of a shipped system; left out, that of the matcher

    rate: ClassVar[int] = heard.RATE

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the matcher of the shipped system, or of the name or folder ``argument``."""
        matcher = cls(argument)
        matcher.check()
        return matcher

    def check(self) -> None:
        """Refuse a checkpoint that is missing, or another network's, before anything is seen."""
        from emsync.retrieval.checkpoint import CONFIG, read_config

        found = read_config(self.folder).get("system")
        if found != self.name:
            raise AssetError(
                f"{quoted(self.folder / CONFIG)} is of the network {shown(found)}, not of "
                f"{self.name!r}; name another folder, or another matcher"
            )

    @cached_property
    def folder(self) -> Path:
        """Where the checkpoint is."""
        from emsync.retrieval.checkpoint import find

        return find(self.checkpoint or self.name)

    @cached_property
    def system(self) -> "System":
        """The checkpoint, once it is needed."""
        from emsync.retrieval.checkpoint import System

        self.check()
        return System.load(self.folder)

    @cached_property
    def stamp(self) -> str:
        from emsync.retrieval.checkpoint import CONFIG, WEIGHTS

        digest = hashlib.sha256()
        for file in (CONFIG, WEIGHTS):
            digest.update(read_bytes(self.folder / file, MOST_WEIGHTS, AssetError))
        return f"{self.name} {digest.hexdigest()[:DIGITS]}"

    @property
    def needs(self) -> Needs:
        return seen.needs(self.system.films.names)

    def observers(self) -> list[Observer]:
        return seen.observers(self.system.films.names)

    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        """Return ``parts`` (P, 2), in seconds, ``embedded`` (P, D), and the film's ``seconds``."""
        seconds = footage.film.duration
        if seconds < SHORTEST:
            raise InputError(
                f"{quoted(footage.film.path)} lasts {seconds:g} s; {self.name} needs a film of "
                f"{SHORTEST:g} s or more"
            )
        film = seen.see(footage, observers, self.system.films.names)
        parts = self.system.film_parts(film)
        return {
            "parts": np.array(parts, np.int64),
            "embedded": self.system.embed_film(film, parts),
            "seconds": np.array([seconds]),
        }

    def hear(self, samples: Float32s) -> Columns:
        """Return ``passages`` (R, D), their ``starts`` (R,) in seconds, and their ``mean`` (1, D).

        What is silent has no passages.
        """
        network = self.system.network
        track = heard.hear(samples, self.system.music.names)
        seconds = max(1, -(-len(samples) // self.rate))
        starts = np.arange(0, max(seconds - network.passage, 0) + 1, network.hop)
        stretches = [(int(start), int(start) + network.passage) for start in starts]
        passages = self.system.embed_music(track, stretches)
        mean = _unit(passages.mean(axis=0))[None]
        if heard.is_silent(samples):
            passages, starts, mean = passages[:0], starts[:0], np.zeros_like(mean)
        return {
            "passages": passages.astype(np.float16),
            "starts": starts.astype(np.float32),
            "mean": mean,
        }

    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        chosen = shortlisted(film, tracks, max(SHORTLIST, top))
        matches = self.matches(film, tracks, chosen)
        return sorted(matches, key=lambda match: (-match.score, match.track))[:top]

    def matches(self, film: Columns, tracks: Shelf, chosen: Int64s) -> list[Match]:
        """Return how the ``chosen`` tracks meet a film, each at its best offset."""
        network = self.system.network
        column = tracks.columns["passages"]
        counts = np.diff(column.starts)[chosen]
        silent = [Match(int(track), LOWEST) for track in chosen[counts == 0]]
        chosen, counts = chosen[counts > 0], counts[counts > 0]
        if not len(chosen):
            return silent
        passages = np.concatenate([column.of(track) for track in chosen]).astype(np.float32)
        likeness = products(passages, film["embedded"])  # (R, P)
        first = np.cumsum(counts) - counts  # (T,) the row at which each track begins
        of = np.repeat(np.arange(len(chosen)), counts)  # (R,) the track of each row
        offsets = (np.arange(len(passages)) - first[of]) * float(network.hop)
        start, stop = film["parts"].T
        # the middle of a part that is longer than a passage, the beginning of one that is shorter
        under = offsets[:, None] + start + np.maximum(stop - start - network.passage, 0) / 2
        places = np.rint(under / network.hop).astype(np.int64)
        rows = first[of, None] + np.minimum(places, counts[of, None] - 1)
        scores = np.take_along_axis(likeness, rows, axis=0).mean(axis=1)
        fits = offsets + film["seconds"][0] <= tracks.seconds[chosen][of]
        scores[~fits & (offsets > 0)] = -np.inf
        best = [
            int(row + scores[row : row + count].argmax())
            for row, count in zip(first, counts, strict=True)
        ]
        heard = zip(chosen, best, strict=True)
        return [Match(int(t), float(scores[row]), float(offsets[row])) for t, row in heard] + silent


@dataclass(frozen=True)
class VmNet(Towers):
    """VM-Net."""

    name: ClassVar[str] = "vm-net"
    summary: ClassVar[str] = "a film and music as one vector each (Hong, Im & Yang 2018)"


@dataclass(frozen=True)
class OfVmNet(Towers):
    """OF-VM-Net."""

    name: ClassVar[str] = "of-vm-net"
    summary: ClassVar[str] = "parts of a film, divided where its motion changes (Merrill 2025)"


def shortlisted(film: Columns, tracks: Shelf, most: int) -> Int64s:
    """Return the numbers of the ``most`` tracks that are nearest to a film as a whole."""
    column = tracks.columns["passages"]
    near = products(tracks.columns["mean"].values, _unit(film["embedded"].mean(axis=0))[None])[:, 0]
    near[np.diff(column.starts) == 0] = -np.inf
    return np.argsort(-near, kind="stable")[:most]


def products(rows: Float32s, others: Float32s) -> Float32s:
    """Return the (n, m) products of rows of D numbers, each the same whatever stands beside it.

    A matrix product sums in an order that depends on the number of rows and of threads.
    """
    return np.einsum("nd,md->nm", rows, others)


def _unit(vector: Float32s) -> Float32s:
    """Return a (D,) vector in length 1."""
    length = np.linalg.norm(vector)
    return vector / length if length else vector
