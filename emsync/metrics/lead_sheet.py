"""How closely a piece follows its lead sheet: the chords by half bars, the players by sections.

Conventions: piece, sheet and the (W + 1,) edges of half bars are in the same seconds; a section
counts from LEAST half bars on, for in less nobody needs to play.
"""

from dataclasses import dataclass, replace

import numpy as np

from emsync.arrays import Seconds
from emsync.metrics.harmony import Followed, followed
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import CLASSES, Piece

LEAST = 4  # half bars of a section
SLACK = 0.02  # seconds at a section's ends in which a note belongs to either side: rounding


@dataclass(frozen=True)
class Players:
    """Pairs of a section and an instrument class, counted over all sections."""

    asked: int  # for which the sheet asks
    played: int  # of these, that begin a note
    unasked: int
    rested: int  # of these, that begin none

    @property
    def share(self) -> float:
        """Of those that are asked for or play, the share that is and does; 1 without any."""
        either = self.asked + self.unasked - self.rested
        return self.played / either if either else 1.0


def chords_followed(sheet: LeadSheet, piece: Piece, edges: Seconds) -> Followed:
    """Compare the chord heard in each half bar with the one that is planned at its middle.

    At its start it might still be the one before, by a rounding of the bar lines.
    """
    planned = sheet.harmony.at((edges[1:] + edges[:-1]) / 2)
    return followed(replace(sheet.harmony, starts=edges[:-1], chords=planned), piece, edges)


def players(sheet: LeadSheet, piece: Piece, edges: Seconds) -> Players:
    """Count who plays and who rests, section by section, and whether that was asked."""
    asked = played = unasked = rested = 0
    for passage in sheet.passages:
        inside = (edges[:-1] >= passage.start - SLACK) & (edges[:-1] < passage.end - SLACK)
        if inside.sum() < LEAST:
            continue
        late, early = piece.onsets >= passage.start - SLACK, piece.onsets < passage.end
        may = set(piece.classes[late & early].tolist())
        late, early = piece.onsets >= passage.start + SLACK, piece.onsets < passage.end - SLACK
        does = set(piece.classes[late & early].tolist())
        told = set(passage.classes)
        asked, played = asked + len(told), played + len(told & may)
        unasked += len(CLASSES) - len(told)
        rested += len(set(range(len(CLASSES))) - told - does)
    return Players(asked, played, unasked, rested)


def onsets_asked(sheet: LeadSheet, end: float) -> float:
    """Return how many onsets the densities of a sheet in beats ask for until ``end``, in beats.

    NaN where a passage leaves its density to the composer.
    """
    return sum(p.density * max(0.0, min(p.end, end) - p.start) for p in sheet.passages)


def planned_share(sheet: LeadSheet, piece: Piece, edges: Seconds) -> float:
    """Return how well the plan is followed, from 0 to 1: the mean of chords and players.

    Of the half bars with pitched sound the share whose root is the planned one; of the instruments
    that are asked for in a section or play in it, the share that is asked for and plays.
    """
    root = chords_followed(sheet, piece, edges).root
    return (float(np.nan_to_num(root)) + players(sheet, piece, edges).share) / 2
