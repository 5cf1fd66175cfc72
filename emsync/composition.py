"""A score that was composed, how it was arrived at, and ways to keep it."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsync.fit.time_map import Fitted
from emsync.formats.labels import ScoreLabels, TimedText
from emsync.formats.midi import midi_bytes
from emsync.formats.midi_raw import raw_of
from emsync.formats.played import played
from emsync.music.chords import Harmony
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.performance.dynamics import Dynamics
from emsync.performance.performance import Performance, perform
from emsync.plain import plain
from emsync.planning.words import chord_symbols, plan_lines
from emsync.ranking import Candidate
from emsync.result import Result

if TYPE_CHECKING:
    from emsync.sound.blocks import Sound


@dataclass(frozen=True, eq=False)
class Composition(Result[Candidate]):
    """A score composed for a film. Nothing of it is written until ``save`` or ``write``."""

    makes = "score"

    @property
    def fitted(self) -> Fitted:
        """The best candidate's music with its tempo map."""
        return self.best.fitted

    @property
    def piece(self) -> Piece:
        """The notes, in seconds of the film."""
        return self.fitted.piece

    @property
    def harmony(self) -> Harmony | None:
        """The chords that the music was asked for, in the film's time."""
        return self.best.harmony

    @property
    def sheet(self) -> LeadSheet | None:
        """The chords and the players that the music was asked for, in the film's time."""
        return self.best.sheet

    def performance(
        self, candidate: Candidate | None = None, humanize: float | None = None
    ) -> Performance:
        """Return how a candidate is played; the best where none is given.

        ``humanize`` is how freely its notes are timed; None is what was asked for.
        """
        freedom = self.options.humanize if humanize is None else humanize
        one = candidate or self.best
        if one is self.best and freedom == self.options.humanize:
            return self._performance
        return self._performed(one, freedom)

    @cached_property
    def _performance(self) -> Performance:
        return self._performed(self.best, self.options.humanize)

    def _performed(self, one: Candidate, humanize: float) -> Performance:
        if one.midi is not None:  # a kept score plays as it is
            return played(raw_of(one.midi), one.fitted)
        return perform(
            one.fitted,
            Dynamics.under(self.analysis, one.ending, self.plan.levels),
            self.casting,
            sheet=one.sheet,
            humanize=humanize,
            seed=one.seed,
        )

    def midi(self, candidate: Candidate | None = None) -> bytes:
        """Return the content of a candidate's .mid; the best's where none is given."""
        one = candidate or self.best
        return one.midi or midi_bytes(self.performance(one), self.labels_of(one))

    def labels_of(self, candidate: Candidate | None = None) -> ScoreLabels:
        """Return the words of a candidate's score with its chords; the best where none is given."""
        symbols = chord_symbols(self.plan, (candidate or self.best).harmony)
        return replace(self.labels, chords=tuple(TimedText(*symbol) for symbol in symbols))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``: the same for the same seed."""
        return plain({
            "checkpoint": self.checkpoint,
            "sampling": dict(self.sampling),
            "settings": self.options.to_json(),
            **self.fitted.to_json(self.rate, self.labels.start),
            "ending": self.ending.to_json(),
            "duration": self.analysis.duration,
            "valence": self.analysis.valence,
            "arousal": self.analysis.arousal,
            "emotion": dict(self.analysis.emotion),
            "plan": self.plan.to_json(),
            "chords": [{"time": c.time, "name": c.text} for c in self.labels_of().chords],
            "arc": [asdict(state) for state in self.analysis.arc],
            "seed": self.options.seed,
            "tokens": len(self.best.ids),
            "notes": len(self.piece),
            "instruments": self.piece.instruments,
            "score_parts": self.best.parts,
            "candidates": [candidate.to_json() for candidate in self.candidates],
        })  # fmt: skip

    def summary(self) -> str:
        """Return the facts that a person asks for first, in a few lines."""
        return "\n".join([
            f"{self.analysis.duration:.2f} s, {len(self.piece)} notes, "
            f"{', '.join(self.piece.instruments)}; seed {self.options.seed}",
            *plan_lines(self.plan),
            *self.cut_lines(),
        ])  # fmt: skip

    def heard(self, soundfont: Path | None = None) -> "Sound":
        """Return the music played, exactly as long as its film; it is not yet levelled."""
        from emsync.formats.smf import parse
        from emsync.sound import synthesis
        from emsync.sound.blocks import Kept, Made

        sound = synthesis.played(parse(self.midi()), soundfont)
        return Kept(Made(sound.rate, round(self.analysis.duration * sound.rate), sound.make))

    def _repr_html_(self) -> str:
        from html import escape

        from emsync.report.page import html_page

        return (
            f'<iframe srcdoc="{escape(html_page(self))}" style="width:100%;height:60rem;border:0" '
            f'title="The report of {escape(self.analysis.source)}"></iframe>'
        )
