"""The reader of analysis files: every value is checked, and a refusal names it.

``emsync.analysis.Analysis`` writes them.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

from emsync.emotion.arc import State
from emsync.emotion.belief import MOST_WORDS, NARROWEST, Belief, Impression
from emsync.emotion.plane import NAMES, mixture_mean, named, shares
from emsync.errors import InputError, UsageError, warn
from emsync.json_fields import FieldError, as_written, check_keys, list_of, object_of, real, text_of
from emsync.limits import SHOWN, one_line, parse_number, shown
from emsync.music.tonality import TONICS, pitch_class
from emsync.options import FASTEST, SLOWEST
from emsync.video.cuts import Cut
from emsync.video.footage import Curve

FORMAT = 2  # raised when a field changes its meaning
READ = (1, 2)  # in files of format 1 an emotion was no more than a remark
MOST_CUTS = 100_000
FASTEST_FILM = 1_000_000  # frames a second
MOST_SECONDS = 200_000.0  # of a film: more than two days
MOST_MOTION = 1e6
GAPLESS = 0.01  # seconds by which states that were written by hand may miss each other
ROUNDING = 0.01  # by which probabilities rounded by hand may miss 1


def read_fields(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the fields of ``Analysis`` that ``data`` holds, checked; ``name`` is for messages.

    InputError says which value is off.
    """
    try:
        if "sections" in data:
            raise FieldError("it is a plan (--plan), not an analysis of `emsync analyze`")
        if (format := data.get("format", FORMAT)) not in READ:
            known = " and ".join(map(str, READ))
            raise FieldError(f"its format is {as_written(format)}; this emsync reads {known}")
        if "duration" not in data:
            raise FieldError("the key 'duration' is missing; it is the length in seconds")
        duration = real(data["duration"], "duration")
        if not 0 < duration <= MOST_SECONDS:
            raise FieldError(
                f"duration is {duration}; it must be more than 0 seconds, up to {MOST_SECONDS:g}"
            )
        if format == 1:
            data = _renewed(data, name)
        valence, arousal = _whole(data)
        listed = list_of(data.get("cuts", []), "cuts", MOST_CUTS)
        cuts = [_cut(cut, f"cuts[{i}]", duration) for i, cut in enumerate(listed)]
        return {
            "duration": duration,
            "fps": _rate(data.get("fps", "0")),
            "cuts": tuple(sorted(cuts, key=lambda c: c.time)),
            "motion": _curve(data, "motion", duration, 0.0, MOST_MOTION),
            "impact": _curve(data, "impact", duration, 0.0, MOST_MOTION),
            "brightness": _curve(data, "brightness", duration, 0.0, 1.0),
            "saturation": _curve(data, "saturation", duration, 0.0, 1.0),
            "colourfulness": _curve(data, "colourfulness", duration, 0.0, MOST_MOTION),
            "valence": valence,
            "arousal": arousal,
            "tempo": _tempo(data),
            "tonic": tonic_of(data.get("tonic", "")),
            "requested": _requests(data.get("requested")),
            "valence_curve": _curve(data, "valence_curve", duration, -1.0, 1.0),
            "arousal_curve": _curve(data, "arousal_curve", duration, -1.0, 1.0),
            "arc": _arc(data.get("arc"), duration),
            "shots": _shots(data.get("shots"), duration),
            "source": text_of(data.get("source", ""), "source"),
            "estimator": text_of(data.get("estimator", ""), "estimator"),
        }
    except FieldError as error:
        raise InputError(f"{name}: {error}") from error


def _cut(value: Any, key: str, duration: float) -> Cut:
    known = [f.name for f in fields(Cut)]
    given = object_of(value, key)
    check_keys(given, known, key)
    if "time" not in given:
        raise FieldError(f"{key} has no 'time'; it is where the new scene begins, in seconds")
    time = real(given["time"], f"{key}.time")
    if not 0 <= time <= duration:
        raise FieldError(f"{key}.time is {time:g}, outside the {duration:g} s of video")
    kept, frame = given.get("kept", True), given.get("frame")
    if not isinstance(kept, bool):
        raise FieldError(
            f"{key}.kept is {as_written(kept)}; it must be true or false, without quotes"
        )
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int) or frame < 0):
        raise FieldError(
            f"{key}.frame is {as_written(frame)}, not a whole number from 0 on, or null"
        )
    kind = given.get("kind", "cut")
    if kind not in ("cut", "fade"):
        raise FieldError(f'{key}.kind is {as_written(kind)}; it is "cut" or "fade"')
    return Cut(
        time=time,
        strength=real(given.get("strength", 1.0), f"{key}.strength", 0.0, 1.0),
        kept=kept,
        reason=text_of(given.get("reason", ""), f"{key}.reason"),
        frame=frame,
        kind=kind,
    )


def _arc(value: Any, duration: float) -> tuple[State, ...]:
    """Return the states; each begins where the last one ends. None are one constant state."""
    known = [f.name for f in fields(State)]
    states: list[State] = []
    rows = [] if value is None else list_of(value, "arc", MOST_CUTS)
    for i, row in enumerate(rows):
        key, given = f"arc[{i}]", object_of(row, f"arc[{i}]")
        check_keys(given, known, key)
        for part in ("start", "end"):
            if part not in given:
                raise FieldError(f"{key} has no {part!r}; a state is from start to end, in seconds")
        start, end = real(given["start"], f"{key}.start"), real(given["end"], f"{key}.end")
        before = states[-1].end if states else 0.0
        if abs(start - before) > GAPLESS:
            raise FieldError(
                f"{key}.start is {start:g}, but it must be {before:g}, where "
                + ("the last state ends" if states else "the video begins")
            )
        if i == len(rows) - 1 and abs(end - duration) <= GAPLESS:
            end = duration
        if not before < end <= duration:
            raise FieldError(f"{key}.end is {end:g}, outside {before:g} to {duration:g} s")
        states.append(State(before, end, *felt(given, key)))
    if states and states[-1].end != duration:
        raise FieldError(f"arc ends at {states[-1].end:g}, but the video at {duration:g} s")
    return tuple(states)


def _shots(value: Any, duration: float) -> tuple[Impression, ...]:
    """Return what each cue said of each shot; it is shown, and nothing follows it."""
    rows = [] if value is None else list_of(value, "shots", MOST_CUTS)
    shots = []
    for i, row in enumerate(rows):
        key, given = f"shots[{i}]", object_of(row, f"shots[{i}]")
        check_keys(given, [f.name for f in fields(Impression)], key)
        start = real(given.get("start"), f"{key}.start", 0.0, duration + GAPLESS)
        end = real(given.get("end"), f"{key}.end", start, duration + GAPLESS)
        says = object_of(given.get("says", {}), f"{key}.says")
        cues = {(cue := one_line(name, SHOWN)): _belief(said, f"{key}.says.{cue}")
                for name, said in says.items()}  # fmt: skip
        shots.append(Impression(start, end, cues))
    return tuple(shots)


def _belief(value: Any, key: str) -> Belief:
    """Return what a cue said: its words, and a mean and a width on each axis that it speaks of."""
    given = object_of(value, key)
    check_keys(given, [f.name for f in fields(Belief)], key)
    numbers: dict[str, float] = {}
    for axis in ("valence", "arousal"):
        if axis in given:
            numbers[axis] = real(given[axis], f"{key}.{axis}", -1.0, 1.0)
            numbers[f"{axis}_sd"] = real(given.get(f"{axis}_sd"), f"{key}.{axis}_sd", NARROWEST)
    words = text_of(given.get("words", ""), f"{key}.words")
    return Belief(**numbers, words=one_line(words, MOST_WORDS))


def _renewed(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a file of format 1 without the names that its numbers overruled."""
    warn(f"{name} is of an earlier emsync: its numbers count, not the emotions named beside them")
    arc = data.get("arc")
    if isinstance(arc, list):
        arc = [
            {key: value for key, value in row.items() if key != "emotion"}
            if isinstance(row, dict) and {"valence", "arousal"} & set(row)
            else row
            for row in arc
        ]
    return {**data, "emotion": None, "arc": arc}


def felt(given: Mapping[str, Any], key: str) -> tuple[float, float]:
    """Return the valence and the arousal of a state; an emotion without them sets both."""
    emotion = text_of(given.get("emotion") or "", f"{key}.emotion")
    if emotion and emotion not in NAMES:
        raise FieldError(f"{key}.emotion is {as_written(emotion)}; there are {', '.join(NAMES)}")
    valence, arousal = _feeling(given, "valence", f"{key}."), _feeling(given, "arousal", f"{key}.")
    if emotion and math.isnan(valence) and math.isnan(arousal):
        point = mixture_mean({emotion: 1.0})
        return point.valence, point.arousal
    if emotion and emotion != named(valence, arousal):
        raise FieldError(
            f'{key}.emotion is "{emotion}", which {_point(valence, arousal)} is not; '
            'make it "" to keep the numbers, or leave the numbers out'
        )
    return valence, arousal


def _whole(data: Mapping[str, Any]) -> tuple[float, float]:
    """Return the valence and the arousal of the whole; probabilities without them set both."""
    emotion = _probabilities(data.get("emotion"))
    valence, arousal = _feeling(data, "valence"), _feeling(data, "arousal")
    if emotion and math.isnan(valence) and math.isnan(arousal):
        point = mixture_mean(emotion)
        return point.valence, point.arousal
    found = shares(valence, arousal)
    if emotion and any(abs(emotion.get(n, 0) - found.get(n, 0)) > ROUNDING for n in NAMES):
        raise FieldError(
            f"emotion is not what {_point(valence, arousal)} is; "
            "make it {} to keep the numbers, or leave the numbers out"
        )
    return valence, arousal


def _point(valence: float, arousal: float) -> str:
    """Return a point with what it is called."""
    name = named(valence, arousal)
    said = ("null" if math.isnan(value) else f"{value:g}" for value in (valence, arousal))
    numbers = "valence {}, arousal {}".format(*said)
    return numbers + (f" ({name})" if name else "")


def _curve(
    data: Mapping[str, Any], key: str, duration: float, low: float, high: float
) -> Curve | None:
    if data.get(key) is None:
        return None
    given = object_of(data[key], key)
    for part in ("step", "values"):
        if part not in given:
            raise FieldError(f"{key} has no {part!r}; a curve is a step in seconds and its values")
    step = real(given["step"], f"{key}.step")
    if step <= 0:
        raise FieldError(f"{key}.step is {step:g}; it must be more than 0 seconds")
    values = list_of(given["values"], f"{key}.values", int(min(duration / step, 1e9)) + 2)
    return Curve(
        step, tuple(real(v, f"{key}.values[{i}]", low, high) for i, v in enumerate(values))
    )


def _feeling(data: Mapping[str, Any], key: str, where: str = "") -> float:
    value = data.get(key)
    return math.nan if value is None else real(value, where + key, -1.0, 1.0)


def _tempo(data: Mapping[str, Any]) -> float:
    value = data.get("tempo")
    return math.nan if value is None else real(value, "tempo", SLOWEST, FASTEST)


def _requests(value: Any) -> dict[str, str]:
    """Return what is requested of plug-in conditions, or nothing."""
    given = {} if value is None else object_of(value, "requested")
    return {name: text_of(one, f"requested.{one_line(name, SHOWN)}") for name, one in given.items()}


def tonic_of(value: Any) -> str:
    """Return the tonic as TONICS spell it, or "" where none is named."""
    name = text_of(value, "tonic")
    try:
        return name and TONICS[pitch_class(name)]
    except UsageError as error:
        raise FieldError(str(error)) from error


def _probabilities(value: Any) -> dict[str, float]:
    """Return the probabilities of emotions, or none."""
    given = object_of(value, "emotion") if value is not None else {}
    if unknown := sorted(set(given) - set(NAMES)):
        raise FieldError(
            f"emotion has the unknown key {shown(unknown[0])}; there are {', '.join(NAMES)}"
        )
    probabilities = {k: real(v, f"emotion.{k}", 0.0, 1.0) for k, v in given.items()}
    total = sum(probabilities.values())
    if probabilities and abs(total - 1) > ROUNDING:
        raise FieldError(f"emotion sums to {total:g}; its probabilities must sum to 1")
    return probabilities


def _rate(value: Any) -> str:
    """Return the frame rate as it was given, once it is a fraction of 0 or more."""
    try:
        text = str(value) if type(value) in (str, int) else ""
        rate = parse_number(text)
    except ValueError:
        rate = Fraction(-1)
    if not 0 <= rate <= FASTEST_FILM:
        raise FieldError(f'fps is {as_written(value)}, not a fraction such as "25" or "30000/1001"')
    return text
