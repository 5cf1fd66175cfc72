"""The text of a list of cuts, and the times in it before they are believed."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Self

from emsync.errors import InputError, UsageError, warn
from emsync.limits import parse_number, quoted, read_bytes, shown
from emsync.video.cuts import Cut
from emsync.video.timecode import Timecode

MOST_BYTES = 16_000_000  # bytes; a list of cuts is small
MOST_LINES = 100_000
ZERO = "00:00:00:00"

CODE = re.compile(r"\d\d[:;]\d\d[:;]\d\d[:;]\d{2,3}", re.ASCII)  # hours to frames
# [hours:]minutes:seconds, with as many minutes as there are where no hours are counted
_CLOCK = re.compile(r"(?:(\d{1,3}):(?=[0-5]?\d:))?(\d{1,4}):([0-5]?\d(?:[.,]\d{0,9})?)", re.ASCII)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Found:
    """A cut as a file has it."""

    place: str  # such as "line 4"
    time: Fraction  # seconds from the first frame, or from 00:00:00:00 where there is a timecode
    frame: int | None = None
    code: Timecode | None = None  # the timecode that ``time`` comes from
    cut: Cut | None = None  # where the file says all of it


@dataclass(frozen=True)
class Listing:
    """A file that lists cuts, and what is known of the film that they are of."""

    path: Path
    text: str
    fps: Fraction | None  # exact frames a second; only timecodes need them
    duration: float  # seconds of film
    start: str = ""  # the timecode of the film's first frame, where a person gives it

    @classmethod
    def open(cls, path: Path, fps: Fraction | None, duration: float, start: str = "") -> Self:
        """Read the file at ``path``; InputError where it is no text."""
        return cls(path, _decode(read_bytes(path, MOST_BYTES), path), fps, duration, start)

    @property
    def name(self) -> str:
        """The file, quoted for a message."""
        return quoted(self.path)

    @cached_property
    def lines(self) -> list[str]:
        """The lines as an editor counts them; what else Unicode calls a line break is text."""
        lines = re.split(r"\r\n?|\n", self.text)
        if len(lines) > MOST_LINES:
            raise InputError(f"{self.name} has more than {MOST_LINES} lines; no list of cuts has")
        return lines

    def fault(self, place: str, text: str) -> InputError:
        """Return the error that refuses what stands at ``place``."""
        return InputError(f"{self.name}, {place}: {text}")

    def number(self, place: str, text: str) -> Fraction:
        """Return the number that ``text`` writes."""
        try:
            return parse_number(text.strip())
        except ValueError as error:
            raise self.fault(place, str(error)) from error

    def code(self, place: str, text: str, drop: bool = False) -> Timecode:
        """Return the timecode that ``text`` writes."""
        if self.fps is None:
            raise self.fault(place, f"{shown(text)} counts frames, and the frame rate is not known")
        try:
            return Timecode.parse(text, self.fps, drop)
        except UsageError as error:
            raise self.fault(place, str(error)) from error

    def moment(self, place: str, text: str) -> Found:
        """Return the time that ``text`` writes: seconds, clock time or timecode."""
        if (seconds := clock(text)) is not None:
            return Found(place, seconds)
        if text.count(":") + text.count(";") == 3:
            code = self.code(place, text)
            return Found(place, code.seconds, code=code)
        raise self.fault(place, f"{shown(text)} is not a time; write seconds, such as 12.5")

    def from_first_frame(self, found: Sequence[Found], by_hour: bool = False) -> list[Found]:
        """Return ``found`` with its timecodes counted from the film's first frame.

        They count from the start that a person gives, if they fit into the film from there. Else
        they count from zero, unless they fit only from a whole hour, at which editing programs
        begin their timelines: then from there, with a note. ``by_hour`` prefers the hour.
        """
        codes = [one.code for one in found if one.code is not None]
        if not codes:
            return list(found)
        begin = self._begin(codes, by_hour)
        if self.start and begin != self.start:
            warn(f"{self.name} counts from {begin}, not from {shown(self.start)}")
        elif begin not in (self.start, ZERO):
            warn(f"{self.name} counts from {begin}; give a start timecode if that is wrong")
        return [
            one
            if one.code is None
            else replace(one, time=one.time - one.code.seconds + since(begin, one.code))
            for one in found
        ]

    def _begin(self, codes: Sequence[Timecode], by_hour: bool) -> str:
        """Return the timecode of the first frame that fits ``codes`` best."""
        from_zero = self._inside(ZERO, codes)
        if self.start:
            from_start = self._inside(self.start, codes)
            if all(from_start) or (any(from_start) and not all(from_zero)):
                return self.start
        hours = range(1, min(code.fields[0] for code in codes) + 1)
        by_hours = {hour: self._inside(f"{hour:02d}{ZERO[2:]}", codes) for hour in hours}
        fits = next((hour for hour in hours if all(by_hours[hour])), None)
        if fits is None and not any(from_zero):  # a list that goes on behind the film's end
            fits = next((hour for hour in hours if any(by_hours[hour])), None)
        whole = fits is not None and (by_hour or not all(from_zero))
        return f"{fits:02d}{ZERO[2:]}" if whole else ZERO

    def _inside(self, begin: str, codes: Sequence[Timecode]) -> list[bool]:
        """Return for each of ``codes`` whether the film has it, if it begins at ``begin``."""
        return [0 <= since(begin, code) < self.duration for code in codes]


def clock(text: str) -> Fraction | None:
    """Return the seconds that a number or a clock time writes, or None where it is neither.

    >>> clock("4.5"), clock("1:02,5"), clock("0:61")
    (Fraction(9, 2), Fraction(125, 2), None)
    """
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + parse_number(seconds.replace(",", "."))
    try:
        return None if "/" in text else parse_number(text)
    except ValueError:
        return None


def since(begin: str, code: Timecode) -> Fraction:
    """Return the seconds from the timecode ``begin``, read in the kind of ``code``, to ``code``.

    >>> since("23:59:59:00", Timecode.parse("00:00:01:00", Fraction(25)))
    Fraction(2, 1)
    """
    text = begin if code.drop else begin.replace(";", ":")
    return (code - Timecode.parse(text, code.rate, code.drop)) / code.rate


def _decode(data: bytes, path: Path) -> str:
    """Return ``data`` as text, by its mark, as UTF-8, or as what Windows writes."""
    name = quoted(path)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data:
        if data[1::2].count(0) > len(data) // 4 or data[::2].count(0) > len(data) // 4:
            little = data[1::2].count(0) > data[::2].count(0)
            return data.decode("utf-16-le" if little else "utf-16-be", "replace")
        raise InputError(f"{name} is not a text, and so no list of cuts")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data.decode("cp1252", "replace")
        line = data[: error.start].count(b"\n") + 1
        warn(f"{name} is not in UTF-8 (line {line}); its letters are read as those of Windows")
        return text
