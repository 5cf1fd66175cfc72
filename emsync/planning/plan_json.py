"""The reader of plan files: every value is checked, and a refusal names it."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from emsync.analysis_json import GAPLESS, MOST_CUTS, MOST_SECONDS, felt, tonic_of
from emsync.errors import InputError, UsageError
from emsync.json_fields import (
    FieldError,
    as_written,
    check_keys,
    list_of,
    object_of,
    real,
    text_of,
)
from emsync.limits import one_line
from emsync.music.piece import CLASSES
from emsync.options import FASTEST, SLOWEST, EndingKind, Mode
from emsync.performance.dynamics import LOUDEST
from emsync.performance.palette import check_name
from emsync.planning.chart import parse_chart
from emsync.planning.plan import FORMAT, Plan, Section
from emsync.planning.players import check_instruments

MOST_SECTIONS = 10_000
LONGEST_PATH = 4096  # characters
MOST_DENSITY = 24.0  # onsets a beat


def read_plan(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the fields of ``Plan`` that ``data`` holds, checked; ``name`` is for messages.

    InputError says which value is off.
    """
    try:
        if "fps" in data or "cuts" in data:
            raise FieldError("it is an analysis (--analysis), not a plan of `emsync plan`")
        if (format := data.get("format", FORMAT)) != FORMAT or isinstance(format, bool):
            found = as_written(format)
            raise FieldError(f"its format is {found}; this emsync reads {FORMAT}")
        check_keys(data, ["format", *(f.name for f in fields(Plan))])
        for key in ("duration", "tempo", "sections"):
            if key not in data:
                raise FieldError(f"the key {key!r} is missing")
        duration = real(data["duration"], "duration", 0.0, MOST_SECONDS)
        if not duration:
            raise FieldError("duration is 0; it must be more than 0 seconds")
        hits = [
            real(hit, f"hits[{i}]", 0.0, duration)
            for i, hit in enumerate(list_of(data.get("hits", []), "hits", MOST_CUTS))
        ]
        return {
            "duration": duration,
            "tempo": real(data["tempo"], "tempo", SLOWEST, FASTEST),
            "tonic": tonic_of(data.get("tonic", "")),
            "ending": _one_of(data.get("ending", "cadence"), "ending", get_args(EndingKind)),
            "hits": tuple(sorted(set(hits))),
            "sections": _sections(data["sections"], duration),
            "source": text_of(data.get("source", ""), "source"),
        }
    except FieldError as error:
        raise InputError(f"{name}: {error}") from error


def _one_of(value: Any, key: str, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise FieldError(f"{key} is {as_written(value)}; choose one of {', '.join(known)}")
    return str(value)


def _sections(value: Any, duration: float) -> tuple[Section, ...]:
    """Return the sections; each begins where the last one ends."""
    rows = list_of(value, "sections", MOST_SECTIONS)
    if not rows:
        raise FieldError("sections is empty; one section from 0 to the end is the least")
    sections: list[Section] = []
    for i, row in enumerate(rows):
        key, given = f"sections[{i}]", object_of(row, f"sections[{i}]")
        check_keys(given, [f.name for f in fields(Section)], key)
        for part in ("start", "end"):
            if part not in given:
                raise FieldError(f"{key} has no {part!r}; it is from start to end, in seconds")
        start, end = real(given["start"], f"{key}.start"), real(given["end"], f"{key}.end")
        before = sections[-1].end if sections else 0.0
        if start < before - GAPLESS and sections:
            raise FieldError(
                f"{key}.start is {start:g}: it overlaps the section before, which ends at "
                f"{before:g}"
            )
        if abs(start - before) > GAPLESS:
            where = "the section before ends" if sections else "the video begins"
            raise FieldError(
                f"{key}.start is {start:g}, which leaves a gap: it must be {before:g}, where "
                f"{where}"
            )
        if i == len(rows) - 1 and abs(end - duration) <= GAPLESS:
            end = duration
        if not before < end <= duration:
            raise FieldError(f"{key}.end is {end:g}, outside {before:g} to {duration:g} s")
        sections.append(_section(given, key, before, end))
    if sections[-1].end != duration:
        raise FieldError(
            f"the sections end at {sections[-1].end:g}, but the video at {duration:g} s"
        )
    return tuple(sections)


def _section(given: Mapping[str, Any], key: str, start: float, end: float) -> Section:
    valence, arousal = felt(given, key)
    mode: Mode | None = None
    if given.get("mode") is not None:
        named = _one_of(given["mode"], f"{key}.mode", get_args(Mode))
        mode = "minor" if named == "minor" else "major"
    density, level = (given.get(name) for name in ("density", "level"))
    return Section(
        start,
        end,
        valence,
        arousal,
        mode=mode,
        density=math.nan if density is None else real(density, f"{key}.density", 0.0, MOST_DENSITY),
        instruments=_instruments(given.get("instruments", list(CLASSES)), f"{key}.instruments"),
        chords=_chords(given.get("chords", ""), f"{key}.chords"),
        theme=_theme(given.get("theme", ""), f"{key}.theme"),
        level=math.nan if level is None else real(level, f"{key}.level", 1.0, LOUDEST),
        palette=_palette(given.get("palette", ""), f"{key}.palette"),
    )


def _instruments(value: Any, key: str) -> tuple[str, ...]:
    names = [text_of(name, f"{key}[{i}]") for i, name in enumerate(list_of(value, key, 100))]
    try:
        return check_instruments(names)
    except UsageError as error:
        raise FieldError(f"{key}: {error}") from error


def _chords(value: Any, key: str) -> str:
    text = "" if value is None else text_of(value, key)
    try:
        parse_chart(text)
    except UsageError as error:
        raise FieldError(f"{key}: {error}") from error
    return text


def _palette(value: Any, key: str) -> str:
    text = "" if value is None else text_of(value, key)
    if len(text) > LONGEST_PATH or one_line(text, LONGEST_PATH) != text:
        raise FieldError(f"{key} is {as_written(value)}, no name of a palette or of a file")
    try:
        if text:
            check_name(text)
    except UsageError as error:
        raise FieldError(f"{key}: {error}") from error
    return text


def _theme(value: Any, key: str) -> str:
    text = "" if value is None else text_of(value, key)
    if text and not (len(text) == 1 and "A" <= text <= "Z"):
        raise FieldError(f'{key} is {as_written(value)}, not a letter from A to Z; "" is none')
    return text
