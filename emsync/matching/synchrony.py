"""Music that moves as a film does, by towers: SIM at every offset (MuVi, section 3.2).

Shapes: N rows of a film and R rows of a track, ten a second, of D numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from emsync.arrays import Float32s
from emsync.checkpoints import digest_of
from emsync.errors import InputError
from emsync.limits import quoted
from emsync.matching.matcher import Columns, Match, Matcher, Shelf
from emsync.options import SYNCHRONY
from emsync.synchrony import seen
from emsync.video.footage import Footage
from emsync.video.observers import Observer

if TYPE_CHECKING:
    from emsync.synchrony.checkpoint import Synchrony

SHORTEST = 1.0  # seconds of a film
LEAST = -1.0  # the least score there is, that of silence


@dataclass(frozen=True)
class Sim(Matcher):
    """The mean cosine of a film's rows and those of the music under them.

    A track that is shorter than the film is followed by silence, whose cosines are 0.
    """

    checkpoint: str = SYNCHRONY  # a folder, or the name of one that comes with the package

    name: ClassVar[str] = "sim"
    summary: ClassVar[str] = "towers that learned which music moves with a film (Li et al. 2024)"
    rate: ClassVar[int] = 24_000

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the matcher of the usual checkpoint, or of the name or folder ``argument``."""
        matcher = cls(argument or SYNCHRONY)
        matcher._check()
        return matcher

    def _check(self) -> None:
        """Refuse a checkpoint that is missing, or of another kind, before anything is seen."""
        from emsync.synchrony.checkpoint import check_config

        check_config(self.folder)

    @cached_property
    def folder(self) -> Path:
        """Where the checkpoint is."""
        from emsync.synchrony.checkpoint import find

        return find(self.checkpoint)

    @cached_property
    def synchrony(self) -> "Synchrony":
        """The checkpoint, once it is needed."""
        from emsync.synchrony.checkpoint import Synchrony

        return Synchrony.load(self.folder)

    @cached_property
    def stamp(self) -> str:
        return f"{self.name} {digest_of(self.folder)}"

    def observers(self) -> list[Observer]:
        return seen.observers(self.synchrony.sees)

    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        """Return ``rows`` (N, D)."""
        film = footage.film
        if film.duration < SHORTEST:
            raise InputError(
                f"{quoted(film.path)} lasts {film.duration:g} s; {self.name} needs a film of "
                f"{SHORTEST:g} s or more"
            )
        columns = seen.see(footage, observers)
        if (columns["luma"] == columns["luma"][0]).all():
            raise InputError(
                f"nothing moves in {quoted(film.path)}, so no music moves with it; match by mood, "
                "or name a film in which something moves"
            )
        return {"rows": self.synchrony.embed_film(columns)}

    def hear(self, samples: Float32s) -> Columns:
        """Return ``rows`` (R, D) as float16; of silence there are none."""
        return {"rows": self.synchrony.embed_sound(samples).astype(np.float16)}

    def verify(self, tracks: Shelf) -> None:
        kinds = {"rows": (np.dtype(np.float16), (self.synchrony.config.dimensions,))}
        found = {n: (c.values.dtype, c.values.shape[1:]) for n, c in tracks.columns.items()}
        if found != kinds:
            raise ValueError(f"the columns are {found}, where {kinds} are needed")

    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        scores_of, matches = sliding(film["rows"]), []
        for number in range(len(tracks)):
            rows = tracks.columns["rows"].of(number)
            scores = scores_of(rows) if len(rows) else np.array([LEAST], np.float32)
            best = int(scores.argmax())
            matches.append(Match(number, round(float(scores[best]), 6), best / seen.RATE))
        return sorted(matches, key=lambda match: (-match.score, match.track))[:top]


def sliding(film: Float32s) -> Callable[[NDArray[np.floating]], Float32s]:
    """Return what gives SIM of a film (N, D) and a track (R, D) at each offset of rows.

    There are max(R - N, 0) + 1 offsets. One correlation: the products of all of them at once,
    summed over the numbers of a row.
    """

    @cache
    def spectrum(size: int) -> NDArray[np.complexfloating]:
        return np.asarray(fft.rfft(film, size, axis=0).conj())

    def scores_of(track: NDArray[np.floating]) -> Float32s:
        size = fft.next_fast_len(max(len(track), len(film)) + len(film) - 1, real=True)
        spectra = fft.rfft(np.asarray(track, np.float32), size, axis=0) * spectrum(size)
        sums = fft.irfft(spectra.sum(axis=1), size)[: max(len(track) - len(film), 0) + 1]
        return np.asarray(np.clip(sums / len(film), -1, 1), np.float32)

    return scores_of
