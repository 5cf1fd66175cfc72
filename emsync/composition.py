"""What ``emsync.generate`` returns: the music, how it was arrived at, and ways to keep it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsync.analysis import Analysis
from emsync.errors import UsageError
from emsync.fit.ending import Ending
from emsync.fit.time_map import CutReport, Fitted
from emsync.formats.labels import ScoreLabels, TimedText
from emsync.formats.midi import midi_bytes
from emsync.formats.midi_raw import raw_of
from emsync.formats.played import played
from emsync.music.chords import Harmony
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.options import LUFS, KeepAudio, Options, Outputs, PathLike, Sampling, as_path
from emsync.performance.dynamics import Dynamics
from emsync.performance.performance import Performance, perform
from emsync.performance.player import Casting
from emsync.plain import plain
from emsync.planning.plan import Plan
from emsync.planning.words import chord_symbols, plan_lines
from emsync.progress import Progress, silent
from emsync.ranking import Candidate
from emsync.sound.encode import KINDS
from emsync.video.cuts import left_out
from emsync.video.film import FORMATS, Film
from emsync.video.footage import Still

if TYPE_CHECKING:
    from emsync.sound.audio import Audio


@dataclass(frozen=True, eq=False)
class Composition:
    """Music composed for a film. Nothing of it is written until ``save`` or ``write``."""

    best: Candidate
    others: tuple[Candidate, ...]  # the candidates that were not kept, best first
    analysis: Analysis  # what the film, the options and the plan asked of the music
    plan: Plan
    casting: Casting  # who plays from second to second: the palettes of the plan
    labels: ScoreLabels
    options: Options
    film: Film | None = None  # where there is a file
    strip: tuple[Still, ...] = ()  # pictures of the film; none where it was not watched
    checkpoint: str = ""
    sampling: Sampling = Sampling()
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds spent in each stage

    @property
    def fitted(self) -> Fitted:
        """The best candidate's music with its tempo map."""
        return self.best.fitted

    @property
    def piece(self) -> Piece:
        """The notes, in seconds of the film."""
        return self.fitted.piece

    @property
    def ending(self) -> Ending:
        """How the music ends."""
        return self.best.ending

    @property
    def harmony(self) -> Harmony | None:
        """The chords that the music was asked for, in the film's time."""
        return self.best.harmony

    @property
    def sheet(self) -> LeadSheet | None:
        """The chords and the players that the music was asked for, in the film's time."""
        return self.best.sheet

    @property
    def cuts(self) -> list[CutReport]:
        """The cuts that the music was asked to answer, and what answers each."""
        return self.fitted.kept

    @property
    def rate(self) -> Fraction | None:
        """The film's frames a second, if they are known."""
        return Fraction(self.analysis.fps) or None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All that were drawn, best first."""
        return (self.best, *self.others)

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
            "sampling": asdict(self.sampling),
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
        hits = len(self.fitted.hits)
        lines = [
            f"{self.analysis.duration:.2f} s, {len(self.piece)} notes, "
            f"{', '.join(self.piece.instruments)}; seed {self.options.seed}",
            *plan_lines(self.plan),
            f"{hits} of {len(self.cuts)} cuts hit" if self.cuts else "no cuts to hit",
        ]
        for report in self.cuts:
            hit = report.hit
            words = f"{hit.kind} at {hit.position}, {hit.error_ms:+.1f} ms" if hit else "missed"
            lines.append(f"  {report.cut.time:8.3f} s  {words}")
        if words := left_out(report.cut for report in self.fitted.cuts):
            lines.append(words)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Composition for {self.analysis.source!r}: {self.summary()}>"

    def audio(self, soundfont: PathLike | None = None, lufs: float = LUFS) -> "Audio":
        """Return the music played at an integrated loudness of ``lufs``, as long as the film."""
        from emsync.outputs import play

        return play(self, as_path(soundfont), lufs)

    def save(self, path: PathLike) -> None:
        """Write what the suffix of ``path`` names, whole or not at all.

        .mid is the score; .wav, .flac, .mp3, .ogg or .m4a the music played; .mp4, .mov, .mkv or
        .webm the film with the music; a path without a suffix becomes a folder with all of it (see
        ``emsync.report.bundle``). ``write`` says more.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        kinds = {".mid": "score", ".midi": "score", "": "bundle"}
        kinds |= dict.fromkeys(KINDS, "audio") | dict.fromkeys(FORMATS, "video")
        if suffix not in kinds:
            known = ", ".join(filter(None, kinds))
            raise UsageError(f"cannot save as {target.name!r}; end its name with one of {known}")
        kind = kinds[suffix]
        self.write(
            score=target if kind == "score" else None,
            audio=target if kind == "audio" else None,
            video=target if kind == "video" else None,
            bundle=target if kind == "bundle" else None,
        )

    def write(
        self,
        *,
        score: PathLike | None = None,
        video: PathLike | None = None,
        audio: PathLike | None = None,
        bundle: PathLike | None = None,
        keep_audio: KeepAudio = "replace",
        audio_stream: int | None = None,
        soundfont: PathLike | None = None,
        force: bool = False,
        lufs: float = LUFS,
        progress: Progress = silent,
    ) -> None:
        """Write the files that are named, together or not at all.

        ``keep_audio`` says what becomes of the film's own sound in ``video``: "replace" drops it,
        "mix" keeps it, "duck" plays the music under it. ``audio_stream`` is which of the film's
        sounds that is, counted from 0; None takes the one that was listened to. ``force`` lets
        ``bundle`` replace another film's, or go into a folder of other things. ``lufs`` is the
        integrated loudness of all sound that is written, whose true peak is at most -1 dB.
        """
        from emsync.outputs import write_outputs

        outputs = Outputs(
            score=as_path(score),
            video=as_path(video),
            audio=as_path(audio),
            bundle=as_path(bundle),
            soundfont=as_path(soundfont),
            keep_audio=keep_audio,
            force=force,
            audio_stream=audio_stream,
            lufs=lufs,
        )
        write_outputs(self, outputs, progress)

    def _repr_html_(self) -> str:
        from html import escape

        from emsync.report.page import html_page

        return (
            f'<iframe srcdoc="{escape(html_page(self))}" style="width:100%;height:60rem;border:0" '
            f'title="The report of {escape(self.analysis.source)}"></iframe>'
        )
