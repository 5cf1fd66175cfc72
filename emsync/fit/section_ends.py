"""Where a section ends, tones that would rub against the next one's first chord end with it."""

from dataclasses import replace

import numpy as np

from emsync.music.chords import NONE, TONES
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import DRUMS, Piece

GRIP = 0.03  # seconds; what begins this close to a section belongs to it


def let_go(piece: Piece, sheet: LeadSheet) -> Piece:
    """Return ``piece`` without tones that are held into a section a semitone from its chord.

    They end where the section begins. Other tones that are foreign to the chord are suspensions,
    which it bears. ``sheet`` is in the time of the piece.
    """
    offsets = piece.offsets.copy()
    starts = np.array([passage.start for passage in sheet.passages[1:]])
    for start, chord in zip(starts, sheet.harmony.at(starts), strict=True):
        if chord == NONE:
            continue
        tones = TONES[chord] > 0
        rubs = (np.roll(tones, 1) | np.roll(tones, -1)) & ~tones
        held = (piece.onsets < start - GRIP) & (offsets > start) & (piece.classes != DRUMS)
        offsets[held & rubs[piece.pitches % 12]] = start
    return replace(piece, offsets=offsets)
