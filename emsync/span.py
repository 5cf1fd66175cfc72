"""A span of the film in words: "12.5-20", "1:05-1:20", or "30-" for all from there on."""

import math
import re
from typing import TypeAlias

from emsync.errors import UsageError
from emsync.limits import shown

Span: TypeAlias = tuple[float, float]  # seconds, from and to; infinity is the end of the film

_MOMENT = r"(?:(\d{1,4}):)?(\d{1,6}(?:\.\d*)?|\.\d+)"
_SPAN = re.compile(rf"\s*{_MOMENT}\s*-\s*(?:{_MOMENT})?\s*")


def read_span(given: str | tuple[float, float | None]) -> Span:
    """Return the seconds of a span in words, or of two numbers; UsageError where it is none.

    >>> read_span("12.5-20"), read_span("1:05-"), read_span((3, 4.5))
    ((12.5, 20.0), (65.0, inf), (3.0, 4.5))
    """
    if isinstance(given, str):
        found = _SPAN.fullmatch(given)
        if found is None:
            raise UsageError(
                f"redo is {shown(given)}, which is no span; write seconds, such as 12.5-20, "
                "1:05-1:20, or 30- for all from there on"
            )
        start, end = _seconds(found[1], found[2]), _seconds(found[3], found[4])
    else:
        try:
            start, end = (None if value is None else float(value) for value in given)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"redo is {shown(given)}, which is no span; give two numbers, such as (12.5, 20)"
            ) from error
    if start is None or not 0 <= start < math.inf or math.isnan(end or 0):
        raise UsageError(f"redo is {shown(given)}; it begins at a second from 0 on, such as 12.5-")
    if end is not None and end <= start:
        raise UsageError(
            f"redo ends at {end:g} s, which is not after {start:g} s, where it begins; "
            f"swap them or leave out the end: {start:g}-"
        )
    return start, math.inf if end is None else end


def _seconds(minutes: str | None, seconds: str | None) -> float | None:
    return None if seconds is None else 60 * int(minutes or 0) + float(seconds)
