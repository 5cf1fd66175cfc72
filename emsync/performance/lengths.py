"""How long notes are held: drums until something follows, and nothing shorter than a sixteenth.

A network that learned from files of all kinds strikes drums for a few milliseconds, and notes now
and then, too; on paper these are 64ths and rests.
Shapes: N notes of the part.
"""

from dataclasses import replace

import numpy as np

from emsync.arrays import Float64s
from emsync.music.bars import TICKS, TempoMap
from emsync.music.piece import DRUMS
from emsync.performance.part import Part

SIXTEENTH = 0.25  # beats
TOGETHER = 0.03  # beats within which strokes are one


def held(part: Part, tempo_map: TempoMap, duration: float) -> Part:
    """Return ``part`` with lengths that can be read; nothing is held beyond ``duration`` seconds.

    A drum lasts to the next stroke of any drum, or to the next beat, whichever is sooner; but a
    sixteenth where that is longer. Another note that is shorter than a sixteenth is held for one,
    or until the player's next note.
    """
    if not len(part.onsets):
        return part
    starts, ends = tempo_map.beats(part.onsets), tempo_map.beats(part.offsets)
    following = _following(starts)
    least = np.minimum(starts + SIXTEENTH, following)
    if part.player.instrument == DRUMS:
        next_beat = np.floor(starts + TOGETHER) + 1
        wanted = np.maximum(least, np.minimum(next_beat, following))
    else:
        wanted = np.maximum(least, ends)
    seconds = np.minimum(tempo_map.seconds(wanted * TICKS), duration)
    return replace(part, offsets=np.where(wanted == ends, part.offsets, seconds))


def _following(starts: Float64s) -> Float64s:
    """Return the (N,) beat of the next stroke after each of ``starts``, ascending; or infinity."""
    return np.append(starts, np.inf)[np.searchsorted(starts, starts + TOGETHER, side="right")]
