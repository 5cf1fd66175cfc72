"""Primers: the first bars of a theme, which are given while a passage takes it up.

So the decoder reads what the theme was when music of the same letter begins again. A theme is what
the first passage of its letter begins with, or what a person gives. Later music is given all the
time. Shapes: B pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emsync.arrays import Seconds
from emsync.model.passages import BARE, Both, Passages
from emsync.model.sliding_window import SlidingWindowDecoder
from emsync.music.lead_sheet import THEME_BARS, LeadSheet
from emsync.music.piece import CLASSES
from emsync.tokens import Ids, Tokenizer

PRESENT = 1 / 8  # of the context: the newest tokens that stay where a theme is taken up
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

    ``passages[b]`` makes what piece b is given of its sheet. ``copies[b]`` are the decoder's pieces
    that read its tokens: the conditional one, and the unconditional one where there is guidance.
    With a theme few of the newest tokens stay: enough to tell what sounds now, and so few that the
    music goes on from the theme rather than from them.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        sheets: Sequence[LeadSheet],
        passages: Sequence[Passages],
        decoder: SlidingWindowDecoder,
        copies: Sequence[Sequence[int]],
    ) -> None:
        self.decoder, self.sheets, self.copies = decoder, sheets, copies
        self.bar, self.passages = tokenizer.bar, passages
        self.header = {*tokenizer.header(1).tolist(), *tokenizer.header(len(CLASSES)).tolist()}
        self.next = np.zeros(len(sheets))  # (B,) seconds when another passage begins
        self.beginnings: dict[int, _Beginning] = {}  # of some pieces
        self.primed = np.zeros(len(sheets), np.bool_)  # (B,) whether a theme is taken up
        self.present = int(decoder.context * PRESENT)  # tokens
        self.later: list[Both] = []  # of each piece
        self.most: list[int] = []  # tokens of a theme of each piece
        self.themes: list[dict[str, Both]] = []  # by letter, for each copy
        for one, sheet in zip(passages, sheets, strict=False):
            later = one.later(sheet)
            themes = {k: one.theme(theme, later[0]) for k, theme in sheet.themes.items()}
            self.later.append(later)
            self.most.append(one.room(later[0]))
            self.themes.append({k: both for k, both in themes.items() if len(both[0])})
        for piece in range(len(sheets)):
            self._give(piece, None)

    def read(self, ids: Ids, times: Seconds) -> None:
        """Take note of the (B,) tokens that the decoder reads next, which end at ``times``."""
        for piece, beginning in list(self.beginnings.items()):
            if ids[piece] in self.header:  # the music begins after it
                continue
            if ids[piece] == self.bar and times[piece] > beginning.start + NEAR:
                beginning.bars += 1
                beginning.whole = beginning.tokens
            if times[piece] >= self.next[piece] - NEAR:
                self._remember(piece, beginning.tokens)
            elif beginning.bars == THEME_BARS or beginning.tokens == self.most[piece]:
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
        theme = self.themes[piece].get(letter)
        if theme or self.primed[piece]:
            self._give(piece, theme)
        self.primed[piece] = theme is not None
        if letter and not theme:
            self.beginnings[piece] = _Beginning(letter, now)

    def _give(self, piece: int, theme: Both | None) -> None:
        """Let a piece read a theme, or none, and its later music."""
        own, later = self.copies[piece], self.later[piece]
        for copy, primer, after in zip(own, theme or BARE, later, strict=False):
            given = primer + after
            newest = self.present if theme else (self.decoder.context - len(given)) // 2
            self.decoder.give(copy, given, newest)

    def _remember(self, piece: int, count: int) -> None:
        """Keep the first ``count`` tokens of a beginning, which the windows still hold."""
        beginning = self.beginnings.pop(piece)
        if count > 0:
            first, last = beginning.tokens + 1, beginning.tokens - count  # and the one before
            excerpts = [self.decoder.excerpt(copy, first, last) for copy in self.copies[piece]]
            self.themes[piece][beginning.letter] = self.passages[piece].read(excerpts, "theme")
