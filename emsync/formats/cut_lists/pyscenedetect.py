"""The lists of scenes that PySceneDetect writes, of version 0.6 and older ones, too."""

import csv
from fractions import Fraction
from pathlib import Path

from emsync.analysis import Analysis
from emsync.errors import InputError
from emsync.files import atomic_write
from emsync.formats.cut_lists.listing import Found, Listing
from emsync.formats.cut_lists.rows import rows, separator
from emsync.formats.cut_lists.scenes import scenes
from emsync.limits import shown
from emsync.video.timecode import RATES, Timecode, clock_text, exact_rate

UNITS = ("Frame", "Timecode", "Time (seconds)")  # of the columns
START, FRAME = "Start Time (seconds)", "Start Frame"
MOST_DIGITS = 12  # of a frame's number


def knows(listing: Listing) -> bool:
    """Return whether a line of ``listing`` names the column of the scenes' first seconds."""
    return START in listing.text


def read(listing: Listing) -> list[Found]:
    """Return where the scenes begin, but the first; with or without a first line of timecodes.

    A scene's first frame is counted from 1. Its seconds are rounded, so where the frame agrees
    with them it has the last word; where all frames mean another rate, they are refused.
    """
    named = next(line for line in listing.lines if START in line)
    mark = separator(named)
    table = [(place, [cell.strip() for cell in row]) for place, row in rows(listing, mark)]
    head = next((i for i, (_, row) in enumerate(table) if START in row), None)
    if head is None:
        raise InputError(f"{listing.name} has no column {START!r}; export the list again")
    names, fps = table[head][1], listing.fps
    at, frame_at = names.index(START), names.index(FRAME) if FRAME in names else None
    found = []
    for place, row in table[head + 1 :]:
        if not any(row):
            continue
        if len(row) <= max(at, frame_at or 0):
            raise listing.fault(place, "there is no start time in seconds; export the list again")
        frame = None
        if frame_at is not None:
            if not row[frame_at].isdecimal() or len(row[frame_at]) > MOST_DIGITS:
                raise listing.fault(
                    place, f"the start frame {shown(row[frame_at])} is not a number"
                )
            frame = int(row[frame_at]) - 1
        found.append(Found(place, listing.number(place, row[at].replace(",", ".")), frame))
    if not found:
        raise InputError(f"{listing.name} lists no scenes; write at least the first, or seconds")
    found = found[1:]  # the first scene begins where the video does
    if fps is None or frame_at is None or not found:
        return found
    _check_rate(listing, found[-1], fps)
    return [
        Found(one.place, one.frame / fps, one.frame)
        if one.frame is not None and abs(one.frame / fps - one.time) <= Fraction(1, 1000)
        else one
        for one in found
    ]


def _check_rate(listing: Listing, last: Found, fps: Fraction) -> None:
    """Refuse frames that were counted at another rate than the video's."""
    if not last.frame or last.time <= 5:
        return
    rate = exact_rate(last.frame / last.time)
    if rate in RATES and abs(last.frame - last.time * fps) > 2 and rate != exact_rate(fps):
        raise listing.fault(
            last.place,
            f"frame {last.frame + 1} at {float(last.time):.3f} s means {float(rate):g} frames a "
            f"second, and the video has {float(fps):g}; detect the scenes in this video, or leave "
            "out the frames",
        )


def write(path: Path, analysis: Analysis, start: Timecode | None = None) -> None:
    """Write the scenes of ``analysis``; such a list counts from the first frame, not ``start``."""
    rate, found = scenes(analysis)
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["Timecode List:", *(clock_text(begin / rate) for begin, _ in found[1:])])
        table.writerow(
            ["Scene Number"]
            + [f"{edge} {unit}" for edge in ("Start", "End") for unit in UNITS]
            + [f"Length ({unit})" for unit in ("frames", "timecode", "seconds")]
        )
        for number, (begin, stop) in enumerate(found, 1):
            cells: list[object] = [number]
            for frame, shift in ((begin, 1), (stop, 0), (stop - begin, 0)):
                time = frame / rate
                cells += [frame + shift, clock_text(time), f"{float(time):.3f}"]
            table.writerow(cells)
