"""A MIDI file as raw events in absolute ticks, faults and all, for its check."""

import io
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mido
import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Seconds
from emsync.errors import InputError
from emsync.formats.labels import ascii_name
from emsync.formats.smf import MOST_BYTES
from emsync.music.ticks import tick_seconds

_KEY = re.compile(rb"(\xff\x59\x02)(?![\xf9-\xff\x00-\x07][\x00\x01])..", re.DOTALL)


@dataclass(frozen=True)
class RawNote:
    """A note between its note-on and its note-off."""

    track: int
    channel: int
    program: int
    pitch: int
    start: int  # ticks
    stop: int | None  # ticks; None if no note-off ends it


@dataclass(frozen=True)
class RawMidi:
    """A MIDI file in absolute ticks."""

    format: int
    resolution: int  # ticks a quarter
    tracks: list[list[tuple[int, Any]]]  # each with its events in order
    notes: list[RawNote]
    strays: int  # note-offs that end nothing
    damage: tuple[str, ...]  # what had to be mended to read it

    def events(self, *kinds: str) -> list[tuple[int, int, Any]]:
        """Return tick, track and message of the events of ``kinds``, by tick."""
        found = [
            (tick, t, message)
            for t, track in enumerate(self.tracks)
            for tick, message in track
            if message.type in kinds
        ]
        return sorted(found, key=lambda event: event[0])

    @cached_property
    def tempi(self) -> dict[int, int]:
        """The microseconds a quarter from each tick on."""
        return {tick: message.tempo for tick, _, message in self.events("set_tempo")}

    def seconds(self, ticks: ArrayLike) -> Seconds:
        """Return the times of ``ticks`` by the file's tempo map."""
        return tick_seconds(ticks, self.tempi, self.resolution)

    def at(self, tick: int) -> str:
        """Return ``tick`` in words."""
        return f"{self.seconds([tick])[0]:.3f} s"

    @property
    def end(self) -> int:
        """The tick of the last event of all."""
        return max((track[-1][0] for track in self.tracks if track), default=0)

    def metres(self) -> list[tuple[int, int, float]]:
        """Return tick, beats a bar and ticks a beat of each time signature (4/4 until then)."""
        given = {
            tick: (m.numerator or 4, self.resolution * 4 / m.denominator)
            for tick, _, m in self.events("time_signature")
        }
        return [
            (tick, *metre) for tick, metre in ({0: (4, float(self.resolution))} | given).items()
        ]

    def name(self, track: int) -> str:
        """Return a track in words: its number, and its name if it has one."""
        names = [m.name for _, m in self.tracks[track] if m.type == "track_name"]
        return f"track {track} ({ascii_name(names[0])!r})" if names else f"track {track}"

    def facts(self) -> dict[str, Any]:
        """Return what the file holds, in plain values."""
        tempi = [60e6 / m.tempo for _, _, m in self.events("set_tempo") if m.tempo]
        metres = [f"{m.numerator}/{m.denominator}" for _, _, m in self.events("time_signature")]
        return {
            "format": self.format,
            "resolution": self.resolution,
            "tracks": len(self.tracks),
            "notes": len(self.notes),
            "duration": round(float(self.seconds([self.end])[0]), 6),
            "tempo_events": len(tempi),
            "tempo_range": [round(min(tempi), 2), round(max(tempi), 2)] if tempi else None,
            "time_signatures": list(dict.fromkeys(metres)),
            "key": next((m.key for _, _, m in self.events("key_signature")), None),
            "markers": len(self.events("marker")),
        }


def read_raw(path: Path) -> RawMidi:
    """Read the MIDI file at ``path``; InputError when it is none."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if data is None:
        raise InputError(f"{str(path)!r} is larger than {MOST_BYTES} bytes; no score is")
    if data[:4] != b"MThd":
        raise InputError(f"{str(path)!r} is not a MIDI file: it does not begin with 'MThd'")
    file, damage = _parse(data, path)
    if file.ticks_per_beat <= 0:
        raise InputError(f"{str(path)!r} counts SMPTE frames instead of beats; export it in beats")
    tracks = []
    for messages in file.tracks:
        ticks = np.cumsum([0, *(float(message.time) for message in messages)])[1:]
        if len(ticks) and ticks[-1] > 2**40:
            raise InputError(f"{str(path)!r} is damaged: a track of it lasts {ticks[-1]:.0f} ticks")
        tracks.append(list(zip(ticks.astype(np.int64).tolist(), messages, strict=True)))
    notes, strays = _match(tracks)
    return RawMidi(file.type, file.ticks_per_beat, tracks, notes, strays, damage)


def _parse(data: bytes, path: Path) -> tuple[mido.MidiFile, tuple[str, ...]]:
    """Return the file, and in words the common faults that had to be mended to read it."""
    # mido meets damage with whatever breaks first inside it
    damaged = (
        *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
        mido.KeySignatureError,
    )
    keys = _KEY.sub(lambda match: match[1] + b"\0\0", data)
    trials = (
        (data, False, ()),
        (keys, False, ("a key signature that does not exist",)),
        (keys, True, ("a data byte above 127, which MIDI does not have",)),
    )
    reason = ""
    for mended, clip, words in trials:
        try:
            return mido.MidiFile(file=io.BytesIO(mended), clip=clip), words
        except damaged as error:
            reason = str(error) or "it ends too early"
    raise InputError(f"{str(path)!r} is a damaged MIDI file: {reason}")


def _match(tracks: list[list[tuple[int, Any]]]) -> tuple[list[RawNote], int]:
    """Return the notes, first begun first ended, and the number of stray note-offs."""
    programs = dict.fromkeys(range(16), 0)
    open_notes: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
    notes, strays = [], 0
    merged = sorted(
        ((tick, t, message) for t, track in enumerate(tracks) for tick, message in track),
        key=lambda event: event[0],
    )
    for tick, t, message in merged:
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            place = (t, message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                open_notes[place].append((tick, programs[message.channel]))
            elif open_notes[place]:
                start, program = open_notes[place].pop(0)
                notes.append(RawNote(t, message.channel, program, message.note, start, tick))
            else:
                strays += 1
    for (t, channel, pitch), begun in open_notes.items():
        notes += [RawNote(t, channel, program, pitch, start, None) for start, program in begun]
    return sorted(notes, key=lambda note: (note.start, note.track, note.pitch)), strays
