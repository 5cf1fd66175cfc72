"""Subtitles and captions (SubRip, WebVTT): each cue begins at a cut."""

import re

from emsync.formats.cut_lists.listing import Found, Listing

_CUE = re.compile(r"\s*([\d:.,]{5,16})\s+-->\s+[\d:.,]{5,16}(\s.*)?")


def knows(listing: Listing) -> bool:
    """Return whether a line of ``listing`` is the time of a cue."""
    return "-->" in listing.text and any(map(_CUE.fullmatch, listing.lines))


def read(listing: Listing) -> list[Found]:
    """Return where the cues begin."""
    return [
        listing.moment(f"line {number}", match[1])
        for number, line in enumerate(listing.lines, 1)
        if (match := _CUE.fullmatch(line))
    ]
