"""What ``emsync.generate`` returns: what a composed score and a made sound have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from emsync.analysis import Analysis
from emsync.errors import UsageError
from emsync.fit.ending import Ending
from emsync.fit.time_map import CutReport
from emsync.formats.labels import ScoreLabels
from emsync.makers import Makes
from emsync.options import LUFS, KeepAudio, Options, Outputs, PathLike, Sampling, as_path
from emsync.performance.player import Casting
from emsync.planning.plan import Plan
from emsync.progress import Progress, silent
from emsync.ranking import AnyJudged
from emsync.sound.encode import KINDS
from emsync.video.cuts import left_out
from emsync.video.film import FORMATS, Film
from emsync.video.footage import Still

if TYPE_CHECKING:
    from emsync.sound.audio import Audio
    from emsync.sound.blocks import Sound


@dataclass(frozen=True, eq=False)
class Result(ABC, Generic[AnyJudged]):
    """Music made for a film. Nothing of it is written until ``save`` or ``write``."""

    makes: ClassVar[Makes]

    best: AnyJudged
    others: tuple[AnyJudged, ...]  # the candidates that were not kept, best first
    analysis: Analysis  # what the film, the options and the plan asked of the music
    plan: Plan
    casting: Casting  # who plays from second to second: the palettes of the plan
    labels: ScoreLabels
    options: Options
    film: Film | None = None  # where there is a file
    strip: tuple[Still, ...] = ()  # pictures of the film; none where it was not watched
    checkpoint: str = ""
    sampling: Mapping[str, Any] = field(default_factory=lambda: asdict(Sampling()))
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds spent in each stage

    @property
    def ending(self) -> Ending:
        """How the music ends."""
        return self.best.ending

    @property
    def cuts(self) -> list[CutReport]:
        """The cuts that the music was asked to answer, and what answers each."""
        return self.best.kept

    @property
    def rate(self) -> Fraction | None:
        """The film's frames a second, if they are known."""
        return Fraction(self.analysis.fps) or None

    @property
    def candidates(self) -> tuple[AnyJudged, ...]:
        """All that were made, best first."""
        return (self.best, *self.others)

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``: the same for the same seed."""

    @abstractmethod
    def summary(self) -> str:
        """Return the facts that a person asks for first, in a few lines."""

    @abstractmethod
    def heard(self, soundfont: Path | None = None) -> "Sound":
        """Return the music as it sounds, exactly as long as its film; it is not yet levelled."""

    def cut_lines(self) -> list[str]:
        """Return how many cuts are hit, and a line on each, for ``summary``."""
        lines = [
            f"{len(self.best.hits)} of {len(self.cuts)} cuts hit" if self.cuts else "no cuts to hit"
        ]
        for report in self.cuts:
            hit = report.hit
            at = "" if hit is None or not hit.position else f" at {hit.position}"
            words = f"{hit.kind}{at}, {hit.error_ms:+.1f} ms" if hit else "missed"
            lines.append(f"  {report.cut.time:8.3f} s  {words}")
        if words := left_out(report.cut for report in self.best.cuts):
            lines.append(words)
        return lines

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.analysis.source!r}: {self.summary()}>"

    def audio(self, soundfont: PathLike | None = None, lufs: float = LUFS) -> "Audio":
        """Return the music as it sounds at a loudness of ``lufs``, as long as the film."""
        from emsync.outputs import play

        return play(self, as_path(soundfont), lufs)

    def save(self, path: PathLike) -> None:
        """Write what the suffix of ``path`` names, whole or not at all.

        .wav, .flac, .mp3, .ogg or .m4a is the music as it sounds; .mp4, .mov, .mkv or .webm the
        film with the music. Of a score, .mid is the score itself, and a path without a suffix
        becomes a folder with all of it (see ``emsync.report.bundle``). ``write`` says more.
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
