"""The plan: what the music shall do, before a note is drawn, as a value that a person can edit.

The plan is to the music what the analysis is to the film. ``emsync plan clip.mp4 --out plan.json``
writes it, a person may edit it, and ``emsync generate clip.mp4 --plan plan.json`` follows it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from emsync.analysis import LONGEST_NAME, Analysis
from emsync.emotion.arc import State
from emsync.emotion.plane import named
from emsync.files import atomic_write
from emsync.fit.ending import Ending
from emsync.limits import one_line, quoted, read_json
from emsync.music.moments import near
from emsync.music.piece import CLASSES
from emsync.music.tonality import fifths_of, pitch_class
from emsync.options import EndingKind, Mode, PathLike
from emsync.performance.dynamics import level_of
from emsync.plain import json_text, plain
from emsync.planning.chart import Chart, parse_chart
from emsync.video.cuts import NOT_PLANNED, Cut

FORMAT = 1  # raised when a field changes its meaning
SAME_MOMENT = 0.002  # seconds within which a hit is on a cut of the film


@dataclass(frozen=True)
class Section:
    """A stretch of the film with one music. Times in seconds of the film."""

    start: float
    end: float
    valence: float = math.nan  # in [-1, 1]; NaN when not known
    arousal: float = math.nan  # in [-1, 1]
    emotion: str = field(init=False)  # what the point is called
    mode: Mode | None = None  # None is drawn by the seed
    density: float = math.nan  # onsets a beat; NaN leaves them to the composer
    instruments: tuple[str, ...] = CLASSES  # the classes that play
    chords: str = ""  # a chart, a chord a bar: "Am F C G"; "" is drawn by the seed
    theme: str = ""  # sections of one letter take up the first one's bars
    level: float = math.nan  # velocity of a plain note, 1 to 127; NaN follows the arousal
    palette: str = ""  # its name, or the path of its file; "" is the one that suits the film

    def __post_init__(self) -> None:
        object.__setattr__(self, "emotion", named(self.valence, self.arousal))

    @property
    def chart(self) -> Chart:
        """The chords; none where they are still to be drawn."""
        return parse_chart(self.chords)

    @property
    def classes(self) -> tuple[int, ...]:
        """The numbers of the classes that play, ascending."""
        return tuple(number for number, name in enumerate(CLASSES) if name in self.instruments)


@dataclass(frozen=True)
class Plan:
    """What the music of a film shall do. Times in seconds of the film."""

    duration: float
    tempo: float  # beats a minute
    tonic: str = ""  # such as "F#"; "" is drawn by the seed
    ending: EndingKind = "cadence"
    hits: tuple[float, ...] = ()  # the moments that the music is to hit, ascending
    sections: tuple[Section, ...] = ()  # over all of [0, duration] without a gap
    source: str = ""  # the name of the video file

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", one_line(self.source, LONGEST_NAME))
        if not self.sections:
            object.__setattr__(self, "sections", (Section(0.0, self.duration),))

    @property
    def instruments(self) -> tuple[str, ...]:
        """The classes that play anywhere."""
        asked = {name for section in self.sections for name in section.instruments}
        return tuple(name for name in CLASSES if name in asked)

    @property
    def arc(self) -> tuple[State, ...]:
        """The feeling of each section."""
        return tuple(State(s.start, s.end, s.valence, s.arousal) for s in self.sections)

    @property
    def levels(self) -> list[tuple[float, float]]:
        """When each section begins, and the velocity of a plain note in it."""
        return [
            (s.start, level_of(s.arousal) if math.isnan(s.level) else s.level)
            for s in self.sections
        ]

    def fifths(self, section: Section) -> int | None:
        """Return the sharps of a section's key, flats being negative; None if it is open."""
        return fifths_of(pitch_class(self.tonic), section.mode == "minor") if self.tonic else None

    def summary(self) -> str:
        """Return the plan for a person to read: a line for the whole, two for each section."""
        from emsync.planning.words import told

        return told(self)

    def lasting(self, duration: float) -> Self:
        """Return the plan for the same film whose length is known better, to ``duration``."""
        if duration == self.duration:
            return self
        kept = [s for s in self.sections if s.start < duration]
        kept[-1] = replace(kept[-1], end=duration)
        hits = tuple(hit for hit in self.hits if hit <= duration)
        return replace(self, duration=duration, sections=tuple(kept), hits=hits)

    def asked(self, analysis: Analysis) -> Analysis:
        """Return ``analysis`` with what the plan asks in place of what the film does."""
        told = analysis if analysis.arc == self.arc else analysis.with_arc(self.arc)
        return replace(
            told,
            cuts=hit_cuts(analysis.cuts, self.hits),
            tempo=self.tempo,
            tonic=self.tonic,
            estimator=analysis.estimator * self.feels_as(analysis),  # else a person gave it
        )

    def feels_as(self, analysis: Analysis) -> bool:
        """Return whether each moment has the feeling that ``analysis`` has there."""
        told = analysis.with_arc(self.arc)
        arcs = (*self.arc, *analysis.arc)
        middles = np.array([(state.start + state.end) / 2 for state in arcs])
        return bool(np.array_equal(told.feelings(middles), analysis.feelings(middles), True))

    def brief(self, analysis: Analysis) -> tuple[Analysis, Ending]:
        """Return all that the music has to meet, its last chord too, and how it ends."""
        asked = self.asked(analysis)
        ending = Ending.of(self.ending, asked)
        return ending.requested_in(asked), ending

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``; NaN becomes null."""
        return {"format": FORMAT, **plain(asdict(self))}

    def save(self, path: PathLike) -> None:
        """Write the JSON file ``path``, atomically: a line for each section."""
        with atomic_write(Path(path)) as partial:
            partial.write_text(json_text(self.to_json(), ["sections"]), encoding="utf-8")

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read the JSON file at ``path``; InputError says what is wrong with it.

        The report of a composition, such as the score.json of a bundle, has its plan in it.
        """
        data = read_json(Path(path))
        inside = data.get("plan")
        return cls.from_json(inside if isinstance(inside, dict) else data, quoted(path))

    @classmethod
    def from_json(cls, data: Mapping[str, Any], name: str = "plan") -> Self:
        """Build a plan from what ``to_json`` returned; InputError says which value is off."""
        from emsync.planning.plan_json import read_plan

        return cls(**read_plan(data, name))


def hit_cuts(cuts: tuple[Cut, ...], hits: tuple[float, ...]) -> tuple[Cut, ...]:
    """Return ``cuts``, kept where one of ``hits`` is, and a cut at each hit that has none."""
    times = [cut.time for cut in cuts]
    there = near(times, hits, SAME_MOMENT).tolist()
    told = [
        replace(cut, kept=kept, reason=cut.reason if cut.kept == kept else _REASON[kept])
        for cut, kept in zip(cuts, there, strict=True)
    ]
    known = near(hits, times, SAME_MOMENT).tolist()
    told += [
        Cut(hit, reason=_REASON[True])
        for hit, is_cut in zip(hits, known, strict=True)
        if not is_cut
    ]
    return tuple(sorted(told, key=lambda cut: cut.time))


_REASON = {True: "by the plan", False: NOT_PLANNED}
