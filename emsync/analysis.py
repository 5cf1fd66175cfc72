"""What a video asks of its music: the facts that every conditioner reads, as editable JSON.

``emsync analyze clip.mp4 --out analysis.json`` writes it, a person may edit it, and
``emsync generate clip.mp4 --analysis analysis.json`` reads it back.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np

from emsync.arrays import Float64s
from emsync.emotion.arc import State, named, scenes, seconds, settle, whole_feeling
from emsync.emotion.estimator import Estimator, Feeling, choose, mean
from emsync.emotion.plane import (
    EMOTIONS,
    SCALE,
    categorise,
    check_affect,
    gaussians,
    mixture_mean,
    normalise,
)
from emsync.errors import InputError, UsageError
from emsync.files import atomic_write
from emsync.music.tonality import TONICS, pitch_class
from emsync.options import FASTEST, SLOWEST, PathLike
from emsync.plain import plain
from emsync.video.watch import Curve, Cut, Footage, thin

__all__ = ["FORMAT", "Analysis", "Curve", "Cut", "State"]

FORMAT = 1  # raised when a field changes its meaning
MOTION_STEP = 0.1  # seconds between two values of the motion curve
FEELING_REACH = 2.5  # seconds to either side of a second that make its value in the curves

LARGEST = 64 * 2**20  # bytes of an analysis file; hours of video need a hundredth of it
MOST_CUTS = 100_000
GAPLESS = 0.01  # seconds by which states that were written by hand may miss each other
ROUNDING = 0.01  # by which probabilities rounded by hand may miss 1
FINEST = 1_000_000  # largest denominator of a factor of the frame rate, which stays readable


@dataclass(frozen=True)
class Analysis:
    """A video as its music sees it. Times in seconds from the first frame."""

    duration: float
    fps: str  # frames a second as an exact fraction, such as "30000/1001"; "0" if unknown
    cuts: tuple[Cut, ...] = ()
    motion: Curve | None = None  # mean optical flow, in picture heights a second
    valence: float = math.nan  # in [-1, 1]; NaN when not known
    arousal: float = math.nan  # in [-1, 1]
    tempo: float = math.nan  # beats a minute asked of the music; NaN leaves it to the composer
    tonic: str = ""  # such as "F#", that the music shall stand on; empty leaves it to the composer
    emotion: Mapping[str, float] = field(default_factory=dict)  # probabilities, summing to 1
    valence_curve: Curve | None = None  # the estimator's view of each second, for the picture
    arousal_curve: Curve | None = None
    arc: tuple[State, ...] = ()  # over all of [0, duration] without a gap; () is one state
    source: str = ""  # the name of the video file
    estimator: str = ""  # the plug-in that felt the emotion; empty where a person gave it

    def __post_init__(self) -> None:
        if not self.arc:
            emotion = named(self.valence, self.arousal)
            state = State(0.0, self.duration, self.valence, self.arousal, emotion)
            object.__setattr__(self, "arc", (state,))

    @property
    def kept(self) -> list[Cut]:
        """The cuts that the music is asked to answer."""
        return [cut for cut in self.cuts if cut.kept]

    @classmethod
    def of(cls, footage: Footage, estimator: Estimator | None = None) -> Self:
        """Return what ``footage`` asks of its music; cuts are thinned, the feeling is estimated."""
        estimator = estimator or choose()
        video, cuts = footage.film, thin(footage.cuts, footage.film.duration)
        spans = scenes(cuts, video.duration)
        felt = estimator.feel(footage, [*spans, *seconds(video.duration, FEELING_REACH)])
        arc, over_time = settle(spans, felt[: len(spans)]), felt[len(spans) :]
        feeling = mean(felt[: len(spans)], [end - start for start, end in spans])
        return cls(
            duration=video.duration,
            fps=str(video.fps),
            cuts=cuts,
            motion=footage.curve(footage.motion_times, footage.motion, MOTION_STEP),
            valence=round(feeling.valence, 4),
            arousal=round(feeling.arousal, 4),
            emotion=feeling.emotion,
            valence_curve=Curve(1.0, tuple(round(f.valence, 4) for f in over_time)),
            arousal_curve=Curve(1.0, tuple(round(f.arousal, 4) for f in over_time)),
            arc=arc,
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
        """Return the analysis with the feeling a person asks for in place of the estimated one.

        ``emotion`` (weights) sets valence and arousal by the mixture's mean at ``scale``;
        ``valence`` and ``arousal`` have the last word. Without ``emotion`` the probabilities follow
        the point. What was estimated over time no longer holds for the value that is replaced.
        """
        if emotion is None and valence is None and arousal is None:
            return self
        point = self if emotion is None else mixture_mean(emotion, scale)
        v = point.valence if valence is None else check_affect("valence", valence)
        a = point.arousal if arousal is None else check_affect("arousal", arousal)
        if emotion is not None:
            probabilities = normalise(emotion)
        else:
            probabilities = {} if math.isnan(v + a) else categorise(v, a)
        arc: tuple[State, ...] = ()  # one state
        if emotion is None and (valence is None or arousal is None):
            points = [(s.valence if valence is None else v, s.arousal if arousal is None else a)
                      for s in self.arc]  # fmt: skip
            arc = tuple(State(s.start, s.end, *point, named(*point))
                        for s, point in zip(self.arc, points, strict=True))  # fmt: skip
        return replace(
            self,
            valence=v,
            arousal=a,
            emotion=probabilities,
            valence_curve=self.valence_curve if v == self.valence else None,
            arousal_curve=self.arousal_curve if a == self.arousal else None,
            arc=arc,
            estimator="",
        )

    def with_arc(self, arc: tuple[State, ...]) -> Self:
        """Return the analysis with the arc that a person gives; the whole is the mean of it."""
        feeling = whole_feeling(arc)
        point = (math.nan, math.nan) if feeling is None else (feeling.valence, feeling.arousal)
        return replace(
            self,
            valence=point[0],
            arousal=point[1],
            emotion={} if feeling is None else feeling.emotion,
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
        ``affect.gaussians``. The names of the emotions stay.
        """
        gaussians(largest)  # refuses what cannot be
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
            tempo=self.tempo / factor,
            valence_curve=curve(self.valence_curve),
            arousal_curve=curve(self.arousal_curve),
            arc=tuple(replace(s, start=s.start * factor, end=s.end * factor) for s in self.arc),
        )

    def feelings(self, times: Float64s) -> Float64s:
        """Return the (T, 2) valence and arousal of the states that ``times`` are in."""
        states = np.searchsorted([state.start for state in self.arc[1:]], times, side="right")
        return np.array([(state.valence, state.arousal) for state in self.arc])[states]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``; NaN becomes null."""
        return {"format": FORMAT, **plain(asdict(self))}

    def save(self, path: PathLike) -> None:
        """Write the JSON file ``path``, whole or not at all: a line for each cut and each state."""
        data = self.to_json()
        rows = {key: json.dumps(value, allow_nan=False) for key, value in data.items()}
        for key in ("cuts", "arc"):
            if data[key]:
                lines = ",\n  ".join(json.dumps(row, allow_nan=False) for row in data[key])
                rows[key] = f"[\n  {lines}\n ]"
        text = ",\n".join(f' "{key}": {row}' for key, row in rows.items())
        with atomic_write(Path(path)) as partial:
            partial.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read the JSON file at ``path``."""
        path = Path(path)
        try:
            if (size := path.stat().st_size) > LARGEST:
                raise InputError(f"{str(path)!r} is no analysis: {size} bytes are too many")
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{str(path)!r} is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise InputError(f"{str(path)!r} is not an analysis: it holds no JSON object")
        return cls.from_json(data, str(path))

    @classmethod
    def from_json(cls, data: Mapping[str, Any], name: str = "analysis") -> Self:
        """Build an analysis from what ``to_json`` returned; InputError says which value is off."""
        try:
            if (format := data.get("format", FORMAT)) != FORMAT:
                raise _Off(f"its format is {_shown(format)}; this emsync reads {FORMAT}")
            if "duration" not in data:
                raise _Off("the key 'duration' is missing; it is the length in seconds")
            duration = _real(data["duration"], "duration")
            if duration <= 0:
                raise _Off(f"duration is {duration}; it must be more than 0 seconds")
            listed = _list(data.get("cuts", []), "cuts", MOST_CUTS)
            cuts = [_cut(cut, f"cuts[{i}]", duration) for i, cut in enumerate(listed)]
            return cls(
                duration=duration,
                fps=_rate(data.get("fps", "0")),
                cuts=tuple(sorted(cuts, key=lambda c: c.time)),
                motion=_curve(data, "motion", duration, 0.0, math.inf),
                valence=_feeling(data, "valence"),
                arousal=_feeling(data, "arousal"),
                tempo=_tempo(data),
                tonic=_tonic(data.get("tonic", "")),
                emotion=_probabilities(data.get("emotion")),
                valence_curve=_curve(data, "valence_curve", duration, -1.0, 1.0),
                arousal_curve=_curve(data, "arousal_curve", duration, -1.0, 1.0),
                arc=_arc(data.get("arc"), duration),
                source=_text(data.get("source", ""), "source"),
                estimator=_text(data.get("estimator", ""), "estimator"),
            )
        except _Off as error:
            raise InputError(f"{name}: {error}") from error


class _Off(ValueError):
    """A value in an analysis file that cannot be."""


def _shown(value: Any) -> str:
    """Return ``value`` as the file has it, cut short."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def _real(value: Any, key: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number from ``low`` to ``high``; true, "1" and 1e999 are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Off(f"{key} is {_shown(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Off(f"{key} is {number}, not a finite number")
    if not low <= number <= high:
        raise _Off(f"{key} is {number:g}, outside {low:g} to {high:g}")
    return number


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise _Off(f"{key} is {_shown(value)}, not text in quotes")
    return value


def _list(value: Any, key: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise _Off(f"{key} is {_shown(value)}, not a list")
    if len(value) > most:
        raise _Off(f"{key} has {len(value)} entries; {most} are the most that fit")
    return value


def _mapping(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Off(f"{key} is {_shown(value)}, not an object in braces")
    return value


def _cut(value: Any, key: str, duration: float) -> Cut:
    known = [f.name for f in fields(Cut)]
    given = _mapping(value, key)
    if unknown := sorted(set(given) - set(known)):
        raise _Off(f"{key} has the unknown key {unknown[0]!r}; there are {', '.join(known)}")
    if "time" not in given:
        raise _Off(f"{key} has no 'time'; it is where the new scene begins, in seconds")
    time = _real(given["time"], f"{key}.time")
    if not 0 <= time <= duration:
        raise _Off(f"{key}.time is {time:g}, outside the {duration:g} s of video")
    kept, frame = given.get("kept", True), given.get("frame")
    if not isinstance(kept, bool):
        raise _Off(f"{key}.kept is {_shown(kept)}; it must be true or false, without quotes")
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int) or frame < 0):
        raise _Off(f"{key}.frame is {_shown(frame)}, not a whole number from 0 on, or null")
    kind = given.get("kind", "cut")
    if kind not in ("cut", "fade"):
        raise _Off(f'{key}.kind is {_shown(kind)}; it is "cut" or "fade"')
    return Cut(
        time=time,
        strength=_real(given.get("strength", 1.0), f"{key}.strength", 0.0, 1.0),
        kept=kept,
        reason=_text(given.get("reason", ""), f"{key}.reason"),
        frame=frame,
        kind=kind,
    )


def _arc(value: Any, duration: float) -> tuple[State, ...]:
    """Return the states; each begins where the last one ends. None are one constant state."""
    known = [f.name for f in fields(State)]
    states: list[State] = []
    rows = [] if value is None else _list(value, "arc", MOST_CUTS)
    for i, row in enumerate(rows):
        key, given = f"arc[{i}]", _mapping(row, f"arc[{i}]")
        if unknown := sorted(set(given) - set(known)):
            raise _Off(f"{key} has the unknown key {unknown[0]!r}; there are {', '.join(known)}")
        for part in ("start", "end"):
            if part not in given:
                raise _Off(f"{key} has no {part!r}; a state is from start to end, in seconds")
        start, end = _real(given["start"], f"{key}.start"), _real(given["end"], f"{key}.end")
        before = states[-1].end if states else 0.0
        if abs(start - before) > GAPLESS:
            raise _Off(
                f"{key}.start is {start:g}, but it must be {before:g}, where "
                + ("the last state ends" if states else "the video begins")
            )
        if i == len(rows) - 1 and abs(end - duration) <= GAPLESS:
            end = duration
        if not before < end <= duration:
            raise _Off(f"{key}.end is {end:g}, outside {before:g} to {duration:g} s")
        states.append(State(before, end, *_felt(given, key)))
    if states and states[-1].end != duration:
        raise _Off(f"arc ends at {states[-1].end:g}, but the video at {duration:g} s")
    return tuple(states)


def _felt(given: Mapping[str, Any], key: str) -> tuple[float, float, str]:
    """Return the valence, the arousal and the emotion of a state; an emotion alone sets them."""
    emotion = _text(given.get("emotion") or "", f"{key}.emotion")
    if emotion and emotion not in EMOTIONS:
        raise _Off(f"{key}.emotion is {_shown(emotion)}; there are {', '.join(EMOTIONS)}")
    values = [
        math.nan if given.get(name) is None else _real(given[name], f"{key}.{name}", -1.0, 1.0)
        for name in ("valence", "arousal")
    ]
    if emotion and not {"valence", "arousal"} & set(given):
        feeling = Feeling.of({emotion: 1.0})
        values = [feeling.valence, feeling.arousal]
    return values[0], values[1], emotion or named(*values)


def _curve(
    data: Mapping[str, Any], key: str, duration: float, low: float, high: float
) -> Curve | None:
    if data.get(key) is None:
        return None
    given = _mapping(data[key], key)
    for part in ("step", "values"):
        if part not in given:
            raise _Off(f"{key} has no {part!r}; a curve is a step in seconds and its values")
    step = _real(given["step"], f"{key}.step")
    if step <= 0:
        raise _Off(f"{key}.step is {step:g}; it must be more than 0 seconds")
    values = _list(given["values"], f"{key}.values", int(min(duration / step, 1e9)) + 2)
    return Curve(
        step, tuple(_real(v, f"{key}.values[{i}]", low, high) for i, v in enumerate(values))
    )


def _feeling(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key)
    return math.nan if value is None else _real(value, key, -1.0, 1.0)


def _tempo(data: Mapping[str, Any]) -> float:
    value = data.get("tempo")
    return math.nan if value is None else _real(value, "tempo", SLOWEST, FASTEST)


def _tonic(value: Any) -> str:
    name = _text(value, "tonic")
    try:
        return name and TONICS[pitch_class(name)]
    except UsageError as error:
        raise _Off(str(error)) from error


def _probabilities(value: Any) -> dict[str, float]:
    """Return the probabilities of emotions, or none."""
    given = _mapping(value, "emotion") if value is not None else {}
    if unknown := sorted(set(given) - set(EMOTIONS)):
        raise _Off(f"emotion has the unknown key {unknown[0]!r}; there are {', '.join(EMOTIONS)}")
    probabilities = {k: _real(v, f"emotion.{k}", 0.0, 1.0) for k, v in given.items()}
    total = sum(probabilities.values())
    if probabilities and abs(total - 1) > ROUNDING:
        raise _Off(f"emotion sums to {total:g}; its probabilities must sum to 1")
    return probabilities


def _rate(value: Any) -> str:
    """Return the frame rate as it was given, once it is a fraction of 0 or more."""
    text = str(value) if type(value) in (str, int) else ""
    try:
        rate = Fraction(text) if len(text) < 40 else Fraction(-1)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(-1)
    if rate < 0:
        raise _Off(f'fps is {_shown(value)}, not a fraction such as "25" or "30000/1001"')
    return text
