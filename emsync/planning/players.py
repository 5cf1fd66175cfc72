"""Who plays: fewer where the film is calm, all where it is excited."""

import math
from collections.abc import Iterable

from emsync.errors import UsageError
from emsync.limits import shown
from emsync.music.piece import CLASSES, DRUMS

# From which arousal on a class plays. Drums and guitar say energy, strings and piano are always
# there: the orchestration that film composers thin out and fill up (Karlin & Wright 2004).
FROM = {"piano": -1.0, "strings": -1.0, "bass": -0.45, "guitar": -0.2, "drums": 0.05}


def players(arousal: float) -> tuple[str, ...]:
    """Return the classes that play in a section of an ``arousal``; all where it is NaN.

    >>> players(-0.6), players(0.5) == CLASSES
    (('piano', 'strings'), True)
    """
    return tuple(name for name in CLASSES if math.isnan(arousal) or arousal >= FROM[name])


def check_instruments(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the classes that are named, in the order of CLASSES; UsageError names others.

    >>> check_instruments("strings, Piano,piano")
    ('piano', 'strings')
    """
    asked = names.split(",") if isinstance(names, str) else list(names)
    for name in asked:
        if name.strip().lower() not in CLASSES:
            raise UsageError(
                f"{shown(name)} is no instrument of the composer; name some of {', '.join(CLASSES)}"
            )
    if not asked:
        raise UsageError(f"no instrument is named; name some of {', '.join(CLASSES)}")
    known = {name.strip().lower() for name in asked}
    return tuple(name for name in CLASSES if name in known)


def check_pitched(instruments: Iterable[str]) -> None:
    """Refuse drums alone where chords or a theme are to be heard."""
    if set(instruments) == {CLASSES[DRUMS]}:
        raise UsageError(
            "drums alone have no pitch, so that no chord and no theme can be heard; name another "
            "instrument with them, or leave out the chords and the theme"
        )
