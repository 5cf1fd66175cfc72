"""The rows of a table in text, whatever separates its cells."""

import csv
from collections.abc import Iterator

from emsync.formats.cut_lists.listing import Listing

SEPARATORS = "\t;,"


def separator(line: str) -> str:
    r"""Return what separates the cells of ``line``: the first of SEPARATORS that it has.

    >>> separator("In\tOut"), separator("4,5;9,8"), separator("4.5")
    ('\t', ';', ',')
    """
    return next((mark for mark in SEPARATORS if mark in line), ",")


def rows(listing: Listing, delimiter: str = ",") -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each row; quotes may hold the delimiter and line breaks.

    Between tabs they hold nothing: Audacity writes names as they are.
    """
    lines = (f"{line}\n" for line in listing.lines)
    if delimiter == "\t":
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise listing.fault(place, f"{error}; mind its quotation marks") from error
        if row is None:
            return
        yield place, [cell.strip('"') for cell in row] if delimiter == "\t" else row
