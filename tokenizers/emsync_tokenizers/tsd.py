"""Time shifts and durations: MidiTok's TSD as a tokenizer of emsync.

Times are rounded to 10 ms on an absolute grid: each onset is at most 5 ms off, at any length of
the piece. A note's length is exact on that grid up to 2 s, within 25 ms up to 8 s, within a
quarter of a second up to 32 s, the longest there is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import HIGHEST, LOWEST, Ids, Piece, Seconds, Tokenizer, from_score
from emsync_tokenizers.events import fold, on_grid
from emsync_tokenizers.vocabulary import FEW

if TYPE_CHECKING:
    from emsync_tokenizers.grammar import Rule
    from emsync_tokenizers.miditok_tsd import MarkedTSD

STEPS_PER_SECOND = 100
BEAT = 0.5  # seconds; MidiTok counts in beats


@dataclass(frozen=True)
class Tsd(Tokenizer):
    """MidiTok's TSD of five instruments in one stream, with bars and boundary chords marked."""

    name: ClassVar[str] = "tsd"
    summary: ClassVar[str] = "MidiTok's TSD (time shifts and durations, 10 ms), with bars and marks"

    @property
    def vocab_size(self) -> int:
        return len(_scheme())

    @property
    def durations(self) -> Seconds:
        return _durations()

    @property
    def mark(self) -> int:
        return _id("Mark_Chord")

    @property
    def bar(self) -> int:
        return _id("Mark_Bar")

    def header(self, classes: int) -> Ids:
        return np.array([_id("FEWER_None" if classes <= FEW else "MORE_None")], np.int64)

    def encode(self, piece: Piece) -> Ids:
        from emsync_tokenizers.miditok_tsd import marked_score

        body = _scheme()(marked_score(on_grid(piece, STEPS_PER_SECOND))).ids
        header = self.header(len(np.unique(piece.classes)))
        return np.concatenate([header, np.asarray(body, np.int64)])

    def decode(self, ids: Ids) -> Piece:
        """Return the music of (T,) tokens; what TSD calls a note is a Pitch and its Duration."""
        from miditok import TokSequence

        times = self.timeline(ids).times
        notes = from_score(_scheme().decode(TokSequence(ids=ids.tolist())))
        piece = replace(notes, downbeats=times[ids == self.bar], chords=times[ids == self.mark])
        return on_grid(piece, STEPS_PER_SECOND)

    @property
    def excluded_ids(self) -> Sequence[int]:
        return tuple(_scheme().special_tokens_ids)

    def rules(self) -> Mapping[str, "Callable[[], Rule[Any]]"]:
        from emsync_tokenizers.grammar import Succession, penalized

        return {"succession": partial(Succession, penalized(_out_of_order()))}

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """Return ``ids`` moved by ``semitones``; a pitch beyond the keys moves by octaves."""
        first = _id(f"Pitch_{LOWEST}")  # the drums have tokens of their own
        pitched = (ids >= first) & (ids <= _id(f"Pitch_{HIGHEST}"))
        return np.where(pitched, first + fold(ids - first + semitones), ids)


@cache
def _scheme() -> "MarkedTSD":
    from emsync_tokenizers.miditok_tsd import MarkedTSD  # MidiTok takes a second to load

    return MarkedTSD()


def _id(token: str) -> int:
    return int(_scheme()[token])


@cache
def _durations() -> Seconds:
    """Return the (V,) seconds that pass: a TimeShift's value is beats.steps.steps-in-a-beat."""
    table = np.zeros(len(_scheme()))
    for token, place in _scheme().vocab.items():
        kind, value = token.split("_")
        if kind == "TimeShift":
            beats, steps, resolution = map(int, value.split("."))
            table[place] = (beats + steps / resolution) * BEAT
    return table


@cache
def _out_of_order() -> NDArray[np.bool_]:
    """Return (V, V): whether the second token's type cannot follow the first's."""
    graph = _scheme().tokens_types_graph
    kinds = [token.split("_")[0] for token in _scheme().vocab]
    names = sorted(set(kinds))
    forbidden = np.array([[after not in graph[before] for after in names] for before in names])
    index = [names.index(kind) for kind in kinds]
    return forbidden[np.ix_(index, index)]
