"""Settings from a file as the fields of a dataclass: of their types, and within their ranges.

A field says all that there is to say about it:

    width: Annotated[int, Within(8, 8192), "numbers that stand for a token"] = 512
"""

import math
import numbers
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from emsync.errors import EmsyncError, UsageError
from emsync.limits import as_float, shown

Kind = TypeVar("Kind")

MOST_ENTRIES = 1000  # of a list or a table


@dataclass(frozen=True)
class Within:
    """The least and the largest value of a number, or of each number in a table."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Setting:
    """What is known of one field."""

    name: str
    kind: Any  # its type
    within: Within | None
    words: str  # what it is, if its annotation says so
    default: Any  # MISSING where there is none


@lru_cache
def settings_of(kind: type) -> tuple[Setting, ...]:
    """Return the settings of a dataclass, in their order."""
    try:
        hints = get_type_hints(kind, include_extras=True)
    except NameError:  # a plug-in may name types that it imports for a type checker only
        hints = {}
    return tuple(_setting(f, hints.get(f.name, Any)) for f in fields(kind) if f.init)


def _setting(field: Any, hint: Any) -> Setting:
    extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return Setting(
        field.name,
        get_args(hint)[0] if extras else hint,
        next((e for e in extras if isinstance(e, Within)), None),
        next((e for e in extras if isinstance(e, str)), ""),
        field.default if field.default_factory is MISSING else field.default_factory(),
    )


def build(
    kind: type[Kind], values: Any, place: str = "", error: type[EmsyncError] = UsageError
) -> Kind:
    """Return the dataclass ``kind`` of ``values``; ``error`` names key, value and range.

    ``place`` begins the sentence: the file, and the table in it.
    """
    return kind(**arguments(kind, values, place, error))


def arguments(
    kind: type, values: Any, place: str = "", error: type[EmsyncError] = UsageError
) -> dict[str, Any]:
    """Return the checked arguments of the dataclass ``kind`` that ``values`` stand for."""
    if not isinstance(values, Mapping):
        raise error(f"{place}{shown(values)} is no table of settings")
    known = {setting.name: setting for setting in settings_of(kind)}
    for key in values:
        if key not in known:
            raise error(f"{place}{shown(key)} is no setting; there are {sorted(known)}")
    for setting in known.values():
        if setting.default is MISSING and setting.name not in values:
            raise error(f"{place}{setting.name!r} is missing")
    try:
        return {key: _value(known[key], value) for key, value in values.items()}
    except _WrongError as wrong:
        raise error(f"{place}{wrong}") from wrong


def check(settings: Any) -> None:
    """Refuse a field of the dataclass ``settings`` that is not of its type, or out of its range."""
    try:
        kind: type = type(settings)
        for setting in settings_of(kind):
            _value(setting, getattr(settings, setting.name))
    except _WrongError as wrong:
        raise UsageError(str(wrong)) from wrong


class _WrongError(ValueError):
    """A value that a setting cannot have."""


def _value(setting: Setting, value: Any) -> Any:
    """Return ``value`` as the field has it: a list as a tuple, a whole number as a real one."""
    kind = setting.kind
    if get_origin(kind) in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        (kind, *others) = [one for one in get_args(kind) if one is not type(None)]
        if others:
            return value
    if get_origin(kind) is Literal:
        if not any(type(value) is type(one) and value == one for one in get_args(kind)):
            raise _WrongError(
                f"{setting.name} is {shown(value)}; choose one of {', '.join(get_args(kind))}"
            )
        return value
    if get_origin(kind) is tuple:
        return _list(setting, value, get_args(kind)[0])
    if get_origin(kind) is not None and issubclass(get_origin(kind), Mapping):
        return _table(setting, value, get_args(kind)[1])
    return _plain(setting, setting.name, kind, value)


def _list(setting: Setting, value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_ENTRIES:
        raise _WrongError(f"{setting.name} is {shown(value)}, not a list of at most {MOST_ENTRIES}")
    return tuple(_plain(setting, f"an entry of {setting.name}", kind, one) for one in value)


def _table(setting: Setting, value: Any, kind: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MOST_ENTRIES:
        raise _WrongError(
            f"{setting.name} is {shown(value)}, not a table of at most {MOST_ENTRIES}"
        )
    return {k: _plain(setting, f"{setting.name}.{k}", kind, one) for k, one in value.items()}


def _plain(setting: Setting, name: str, kind: Any, value: Any) -> Any:
    """Return one text, number or truth; what is of a kind of its own is checked elsewhere."""
    if kind in (bool, str):
        if not isinstance(value, kind):
            what = "text in quotes" if kind is str else "true or false"
            raise _WrongError(f"{name} is {shown(value)}, not {what}")
        if kind is str and "\0" in value:
            raise _WrongError(f"{name} is {shown(value)}; a null character has no place in it")
        return value
    if kind is not int and kind is not float:
        return value
    allowed = f" {setting.within}" if setting.within else ""
    what = f"a {'whole ' if kind is int else ''}number{allowed}"
    of_kind = isinstance(value, numbers.Integral if kind is int else numbers.Real)
    if isinstance(value, bool) or not of_kind:
        raise _WrongError(f"{name} is {shown(value)}, not {what}")
    if not setting.within:
        return _real(name, value) if kind is float else value
    if not setting.within.low <= value <= setting.within.high:
        raise _WrongError(f"{name} is {shown(value)}, not {what}")
    return _real(name, value) if kind is float else value


def _real(name: str, value: float) -> float:
    number = as_float(value)
    if not math.isfinite(number):
        raise _WrongError(f"{name} is {shown(value)}, not a finite number")
    return number
