"""MidiTok's TSD with marks: bars and boundary chords stand at their time among its tokens."""

from pathlib import Path

from miditok import TSD, TokenizerConfig
from miditok.classes import Event
from symusic.core import TextMetaTick

from emsync.plugin import HIGHEST, LOWEST, Piece, Score, to_score
from emsync_tokenizers.miditok_events import PLAYERS

# steps a beat of half a second, by range of beats: 10 ms, then coarser the longer a note lasts
RESOLUTION = {(0, 4): 50, (4, 16): 10, (16, 64): 1}
MARKS = ("Bar", "Chord")  # in this order at one instant


class MarkedTSD(TSD):  # type: ignore[misc]
    """TSD of the five instruments; the score's markers "Bar" and "Chord" become tokens."""

    def __init__(self, params: str | Path | None = None) -> None:
        config = TokenizerConfig(
            pitch_range=(LOWEST, HIGHEST),
            drums_pitch_range=(LOWEST, HIGHEST),
            beat_res=RESOLUTION,
            special_tokens=["PAD_None", "FEWER_None", "MORE_None"],
            use_velocities=False,
            use_programs=True,
            programs=PLAYERS,
        )
        super().__init__(config, params)

    def _create_global_events(self, score: Score) -> list[Event]:
        return [Event("Mark", m.text, m.time) for m in score.markers if m.text in MARKS]

    def _create_base_vocabulary(self) -> list[str]:
        return [*super()._create_base_vocabulary(), *(f"Mark_{name}" for name in MARKS)]

    def _create_token_types_graph(self) -> dict[str, set[str]]:
        graph: dict[str, set[str]] = super()._create_token_types_graph()
        graph["TimeShift"].add("Mark")
        graph["Mark"] = {"Mark", "Program", "TimeShift"}
        return graph


def marked_score(piece: Piece) -> Score:
    """Return ``piece`` as a score with a marker on each downbeat and each boundary chord."""
    score = to_score(piece)
    for time, text in sorted(
        (round(float(time) * 1000), text)
        for text, times in zip(MARKS, (piece.downbeats, piece.chords), strict=True)
        for time in times
    ):
        score.markers.append(TextMetaTick(time, text))
    return score
