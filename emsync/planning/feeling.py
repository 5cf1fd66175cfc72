"""What follows from the feeling of a section, where no person says otherwise."""

import math
from collections.abc import Sequence
from typing import Any

from emsync.emotion.arc import State
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


def following(valence: float, arousal: float) -> dict[str, Any]:
    """Return the fields of a ``Section`` that follow from its feeling."""
    return {
        "mode": mode_of(valence),
        "density": density_of(arousal),
        "instruments": players(arousal),
        "level": round(level_of(arousal), 1),
    }


def mode_of(valence: float) -> Mode | None:
    """Return the mode of a valence: major where it is pleasant; None where it is not known."""
    return None if math.isnan(valence) else "major" if valence >= 0 else "minor"


def density_of(arousal: float) -> float:
    """Return the onsets a beat of music of an arousal; NaN where it is not known."""
    return round(float(onset_rate(arousal)) * 60 / TEMPO, 3)
