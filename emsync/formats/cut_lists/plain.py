"""Times in lines, as a person types them; also chapters, whose lines go on in words."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from emsync.errors import InputError
from emsync.formats.cut_lists.listing import CODE, MOST_LINES, Found, Listing, clock
from emsync.limits import shown

Line: TypeAlias = tuple[str, list[str]]  # its place, and its words


def read(listing: Listing) -> list[Found]:
    """Return the seconds, clock times and timecodes of ``listing``; # begins a remark."""
    lines: list[Line] = [
        (f"line {number}", words)
        for number, line in enumerate(listing.lines, 1)
        if (words := _words(line.partition("#")[0]))
    ]
    if sum(len(word.split(",")) for _, words in lines for word in words) > MOST_LINES:
        raise InputError(f"{listing.name} lists more than {MOST_LINES} times; no film has the cuts")
    if not lines:
        raise InputError(f"{listing.name} lists no cuts; write seconds, one in each line")
    if not (times := _chapters(lines)):
        decimal = _has_decimal_commas(listing, lines)
        times = [
            (place, part)
            for place, words in lines
            for word in words
            for part in ([word.replace(",", ".")] if decimal else _between_commas(word))
        ]
    return listing.from_first_frame([listing.moment(place, time) for place, time in times])


def _words(line: str) -> list[str]:
    """Return the words of a line; ``;`` stands between them, but where it is in a timecode."""
    words: list[str] = []
    for word in line.split():
        bare = word.strip(",;")
        words += [bare] if CODE.fullmatch(bare) else filter(None, bare.split(";"))
    return words


def _between_commas(word: str) -> list[str]:
    """Return the times in ``word``, which is one itself if it is a clock time with a comma."""
    return [word] if clock(word) is not None else [part for part in word.split(",") if part]


def _is_time(word: str) -> bool:
    return CODE.fullmatch(word) is not None or clock(word) is not None


def _chapters(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Return the first word of each line, where lines go on in words: "1:02 The end"."""
    if all(_is_time(part) for _, words in lines for w in words for part in _between_commas(w)):
        return []
    firsts = [(place, re.split("[-–—]", words[0].strip("()[]-–—"))[0]) for place, words in lines]
    return firsts if ":" in firsts[0][1] and _is_time(firsts[0][1]) else []


def _has_decimal_commas(listing: Listing, lines: Sequence[Line]) -> bool:
    """Return whether the commas within numbers are decimal; refuse them where both can be meant."""
    text = "\n".join(listing.lines)
    words = [(place, word) for place, all_ in lines for word in all_ if clock(word) is None]
    pairs = [(place, word) for place, word in words if re.fullmatch(r"\d+,\d+", word)]
    if not pairs or len(pairs) < len(words) or re.search(r"\d\.\d", text):
        return False
    if re.search(r"\d;", text):
        return True  # there is another mark between them
    parts = [part for _, words in lines for word in words for part in word.split(",")]
    two = not any(len(part) > 1 and part[0] == "0" for part in parts) and _rises(listing, parts)
    one = _rises(listing, [word.replace(",", ".") for _, words in lines for word in words])
    if one and two:
        place, word = pairs[0]
        raise listing.fault(
            place,
            f"{shown(word)} is one time or two; write {word.replace(',', '.')}, or each time in "
            "a line of its own",
        )
    return one


def _rises(listing: Listing, words: Sequence[str]) -> bool:
    """Return whether ``words`` are times of the film, in order."""
    times = [time for word in words if (time := clock(word)) is not None]
    in_order = all(a <= b for a, b in pairwise(times))
    return len(times) == len(words) and in_order and times[-1] < listing.duration
