"""A MIDI file as raw events in absolute ticks, faults and all, for its check."""

import io
import re
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mido
import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Seconds
from emsync.formats.chord_events import chord_of, is_chord
from emsync.formats.instruments import named
from emsync.formats.labels import ascii_name
from emsync.formats.smf import load
from emsync.music.general_midi import DRUM_CHANNEL
from emsync.music.piece import program_class
from emsync.music.ticks import tick_seconds

_SECTION = re.compile(r"SECTION (\d{1,6})(?: [A-Z])?: (.*)")


@dataclass(frozen=True)
class RawNote:
    """A note between its note-on and its note-off."""

    track: int
    channel: int
    program: int
    pitch: int
    start: int  # ticks
    stop: int | None  # ticks; None if no note-off ends it
    on: int  # the place of its note-on in the track
    off: int | None  # and of its note-off
    velocity: int


@dataclass(frozen=True)
class RawMidi:
    """A MIDI file in absolute ticks."""

    format: int
    resolution: int  # ticks a quarter
    tracks: list[list[tuple[int, Any]]]  # each with its events in order
    notes: list[RawNote]
    strays: int  # note-offs that end nothing
    repairs: tuple[str, ...]  # what it held that was repaired
    unended: tuple[int, ...]  # the tracks that had no end-of-track

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

    @cached_property
    def instruments(self) -> list[int | None]:
        """The class that each track names, in a file of ours; see ``formats.instruments``."""
        return named([[message for _, message in track] for track in self.tracks])

    def instrument(self, note: RawNote) -> int | None:
        """Return the class of a note; None of what no class plays."""
        said = self.instruments[note.track]
        return program_class(note.program, note.channel == DRUM_CHANNEL) if said is None else said

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

    def chords(self) -> list[tuple[int, str | None]]:
        """Return tick and name of each chord symbol; see ``chord_of``."""
        events = self.events("sequencer_specific")
        return [(tick, chord_of(m.data)) for tick, _, m in events if is_chord(m.data)]

    def sections(self) -> list[tuple[int, int, str]]:
        """Return tick, number and words of each text that begins a section."""
        texts = ((tick, _SECTION.fullmatch(m.text)) for tick, _, m in self.events("text"))
        return [(tick, int(match[1]), match[2]) for tick, match in texts if match]

    @cached_property
    def _names(self) -> list[str | None]:
        """The name of each track, in ASCII, if it has one."""
        return [
            next((ascii_name(m.name) for _, m in track if m.type == "track_name"), None)
            for track in self.tracks
        ]

    def title(self, track: int) -> str:
        """Return the name of a track, in ASCII; "" where it has none."""
        return self._names[track] or ""

    def name(self, track: int) -> str:
        """Return a track in words: its number, and its name if it has one."""
        title = self._names[track]
        return f"track {track}" if title is None else f"track {track} ({title!r})"

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
            "chord_symbols": len(self.chords()),
            "sections": len(self.sections()),
        }


def read_raw(path: Path) -> RawMidi:
    """Read the MIDI file at ``path``; InputError when it is none."""
    repaired = load(path).repaired
    return raw_of(repaired.content, tuple(repaired.remarks), tuple(repaired.unended))


def raw_of(content: bytes, repairs: tuple[str, ...] = (), unended: tuple[int, ...] = ()) -> RawMidi:
    """Return the events of a file's sound bytes, of which ``repairs`` and ``unended`` are told."""
    file = mido.MidiFile(file=io.BytesIO(content))
    tracks = []
    for messages in file.tracks:
        ticks = np.cumsum([0, *(message.time for message in messages)])[1:].tolist()
        tracks.append(list(zip(ticks, messages, strict=True)))
    notes, strays = _match(tracks)
    return RawMidi(file.type, file.ticks_per_beat, tracks, notes, strays, repairs, unended)


def _match(tracks: list[list[tuple[int, Any]]]) -> tuple[list[RawNote], int]:
    """Return the notes, first begun first ended, and the number of stray note-offs."""
    programs = dict.fromkeys(range(16), 0)
    open_notes: dict[tuple[int, int, int], deque[RawNote]] = defaultdict(deque)
    notes, strays = [], 0
    merged = sorted(
        ((tick, t, i, m) for t, track in enumerate(tracks) for i, (tick, m) in enumerate(track)),
        key=lambda event: event[0],
    )
    for tick, t, i, message in merged:
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            channel, pitch = message.channel, message.note
            begun = open_notes[t, channel, pitch]
            if message.type == "note_on" and message.velocity:
                values = (programs[channel], pitch, tick, None, i, None, message.velocity)
                begun.append(RawNote(t, channel, *values))
            elif begun:
                notes.append(replace(begun.popleft(), stop=tick, off=i))
            else:
                strays += 1
    notes += [note for begun in open_notes.values() for note in begun]
    return sorted(notes, key=lambda note: (note.start, note.track, note.pitch)), strays
