"""Songs in which instruments rest from bar lines to bar lines.

In most songs an instrument that has played plays on, so a network need not heed what it is told of
the instruments. Of songs with rests it learns that they play when they are asked to, and only then.
Shapes: N notes, S spans of bars, C instrument classes.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.music.piece import CLASSES, GUITAR, PIANO, Piece
from emsync.tokens import Ids, Tokenizer

RESTS = 0.35  # probability that an instrument that plays in a span rests there
SPAN = (2, 8)  # bars, at least and at most
FEWEST = 8  # bars of a song in which instruments rest
NEAR = 1e-4  # seconds


def with_rests(ids: Ids, tokenizer: Tokenizer, rng: np.random.Generator) -> Ids:
    """Return the tokens of a song in which instruments rest by chance, though never all of them.

    A song of few bars stays as it is.
    """
    piece = tokenizer.decode(ids)
    if len(piece.downbeats) < FEWEST:
        return ids
    bars = np.cumsum(rng.integers(SPAN[0], SPAN[1] + 1, len(piece.downbeats)))
    edges = piece.downbeats[bars[bars < len(piece.downbeats)]]
    return tokenizer.encode(silenced(piece, edges, _drawn(playing(piece, edges), rng)))


def playing(piece: Piece, edges: Seconds) -> NDArray[np.bool_]:
    """Return the (S, C) mask of the classes that begin notes in each span between ``edges``."""
    plays = np.zeros((len(edges) + 1, len(CLASSES)), np.bool_)
    plays[_spans(piece, edges), piece.classes] = True
    return plays


def silenced(piece: Piece, edges: Seconds, rests: NDArray[np.bool_]) -> Piece:
    """Return ``piece`` without the notes of those that rest; what they hold ends where they rest.

    ``rests`` is the (S, C) mask of the spans between the (S - 1,) ``edges``, in seconds. A chord
    that marks a boundary goes with its notes.
    """
    until = np.full(rests.shape, np.inf)  # (S, C) when the class begins to rest after each span
    for span in range(len(edges) - 1, -1, -1):
        until[span] = np.where(rests[span + 1], edges[span], until[span + 1])
    spans = _spans(piece, edges)
    kept = ~rests[spans, piece.classes]
    offsets = np.minimum(piece.offsets, until[spans, piece.classes])
    left = replace(piece, offsets=offsets).where(kept & (offsets > piece.onsets))
    harmonic = left.onsets[np.isin(left.classes, (GUITAR, PIANO))]
    there = np.searchsorted(harmonic, left.chords + NEAR) > np.searchsorted(
        harmonic, left.chords - NEAR
    )
    return replace(left, chords=left.chords[there])


def _spans(piece: Piece, edges: Seconds) -> NDArray[np.intp]:
    """Return the (N,) spans between ``edges`` in which the notes begin."""
    return np.searchsorted(edges, piece.onsets + NEAR, side="right")


def _drawn(plays: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return an (S, C) mask of classes that rest; where any plays, one goes on."""
    rests = plays & (rng.random(plays.shape) < RESTS)
    goes_on = np.where(plays, rng.random(plays.shape), -1.0).argmax(axis=1)
    alone = (plays & ~rests).any(axis=1)
    rests[~alone, goes_on[~alone]] = False
    return rests
