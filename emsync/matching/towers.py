"""Networks of two towers as matchers: a film and the passages of a track embedded alike.

A track is first known by the mean of its passages, which finds the tracks worth a look; of these
each passage is looked at. The score of a film at an offset is the mean over its parts of the
product with the passage that covers most of what sounds under the part.

Shapes: T tracks, R passages, P parts of a film, D numbers an embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.checkpoints import CONFIG, digest_of, read_config
from emsync.errors import AssetError, InputError
from emsync.limits import quoted, shown
from emsync.matching.matcher import SILENT, Columns, Match, Matcher, Shelf
from emsync.retrieval import heard, seen
from emsync.retrieval.regimes import Stretch
from emsync.video.footage import Footage, Needs
from emsync.video.observers import Observer

if TYPE_CHECKING:
    from emsync.retrieval.checkpoint import System
    from emsync.retrieval.network import Network

SHORTLIST = 500  # tracks of which all passages are looked at
SHORTEST = 1.0  # seconds of a film


@dataclass(frozen=True)
class Towers(Matcher):
    """A system of ``emsync.retrieval.checkpoint`` whose network has the name of the matcher."""

    checkpoint: str = ""  # a folder, or the name of a shipped system; left out, that of the matcher

    rate: ClassVar[int] = heard.RATE

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the matcher of the shipped system, or of the name or folder ``argument``."""
        matcher = cls(argument)
        matcher._check_system()
        return matcher

    def _check_system(self) -> None:
        """Refuse a checkpoint that is missing, or another network's, before anything is seen."""
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

        self._check_system()
        return System.load(self.folder)

    @cached_property
    def stamp(self) -> str:
        return f"{self.name} {digest_of(self.folder)}"

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
        own = self.embed_film(film, parts)
        return {"parts": np.array(parts, np.int64), "seconds": np.array([seconds]), **own}

    def hear(self, samples: Float32s) -> Columns:
        """Return ``passages`` (R, D), their ``starts`` (R,) in seconds, and their ``mean`` (1, D).

        What is silent has no passages. The mean is not brought to length 1: its product with a
        film is the mean of the products of the passages.
        """
        network = self.system.network
        track = heard.hear(samples, self.system.music.names)
        seconds = max(1, -(-len(samples) // self.rate))
        starts = np.arange(0, max(seconds - network.passage, 0) + 1, network.hop)
        stretches = [(int(start), int(start) + network.passage) for start in starts]
        own = {"starts": starts.astype(np.float32), **self.embed_music(track, stretches)}
        mean = own["passages"].mean(axis=0, dtype=np.float32)[None]
        if heard.is_silent(samples):
            own = {name: rows[:0] for name, rows in own.items()}
        return {**own, "mean": mean}

    def embed_film(self, film: Columns, parts: Sequence[Stretch]) -> Columns:
        """Return what is kept of each part of a film: ``embedded`` (P, D)."""
        return {"embedded": self.system.embed_film(film, parts)}

    def embed_music(self, track: Columns, passages: Sequence[Stretch]) -> Columns:
        """Return what is kept of each passage of a track: ``passages`` (R, D)."""
        return {"passages": self.system.embed_music(track, passages).astype(np.float16)}

    def verify(self, tracks: Shelf) -> None:
        system = self.system
        nothing: dict[str, NDArray[Any]] = {
            **{
                name: np.zeros((1, width), np.float32)
                for name, width in system.music.widths.items()
            },
            **{name: np.zeros(0, np.float32) for name in system.network.looks_at},
        }
        rows = self.embed_music(nothing, [(0, 1)])
        kinds = {name: (own.dtype, own.shape[1:]) for name, own in rows.items()}
        kinds["starts"] = (np.dtype(np.float32), ())
        kinds["mean"] = (np.dtype(np.float32), kinds["passages"][1])
        found = {n: (c.values.dtype, c.values.shape[1:]) for n, c in tracks.columns.items()}
        if found != kinds:
            raise ValueError(f"the columns are {found}, where {kinds} are needed")
        starts = tracks.columns["passages"].starts
        if any(not np.array_equal(tracks.columns[name].starts, starts) for name in rows):
            raise ValueError("some passages lack a column")
        if not np.array_equal(tracks.columns["mean"].starts, np.arange(len(tracks) + 1)):
            raise ValueError("some track has no mean, or several")

    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        chosen = shortlisted(film, tracks, max(SHORTLIST, top))
        return best_first(self.matches(film, tracks, chosen), tracks)[:top]

    def matches(self, film: Columns, tracks: Shelf, chosen: Int64s) -> list[Match]:
        """Return how the ``chosen`` tracks meet a film, each at its best offset."""
        network = self.system.network
        column = tracks.columns["passages"]
        counts = np.diff(column.starts)[chosen]
        silent, chosen, counts = chosen[counts == 0], chosen[counts > 0], counts[counts > 0]
        if not len(chosen):
            return [Match(int(track), SILENT) for track in silent]
        passages = np.concatenate([column.of(track) for track in chosen]).astype(np.float32)
        likeness = products(passages, film["embedded"])  # (R, P)
        first = np.cumsum(counts) - counts  # (T,) the row at which each track begins
        of = np.repeat(np.arange(len(chosen)), counts)  # (R,) the track of each row
        offsets = (np.arange(len(passages)) - first[of]) * float(network.hop)
        under = passages_under(film["parts"], offsets, counts[of], network)
        rows = first[of, None] + under
        scores = np.take_along_axis(likeness, rows, axis=0).mean(axis=1)
        fits = offsets + film["seconds"][0] <= tracks.seconds[chosen][of]
        scores[~fits & (offsets > 0)] = -np.inf
        best = [
            int(row + scores[row : row + count].argmax())
            for row, count in zip(first, counts, strict=True)
        ]
        return [
            *(
                Match(int(track), float(scores[row]), float(offsets[row]))
                for track, row in zip(chosen, best, strict=True)
            ),
            *(Match(int(track), SILENT) for track in silent),
        ]


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


@dataclass(frozen=True)
class Cbvmr(Towers):
    """CBVMR."""

    name: ClassVar[str] = "cbvmr"
    summary: ClassVar[str] = "VM-Net's network, as Mao et al. 2023 compare with it"


@dataclass(frozen=True)
class Cmvae(Towers):
    """CMVAE."""

    name: ClassVar[str] = "cmvae"
    summary: ClassVar[str] = "a film and music as distributions that are near (Yi et al. 2021)"


def best_first(matches: Sequence[Match], tracks: Shelf) -> list[Match]:
    """Return matches in their order, what is silent last."""
    counts = np.diff(tracks.columns["passages"].starts)
    return sorted(matches, key=lambda match: (counts[match.track] == 0, -match.score, match.track))


def passages_under(parts: Int64s, offsets: Float64s, counts: Int64s, network: "Network") -> Int64s:
    """Return which passage of N tracks sounds under each part of a film, (N, P).

    The film starts at ``offsets`` seconds, and the tracks have ``counts`` passages. It is the
    middle of a part that is longer than a passage, and the beginning of one that is shorter.
    """
    start, stop = parts.T
    under = offsets[:, None] + start + np.maximum(stop - start - network.passage, 0) / 2
    return np.minimum(np.rint(under / network.hop).astype(np.int64), counts[:, None] - 1)


def shortlisted(film: Columns, tracks: Shelf, most: int) -> Int64s:
    """Return the numbers of the ``most`` tracks with the best score over all parts and passages."""
    column = tracks.columns["passages"]
    near = products(tracks.columns["mean"].values, film["embedded"].mean(axis=0)[None])[:, 0]
    near[np.diff(column.starts) == 0] = -np.inf
    return np.argsort(-near, kind="stable")[:most]


def products(rows: Float32s, others: Float32s) -> Float32s:
    """Return the (n, m) products of rows of D numbers, each the same whatever stands beside it.

    A matrix product sums in an order that depends on the number of rows and of threads.
    """
    return np.einsum("nd,md->nm", rows, others)
