"""Cut hits: does something happen in the music where the picture cuts.

Conventions
-----------
Cuts and events are seconds from the first frame. An error is the event's time less the cut's:
positive is late. A cut is hit if its nearest event is no further away than the tolerance: 1, 2
and 4 frames of the video, half a second, one second. Kinds of events: the boundary "chord", any
"beat" on which a note begins, any "onset".

Metrics
-------
share       of the cuts that are hit; None without cuts, 0 without events
shuffled    the control: the share expected if the same cuts stood elsewhere, that is, moved around
            the video by a random time. It is exactly the share of the video within the tolerance
            of an event, so nothing needs to be drawn
median_ms, p95_ms          of the signed error in milliseconds; None without cuts or events
p95_absolute_ms            of its size
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Seconds
from emsync.metrics.events import covered, errors, validate
from emsync.music.bars import ON_BEAT, find_bars, nearest
from emsync.music.piece import Piece

FRAMES = (1, 2, 4)
SPANS = (0.5, 1.0)  # seconds
KINDS = ("chord", "beat", "onset")
ROUNDING = 1e-6  # seconds: times in a file are rounded to microseconds


def tolerances(rate: float) -> dict[str, float]:
    """Return the tolerances in seconds by name; those in frames need the frames a second.

    >>> list(tolerances(25.0))
    ['1 frame', '2 frames', '4 frames', '0.5 s', '1 s']
    """
    frames = {f"{n} frame{'s' * (n > 1)}": n / rate for n in FRAMES} if rate > 0 else {}
    return {**frames, **{f"{s:g} s": s for s in SPANS}}


def events(piece: Piece, duration: float) -> dict[str, Seconds]:
    """Return the moments of ``piece`` within ``duration`` seconds that may hit a cut, by kind.

    A beat without a note is not heard and hits nothing.
    """
    onsets = np.unique(piece.onsets[piece.onsets < duration])
    beats = find_bars(piece, duration).beats
    if len(onsets):
        heard = onsets[nearest(onsets, beats)]
        beats = np.unique(heard[np.abs(heard - beats) <= ON_BEAT])
    else:
        beats = onsets
    chords = np.unique(piece.chords[piece.chords < duration])
    return {"chord": chords, "beat": beats, "onset": onsets}


def hits(cuts: ArrayLike, times: ArrayLike, tolerance: float) -> int:
    """Return how many cuts have an event within ``tolerance`` seconds.

    >>> hits([4.0, 9.0], [4.04, 20.0], 0.04)
    1
    """
    return int((np.abs(errors(cuts, times)) <= tolerance + ROUNDING).sum())


def evaluate(
    cuts: ArrayLike, by_kind: Mapping[str, ArrayLike], duration: float, rate: float
) -> dict[str, Any]:
    """Return the metrics above for each kind of event: how many cuts are hit, and by chance.

    ``duration`` is the video's in seconds, ``rate`` its frames a second (0 if unknown).
    """
    times = validate("cuts", cuts)
    if duration <= 0:
        raise ValueError(f"the duration is {duration} s; give the video's length, above 0")
    return {
        "cuts": len(times),
        "events": {kind: _kind(times, events, duration, rate) for kind, events in by_kind.items()},
    }


def _kind(cuts: Seconds, times: ArrayLike, duration: float, rate: float) -> dict[str, Any]:
    found = errors(cuts, times) * 1000
    known = len(cuts) > 0 and bool(np.isfinite(found).all())
    within = {
        name: {
            "hits": (count := hits(cuts, times, tolerance)),
            "share": count / len(cuts) if len(cuts) else None,
            "shuffled": covered(times, tolerance, duration),
        }
        for name, tolerance in tolerances(rate).items()
    }
    return {
        "count": len(validate("events", times)),
        "within": within,
        "median_ms": float(np.median(found)) if known else None,
        "p95_ms": float(np.percentile(found, 95)) if known else None,
        "p95_absolute_ms": float(np.percentile(np.abs(found), 95)) if known else None,
    }
