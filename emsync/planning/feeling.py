"""What follows from the feeling of a section, where no person says otherwise."""

import math
from typing import Any

from emsync.fit.dynamics import level_of
from emsync.music.onset_rate import TEMPO, onset_rate
from emsync.options import Mode
from emsync.planning.players import players


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
