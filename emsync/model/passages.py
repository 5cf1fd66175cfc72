"""Passages of music that is given, as a network reads them beside what it composes.

A network that was taught so reads [theme] [later music] [what it composes], each begun with the
token that tells the instruments. Any other reads a theme after that token of its own, and no later
music. Beside a passage stand the rows of its own time in its own song.

With guidance (``emsync.model.sampling``) the unconditional prediction reads no passages: so what is
given is pressed on as what is requested is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from emsync.conditioning import GivenKind, Targets, beside_given, knows_given, null_targets
from emsync.model.sliding_window import NOTHING, Excerpt
from emsync.model.transformer import EventTransformer
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.tokens import Tokenizer

SHARE = 0.4  # of the context that all given music takes at most
LATER = 0.2  # of the context that later music takes at most

Both: TypeAlias = Sequence[Excerpt]  # for the conditional and the unconditional prediction
BARE: Both = (NOTHING, NOTHING)


@dataclass(frozen=True, eq=False)
class Passages:
    """Makes what a network reads of music that is given to one piece."""

    model: EventTransformer
    tokenizer: Tokenizer
    first: int  # the token that tells the instruments
    unguided: Sequence[str] = ()  # conditions of which unconditional predictions are told, too

    @property
    def known(self) -> bool:
        """Whether the network was taught to read music that is given."""
        return knows_given(self.model.conditioners)

    def read(self, music: Sequence[Excerpt], kind: GivenKind) -> list[Excerpt]:
        """Return the passage that is ``music``, which begins with the token before it.

        It is there as the conditional prediction met it and, where there is one, as the
        unconditional one did.
        """
        if not self.known:
            return [one[1:] for one in music]
        conditions = self.model.per_token
        passages = [
            Excerpt(
                np.append(self.first, one.ids[1:]),
                {c.name: beside_given(c, kind, one.rows[c.name]) for c in conditions},
            )
            for one in music
        ]
        telling = {c.name for c in conditions if c.given_row(kind) is not None}
        kept = telling <= set(self.unguided)
        return passages if kept else [passages[0], *(NOTHING for _ in passages[1:])]

    def written(self, piece: Piece, kind: GivenKind, most: int) -> Both:
        """Return the passage that is ``piece``, of ``most`` tokens after its first one at most.

        It ends with a whole bar, if it has any. A piece without notes is nothing.
        """
        if not len(piece):
            return BARE
        tokenizer, conditioners = self.tokenizer, self.model.conditioners
        ids = tokenizer.encode(piece)
        timeline, begin = tokenizer.timeline(ids), len(tokenizer.header(1))
        end = begin + most
        lines = np.flatnonzero(ids == -1 if tokenizer.bar is None else ids == tokenizer.bar)
        whole = lines[(lines > begin) & (lines <= end)]
        last = len(ids) if len(ids) <= end else whole[-1] if len(whole) else end
        part = slice(begin - 1, last)  # with the token before it
        met = {c.name: c.from_music(piece) for c in conditioners}

        def beside(targets: Targets) -> Excerpt:
            rows = {
                c.name: c.features(targets[c.name], timeline)[part] for c in self.model.per_token
            }
            return Excerpt(ids[part], rows)

        untold = null_targets(conditioners, met, self.unguided)
        return self.read([beside(met), beside(untold)], kind)

    def later(self, sheet: LeadSheet) -> Both:
        """Return the passage of the music that goes on after a span; nothing where there is none,
        or where the network was not taught to read it.
        """
        if sheet.later is None or not self.known:
            return BARE
        return self.written(sheet.later, "later", int(self.model.config.context * LATER))

    def theme(self, piece: Piece, later: Excerpt = NOTHING) -> Both:
        """Return the passage of a theme: as much of it as fits beside ``later``."""
        return self.written(piece, "theme", self.room(later))

    def room(self, later: Excerpt) -> int:
        """Return how many tokens a theme may have beside ``later``."""
        return int(self.model.config.context * SHARE) - len(later)
