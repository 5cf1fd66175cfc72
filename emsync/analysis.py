"""What a video requests of its music: the facts that every conditioner reads, as editable JSON.

``emsync analyze clip.mp4 --out analysis.json`` writes it, a person may edit it, and
``emsync generate clip.mp4 --analysis analysis.json`` reads it back.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np

from emsync.analysis_json import FORMAT, read_fields
from emsync.arrays import Float64s, Seconds
from emsync.emotion.arc import State, mean_within, parts_of, scenes, seconds, settle, whole_point
from emsync.emotion.belief import Belief, Impression
from emsync.emotion.estimator import Estimator, Span, choose, together
from emsync.emotion.plane import SCALE, check_affect, gaussians, mixture_mean, shares
from emsync.files import atomic_write
from emsync.limits import one_line, quoted, read_json
from emsync.music.lead_sheet import LeadSheet
from emsync.options import CUT_DISTANCE, PathLike
from emsync.plain import json_text, plain
from emsync.video.cuts import Cut, thinned
from emsync.video.footage import Curve, Footage

__all__ = ["FORMAT", "Analysis", "Curve", "Cut", "State"]

PICTURE_STEP = 0.1  # seconds between two values of a curve of the pictures
FEELING_REACH = 2.5  # seconds to either side of a second that make its value in the curves

LONGEST_NAME = 255  # characters of a file's name
FINEST = 1_000_000  # largest denominator of a factor of the frame rate, which stays readable


def as_it_is(times: Seconds) -> Seconds:
    """Return the same ``times``: the music has the film's."""
    return times


def _stored(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return what a file holds: the impact only where it was looked for."""
    left = {"sheet", "music_time"} | {
        name for name, value in pairs if name == "impact" and not value
    }
    return {name: value for name, value in pairs if name not in left}


@dataclass(frozen=True)
class Analysis:
    """A video as its music sees it. Times in seconds from the first frame."""

    duration: float
    fps: str  # frames a second as an exact fraction, such as "30000/1001"; "0" if unknown
    cuts: tuple[Cut, ...] = ()
    motion: Curve | None = None  # mean optical flow, in picture heights a second
    impact: Curve | None = None  # what begins to move at once, in picture heights a second
    brightness: Curve | None = None  # mean luma, in [0, 1]
    saturation: Curve | None = None  # mean HSV saturation weighted by value, in [0, 1]
    colourfulness: Curve | None = None  # 0 grey, 0.4 vivid (Hasler & Süsstrunk 2003)
    valence: float = math.nan  # in [-1, 1]; NaN when not known
    arousal: float = math.nan  # in [-1, 1]
    tempo: float = math.nan  # beats a minute requested of the music; NaN leaves it to the composer
    tonic: str = ""  # such as "F#", that the music shall stand on; empty leaves it to the composer
    requested: Mapping[str, str] = field(default_factory=dict)  # of plug-in conditions, by name
    emotion: Mapping[str, float] = field(init=False)  # what the point is called: ``plane.shares``
    valence_curve: Curve | None = None  # the estimator's view of each second, for the picture
    arousal_curve: Curve | None = None
    arc: tuple[State, ...] = ()  # over all of [0, duration] without a gap; () is one state
    shots: tuple[Impression, ...] = ()  # what each cue said of each shot; nothing follows it
    sheet: LeadSheet | None = None  # the plan in the composed music's seconds; in no file
    # when in the composed music (T,) seconds of the film are: for what a person asks; in no file
    music_time: Callable[[Seconds], Seconds] = field(default=as_it_is, repr=False, compare=False)
    source: str = ""  # the name of the video file
    estimator: str = ""  # the plug-in that estimated the emotion; empty where a person gave it

    def __post_init__(self) -> None:
        for name in ("source", "estimator"):  # they go into lines of many kinds of file
            object.__setattr__(self, name, one_line(getattr(self, name), LONGEST_NAME))
        object.__setattr__(self, "emotion", shares(self.valence, self.arousal))
        if not self.arc:
            state = State(0.0, self.duration, self.valence, self.arousal)
            object.__setattr__(self, "arc", (state,))

    @property
    def kept(self) -> list[Cut]:
        """The cuts that the music is to hit."""
        return [cut for cut in self.cuts if cut.kept]

    @classmethod
    def of(
        cls,
        footage: Footage,
        estimator: Estimator | None = None,
        cuts: Sequence[Cut] | None = None,
        min_cut_distance: float | None = None,
        impact: Curve | None = None,
    ) -> Self:
        """Return the analysis of ``footage``: its cuts thinned, its feeling estimated by scenes.

        A scene feels as its shots do on average, not as its average looks: a second of a fall
        after seven of rest is a second of excitement.

        ``cuts``, where they are given, stand in the place of those that were found. Cuts are
        thinned to ``min_cut_distance`` seconds; None is CUT_DISTANCE for those that were found,
        and keeps all that are given. ``impact`` is what an observer saw of the same film.
        """
        estimator, video = estimator or choose(), footage.film
        if cuts is None:
            cuts = footage.cuts
            if min_cut_distance is None:
                min_cut_distance = CUT_DISTANCE
        cuts = thinned(cuts, video.duration, min_cut_distance)
        spans, shots = scenes(cuts, video.duration), scenes(footage.cuts, video.duration)
        each = seconds(video.duration, FEELING_REACH)
        parts = parts_of(spans, shots)
        says = estimator.says(footage, [*parts, *each, *shots])
        points = [belief.point for belief in together(says)]
        over_time = points[len(parts) :][: len(each)]
        arc = settle(spans, [mean_within(span, parts, points[: len(parts)]) for span in spans])
        whole = mean_within((0.0, video.duration), parts, points[: len(parts)])
        return cls(
            duration=video.duration,
            fps=str(video.fps),
            cuts=cuts,
            motion=footage.curve(footage.motion_times, footage.motion, PICTURE_STEP),
            impact=impact,
            brightness=footage.curve(footage.times, footage.brightness, PICTURE_STEP),
            saturation=footage.curve(footage.times, footage.saturation, PICTURE_STEP),
            colourfulness=footage.curve(footage.times, footage.colourfulness, PICTURE_STEP),
            valence=round(whole.valence, 4),
            arousal=round(whole.arousal, 4),
            valence_curve=Curve(1.0, tuple(round(p.valence, 4) for p in over_time)),
            arousal_curve=Curve(1.0, tuple(round(p.arousal, 4) for p in over_time)),
            arc=arc,
            shots=_impressions(shots, says),
            source=video.path.name,
            estimator=estimator.title,
        )

    def with_feeling(
        self,
        emotion: Mapping[str, float] | None = None,
        valence: float | None = None,
        arousal: float | None = None,
        scale: float = SCALE,
    ) -> Self:
        """Return the analysis with the feeling a person requests in place of the estimated one.

        ``emotion`` (weights) sets valence and arousal by the mixture's mean at ``scale``;
        ``valence`` and ``arousal`` have the last word. What was estimated over time no longer holds
        for the value that is replaced.
        """
        if emotion is None and valence is None and arousal is None:
            return self
        point = self if emotion is None else mixture_mean(emotion, scale)
        v = point.valence if valence is None else check_affect("valence", valence)
        a = point.arousal if arousal is None else check_affect("arousal", arousal)
        arc: tuple[State, ...] = ()  # one state
        if emotion is None and (valence is None or arousal is None):
            points = [(s.valence if valence is None else v, s.arousal if arousal is None else a)
                      for s in self.arc]  # fmt: skip
            arc = tuple(State(s.start, s.end, *point)
                        for s, point in zip(self.arc, points, strict=True))  # fmt: skip
        return replace(
            self,
            valence=v,
            arousal=a,
            valence_curve=self.valence_curve if v == self.valence else None,
            arousal_curve=self.arousal_curve if a == self.arousal else None,
            arc=arc,
            estimator="",
        )

    def with_arc(self, arc: tuple[State, ...]) -> Self:
        """Return the analysis with the arc that a person gives; the whole is the mean of it."""
        whole = whole_point(arc)
        return replace(
            self,
            valence=whole.valence,
            arousal=whole.arousal,
            valence_curve=None,
            arousal_curve=None,
            arc=arc,
            estimator="",
        )

    def constant(self) -> Self:
        """Return the analysis with one state throughout: that of the whole."""
        return replace(self, arc=())

    def scaled(self, largest: float) -> Self:
        """Return the analysis as it is with emotions whose largest mean is ``largest``, not SCALE.

        All valence and arousal move towards neutral, or away from it, as one; see
        ``emotion.plane.gaussians``.
        """
        gaussians(largest)  # refuses a wrong scale
        factor = largest / SCALE

        def moved(value: float) -> float:
            return value if math.isnan(value) else max(-1.0, min(1.0, value * factor))

        def curve(values: Curve | None) -> Curve | None:
            return values and Curve(values.step, tuple(map(moved, values.values)))

        return replace(
            self,
            valence=moved(self.valence),
            arousal=moved(self.arousal),
            valence_curve=curve(self.valence_curve),
            arousal_curve=curve(self.arousal_curve),
            arc=tuple(
                replace(s, valence=moved(s.valence), arousal=moved(s.arousal)) for s in self.arc
            ),
            shots=tuple(
                replace(s, says={cue: belief.scaled(factor) for cue, belief in s.says.items()})
                for s in self.shots
            ),
        )

    def retimed(self, factor: float) -> Self:
        """Return the analysis of the same film shown so slowly that it lasts ``factor`` times.

        All times move, and what is counted by the second falls: motion, frame rate and tempo.
        The frames keep their numbers.
        """

        def curve(values: Curve | None, pace: float = 1.0) -> Curve | None:
            return values and Curve(values.step * factor, tuple(v / pace for v in values.values))

        return replace(
            self,
            duration=self.duration * factor,
            fps=str(Fraction(self.fps) / Fraction(factor).limit_denominator(FINEST)),
            cuts=tuple(replace(cut, time=cut.time * factor) for cut in self.cuts),
            motion=curve(self.motion, factor),
            impact=curve(self.impact, factor),
            brightness=curve(self.brightness),
            saturation=curve(self.saturation),
            colourfulness=curve(self.colourfulness),
            tempo=self.tempo / factor,
            valence_curve=curve(self.valence_curve),
            arousal_curve=curve(self.arousal_curve),
            arc=tuple(replace(s, start=s.start * factor, end=s.end * factor) for s in self.arc),
            shots=tuple(replace(s, start=s.start * factor, end=s.end * factor) for s in self.shots),
            sheet=self.sheet and self.sheet.retimed(lambda times: times * factor),
            music_time=lambda times: self.music_time(times) * factor,
        )

    def feelings(self, times: Float64s) -> Float64s:
        """Return the (T, 2) valence and arousal of the states that ``times`` are in."""
        states = np.searchsorted([state.start for state in self.arc[1:]], times, side="right")
        return np.array([(state.valence, state.arousal) for state in self.arc])[states]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``; NaN becomes null."""
        bare = replace(self, sheet=None, music_time=as_it_is, shots=())  # which would be copied
        data = {"format": FORMAT, **asdict(bare, dict_factory=_stored)}
        return plain({**data, "shots": [shot.to_json() for shot in self.shots]})

    def save(self, path: PathLike) -> None:
        """Write the JSON file ``path``, atomically: a line for each cut, state and shot."""
        with atomic_write(Path(path)) as partial:
            partial.write_text(
                json_text(self.to_json(), ["cuts", "arc", "shots"]), encoding="utf-8"
            )

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read the JSON file at ``path``; InputError says what is wrong with it."""
        return cls.from_json(read_json(Path(path)), quoted(path))

    @classmethod
    def from_json(cls, data: Mapping[str, Any], name: str = "analysis") -> Self:
        """Build an analysis from what ``to_json`` returned; InputError says which value is off."""
        return cls(**read_fields(data, name))


def _impressions(
    shots: Sequence[Span], says: Mapping[str, Sequence[Belief]]
) -> tuple[Impression, ...]:
    """Return what each cue says of ``shots``, which are the last of what it was asked."""
    rows = list(zip(*says.values(), strict=True))[-len(shots) :]
    return tuple(
        Impression(
            round(start, 4),
            round(end, 4),
            {cue: belief.rounded() for cue, belief in zip(says, said, strict=True)},
        )
        for (start, end), said in zip(shots, rows, strict=True)
    )
