"""START HERE: a piece fitted to its film becomes parts for players: what files are written from."""

from dataclasses import dataclass

from emsync.fit.dynamics import Dynamics
from emsync.fit.time_map import Fitted
from emsync.formats.general_midi import DRUM_CHANNEL, MELODIC
from emsync.music.piece import DRUMS
from emsync.performance.arranging import arranged
from emsync.performance.expression import expression
from emsync.performance.part import Part
from emsync.performance.player import PLAIN, Casting
from emsync.performance.velocity import struck


@dataclass(frozen=True, eq=False)
class Performance:
    """A piece as it is played."""

    fitted: Fitted  # the piece, its bars, tempi and cuts
    parts: tuple[Part, ...]  # of those who play, in the order of their tracks

    @property
    def channels(self) -> list[int]:
        """The MIDI channel of each part, from 0: that of drums, or the next of all others."""
        free = iter(MELODIC)
        drums = (part.player.instrument == DRUMS for part in self.parts)
        return [DRUM_CHANNEL if drum else next(free) for drum in drums]


def perform(
    fitted: Fitted, dynamics: Dynamics = Dynamics(), casting: Casting = PLAIN
) -> Performance:
    """Return how ``fitted`` is played by the players of ``casting``, as loud as ``dynamics``."""
    piece = fitted.piece
    velocities = struck(piece, dynamics)
    hits = [report.hit.time for report in fitted.kept if report.hit]
    parts = [
        Part(
            role.player,
            role.pitches,
            piece.onsets[role.notes],
            piece.offsets[role.notes],
            velocities[role.notes],
            expression(fitted.duration, dynamics),
        )
        for role in arranged(piece, casting, hits)
    ]
    return Performance(fitted, tuple(parts))
