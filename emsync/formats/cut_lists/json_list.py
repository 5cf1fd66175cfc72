"""JSON: an analysis, or a list of times or of cuts."""

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from emsync.analysis import Analysis
from emsync.errors import InputError
from emsync.formats.cut_lists.listing import Found, Listing
from emsync.limits import parse_json
from emsync.video.timecode import Timecode


def knows(listing: Listing) -> bool:
    """Return whether ``listing`` is JSON, by its name or its first character."""
    text = listing.text.lstrip()
    is_chapter = re.match(r"\[\d+:", text) is not None  # such as "[0:00] Intro"
    return listing.path.suffix.lower() == ".json" or (text[:1] in ("[", "{") and not is_chapter)


def read(listing: Listing) -> list[Found]:
    """Return the cuts of ``listing`` with all that it says of them; their times are seconds."""
    data = parse_json(listing.text, listing.name)
    if isinstance(data, list):
        data = {"cuts": [one if isinstance(one, Mapping) else {"time": one} for one in data]}
    if not isinstance(data, dict) or not isinstance(data.get("cuts"), list):
        raise InputError(f"{listing.name} holds no list of cuts; write [4.2, 9.8] in seconds")
    cuts = Analysis.from_json({"duration": listing.duration, **data}, listing.name).cuts
    # an analysis sorts its cuts; if the file does not, it is refused in its own order
    pairs = zip(data["cuts"], cuts, strict=True)
    return [Found(f"cuts[{i}]", Fraction(one["time"]), cut=c) for i, (one, c) in enumerate(pairs)]


def write(path: Path, analysis: Analysis, start: Timecode | None = None) -> None:
    """Write the whole analysis, which counts from the first frame, not ``start``."""
    analysis.save(path)
