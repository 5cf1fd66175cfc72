"""Primers: the first bars of a theme, which stand in the window while a passage takes it up.

So the decoder reads what the theme was when music of the same letter begins again. A theme is what
the first passage of its letter begins with, or what a person gives. Shapes: B pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emsync.arrays import Seconds
from emsync.conditioning import null_targets
from emsync.model.sliding_window import NOTHING, Excerpt, SlidingWindowDecoder
from emsync.model.transformer import EventTransformer
from emsync.music.lead_sheet import THEME_BARS, LeadSheet
from emsync.music.piece import Piece
from emsync.tokens import Ids, Tokenizer

SHARE = 0.4  # of the context that a primer takes at most
NEAR = 1e-6  # seconds


@dataclass
class _Beginning:
    """How the first passage of a letter begins, as far as it has been read."""

    letter: str
    start: float  # seconds
    tokens: int = 0
    bars: int = 0  # bar lines after the start
    whole: int = 0  # tokens before the last of them


class Primers:
    """Keeps the themes of B pieces, and hands them to the decoder where they are taken up.

    ``copies[b]`` are the decoder's pieces that read the tokens of piece b: the conditional one, and
    the unconditional one where there is guidance.
    """

    def __init__(
        self,
        model: EventTransformer,
        tokenizer: Tokenizer,
        sheets: Sequence[LeadSheet],
        decoder: SlidingWindowDecoder,
        copies: Sequence[Sequence[int]],
    ) -> None:
        self.bar, self.decoder, self.copies, self.sheets = tokenizer.bar, decoder, copies, sheets
        self.most = int(model.config.context * SHARE)  # tokens
        self.next = np.zeros(len(sheets))  # (B,) seconds when another passage begins
        self.beginnings: dict[int, _Beginning] = {}  # of some pieces
        self.themes: list[dict[str, list[Excerpt]]] = [  # of each piece and letter, for each copy
            {
                letter: written(model, tokenizer, theme, self.most, len(own))
                for letter, theme in sheet.themes.items()
            }
            for sheet, own in zip(sheets, copies, strict=False)
        ]

    def read(self, ids: Ids, times: Seconds) -> None:
        """Take note of the (B,) tokens that the decoder reads next, which end at ``times``."""
        for piece, beginning in list(self.beginnings.items()):
            if ids[piece] == self.bar and times[piece] > beginning.start + NEAR:
                beginning.bars += 1
                beginning.whole = beginning.tokens
            if times[piece] >= self.next[piece] - NEAR:
                self._remember(piece, beginning.tokens)
            elif beginning.bars == THEME_BARS or beginning.tokens == self.most:
                self._remember(piece, beginning.whole or beginning.tokens)
            beginning.tokens += 1
        if len(self.sheets):
            for piece in np.flatnonzero(times >= self.next - NEAR).tolist():
                self._begin(piece, float(times[piece]))

    def finish(self, piece: int) -> None:
        """Take note of nothing more in a piece."""
        self.beginnings.pop(piece, None)
        if len(self.sheets):
            self.next[piece] = np.inf

    def _begin(self, piece: int, now: float) -> None:
        """Let the passage that has begun take up its theme, or remember how it begins."""
        passages = self.sheets[piece].passages
        letter = passages[int(self.sheets[piece].passage(now))].theme
        self.next[piece] = min((p.start for p in passages if p.start > now + NEAR), default=np.inf)
        theme = self.themes[piece].get(letter, [NOTHING] * len(self.copies[piece]))
        for copy, primer in zip(self.copies[piece], theme, strict=True):
            self.decoder.prime(copy, primer)
        if letter and letter not in self.themes[piece]:
            self.beginnings[piece] = _Beginning(letter, now)

    def _remember(self, piece: int, count: int) -> None:
        """Keep the first ``count`` tokens of a beginning, which the windows still hold."""
        beginning = self.beginnings.pop(piece)
        if count > 0:
            self.themes[piece][beginning.letter] = [
                self.decoder.excerpt(copy, beginning.tokens, beginning.tokens - count)
                for copy in self.copies[piece]
            ]


def written(
    model: EventTransformer, tokenizer: Tokenizer, theme: Piece, most: int, copies: int
) -> list[Excerpt]:
    """Return at most so many tokens of a theme, with the rows that it meets; and without, for the
    second copy. It ends with a whole bar, if it has any.
    """
    ids = tokenizer.encode(theme)
    timeline, first = tokenizer.timeline(ids), len(tokenizer.header(1))
    lines = np.flatnonzero(ids == tokenizer.bar) if tokenizer.bar is not None else np.zeros(0, int)
    whole = lines[(lines > first) & (lines <= first + most)]
    last = len(ids) if len(ids) <= first + most else whole[-1] if len(whole) else first + most
    met = {c.name: c.from_music(theme) for c in model.conditioners}
    targets = [met, null_targets(model.conditioners, met)][:copies]
    return [
        Excerpt(
            ids[first:last],
            {c.name: c.features(t[c.name], timeline)[first:last] for c in model.per_token},
        )
        for t in targets
    ]
