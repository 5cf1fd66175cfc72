"""A performance as the tracks of a MIDI file play it: a part for each track and channel."""

import numpy as np

from emsync.fit.time_map import Fitted
from emsync.formats.midi_raw import RawMidi, RawNote
from emsync.music.general_midi import PAN, VOLUME
from emsync.music.piece import CLASSES
from emsync.performance.part import Control, Part
from emsync.performance.performance import Performance
from emsync.performance.player import Player

SOUND = (VOLUME, PAN)  # controllers of the player, not of the part


def played(raw: RawMidi, fitted: Fitted) -> Performance:
    """Return what the tracks of a file play of ``fitted``, which was read from it."""
    return Performance(fitted, tuple(parts(raw)))


def parts(raw: RawMidi) -> list[Part]:
    """Return what the tracks of a file play. What no class holds, such as effects, is no part."""
    notes: dict[tuple[int, int], list[RawNote]] = {}
    for note in raw.notes:
        if raw.instrument(note) is not None and note.stop is not None and note.stop > note.start:
            notes.setdefault((note.track, note.channel), []).append(note)
    return [_part(raw, mine) for _, mine in sorted(notes.items())]


def _part(raw: RawMidi, notes: list[RawNote]) -> Part:
    """Return the part that plays ``notes``, all of one track and channel."""
    first = notes[0]
    instrument = raw.instrument(first)
    assert instrument is not None
    events = [
        (tick, m)
        for tick, m in raw.tracks[first.track]
        if m.type == "control_change" and m.channel == first.channel
    ]
    sound = {m.control: m.value for tick, m in events if tick == 0 and m.control in SOUND}
    plain = Player(CLASSES[instrument].capitalize(), instrument)
    player = Player(
        raw.title(first.track) or plain.name,
        instrument,
        first.program,
        sound.get(VOLUME, plain.volume),
        sound.get(PAN, plain.pan),
    )
    performed = [(tick, m) for tick, m in events if m.control not in SOUND]
    times = raw.seconds(np.array([tick for tick, _ in performed], np.int64)).tolist()
    return Part(
        player,
        np.array([note.pitch for note in notes], np.uint8),
        raw.seconds([note.start for note in notes]),
        raw.seconds([note.stop or 0 for note in notes]),
        np.array([note.velocity for note in notes], np.uint8),
        tuple(
            Control(time, m.control, m.value) for time, (_, m) in zip(times, performed, strict=True)
        ),
    )
