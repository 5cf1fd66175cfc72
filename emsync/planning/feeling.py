"""What follows from the feeling of a section, where no person says otherwise."""

import math
from collections.abc import Sequence
from typing import Any

from emsync.emotion.arc import ALIKE, State
from emsync.emotion.plane import Point
from emsync.music.onset_rate import TEMPO, onset_rate
from emsync.options import Mode
from emsync.performance.dynamics import level_of
from emsync.planning.players import players

EXCITED = 0.2  # arousal from which a film is excited
PLEASANT = 0.25  # valence from which it is pleasant, and, below zero, unpleasant
# For a film that is excited, and for one that is not: unpleasant, between, pleasant
SUITING = ("hybrid", "orchestra", "band"), ("chamber", "documentary", "acoustic")
UNKNOWN = "band"  # where nothing is known of the feeling


def palette_of(arc: Sequence[State]) -> str:
    """Return the palette for a film: one for all of it, by its mean feeling over time.

    >>> palette_of([State(0.0, 9.0, -0.6, 0.6)]), palette_of([State(0.0, 9.0, 0.7, 0.5)])
    ('hybrid', 'band')
    """
    known = [state for state in arc if not math.isnan(state.valence + state.arousal)]
    total = sum(state.length for state in known)
    if not total:
        return UNKNOWN
    valence = sum(state.valence * state.length for state in known) / total
    arousal = sum(state.arousal * state.length for state in known) / total
    row = SUITING[arousal < EXCITED]
    return row[(valence >= -PLEASANT) + (valence >= PLEASANT)]


def following(feelings: Sequence[Point]) -> list[dict[str, Any]]:
    """Return for each section in a row the fields of ``Section`` that follow from its feeling."""
    modes = modes_of([feeling.valence for feeling in feelings])
    return [
        {
            "mode": mode,
            "density": density_of(feeling.arousal),
            "instruments": players(feeling.arousal),
            "level": round(level_of(feeling.arousal), 1),
        }
        for feeling, mode in zip(feelings, modes, strict=True)
    ]


def modes_of(valences: Sequence[float]) -> list[Mode | None]:
    """Return the modes of sections in a row, which change only where the valence is not near 0.

    The change from major to minor is heard more than any other. A film that is hardly unpleasant
    for a while, by less than ALIKE, has not turned; nor has one that is hardly pleasant.

    >>> modes_of([0.4, -0.02, -0.3, 0.02])
    ['major', 'major', 'minor', 'minor']
    """
    modes: list[Mode | None] = []
    for valence in valences:
        before = modes[-1] if modes else None
        modes.append(before if before and abs(valence) < ALIKE else mode_of(valence))
    return modes


def mode_of(valence: float) -> Mode | None:
    """Return the mode of a valence: major where it is pleasant; None where it is not known."""
    return None if math.isnan(valence) else "major" if valence >= 0 else "minor"


def density_of(arousal: float) -> float:
    """Return the onsets a beat of music of an arousal; NaN where it is not known."""
    return round(float(onset_rate(arousal)) * 60 / TEMPO, 3)
