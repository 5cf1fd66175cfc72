"""The values of a JSON file that a person may have edited: each of its kind, or named as it stands.

A reader of a kind of file raises FieldError with the place, and turns it into an InputError that
names the file.
"""

import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from emsync.limits import as_float, shown


class FieldError(ValueError):
    """A wrong value in a file."""


def as_written(value: Any) -> str:
    """Return ``value`` as the file has it, cut short."""
    text = json.dumps(value[:61] if isinstance(value, str | list) else value, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def real(value: Any, key: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number from ``low`` to ``high``; true, "1" and 1e999 are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FieldError(f"{key} is {as_written(value)}, not a number")
    number = as_float(value)
    if not math.isfinite(number):
        raise FieldError(f"{key} is {number}, not a finite number")
    if not low <= number <= high:
        raise FieldError(f"{key} is {number:g}, outside {low:g} to {high:g}")
    return number


def text_of(value: Any, key: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise FieldError(f"{key} is {as_written(value)}, not text in quotes")
    return value


def list_of(value: Any, key: str, most: int) -> list[Any]:
    """Return a list of at most ``most`` entries."""
    if not isinstance(value, list):
        raise FieldError(f"{key} is {as_written(value)}, not a list")
    if len(value) > most:
        raise FieldError(f"{key} has {len(value)} entries; {most} are the most that fit")
    return value


def object_of(value: Any, key: str) -> dict[str, Any]:
    """Return an object, by its keys."""
    if not isinstance(value, dict):
        raise FieldError(f"{key} is {as_written(value)}, not an object in braces")
    return value


def check_keys(given: Mapping[str, Any], known: Collection[str], key: str = "") -> None:
    """Refuse a key that is none of ``known``; ``key`` is the place of the object in the file."""
    if unknown := sorted(set(given) - set(known)):
        place = f"{key} has" if key else "there is"
        raise FieldError(
            f"{place} the unknown key {shown(unknown[0])}; there are {', '.join(known)}"
        )
