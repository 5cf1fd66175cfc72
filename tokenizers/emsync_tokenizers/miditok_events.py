"""EMSYNC's 1,011 events for users of MidiTok: the same tokens in a ``MusicTokenizer``.

It is used, trained, saved and loaded as any of MidiTok's own:

    tokenizer = EventsMidiTok()
    tokens = tokenizer(Score("song.mid"))
    tokenizer.decode(tokens).dump_midi("again.mid")
    tokenizer.save("tokenizer.json")
    EventsMidiTok(params="tokenizer.json") == tokenizer
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from miditok import MusicTokenizer, TokenizerConfig, TokSequence
from miditok.classes import Event

from emsync.plugin import (
    CLASSES,
    DRUMS,
    HIGHEST,
    LOWEST,
    PROGRAMS,
    InputError,
    Score,
    from_score,
    to_score,
)
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

PLAYERS = [-1 if c == DRUMS else PROGRAMS[c] for c in range(len(CLASSES))]  # MidiTok's drums: -1
MILLISECONDS = 500  # ticks in a beat of half a second, as ``emsync.music.to_score`` has them


class EventsMidiTok(MusicTokenizer):  # type: ignore[misc]
    """The tokens and ids of ``Events``, for symusic scores.

    The vocabulary is fixed, so there is nothing to configure. A decoded score has every note to
    the millisecond, on a grid of 120 BPM that says nothing about the bars; the BARs are in the
    tokens, and ``Events.decode`` returns their times.
    """

    def __init__(self, params: str | Path | None = None) -> None:
        super().__init__(_config(), params)
        if self.config != _config():
            raise InputError(f"{str(params)!r} is not the file of an EventsMidiTok")

    def preprocess_score(self, score: Score) -> Score:
        """Return ``score`` as it is: ``Events`` merges, filters and rounds."""
        return score

    def _score_to_tokens(
        self, score: Score, attribute_controls_indexes: Mapping[int, Any] | None = None
    ) -> TokSequence:
        sequence = TokSequence(ids=Events().encode(from_score(score)).tolist())
        self.complete_sequence(sequence)
        return sequence

    def _tokens_to_score(
        self, tokens: TokSequence, programs: Sequence[tuple[int, bool]] | None = None
    ) -> Score:
        return to_score(Events().decode(np.array(self._tokens_to_ids(tokens.tokens), np.int64)))

    def _add_time_events(self, events: list[Event], time_division: int) -> list[Event]:
        """Return ``events`` as they are: the time shifts are among them from the start."""
        return events

    def _create_base_vocabulary(self) -> list[str]:
        return [name for name in v.names() if name not in self.config.special_tokens]

    def _create_token_types_graph(self) -> dict[str, set[str]]:
        """Return the types that may follow each type: the order of one instant, then a shift."""
        offs = [f"{name.capitalize()}Off" for name in CLASSES]
        ons = [f"{name.capitalize()}On" for name in CLASSES]
        instant = [*offs, "BAR", "CHORD", *ons]
        graph = {kind: {"TimeShift", *instant[i + 1 :]} for i, kind in enumerate(instant)}
        for kind in offs + ons:  # several of one instrument, low to high
            graph[kind].add(kind)
        anything = {"TimeShift", *instant}
        return {**graph, "TimeShift": anything, "Instruments": {"START"}, "START": anything}


def _config() -> TokenizerConfig:
    return TokenizerConfig(
        pitch_range=(LOWEST, HIGHEST),
        drums_pitch_range=(LOWEST, HIGHEST),
        beat_res={(0, 1): MILLISECONDS},
        special_tokens=["PAD_None"],
        use_velocities=False,
        use_programs=True,  # all instruments in one stream
        programs=PLAYERS,
    )
