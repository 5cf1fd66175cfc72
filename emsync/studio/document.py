"""The document of a film: all that a person changes, and what edits make of it.

It has the analysis, the plan, wishes and the take that is kept. While the plan is "made" it follows
the film and the wishes; once a person edits it, it is "yours", and changes are carried into it.
Nothing here reads or writes files. Everything that a browser sends is checked here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self, TypeAlias, TypeVar

import numpy as np

from emsync.analysis import Analysis
from emsync.brief import brief_of
from emsync.emotion.arc import State
from emsync.emotion.plane import SCALE
from emsync.errors import InputError, UsageError
from emsync.json_fields import FieldError, check_keys, list_of, object_of, real, text_of
from emsync.limits import shown
from emsync.options import LUFS, Options, Outputs
from emsync.performance.palette import names as palettes
from emsync.plain import plain
from emsync.planning.plan import SAME_MOMENT, Plan, Section
from emsync.planning.planner import plan_of
from emsync.planning.schedule import scheduled
from emsync.planning.wishes import with_feelings
from emsync.planning.words import chord_symbols

PlanIs: TypeAlias = Literal["made", "yours"]
Wishes: TypeAlias = Mapping[str, Any]
Stretch = TypeVar("Stretch", State, Section)

MOST_CANDIDATES = 8  # pieces that a page compares
COMPARED = 4  # the same, where nothing else is wished
PARTS = ("analysis", "plan", "wishes")  # of a document that an edit brings whole
LONGEST = 2000  # characters of a text that is wished, such as a chart
SLIDE = ("strength", "max_va")  # a wish, and the option that it is


def _number(value: Any, key: str) -> float:
    return real(value, key)


def _whole(value: Any, key: str) -> int:
    number = real(value, key, -(2**63), 2**63)
    if number != int(number):
        raise FieldError(f"{key} is {number:g}, not a whole number")
    return int(value)


def _text(value: Any, key: str) -> str:
    text = text_of(value, key)
    if len(text) > LONGEST:
        raise FieldError(f"{key} has {len(text)} characters; {LONGEST} are the most")
    return text


def _names(value: Any, key: str) -> list[str]:
    return [_text(name, key) for name in list_of(value, key, 20)]


def _palette(value: Any, key: str) -> str:
    """Return the name of a shipped palette: no page names a file of this machine."""
    name = _text(value, key)
    if name not in ("", *palettes()):
        raise FieldError(f"{key} is {shown(name)}; choose one of {', '.join(palettes())}")
    return name


READERS: Mapping[str, Callable[[Any, str], Any]] = {  # of the wishes, by name
    "tempo": _number, "tonic": _text, "mode": _text, "chords": _text, "instruments": _names,
    "palette": _palette, "ending": _text, "sync": _text, "max_tempo_change": _number,
    "strength": _number, "seed": _whole, "candidates": _whole, "guidance": _number,
    "temperature": _number, "top_p": _number, "humanize": _number, "keep_audio": _text,
    "lufs": _number,
}  # fmt: skip
PLANNED = (  # wishes that the plan follows
    "tempo", "tonic", "mode", "chords", "instruments", "palette", "ending", "strength", "sync",
    "max_tempo_change",
)  # fmt: skip
APPLIED = {*PLANNED} - {"strength"}  # wishes that edit a person's plan as it is
DRAWN = (  # wishes of which each piece is drawn, whatever its plan
    "sync", "max_tempo_change", "guidance", "temperature", "top_p", "humanize",
)  # fmt: skip


@dataclass(frozen=True)
class Document:
    """What a person changes of a film's music."""

    analysis: Analysis
    plan: Plan
    plan_is: PlanIs = "made"
    wishes: Wishes = field(default_factory=dict)
    take: str | None = None  # the id of the take that is kept

    @classmethod
    def of(cls, analysis: Analysis, wishes: Wishes | None = None) -> Self:
        """Return the document of a film as it was seen, with a plan made for it."""
        wishes = wishes or {}
        return cls(analysis, made(analysis, wishes), "made", wishes)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {
            "analysis": self.analysis.to_json(),
            "plan": self.plan.to_json(),
            "plan_is": self.plan_is,
            "wishes": dict(self.wishes),
            "take": self.take,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build a document from what ``to_json`` returned; InputError says which value is off."""
        try:
            analysis, plan = (object_of(data.get(key), f"the {key}") for key in PARTS[:2])
            take = data.get("take")
            take = take if take is None else text_of(take, "take")
        except FieldError as error:
            raise InputError(str(error)) from error
        return cls(
            Analysis.from_json(analysis, "the analysis"),
            Plan.from_json(plan, "the plan"),
            "yours" if data.get("plan_is") == "yours" else "made",
            read_wishes(data.get("wishes", {})),
            take,
        )


@dataclass(frozen=True)
class Edit:
    """What a person has changed; None leaves a part as it is."""

    what: str = ""  # was done, in a few words
    analysis: Analysis | None = None
    plan: Plan | None = None
    wishes: Wishes | None = None
    take: str | None = None  # "" keeps none

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an edit that a page sent; InputError or UsageError says which value is off."""
        try:
            check_keys(data, ("version", *(f.name for f in fields(cls))), "an edit")
            given = {key: value for key, value in data.items() if value is not None}
            whats = {key: text_of(given[key], key) for key in ("what", "take") if key in given}
            parts = {key: object_of(given[key], f"the {key}") for key in PARTS if key in given}
            plan = Plan.from_json(parts["plan"], "the plan") if "plan" in parts else None
            for number, section in enumerate(plan.sections if plan else ()):
                _palette(section.palette, f"the plan: sections[{number}].palette")
        except FieldError as error:
            raise InputError(str(error)) from error
        return cls(
            analysis=Analysis.from_json(parts["analysis"], "the analysis")
            if "analysis" in parts
            else None,
            plan=plan,
            wishes=read_wishes(parts["wishes"]) if "wishes" in parts else None,
            **whats,
        )


def read_wishes(given: Any) -> dict[str, Any]:
    """Return the wishes of a JSON object, checked; what is null or empty is not wished."""
    try:
        values = object_of(given, "wishes")
        check_keys(values, READERS, "wishes")
        wishes = {
            key: READERS[key](value, key)
            for key, value in values.items()
            if value is not None and value not in ("", [])
        }
        if not 1 <= wishes.get("candidates", 1) <= MOST_CANDIDATES:
            raise FieldError(
                f"candidates is {wishes['candidates']}; choose from 1 to {MOST_CANDIDATES}"
            )
    except FieldError as error:
        raise InputError(str(error)) from error
    options_of(wishes, READERS)
    outputs_of(wishes)
    return wishes


def options_of(wishes: Wishes, names: Sequence[str] | Mapping[str, Any], **more: Any) -> Options:
    """Return the options that those of ``wishes`` with these ``names`` are, and ``more``."""
    given = {SLIDE[1] if key == SLIDE[0] else key: value for key, value in wishes.items()
             if key in names and key not in ("keep_audio", "lufs")}  # fmt: skip
    return Options(**{**given, **more})


def outputs_of(wishes: Wishes, **more: Any) -> Outputs:
    """Return how ``wishes`` want the music to sound, and ``more``."""
    return Outputs(
        keep_audio=wishes.get("keep_audio", "replace"), lufs=wishes.get("lufs", LUFS), **more
    )


def made(analysis: Analysis, wishes: Wishes) -> Plan:
    """Return the plan that is made for a film with ``wishes``."""
    options = options_of(wishes, (*PLANNED, "seed"), analysis=analysis)
    return plan_of(brief_of(None, options), options)


def settled(plan: Plan, analysis: Analysis, wishes: Wishes, **wished: Any) -> Plan:
    """Return a person's ``plan`` with what it leaves open drawn, and with what is ``wished``."""
    always = {key: wishes[key] for key in ("seed", "sync", "max_tempo_change") if key in wishes}
    options = options_of({**always, **wished}, READERS, analysis=analysis, plan=plan)
    return plan_of(analysis, options)


def edited(document: Document, edit: Edit) -> Document:
    """Return the document after an edit; InputError or UsageError where it cannot be."""
    old, analysis = document.analysis, edit.analysis or document.analysis
    if (analysis.duration, analysis.fps) != (old.duration, old.fps):
        raise UsageError(
            f"the analysis is of {analysis.duration:.3f} s at {analysis.fps} frames a second, the "
            f"film has {old.duration:.3f} s at {old.fps}"
        )
    analysis = followed(old, analysis)
    wishes = document.wishes if edit.wishes is None else edit.wishes
    take = document.take if edit.take is None else edit.take or None
    new = replace(document, analysis=analysis, wishes=wishes, take=take)
    if edit.plan is not None and edit.plan.to_json() != document.plan.to_json():
        return replace(new, plan=settled(edit.plan, analysis, wishes), plan_is="yours")
    names = {*document.wishes, *wishes}
    changed = {name for name in names if document.wishes.get(name) != wishes.get(name)}
    if document.plan_is == "made":
        same = analysis.to_json() == old.to_json() and not changed & {*PLANNED, "seed"}
        return new if same else replace(new, plan=made(analysis, wishes))
    plan = carried(document.plan, old, analysis)
    strength, before = (all_.get("strength", SCALE) for all_ in (wishes, document.wishes))
    if strength != before:
        plan = stronger(plan, strength / before)
    wished = {name: wishes[name] for name in changed & APPLIED if name in wishes}
    if plan is document.plan and not wished:
        return new
    return replace(new, plan=settled(plan, analysis, wishes, **wished))


def places(document: Document) -> dict[str, Any]:
    """Return when the bars and chords of a document's plan will be, before a note is drawn."""
    plan = document.plan
    options = options_of(document.wishes, ("sync", "max_tempo_change"))
    sheet, bars = scheduled(plan, document.analysis, options)
    symbols = chord_symbols(plan, sheet.harmony)
    return {
        "bars": bars[bars < plan.duration].round(4).tolist(),
        "chords": [{"time": round(time, 4), "name": name} for time, name in symbols],
    }


def anew(document: Document) -> Document:
    """Return the document with its plan made of the film again."""
    plan = made(document.analysis, document.wishes)
    return replace(document, plan=plan, plan_is="made")


def followed(old: Analysis, new: Analysis) -> Analysis:
    """Return ``new`` with the feeling that changed on a cut changing where that cut is now.

    So it is where a cut was moved and nothing is said of the feelings.
    """
    if (move := moved_cut(old, new)) is None or new.arc != old.arc:
        return new
    return replace(new, arc=_moved(new.arc, *move))


def moved_cut(old: Analysis, new: Analysis) -> tuple[float, float] | None:
    """Return from where to where the one kept cut that differs was moved; None where none was."""
    gone, come = _kept(old) - _kept(new), _kept(new) - _kept(old)
    return (gone.pop(), come.pop()) if len(gone) == len(come) == 1 else None


def carried(plan: Plan, old: Analysis, new: Analysis) -> Plan:
    """Return a person's ``plan`` with what has changed in the analysis: cuts and feelings.

    A section that begins on a cut that is moved goes with it. Where the feeling has changed, the
    sections have the new one, and what follows from it.
    """
    gone, come = _kept(old) - _kept(new), _kept(new) - _kept(old)
    hits = [hit for hit in plan.hits if all(abs(hit - time) > SAME_MOMENT for time in gone)]
    sections, arc = plan.sections, old.arc
    if move := moved_cut(old, new):
        sections, arc = _moved(sections, *move), _moved(arc, *move)
    before, after = with_feelings(sections, arc), with_feelings(sections, new.arc)
    told = tuple(
        section if _feeling(a) == _feeling(b) else b
        for section, a, b in zip(sections, before, after, strict=True)
    )
    if not (gone or come) and told == sections:
        return plan
    return replace(plan, hits=tuple(sorted({*hits, *come})), sections=told)


def stronger(plan: Plan, ratio: float) -> Plan:
    """Return ``plan`` with feelings so many times as strong, and what follows from them."""
    arc = [
        State(s.start, s.end, *np.clip(np.multiply((s.valence, s.arousal), ratio), -1, 1).tolist())
        for s in plan.sections
    ]
    return replace(plan, sections=tuple(with_feelings(plan.sections, arc)))


def _kept(analysis: Analysis) -> set[float]:
    return {cut.time for cut in analysis.kept}


def _feeling(section: Section) -> list[Any]:
    return plain([section.valence, section.arousal])  # what is not known equals itself


def _moved(stretches: Sequence[Stretch], old: float, new: float) -> tuple[Stretch, ...]:
    """Return ``stretches`` with the edge at ``old`` seconds at ``new``, where there is room."""
    rows = list(stretches)
    for i in range(1, len(rows)):
        if abs(rows[i].start - old) <= SAME_MOMENT and rows[i - 1].start < new < rows[i].end:
            rows[i - 1], rows[i] = replace(rows[i - 1], end=new), replace(rows[i], start=new)
    return tuple(rows)
