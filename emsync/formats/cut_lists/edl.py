"""CMX 3600 edit decision lists: the cuts of a timeline, or its markers as Resolve writes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from emsync.analysis import Analysis
from emsync.errors import InputError, UsageError, warn
from emsync.files import atomic_write
from emsync.formats.cut_lists.listing import Found, Listing, since
from emsync.formats.cut_lists.scenes import scenes
from emsync.limits import one_line, shown
from emsync.video.timecode import Timecode, can_drop

FASTEST = 100  # frames a second: an EDL has two digits for the frames
LONGEST = 1000  # characters of a line
FIRST_RECORD = "01:00:00:00"  # where editing programs begin a timeline, unless told otherwise

_FOUR = re.compile(r"\s+([\d:;.,]{5,16})" * 4 + r"(?=\s|$)")
_KIND = re.compile(r"C|D|W\d+|KB?|KO", re.IGNORECASE)
_LAYER = re.compile(r"V(\d*)", re.IGNORECASE)
_MARKER = re.compile(r"\|[CMD]:")  # colour, name or length of the event before


@dataclass(frozen=True)
class _Event:
    """A picture event."""

    place: str
    begin: Timecode
    stop: Timecode
    half: Fraction  # seconds to the middle of its dissolve, if it has one
    layer: int  # of the picture: what lies on a higher one is over the picture, no cut of it


def knows(listing: Listing) -> bool:
    """Return whether ``listing`` is an EDL: by its name, or by its first line of content."""
    first = next(filter(None, map(str.strip, listing.lines)), "")[:LONGEST]
    titled = first.upper().startswith(("TITLE:", "FCM:"))
    return listing.path.suffix.lower() == ".edl" or titled or _is_event(first)


def read(listing: Listing) -> list[Found]:
    """Return the cuts of a timeline: where its picture events begin; or where its markers are."""
    events, marked = _events(listing)
    if not events:
        raise InputError(f"{listing.name} lists no events of the picture; is it a CMX3600 list?")
    if marked or _are_markers(events):
        found = [Found(event.place, event.begin.seconds, code=event.begin) for event in events]
        return listing.from_first_frame(found, by_hour=True)
    lowest = min(event.layer for event in events)
    return _from_its_beginning(listing, [event for event in events if event.layer == lowest])


def _events(listing: Listing) -> tuple[list[_Event], bool]:
    """Return the picture's events, and whether the list calls them markers."""
    drop, marked = False, False
    events: list[_Event] = []
    for number, line in enumerate(map(str.strip, listing.lines), 1):
        place = f"line {number}"
        marked = marked or _MARKER.match(line) is not None
        if line.upper().startswith("FCM:"):
            drop = "NON" not in line.upper()
            if drop and listing.fps is not None and not can_drop(listing.fps):
                raise listing.fault(
                    place,
                    f"drop-frame does not exist at the video's {float(listing.fps):g} frames a "
                    "second; export the list at the video's rate",
                )
        # titles, remarks and the names of clips are no events
        if (line[:3].isdecimal() or _is_event(line)) and (
            event := _event(listing, place, line, drop)
        ) is not None:
            events.append(event)
    return events, marked


def _is_event(line: str) -> bool:
    return line[:1].isdecimal() and _FOUR.search(line[:LONGEST]) is not None


def _event(listing: Listing, place: str, line: str, drop: bool) -> _Event | None:
    """Return the event of a line; None where it has sound only, or no length.

    Reels are missing or have spaces in some, so a line is read backwards from its four times.
    """
    times = _FOUR.search(line[:LONGEST])
    words = line[: times.start()].split()[1:] if times else []
    while words and words[-1].upper() in ("F", "(F)"):
        words.pop()
    length = int(words.pop()) if len(words) > 1 and re.fullmatch(r"\d{1,6}", words[-1]) else 0
    if len(words) > 1 and [word.upper() for word in words[-2:]] == ["K", "B"]:
        words[-2:] = ["KB"]
    if times is None or len(words) < 2 or not _KIND.fullmatch(words[-1]):
        raise listing.fault(
            place, f"{shown(line)} is not an event; it needs a reel, a track, C and 4 times"
        )
    channel, kind = words[-2:]
    layers = [int(layer[:4] or 1) for layer in _LAYER.findall(channel)]
    if not layers and channel.upper() != "B":
        return None
    begin, stop = (listing.code(place, time, drop) for time in times.groups()[2:])
    if begin.frame > stop.frame and since(str(begin), stop) < 0:
        raise listing.fault(place, f"it ends at {stop}, before it begins at {begin}")
    if begin.frame == stop.frame:
        return None  # the outgoing half of a dissolve
    half = Fraction(0 if kind.upper() == "C" else length, 2) / begin.rate
    return _Event(place, begin, stop, half, min(layers, default=1))


def _are_markers(events: Sequence[_Event]) -> bool:
    """Return whether all events last one frame, and do not follow on each other."""
    if any(event.stop.frame - event.begin.frame != 1 for event in events):
        return False
    return len(events) == 1 or any(one.stop != after.begin for one, after in pairwise(events))


def _from_its_beginning(listing: Listing, events: Sequence[_Event]) -> list[Found]:
    """Return the cuts of a timeline, counted from where it begins.

    That is the start that a person gives, where the first event lies in the film from there. Else
    it is the first event, unless the list ends with the film only if it begins at a whole hour.
    """
    first, last = events[0].begin, events[-1].stop
    times = [event.begin.frame for event in events]
    begin, hour = str(first), f"{first.fields[0]:02d}:00:00:00"

    def ends_with_film(begin: str) -> bool:
        return abs(since(begin, last) - Fraction(listing.duration)) <= 2 / first.rate

    if listing.start and 0 <= since(listing.start, first) < listing.duration:
        begin = listing.start
    elif ends_with_film(hour) and not ends_with_film(begin) and first.frame == min(times):
        begin = hour
        warn(f"{listing.name} begins {float(since(hour, first)):g} s into a timeline from {hour}")
    if listing.start and begin != listing.start:
        warn(f"{listing.name} counts from {begin}, not from {shown(listing.start)}")
    found = [Found(one.place, since(begin, one.begin) + one.half) for one in events]
    return found if since(begin, first) else found[1:]


def check_rate(rate: Fraction) -> None:
    """Refuse a rate whose frames an EDL cannot number."""
    if rate > FASTEST:
        raise UsageError(
            f"an EDL numbers up to {FASTEST} frames a second, and the video has {float(rate):g}; "
            "save its cuts as .otio, .csv or .json"
        )


def write(path: Path, analysis: Analysis, start: Timecode | None = None) -> None:
    """Write the scenes of ``analysis`` as events, recorded from ``start`` on.

    Without it they are recorded from FIRST_RECORD, in drop-frame where that exists.
    """
    rate, found = scenes(analysis)
    check_rate(rate)
    record = start or Timecode.parse(FIRST_RECORD, rate, can_drop(rate))
    zero = Timecode(0, rate, record.drop)
    name = one_line(analysis.source).encode("ascii", "replace").decode()
    lines = [f"TITLE: {name}", f"FCM: {'' if record.drop else 'NON-'}DROP FRAME", ""]
    for number, (begin, stop) in enumerate(found, 1):
        times = " ".join(str(t) for t in (zero + begin, zero + stop, record + begin, record + stop))
        lines += [f"{number:03d}  AX       V     C        {times}", f"* FROM CLIP NAME: {name}"]
    with atomic_write(path) as partial:
        partial.write_text("\n".join([*lines, ""]), encoding="ascii")
