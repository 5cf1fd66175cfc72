"""What the files of a score say in words: its title, its clock, and texts such as the emotion."""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

from emsync.analysis import Analysis
from emsync.emotion.arc import State
from emsync.emotion.plane import in_percent
from emsync.errors import UsageError
from emsync.planning.plan import Plan
from emsync.planning.words import key_of, key_of_plan, section_words
from emsync.video.timecode import Timecode, clock_text

LONGEST_FILE = 48  # characters of the name of a player's file


@dataclass(frozen=True)
class TimedText:
    """Words at a moment of the video."""

    time: float  # seconds
    text: str


@dataclass(frozen=True)
class SectionLabel(TimedText):
    """What a section is, from its first moment on."""

    theme: str = ""  # a letter, or none
    feeling: str = ""  # the emotion alone
    key: str = ""  # one of ``music.tonality.KEYS``


@dataclass(frozen=True)
class ScoreLabels:
    """The words of one score; UsageError where ``start`` counts other frames than ``rate``."""

    title: str = "emsync"
    rate: Fraction | None = None  # the video's frames a second, if it has a rate
    start: Timecode | None = None  # of the video's first frame
    texts: tuple[TimedText, ...] = ()
    sections: tuple[SectionLabel, ...] = ()
    key: str = ""  # that was planned, one of ``music.tonality.KEYS``
    chords: tuple[TimedText, ...] = ()  # by name, where each begins

    def __post_init__(self) -> None:
        if self.start is not None and self.rate is not None and self.start.rate != self.rate:
            raise UsageError(
                f"the start {self.start} counts {self.start.rate} frames a second, the video "
                f"{self.rate}"
            )

    @classmethod
    def of(cls, analysis: Analysis, start_timecode: str = "", plan: Plan | None = None) -> Self:
        """Return the words of a score for a film whose first frame has ``start_timecode``.

        The sections of ``plan`` say how the feeling changes; without one the states do.
        """
        rate = Fraction(analysis.fps) or None
        feeling = in_percent(analysis.emotion)
        texts = [
            TimedText(0.0, _feeling("Emotion", analysis) + (f" ({feeling})" if feeling else ""))
        ]
        if plan is None and len(analysis.arc) > 1:
            texts += [
                TimedText(s.start, _feeling(s.emotion.capitalize() or "Feeling", s))
                for s in analysis.arc
            ]
        start = None
        if start_timecode:
            if rate is None:
                raise UsageError("a start timecode needs the video's frame rate, which is unknown")
            start = Timecode.parse(start_timecode, rate)
        sections = tuple(
            SectionLabel(
                section.start,
                section_words(plan, section),
                section.theme,
                section.emotion,
                key_of(plan.tonic, section.mode),
            )
            for section in (plan.sections if plan else ())
            if plan
        )
        title, key = Path(analysis.source).stem or "emsync", key_of_plan(plan) if plan else ""
        return cls(title, rate, start, tuple(texts), sections, key)

    def clock(self, time: float) -> str:
        """Return ``time`` as a timecode from ``start``, or as clock time where there is no rate.

        >>> ScoreLabels(rate=Fraction(25)).clock(2.04), ScoreLabels().clock(62.5)
        ('00:00:02:01', '00:01:02.500')
        """
        if self.rate is None:
            return clock_text(time)
        at = Timecode.at(time, self.rate, None if self.start is None else self.start.drop)
        return str(at if self.start is None else self.start + at.frame)


NO_LABELS = ScoreLabels()


def _feeling(what: str, felt: Analysis | State) -> str:
    return f"{what}: valence {felt.valence:+.2f}, arousal {felt.arousal:+.2f}"


def ascii_name(text: str) -> str:
    """Return ``text`` in printable ASCII, letters without their accents.

    >>> ascii_name("Café / ночь")
    'Cafe / ????'
    """
    plain = unicodedata.normalize("NFKD", text)
    letters = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in letters).strip() or "untitled"


def file_name(player: str) -> str:
    """Return the name of a player as a file is named after it, without a suffix.

    >>> file_name("Violins 1 (solo)"), file_name("ночь")
    ('violins-1-solo', 'untitled')
    """
    words = re.sub("[^a-z0-9]+", "-", ascii_name(player).lower())
    return words.strip("-")[:LONGEST_FILE].rstrip("-") or "untitled"
