"""The class of instruments that a track of a MIDI file is of, where the file names it.

A track of ours may have any program: its instrument name says whose notes it plays. Of the files of
others, and of tracks that have lost their instrument name, the program decides by LPD-5's rule.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any

import mido

from emsync.music.piece import CLASSES

MARK = "emsync: video of "  # so begins the text about its video in a file of ours


def named(tracks: Sequence[Iterable[Any]]) -> list[int | None]:
    """Return the class that each of ``tracks``, of messages, names; None where it names none.

    A name counts in a file of ours only, and where it is the only one of its track.
    """
    conductor = next(iter(tracks), ())
    if not any(m.type == "text" and m.text.startswith(MARK) for m in conductor):
        return [None] * len(tracks)
    found = [[m.name for m in track if m.type == "instrument_name"] for track in tracks]
    return [
        CLASSES.index(names[0]) if len(names) == 1 and names[0] in CLASSES else None
        for names in found
    ]


def sounding(content: bytes) -> list[int | None]:
    """Return the class that each track with notes names, in a file of these sound bytes.

    Nothing where the file is not ours.
    """
    if MARK.encode() not in content:  # of a corpus of thousands of files, only ours are read twice
        return []
    tracks = mido.MidiFile(file=io.BytesIO(content)).tracks
    plays = [any(m.type == "note_on" and m.velocity for m in track) for track in tracks]
    return [c for c, heard in zip(named(tracks), plays, strict=True) if heard]
