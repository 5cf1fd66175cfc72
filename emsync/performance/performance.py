"""START HERE: a piece fitted to its film becomes parts for players: what files are written from."""

from dataclasses import dataclass, replace
from itertools import cycle

from emsync.fit.time_map import Fitted
from emsync.music.general_midi import DRUM_CHANNEL, MELODIC
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import DRUMS
from emsync.performance.arranging import arranged
from emsync.performance.dynamics import Dynamics
from emsync.performance.expression import expression
from emsync.performance.lengths import held
from emsync.performance.part import Part
from emsync.performance.pedal import pedalled
from emsync.performance.player import PLAIN, Casting
from emsync.performance.repeats import settled
from emsync.performance.timing import humanized
from emsync.performance.velocity import struck


@dataclass(frozen=True, eq=False)
class Performance:
    """A piece as it is played."""

    fitted: Fitted  # the piece, its bars, tempi and cuts
    parts: tuple[Part, ...]  # of those who play, in the order of their tracks

    @property
    def channels(self) -> list[int]:
        """The MIDI channel of each part, from 0: that of drums, or the next of all others.

        Where a kept score of someone has more parts than there are channels, they share them.
        """
        free = cycle(MELODIC)
        drums = (part.player.instrument == DRUMS for part in self.parts)
        return [DRUM_CHANNEL if drum else next(free) for drum in drums]


def perform(
    fitted: Fitted,
    dynamics: Dynamics = Dynamics(),
    casting: Casting = PLAIN,
    *,
    sheet: LeadSheet | None = None,
    humanize: float = 0.0,
    seed: int = 0,
) -> Performance:
    """Return how ``fitted`` is played by the players of ``casting``, as loud as ``dynamics``.

    ``sheet``, in the film's time, has the chords that pianists pedal by. ``humanize``, from 0 to 1,
    is how freely the notes are timed, as ``seed`` has it.
    """
    hits = fitted.hits
    piece = settled(fitted.piece, casting, hits)
    velocities = struck(piece, dynamics, hits)
    parts = [
        Part(
            role.player,
            role.pitches,
            piece.onsets[role.notes],
            piece.offsets[role.notes],
            velocities[role.notes],
        )
        for role in arranged(piece, casting, hits)
    ]
    harmony = None if sheet is None else sheet.harmony
    played = []
    for part in parts:
        part = held(part, fitted.tempo_map, fitted.duration)
        part = humanized(part, humanize, seed, hits, fitted.duration)
        swells = expression(part, fitted, dynamics)
        played.append(replace(part, controls=(*swells, *pedalled(part, harmony, fitted))))
    return Performance(fitted, tuple(played))
