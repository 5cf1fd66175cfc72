"""UT-CMVMR as a matcher: what a network of pairs finds by each side alone, then scores in pairs.

What a film and a passage become alone are embeddings, which an index holds: by these the best
tracks and the best offset of each are found, as by any two towers. The first PAIRS of them are then
scored with the film, of which the index keeps φ of each passage (see ``emsync.retrieval.cmvmr``).

Shapes: N tracks that are scored in pairs, P parts of a film, R passages of a track.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from emsync.matching.matcher import Columns, Match, Shelf
from emsync.matching.towers import Towers, best_first, passages_under
from emsync.retrieval.regimes import Stretch

PAIRS = 200  # tracks that are scored in pairs


@dataclass(frozen=True)
class UtCmvmr(Towers):
    """The matching network of UT-CMVMR."""

    name: ClassVar[str] = "ut-cmvmr"
    summary: ClassVar[str] = "films and music that attend to each other (Mao et al. 2023)"

    def embed_film(self, film: Columns, parts: Sequence[Stretch]) -> Columns:
        """Return ``embedded`` (P, D), and ``phi`` (P, 768)."""
        from emsync.retrieval.pairing import of_film

        return {**super().embed_film(film, parts), "phi": of_film(self.system, film, parts)}

    def embed_music(self, track: Columns, passages: Sequence[Stretch]) -> Columns:
        """Return ``passages`` (R, D), and ``phi`` (R, 768), both in half precision."""
        from emsync.retrieval.pairing import of_music

        phi = of_music(self.system, track, passages).astype(np.float16)
        return {**super().embed_music(track, passages), "phi": phi}

    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        first = super().rank(film, tracks, max(PAIRS, top))
        return best_first(self.paired(film, tracks, first), tracks)[:top]

    def paired(self, film: Columns, tracks: Shelf, found: Sequence[Match]) -> list[Match]:
        """Return matches at their offsets, with scores as pairs; what is silent at the end."""
        from emsync.retrieval.pairing import scores

        column = tracks.columns["phi"]
        heard = [match for match in found if len(column.of(match.track))]
        silent = [match for match in found if not len(column.of(match.track))]
        if not heard:
            return silent
        counts = np.array([len(column.of(match.track)) for match in heard])
        offsets = np.array([match.offset for match in heard])
        under = passages_under(film["parts"], offsets, counts, self.system.network)  # (N, P)
        phi = [column.of(match.track)[rows] for match, rows in zip(heard, under, strict=True)]
        music = np.concatenate(phi).astype(np.float32)
        each = scores(self.system, np.tile(film["phi"], (len(heard), 1)), music)
        means = each.reshape(under.shape).mean(axis=1)
        return [
            *(replace(m, score=float(mean)) for m, mean in zip(heard, means, strict=True)),
            *silent,
        ]
