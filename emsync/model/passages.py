"""Passages of music that is given, as a network reads them beside what it composes.

A network that was taught so reads [theme] [later music] [what it composes], each begun with the
token that tells the instruments. Any other reads a theme after that token of its own, and no later
music. Beside a passage stand the rows of its own time in its own song.
"""

from dataclasses import replace
from typing import TypeAlias

import numpy as np

from emsync.conditioning import GivenKind, null_targets
from emsync.model.sliding_window import NOTHING, Excerpt, knows_given
from emsync.model.transformer import EventTransformer
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.tokens import Tokenizer

SHARE = 0.4  # of the context that all given music takes at most
LATER = 0.2  # of the context that later music takes at most

# as the conditional and the unconditional prediction read it
Both: TypeAlias = tuple[Excerpt, Excerpt]


def passage(model: EventTransformer, music: Excerpt, kind: GivenKind, first: int) -> Excerpt:
    """Return what ``model`` reads for ``music``, which begins with the token before it.

    ``first`` is the token that tells the instruments.
    """
    if not knows_given(model):
        return music[1:]
    known = {c.name: c.given_row(kind) for c in model.per_token}
    told = {
        name: np.tile(np.array(row, np.float32), (len(music), 1))
        for name, row in known.items()
        if row is not None
    }
    ids = np.append(first, music.ids[1:])
    return replace(music, ids=ids, rows={**music.rows, **told})


def written(
    model: EventTransformer,
    tokenizer: Tokenizer,
    piece: Piece,
    kind: GivenKind,
    first: int,
    most: int,
) -> Both:
    """Return the passage that ``piece`` is, of ``most`` tokens after its first one at most.

    It ends with a whole bar, if it has any. A piece without notes is nothing.
    """
    if not len(piece):
        return NOTHING, NOTHING
    ids = tokenizer.encode(piece)
    timeline, begin = tokenizer.timeline(ids), len(tokenizer.header(1))
    lines = np.flatnonzero(ids == tokenizer.bar) if tokenizer.bar is not None else np.zeros(0, int)
    whole = lines[(lines > begin) & (lines <= begin + most)]
    last = len(ids) if len(ids) <= begin + most else whole[-1] if len(whole) else begin + most
    part = slice(begin - 1, last)  # with the token before it
    met = {c.name: c.from_music(piece) for c in model.conditioners}
    conditional, unconditional = (
        Excerpt(ids[part], {c.name: c.features(t[c.name], timeline)[part] for c in model.per_token})
        for t in (met, null_targets(model.conditioners, met))
    )
    return (
        passage(model, conditional, kind, first),
        passage(model, unconditional, kind, first),
    )


def later_music(
    model: EventTransformer, tokenizer: Tokenizer, sheet: LeadSheet, first: int
) -> Both:
    """Return the passage of the music that goes on at ``sheet.resumes``; nothing where none is."""
    if sheet.later is None or not knows_given(model):
        return NOTHING, NOTHING
    most = int(model.config.context * LATER)
    return written(model, tokenizer, sheet.later, "later", first, most)


def theme_at(
    model: EventTransformer, tokenizer: Tokenizer, sheet: LeadSheet, time: float, first: int
) -> Excerpt:
    """Return the theme of ``sheet.themes`` that is taken up at ``time`` seconds; nothing for none.

    It is as the conditional prediction reads it.
    """
    theme = sheet.themes.get(sheet.passages[int(sheet.passage(time))].theme)
    if theme is None:
        return NOTHING
    most = int(model.config.context * SHARE)
    return written(model, tokenizer, theme, "theme", first, most)[0]
