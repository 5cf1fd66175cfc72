"""Cuts and fades: the boundaries of a film, and which of them the music is to hit.

A fade through black or white is found on the curve of brightness; it is one boundary at its middle.
"""

import math
from bisect import bisect, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.options import CUT_DISTANCE

DARK, WHITE = 0.012, 0.985  # mean brightness of a picture with nothing on it
LIT = 0.08  # usual brightness on both sides, away from black or white; a night sky has less
NOT_PLANNED = "not in the plan"  # the reason of a cut that is none of a plan's hits
SIDE = 3.0  # seconds on each side that are looked at: longer than the slope of a fade


def fades(times: Seconds, brightness: Float64s) -> list[tuple[float, float, float]]:
    """Return (start, middle, end) seconds of each stretch that is empty between two pictures.

    ``brightness`` is the (F,) mean luma in [0, 1] of the frames shown at ``times``. A film that
    begins or ends empty has no fade there: there is no scene on the other side.
    """
    found = []
    for level in (brightness, 1.0 - brightness):
        limit = DARK if level is brightness else 1.0 - WHITE
        empty = np.concatenate([[False], level < limit, [False]])
        edges = np.flatnonzero(np.diff(empty.astype(np.int8))).reshape(-1, 2)
        for first, stop in edges.tolist():
            if first == 0 or stop == len(times):
                continue
            before = level[(times >= times[first] - SIDE) & (times < times[first])]
            after = level[(times >= times[stop]) & (times <= times[stop] + SIDE)]
            if np.median(before) >= LIT and np.median(after) >= LIT:
                start, end = float(times[first]), float(times[stop])
                found.append((start, (start + end) / 2, end))
    return sorted(found)


CutKind: TypeAlias = Literal["cut", "fade", "ending"]
CUT_MARGIN = 0.5  # seconds at either end in which no cut can be hit: the music begins and ends
FADE_REACH = 0.2  # seconds around a fade in which a cut belongs to it


@dataclass(frozen=True)
class Cut:
    """A moment that the music may hit: where the picture changes to another scene."""

    time: float  # seconds: the presentation time of the first frame of the new scene
    strength: float = 1.0  # in [0, 1]; how much the picture changes
    kept: bool = True  # whether the music is to hit it
    reason: str = ""  # why it was dropped, or where it comes from
    frame: int | None = None  # index of that first frame, where the video was read
    kind: CutKind = "cut"  # "ending" is the last chord, a boundary without a picture


def with_fades(cuts: Iterable[Cut], times: Seconds, brightness: Float64s) -> tuple[Cut, ...]:
    """Return ``cuts`` and the fades through black or white, each one boundary at its middle.

    Cuts found within a fade belong to it. Its strength is the light that goes and comes, doubled.
    """
    rows = fades(times, brightness)
    own = [
        cut
        for cut in cuts
        if not any(start - FADE_REACH <= cut.time <= end + FADE_REACH for start, _, end in rows)
    ]
    for start, middle, end in rows:
        around = brightness[(times >= start - 1.0) & (times <= end + 1.0)]
        own.append(
            Cut(
                middle,
                round(min(1.0, 2 * float(np.ptp(around))), 3),
                reason="a fade",
                frame=int(np.searchsorted(times, middle)),
                kind="fade",
            )
        )
    return tuple(sorted(own, key=lambda cut: cut.time))


def thin(
    cuts: Iterable[Cut], duration: float = math.inf, gap: float = CUT_DISTANCE
) -> tuple[Cut, ...]:
    """Drop the cuts too near either end, and each that is within ``gap`` s of a stronger kept one.

    Returns all cuts in order of time, the dropped ones with their reason. Cuts that come dropped
    stay so. Of two equally strong ones the earlier is kept.

    >>> [c.kept for c in thin([Cut(2.0, 0.5), Cut(5.0, 0.9), Cut(9.0, 0.4)])]
    [False, True, True]
    """
    result: list[Cut] = []
    kept: list[float] = []
    for cut in sorted(cuts, key=lambda c: (-c.strength, c.time)):
        if cut.kept and (reason := _dropped(cut.time, kept, duration, gap)):
            cut = replace(cut, kept=False, reason=reason)
        elif cut.kept:
            insort(kept, cut.time)
        result.append(cut)
    return tuple(sorted(result, key=lambda c: c.time))


def thinned(cuts: Iterable[Cut], duration: float, gap: float | None) -> tuple[Cut, ...]:
    """Return ``cuts`` thinned to ``gap`` seconds; with None they are a person's, and all stay."""
    return tuple(cuts) if gap is None else thin(cuts, duration, gap)


def left_out(cuts: Iterable[Cut]) -> str:
    """Return in a sentence how many cuts are left out and why, or nothing.

    >>> left_out(thin([Cut(2.0, 0.5), Cut(5.0, 0.9), Cut(9.0, 0.4)]))
    '1 of 3 cuts is left out, too near a stronger cut or an end (--min-cut-distance)'
    """
    cuts = list(cuts)
    reasons = [cut.reason for cut in cuts if not cut.kept]
    unplanned = reasons.count(NOT_PLANNED)
    counts = {
        "left out, too near a stronger cut or an end (--min-cut-distance)": len(reasons)
        - unplanned,
        "left out by the plan": unplanned,
    }
    return "; ".join(
        f"{count} of {len(cuts)} cuts {'is' if count == 1 else 'are'} {why}"
        for why, count in counts.items()
        if count
    )


def _dropped(time: float, kept: Sequence[float], duration: float, gap: float) -> str:
    """Return why a cut at ``time`` is not kept, given the ``kept`` ones, or nothing."""
    if time < CUT_MARGIN:
        return f"within {CUT_MARGIN:g} s of the start"
    if time > duration - CUT_MARGIN:
        return f"within {CUT_MARGIN:g} s of the end"
    i = bisect(kept, time)
    nearest = min(kept[max(i - 1, 0) : i + 1], key=lambda k: abs(k - time), default=-math.inf)
    if abs(nearest - time) < gap:
        return f"within {gap:g} s of the stronger cut at {nearest:.2f} s"
    return ""
