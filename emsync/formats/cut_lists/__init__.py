"""Lists of cuts in the files of others, read and written.

A file lists scenes, markers or cuts; what counts is where one scene becomes the next. Times are
seconds from the first frame; frames become seconds at exact rates, drop-frame included. A dissolve
is one cut at its middle.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn, Protocol

from emsync.analysis import Analysis, Cut
from emsync.errors import InputError, UsageError
from emsync.formats.cut_lists import edl, json_list, otio, plain, pyscenedetect, subtitles, table
from emsync.formats.cut_lists.listing import Found, Listing
from emsync.limits import one_line
from emsync.video.timecode import Timecode


class Writer(Protocol):
    """Writes the cuts of an analysis; the timecode is that of the first frame, if one is given."""

    def __call__(self, path: Path, analysis: Analysis, start: Timecode | None = None) -> None: ...


@dataclass(frozen=True)
class Format:
    """One way to list cuts."""

    knows: Callable[[Listing], bool]
    read: Callable[[Listing], list[Found]]


def _is_xml(listing: Listing) -> bool:
    return listing.text.lstrip()[:1] == "<"


def _refuse_xml(listing: Listing) -> NoReturn:
    raise InputError(f"{listing.name} is XML; export the cuts or the markers as EDL, CSV or OTIO")


FORMATS = (  # the first that knows a file reads it
    Format(_is_xml, _refuse_xml),
    Format(otio.knows, otio.read),
    Format(json_list.knows, json_list.read),
    Format(edl.knows, edl.read),
    Format(pyscenedetect.knows, pyscenedetect.read),
    Format(subtitles.knows, subtitles.read),
    Format(table.knows, table.read),
    Format(lambda listing: True, plain.read),
)
FINEST = 100  # cuts a second where the film's frames are not known
WRITERS: dict[str, Writer] = {
    ".csv": pyscenedetect.write,
    ".edl": edl.write,
    ".otio": otio.write,
    ".json": json_list.write,
}


def read_cuts(path: Path, fps: Fraction | None, duration: float, start: str = "") -> list[Cut]:
    """Return the cuts that the file at ``path`` lists for a video of ``duration`` seconds.

    ``fps`` is the video's exact frame rate, None if unknown; only timecodes need it. ``start`` is
    the timecode of its first frame, if that is known. The start of the film is no cut. InputError
    gives the line and the way out.
    """
    listing = Listing.open(path, fps, duration, start)
    reader = next(one.read for one in FORMATS if one.knows(listing))
    return _accept(listing, reader(listing))


def write_cuts(path: Path, analysis: Analysis, start: Timecode | None = None) -> None:
    """Write the cuts of ``analysis`` to ``path``, in the format of its suffix.

    JSON holds the whole analysis; the other formats list the scenes between its kept cuts. What
    counts in timecode, EDL and OTIO, does so from ``start``.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(
            f"cannot write cuts to {path.name!r}; the suffix can be {', '.join(WRITERS)}"
        )
    writer(path, analysis, start)


def check_writable(suffix: str, rate: Fraction) -> None:
    """Refuse a list with ``suffix`` for a video of ``rate`` frames a second, before it is watched.

    A rate of 0 is unknown.
    """
    if suffix == ".otio":
        otio.library()
    if suffix != ".json" and not rate:
        raise UsageError("the video has no known frame rate; save its cuts as .json")
    if suffix == ".edl":
        edl.check_rate(rate)


def _accept(listing: Listing, found: Sequence[Found]) -> list[Cut]:
    """Return ``found`` as cuts; InputError where one is impossible."""
    before: Found | None = None
    for one in found:
        if one.time < 0:
            raise listing.fault(one.place, f"{_s(one.time)} is before the beginning; remove it")
        if one.time >= listing.duration:
            raise listing.fault(
                one.place,
                f"the cut at {_s(one.time)} is beyond the end of the video "
                f"({_s(listing.duration)}); remove it, or is the list of another video, or of "
                "another frame rate?",
            )
        if before is not None and one.time < before.time:
            raise listing.fault(
                one.place,
                f"the cut at {_s(one.time)} comes after the one at {_s(before.time)} "
                f"({before.place}); sort the list",
            )
        before = one
    rate = listing.fps or FINEST
    firsts = {round(one.time * rate): one for one in reversed(found) if one.time > 0}  # one a frame
    reason = f"from {one_line(listing.path.name)}"
    return [
        one.cut or Cut(float(one.time), reason=reason, frame=one.frame)
        for one in reversed(firsts.values())
    ]


def _s(seconds: float | Fraction) -> str:
    return f"{float(seconds):.3f} s"
