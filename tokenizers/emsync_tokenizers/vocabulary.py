"""The 1,011 events of EMSYNC as arithmetic (Sulun, Viana & Davies, section 3.1)."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import CLASSES, HIGHEST, LOWEST, Seconds

STEP = 0.008  # seconds; every time stands on this absolute grid
STEPS_PER_SECOND = 125

PAD, START, BAR, CHORD, FEWER, MORE = range(6)
FEW = 2  # instrument classes; a piece with more of them begins with MORE
SHIFT = 6  # TIMESHIFT_8; SHIFT + n - 1 waits n steps
LONGEST = 125  # steps in one TIMESHIFT, one second
NOTE = SHIFT + LONGEST  # drums ON 21
KEYS = HIGHEST - LOWEST + 1  # 88
SIZE = NOTE + len(CLASSES) * 2 * KEYS
assert SIZE == 1011

N = TypeVar("N", bound=np.generic)


def on(instrument: int, pitch: int) -> int:
    """Return the token that begins a note.

    >>> on(0, 21), on(4, 108)
    (131, 922)
    """
    return NOTE + instrument * 2 * KEYS + pitch - LOWEST


def off(instrument: int, pitch: int) -> int:
    """Return the token that ends a note."""
    return on(instrument, pitch) + KEYS


def parts(token: int) -> tuple[int, int, bool]:
    """Return the instrument and the key of a note's token, and whether the note begins.

    >>> parts(off(4, 108))
    (4, 87, False)
    """
    instrument, place = divmod(token - NOTE, 2 * KEYS)
    return instrument, place % KEYS, place < KEYS


def notes(row: NDArray[N]) -> NDArray[N]:
    """Return the (5, 2, 88) view of the notes in a (V,) row: instrument, ON or OFF, key."""
    return row[NOTE:].reshape(len(CLASSES), 2, KEYS)


def names() -> list[str]:
    """Return the (V,) names of the tokens, in MidiTok's ``Type_Value`` form."""
    special = ["PAD_None", "START_None", "BAR_None", "CHORD_None"]
    header = ["Instruments_Fewer", "Instruments_More"]
    shifts = [f"TimeShift_{8 * n}" for n in range(1, LONGEST + 1)]
    notes = [
        f"{instrument.capitalize()}{kind}_{pitch}"
        for instrument in CLASSES
        for kind in ("On", "Off")
        for pitch in range(LOWEST, HIGHEST + 1)
    ]
    return special + header + shifts + notes


def durations() -> Seconds:
    """Return the (V,) seconds that pass when each token is read."""
    table = np.zeros(SIZE)
    table[SHIFT:NOTE] = np.arange(1, LONGEST + 1) / STEPS_PER_SECOND
    return table
