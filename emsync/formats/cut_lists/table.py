"""Tables of markers and segments: REAPER's and our own, Premiere, Avid, LosslessCut, Audacity.

The beginning of a segment is a cut, its end is none. Where a table has markers and regions, the
markers are the cuts.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from emsync.errors import InputError
from emsync.formats.cut_lists.listing import CODE, Found, Listing, clock
from emsync.formats.cut_lists.rows import rows, separator

Row: TypeAlias = tuple[str, list[str]]  # its place, and its cells

STARTS = (  # what programs call the column of beginnings, the likeliest first
    *("start", "in", "record in", "start time", "timecode in", "begin"),
    *("start timecode", "timecode", "position", "time", "seconds"),
)
FEELINGS = {"valence", "arousal", "emotion"}  # columns of an emotion file, which lists no cuts
ROUNDED = Fraction(1, 2000)  # seconds by which a time in milliseconds may miss its frame


def knows(listing: Listing) -> bool:
    """Return whether ``listing`` has a line of column names, or the columns of a known program."""
    table = _table(listing)
    return bool(table) and _starts(table) is not None


def read(listing: Listing) -> list[Found]:
    """Return where the markers are, or the segments begin, in order."""
    table = _table(listing)
    at = _starts(table)
    assert at is not None
    names = [cell.casefold() for cell in table[0][1]]
    if FEELINGS & set(names):
        raise InputError(f"{listing.name} lists feelings; give it as the emotion file, not as cuts")
    named = not any(map(_is_time, names))
    table = table[named:]
    if named and names[0] == "#" and any(row[0][:1].upper() == "M" for _, row in table):
        table = [(place, row) for place, row in table if row[0][:1].upper() == "M"]
    if not table:
        raise InputError(f"{listing.name} lists no markers; write at least one, or seconds")
    found = []
    for place, row in table:
        if len(row) <= at or not (row[at] or not named):
            raise listing.fault(place, "there is no time at which it begins; export the list again")
        found.append(_on_frame(listing, listing.moment(place, _point(row[at]) or "0")))
    return sorted(listing.from_first_frame(found), key=lambda one: one.time)


def _table(listing: Listing) -> list[Row]:
    """Return the rows that have something in them, but remarks and Audacity's frequencies."""
    first = next(filter(None, map(str.strip, listing.lines)), "")
    mark = separator(first)
    if re.match(r"[\d.]+, ", first):
        return []  # a person's list of times, who writes a space behind a comma
    return [
        (place, [cell.strip() for cell in row])
        for place, row in rows(listing, mark)
        if any(map(str.strip, row)) and row[0][:1] != "\\" and not row[0].startswith(("#!", "sep="))
    ]


def _starts(table: Sequence[Row]) -> int | None:
    """Return the number of the column with the times at which something begins."""
    names = [cell.casefold() for cell in table[0][1]]
    if not any(map(_is_time, names)):
        known = [names.index(name) for name in STARTS if name in names]
        if known:
            return known[0]
    if all(_is_segment(row) for _, row in table):
        return 0
    # Avid's locators have no names of columns; Premiere's are in the language of its user
    width = min(len(row) for _, row in table)
    coded = (
        at
        for at in range(width)
        if width > 1 and all(CODE.fullmatch(row[at]) for _, row in table[1:] or table)
    )
    return (
        next(coded, None) if any(not _is_time(cell) for _, row in table for cell in row) else None
    )


def _is_segment(row: Sequence[str]) -> bool:
    """Return whether ``row`` is a start, an end and words; of a first or last one half is left."""
    if len(row) < 3 or _is_time(row[2]) or row[2].startswith("#") or (any(row[3:]) and not row[2]):
        return False
    return all(not cell or _is_time(cell) for cell in row[:2]) and any(row[:2])


def _is_time(cell: str) -> bool:
    return CODE.fullmatch(cell) is not None or clock(_point(cell)) is not None


def _point(cell: str) -> str:
    """Return ``cell`` with a point where it has a decimal comma."""
    return cell.replace(",", ".") if cell.count(",") == 1 else cell


def _on_frame(listing: Listing, found: Found) -> Found:
    """Return ``found`` on the frame that its time in milliseconds is rounded from."""
    if listing.fps is None or found.code is not None:
        return found
    nearest = round(found.time * listing.fps) / listing.fps
    return replace(found, time=nearest) if abs(nearest - found.time) <= ROUNDED else found
