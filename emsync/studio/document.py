"""START HERE: the document of a film: all that a person changes, and what edits make of it.

It has the analysis, the plan, wishes and the take that is kept. While the plan is "made" it follows
the film and the wishes; once a person edits it, it is "yours", and changes are carried into it.
Nothing here reads or writes files. Everything that a browser sends is checked here.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias

from emsync.analysis import Analysis
from emsync.brief import brief_of
from emsync.emotion.plane import SCALE
from emsync.errors import EmsyncWarning, InputError, UsageError
from emsync.json_fields import FieldError, check_keys, list_of, object_of, real, text_of
from emsync.options import LUFS, Options, Outputs
from emsync.planning.plan import SAME_MOMENT, Plan, Section
from emsync.planning.planner import plan_of
from emsync.planning.wishes import with_feelings

PlanIs: TypeAlias = Literal["made", "yours"]
Wishes: TypeAlias = Mapping[str, Any]

MOST_CANDIDATES = 8  # pieces that a page compares
LONGEST = 2000  # characters of a text that is wished, such as a chart
SLIDE = ("strength", "max_va")  # a wish, and the option that it is


def _number(value: Any, key: str) -> float:
    return real(value, key)


def _whole(value: Any, key: str) -> int:
    number = real(value, key)
    if number != int(number):
        raise FieldError(f"{key} is {number:g}, not a whole number")
    return int(number)


def _text(value: Any, key: str) -> str:
    text = text_of(value, key)
    if len(text) > LONGEST:
        raise FieldError(f"{key} has {len(text)} characters; {LONGEST} are the most")
    return text


def _names(value: Any, key: str) -> list[str]:
    return [_text(name, key) for name in list_of(value, key, 20)]


READERS: Mapping[str, Callable[[Any, str], Any]] = {  # of the wishes, by name
    "tempo": _number, "tonic": _text, "mode": _text, "chords": _text, "instruments": _names,
    "palette": _text, "ending": _text, "sync": _text, "max_tempo_change": _number,
    "strength": _number, "seed": _whole, "candidates": _whole, "guidance": _number,
    "temperature": _number, "top_p": _number, "humanize": _number, "keep_audio": _text,
    "lufs": _number,
}  # fmt: skip
PLANNED = (  # wishes that the plan follows
    "tempo", "tonic", "mode", "chords", "instruments", "palette", "ending", "strength", "sync",
    "max_tempo_change",
)  # fmt: skip
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
        return cls(
            Analysis.from_json(data["analysis"], "the analysis"),
            Plan.from_json(data["plan"], "the plan"),
            "yours" if data.get("plan_is") == "yours" else "made",
            read_wishes(data.get("wishes", {})),
            data.get("take"),
        )


@dataclass(frozen=True)
class Edit:
    """What a person has changed; None leaves a part as it is."""

    analysis: Analysis | None = None
    plan: Plan | None = None
    wishes: Wishes | None = None
    take: str | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an edit that a page sent; InputError or UsageError says which value is off."""
        analysis, plan, wishes = (
            None if data.get(key) is None else _object(data[key], f"the {key}")
            for key in ("analysis", "plan", "wishes")
        )
        return cls(
            None if analysis is None else Analysis.from_json(analysis, "the analysis"),
            None if plan is None else Plan.from_json(plan, "the plan"),
            None if wishes is None else read_wishes(wishes),
            data.get("take"),
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
    analysis = edit.analysis or document.analysis
    if analysis.duration != document.analysis.duration:
        raise UsageError(
            f"the analysis is of {analysis.duration:.3f} s, the film has "
            f"{document.analysis.duration:.3f} s"
        )
    wishes = document.wishes if edit.wishes is None else edit.wishes
    new = replace(document, analysis=analysis, wishes=wishes, take=edit.take or document.take)
    if edit.plan is not None:
        return replace(new, plan=settled(edit.plan, analysis, wishes), plan_is="yours")
    names = {*document.wishes, *wishes}
    changed = {name for name in names if document.wishes.get(name) != wishes.get(name)}
    if document.plan_is == "made":
        same = analysis == document.analysis and not changed & {*PLANNED, "seed"}
        return new if same else replace(new, plan=made(analysis, wishes))
    plan = carried(document.plan, document.analysis, analysis)
    wished = {name: wishes[name] for name in changed & set(PLANNED) if name in wishes}
    if "strength" in wished:  # it scales what is there, which has the strength before
        ratio = wished["strength"] / document.wishes.get("strength", SCALE)
        wished["strength"] = min(1.0, SCALE * ratio)
    if plan == document.plan and not wished:
        return new
    return replace(new, plan=settled(plan, analysis, wishes, **wished))


def anew(document: Document) -> Document:
    """Return the document with its plan made of the film again."""
    plan = made(document.analysis, document.wishes)
    return replace(document, plan=plan, plan_is="made")


def carried(plan: Plan, old: Analysis, new: Analysis) -> Plan:
    """Return a person's ``plan`` with what has changed in the analysis: cuts and feelings.

    A section that begins on a cut that is moved goes with it. Where the feeling has changed, the
    sections have the new one, and what follows from it.
    """
    before, after = ({cut.time for cut in analysis.kept} for analysis in (old, new))
    gone, come = sorted(before - after), sorted(after - before)
    hits = [hit for hit in plan.hits if all(abs(hit - time) > SAME_MOMENT for time in gone)]
    sections = plan.sections
    if len(gone) == len(come) == 1:
        sections = _moved(sections, gone[0], come[0])
    same, felt = with_feelings(sections, old.arc), with_feelings(sections, new.arc)
    told = tuple(
        section if (a.valence, a.arousal) == (b.valence, b.arousal) else b
        for section, a, b in zip(sections, same, felt, strict=True)
    )
    return replace(plan, hits=tuple(sorted({*hits, *come})), sections=told)


def _moved(sections: Sequence[Section], old: float, new: float) -> tuple[Section, ...]:
    """Return ``sections`` with the edge at ``old`` seconds at ``new``, where there is room."""
    rows = list(sections)
    for i in range(1, len(rows)):
        edge = rows[i].start
        if abs(edge - old) <= SAME_MOMENT and rows[i - 1].start < new < rows[i].end:
            rows[i - 1], rows[i] = replace(rows[i - 1], end=new), replace(rows[i], start=new)
    return tuple(rows)


def noted(act: Callable[[], Document]) -> tuple[Document, list[str]]:
    """Return what ``act`` does, and what the library told of it, a sentence each."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", EmsyncWarning)
        document = act()
    return document, [str(w.message) for w in told if issubclass(w.category, EmsyncWarning)]


def _object(value: Any, key: str) -> dict[str, Any]:
    try:
        return object_of(value, key)
    except FieldError as error:
        raise InputError(str(error)) from error
