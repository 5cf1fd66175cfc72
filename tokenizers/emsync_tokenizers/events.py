"""Notes on and off, time shifts, bars and boundary chords: the paper's events.

Times are rounded on an absolute grid of 8 ms, so that no error grows along the piece.
At one instant stand OFFs, BAR, CHORD, then ONs by instrument and pitch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import (
    LOWEST,
    Ids,
    LeadSheet,
    LogitsProcessor,
    Piece,
    Seconds,
    Tokenizer,
    Within,
)
from emsync_tokenizers import vocabulary as v

if TYPE_CHECKING:
    from emsync_tokenizers.grammar import Rule

_OFF, _BAR, _CHORD, _ON = range(4)  # the order at one instant


@dataclass(frozen=True)
class Events(Tokenizer):
    """EMSYNC's 1,011 events on a grid of 8 ms."""

    name: ClassVar[str] = "events"
    summary: ClassVar[str] = "EMSYNC's 1,011 events: five instruments, 8 ms shifts, BAR, CHORD"

    bar_steps: Annotated[int, Within(0, 10_000)] = 0  # of every bar; 0 where they differ

    @property
    def vocab_size(self) -> int:
        return v.SIZE

    @cached_property
    def durations(self) -> Seconds:
        return v.durations()

    @property
    def mark(self) -> int:
        return v.CHORD

    @property
    def bar(self) -> int:
        return v.BAR

    def header(self, classes: int) -> Ids:
        return np.array([v.FEWER if classes <= v.FEW else v.MORE, v.START], np.int64)

    def encode(self, piece: Piece) -> Ids:
        body = events(on_grid(piece))
        return np.concatenate([self.header(len(np.unique(piece.classes))), body])

    def decode(self, ids: Ids) -> Piece:
        return piece_of(np.asarray(ids, np.int64))

    @property
    def excluded_ids(self) -> Sequence[int]:
        return (v.PAD, v.START, v.FEWER, v.MORE)

    def rules(self) -> Mapping[str, "Callable[[], Rule[Any]]"]:
        from emsync_tokenizers.grammar import RULES, Metre

        return {**RULES, "metre": partial(Metre, self.bar_steps)} if self.bar_steps else RULES

    def followers(self, sheets: Sequence[LeadSheet]) -> Mapping[str, LogitsProcessor]:
        from emsync_tokenizers.harmony import HarmonyFollower
        from emsync_tokenizers.players import PlayersFollower
        from emsync_tokenizers.themes import ThemeFollower

        return {
            "harmony": HarmonyFollower(sheets, self.bar_steps),
            "instruments": PlayersFollower(sheets, self.bar_steps),
            "theme": ThemeFollower(sheets, self.bar_steps),
        }

    def at_tempo(self, tempo: float) -> "Events":
        """Return the tokenizer with the rule ``metre``, if a bar of 4/4 is whole steps long."""
        steps = 240 / tempo * v.STEPS_PER_SECOND
        return replace(self, bar_steps=round(steps)) if abs(steps - round(steps)) < 1e-6 else self

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """Return ``ids`` moved by ``semitones``; a pitch beyond the keys moves by octaves."""
        pitched = ids >= v.NOTE + 2 * v.KEYS  # the drums come first
        key = (ids - v.NOTE) % v.KEYS
        return np.where(pitched, ids + fold(key + semitones) - key, ids)


def fold(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``keys``, counted from the lowest, each brought onto the keyboard by octaves.

    >>> fold(np.array([-1, 5, 88, 101])).tolist()
    [11, 5, 76, 77]
    """
    top = v.KEYS - 1
    return np.where(keys < 0, keys % 12, np.where(keys > top, top - (top - keys) % 12, keys))


def on_grid(piece: Piece, rate: int = v.STEPS_PER_SECOND) -> Piece:
    """Return ``piece`` as tokens can hold it: rounded times, and no key struck while it sounds.

    A note lasts at least one step. A key struck again ends the note that sounds; of two notes that
    begin together on one key the longer stays. There are ``rate`` steps a second.
    """
    steps = piece.retimed(lambda times: np.round(times * rate))
    start, stop = steps.onsets, np.maximum(steps.offsets, steps.onsets + 1)
    key = steps.classes.astype(np.int64) * 128 + steps.pitches
    order = np.lexsort((stop, start, key))
    start, stop, key = start[order], stop[order], key[order]
    same_key = key[1:] == key[:-1]
    keep = np.append(~(same_key & (start[1:] == start[:-1])), True)[: len(key)]
    start, stop, key = start[keep], stop[keep], key[keep]
    following = np.where(key[1:] == key[:-1], start[1:], np.inf)
    stop = np.minimum(stop, np.append(following, np.inf)[: len(stop)])
    rows = np.stack([key // 128, key % 128, start, stop], axis=1)
    bars, chords = np.unique(steps.downbeats), np.unique(steps.chords)
    return Piece.of(rows, bars, chords, piece.labels).retimed(lambda times: times / rate)


def events(piece: Piece) -> Ids:
    """Return the tokens of a piece on the grid, without a header."""
    key = piece.classes.astype(np.int64) * 2 * v.KEYS + piece.pitches - LOWEST
    n, bars, chords = len(piece), len(piece.downbeats), len(piece.chords)
    steps = _steps(np.concatenate([piece.offsets, piece.downbeats, piece.chords, piece.onsets]))
    ranks = np.repeat([_OFF, _BAR, _CHORD, _ON], [n, bars, chords, n])
    tokens = np.concatenate(
        [v.NOTE + v.KEYS + key, np.full(bars, v.BAR), np.full(chords, v.CHORD), v.NOTE + key]
    )
    order = np.lexsort((tokens, ranks, steps))
    return _with_shifts(steps[order], tokens[order])


def _with_shifts(steps: NDArray[np.int64], tokens: Ids) -> Ids:
    """Put the TIMESHIFTs between tokens that stand at ascending ``steps``."""
    waits = np.diff(steps, prepend=0)
    full, rest = np.divmod(waits, v.LONGEST)
    many = full + (rest > 0)  # shifts before each token
    ends = np.cumsum(many + 1)  # one past each token's place
    out = np.full(int(ends[-1]) if len(ends) else 0, v.SHIFT + v.LONGEST - 1, np.int64)
    out[ends - 1] = tokens
    out[(ends - 2)[rest > 0]] = v.SHIFT + rest[rest > 0] - 1
    return out


def piece_of(ids: Ids) -> Piece:
    """Return the music of any tokens: each ON ends at the next ON or OFF of its key, or the end.

    An OFF without an ON is passed over. A note cut short within its own instant lasts one step.
    """
    waits = np.where((ids >= v.SHIFT) & (ids < v.NOTE), ids - v.SHIFT + 1, 0)
    steps = np.cumsum(waits)
    note = np.flatnonzero(ids >= v.NOTE)
    instrument, place = np.divmod(ids[note] - v.NOTE, 2 * v.KEYS)
    begins, pitch = place < v.KEYS, place % v.KEYS + LOWEST
    order = np.lexsort((note, instrument * 128 + pitch))  # by key, in time
    instrument, pitch, begins = instrument[order], pitch[order], begins[order]
    start = steps[note][order]
    same = (instrument[1:] == instrument[:-1]) & (pitch[1:] == pitch[:-1])
    end = int(steps[-1]) if len(steps) else 0
    stop = np.append(np.where(same, start[1:], end), end)[: len(start)]
    stop = np.maximum(stop, start + 1)
    rows = np.stack([instrument, pitch, start / v.STEPS_PER_SECOND, stop / v.STEPS_PER_SECOND])
    seconds = steps / v.STEPS_PER_SECOND
    return Piece.of(
        rows.T[begins],
        downbeats=np.unique(seconds[ids == v.BAR]),
        chords=np.unique(seconds[ids == v.CHORD]),
    )


def _steps(seconds: Seconds, rate: int = v.STEPS_PER_SECOND) -> NDArray[np.int64]:
    return np.round(seconds * rate).astype(np.int64)
