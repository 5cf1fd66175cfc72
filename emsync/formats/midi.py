"""The .mid a musician opens.

A file has a conductor track (tempo, metre, key, markers on the cuts) and one track for each
player. Bars are the music's bars, and every note reads back at its own second to
within 2 ms. Ticks live here and in ``emsync.music.bars``; everything else is in seconds.
"""

import io
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import mido
import numpy as np

from emsync.files import atomic_write
from emsync.fit.time_map import CutReport, Fitted
from emsync.formats.chord_events import chord_data
from emsync.formats.instruments import MARK
from emsync.formats.labels import NO_LABELS, ScoreLabels, ascii_name
from emsync.music.bars import TICKS, TempoMap
from emsync.music.general_midi import EXPRESSION, FULL, PAN, VOLUME
from emsync.music.piece import CLASSES
from emsync.music.tonality import estimate_key
from emsync.performance.part import Part
from emsync.performance.performance import Performance
from emsync.performance.player import Player
from emsync.video.timecode import Timecode

NEAR_LINE = 24  # ticks within which a chord symbol is on the eighth: a tenth of it

Message: TypeAlias = Any  # mido has no types
Event: TypeAlias = tuple[int, int, Message]  # tick, order within the tick, message
FIRST, OFF, CONTROL, ON = range(4)  # the order of messages within a tick


def write_midi(path: Path, performance: Performance, labels: ScoreLabels = NO_LABELS) -> None:
    """Write ``performance`` to ``path``, atomically; see ``to_midi``."""
    with atomic_write(path) as partial:
        partial.write_bytes(midi_bytes(performance, labels))


def midi_bytes(performance: Performance, labels: ScoreLabels = NO_LABELS) -> bytes:
    """Return the content of the file of ``performance``; see ``to_midi``."""
    data = io.BytesIO()
    to_midi(performance, labels).save(file=data)
    return data.getvalue()


def to_midi(performance: Performance, labels: ScoreLabels = NO_LABELS) -> mido.MidiFile:
    """Return the file of ``performance``: a conductor and a track for each part with notes."""
    fitted = performance.fitted
    tempo_map, end = fitted.tempo_map, int(fitted.tempo_map.ticks(np.array([fitted.duration]))[0])
    tempi = _tempi(tempo_map, end)
    tracks: list[tuple[Part, int, list[Event]]] = []
    for part, channel in zip(performance.parts, performance.channels, strict=True):
        # what begins on the last tick or after it would not sound
        if (tempo_map.ticks(part.onsets) < end).any():
            notes = _notes(part, tempo_map, channel, end)
            tracks.append((part, channel, [*notes, *_controls(part, tempo_map, channel, end)]))
    latest = max((tick for _, _, track in tracks for tick, _, _ in track), default=0)
    if tracks and latest < tempi[-1][0]:
        # without an event after it, some programs drop the last tempo
        _, channel, track = tracks[0]
        track.append((tempi[-1][0], CONTROL, control(channel, EXPRESSION, FULL)))

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    conductor = [
        *_head(fitted, labels),
        *tempi,
        *_metres(tempo_map, end),
        *_words(fitted, labels, end),
    ]
    file.tracks.append(_track(conductor, end))
    for part, channel, track in tracks:
        file.tracks.append(_track([*setup(part.player, channel), *track], end))
    return file


def _track(events: Iterable[Event], end: int) -> mido.MidiTrack:
    """Return ``events`` in order as a track that ends at tick ``end``."""
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=end - now))
    return track


def _meta(kind: str, **values: Any) -> Message:
    return mido.MetaMessage(kind, **values)


def _head(fitted: Fitted, labels: ScoreLabels) -> Iterator[Event]:
    """Yield what stands at the very beginning of the conductor track."""
    yield 0, FIRST, _meta("track_name", name=ascii_name(labels.title))
    yield 0, FIRST, _meta("text", text=str(Origin(fitted.duration, labels.rate, labels.start)))
    if labels.start is not None:
        yield 0, FIRST, _smpte(labels.start)
    if key := labels.key or estimate_key(fitted.piece):
        yield 0, FIRST, _meta("key_signature", key=key)


def _smpte(start: Timecode) -> Message:
    """Return ``start`` as an offset, which MIDI counts at 24, 25, 29.97 (drop) or 30 frames."""
    hours, minutes, seconds, frames = start.fields
    count = max(1, round(start.rate))
    base = next((b for b in (30, 25, 24) if count % b == 0 or b % count == 0), 30)
    frame, hundredths = divmod(frames * base * 100 // count, 100)
    return _meta(
        "smpte_offset",
        frame_rate=29.97 if start.drop else base,
        hours=hours,
        minutes=minutes,
        seconds=seconds,
        frames=frame,
        sub_frames=hundredths,
    )


def _tempi(tempo_map: TempoMap, end: int) -> list[Event]:
    """Return the tempo events before tick ``end``, one where the tempo changes."""
    return [
        (int(beat) * TICKS, FIRST, _meta("set_tempo", tempo=int(tempo_map.tempi[beat])))
        for beat in tempo_map.changes
        if beat * TICKS < end
    ]


def _metres(tempo_map: TempoMap, end: int) -> Iterator[Event]:
    """Yield the time signatures before tick ``end``, one where the metre changes."""
    changes = np.flatnonzero(np.diff(tempo_map.sizes, prepend=-1))
    for bar in changes:
        tick = int(tempo_map.lines[bar]) * TICKS
        if tick < end:
            size = int(tempo_map.sizes[bar])
            yield tick, FIRST, _meta("time_signature", numerator=size, denominator=4)


def _words(fitted: Fitted, labels: ScoreLabels, end: int) -> Iterator[Event]:
    """Yield the markers on the cuts, a text where each scene begins, and what ``labels`` say."""

    def at(time: float) -> int:
        return int(np.clip(fitted.tempo_map.ticks(np.array([time]))[0], 0, end))

    # before all other texts at its moment: MuseScore shows one, as a lyric, and no markers
    frame_ms = 1e3 * (0.04 if labels.rate is None else float(1 / labels.rate))
    for number, report in enumerate(fitted.kept, 2):
        words = f"SCENE {number:02d} {answer(report, frame_ms)}"
        yield at(report.cut.time), FIRST, _meta("text", text=words)
    for text in labels.texts:
        yield at(text.time), FIRST, _meta("text", text=ascii_name(text.text))
    for number, section in enumerate(labels.sections, 1):
        words = " ".join(filter(None, (f"SECTION {number:02d}", section.theme)))
        yield at(section.time), FIRST, _meta("text", text=ascii_name(f"{words}: {section.text}"))
    for symbol in labels.chords:
        tick = _on_line(at(symbol.time))
        if tick < end:
            yield from ((tick, FIRST, message) for message in chord_symbol(symbol.text))
    yield 0, FIRST, _meta("text", text="SCENE 01")
    numbers = itertools.count(1)  # of the kept cuts, as all files of a score have them
    for report in fitted.cuts:
        name = f"CUT {next(numbers):02d}" if report.cut.kept else "cut"
        name += f" {labels.clock(report.cut.time)}"
        yield at(report.cut.time), FIRST, _meta("marker", text=name)


def chord_symbol(name: str) -> tuple[Message, Message]:
    """Return a chord for programs that show chords, and its name for all others."""
    return _meta("sequencer_specific", data=chord_data(name)), _meta("text", text=name)


def _on_line(tick: int) -> int:
    """Return the eighth that a chord symbol is at but for rounding, else its own tick."""
    line = round(tick / (TICKS // 2)) * (TICKS // 2)
    return line if abs(line - tick) <= NEAR_LINE else tick


def answer(report: CutReport, frame_ms: float) -> str:
    """Return in words what begins on the frame of a cut."""
    hit = report.hit
    return f"on a {hit.kind}" if hit and abs(hit.error_ms) <= frame_ms else "(missed)"


def setup(player: Player, channel: int) -> list[Event]:
    """Return what stands at the beginning of the track of a player: name, class, sound, place."""
    controls = ((VOLUME, player.volume), (PAN, player.pan))
    return [
        (0, FIRST, _meta("track_name", name=ascii_name(player.name))),
        (0, FIRST, _meta("instrument_name", name=CLASSES[player.instrument])),
        (0, FIRST, mido.Message("program_change", channel=channel, program=player.program)),
        *((0, FIRST, control(channel, number, value)) for number, value in controls),
    ]


def _notes(part: Part, tempo_map: TempoMap, channel: int, end: int) -> list[Event]:
    """Return the notes of a part up to tick ``end``; a pitch struck again is re-struck."""
    begun = tempo_map.ticks(part.onsets) < end
    columns = (
        part.pitches[begun],
        tempo_map.ticks(part.onsets[begun]),
        tempo_map.ticks(part.offsets[begun]),
        part.velocities[begun],
    )
    struck: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)  # pitch: start: stop, vel.
    for pitch, start, stop, velocity in zip(*(c.tolist() for c in columns), strict=True):
        other = struck[pitch].get(start, (0, 0))
        struck[pitch][start] = (max(stop, start + 1, other[0]), max(velocity, other[1]))
    events: list[Event] = []
    for pitch in sorted(struck):
        order = sorted(struck[pitch])
        for start, after in zip(order, [*order[1:], end], strict=True):
            stop, velocity = struck[pitch][start]
            values = {"channel": channel, "note": pitch}
            events.append((start, ON, mido.Message("note_on", velocity=velocity, **values)))
            off = mido.Message("note_off", velocity=0, **values)
            events.append((min(stop, after), OFF, off))
    return events


def _controls(part: Part, tempo_map: TempoMap, channel: int, end: int) -> list[Event]:
    """Return the controllers of a part, none after tick ``end``."""
    ticks = tempo_map.ticks(np.array([c.time for c in part.controls]))
    return [
        (min(tick, end), CONTROL, control(channel, c.number, c.value))
        for tick, c in zip(ticks.tolist(), part.controls, strict=True)
    ]


def control(channel: int, number: int, value: int) -> Message:
    """Return a controller."""
    return mido.Message("control_change", channel=channel, control=number, value=value)


@dataclass(frozen=True)
class Origin:
    """What a file of ours says about its video, in a text at the beginning."""

    duration: float  # seconds
    rate: Fraction | None = None  # frames a second
    start: Timecode | None = None  # of the first frame

    def __str__(self) -> str:
        rate = "" if self.rate is None else f" at {self.rate} frames a second"
        start = "" if self.start is None else f" from {self.start}"
        return f"{MARK}{self.duration:.6f} s{rate}{start}"

    @classmethod
    def parse(cls, text: str) -> "Origin | None":
        """Return what ``text`` says, or None if it is not a file of ours that says it."""
        match = _ORIGIN.fullmatch(text)
        if match is None:
            return None
        rate = Fraction(match[2]) if match[2] else None
        start = Timecode.parse(match[3], rate) if match[3] and rate else None
        return cls(float(match[1]), rate, start)


_ORIGIN = re.compile(
    MARK + r"(\d{1,9}\.\d{6}) s"
    r"(?: at ([1-9]\d{0,11}(?:/[1-9]\d{0,11})?) frames a second)?"
    r"(?: from (\S+))?"
)
