"""The .mid a musician opens, and its check.

A file has a conductor track (tempo, metre, key, markers on the cuts) and one track for each
instrument that plays. Bars are the music's bars, and every note reads back at its own second to
within 2 ms. Ticks live here and in ``emsync.music.bars``; everything else is in seconds.
"""

import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import mido
import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Float64s, Seconds
from emsync.errors import InputError, UsageError
from emsync.files import atomic_write
from emsync.fit.dynamics import Dynamics
from emsync.fit.hits import CutReport, Fitted
from emsync.formats.labels import Titles
from emsync.music.bars import TICKS, Grid
from emsync.music.piece import (
    CLASSES,
    DRUMS,
    HIGHEST,
    LOWEST,
    PROGRAMS,
    Piece,
    long_chords,
    program_class,
)
from emsync.music.statistics import pitch_class_seconds
from emsync.music.tonality import KEYS, key_fits
from emsync.options import PathLike
from emsync.video.timecode import Timecode

CHANNELS = (9, 0, 1, 2, 3)  # of each class; General MIDI keeps the tenth, 9, for drums
PANS = (64, 64, 84, 44, 64)  # 64 is the middle; guitar and piano stand apart
LOUDNESS = 100  # controller 7
VOLUME, PAN, EXPRESSION = 7, 10, 11  # controllers
FULL = 127  # of a controller

LARGEST = 4_000_000  # bytes; no score is larger, and a hostile file may be

CLEAR = 0.05  # correlation by which the best key is ahead of the next, or there is no key

Message: TypeAlias = Any  # mido has no types
Event: TypeAlias = tuple[int, int, Message]  # tick, order within the tick, message
FIRST, OFF, CONTROL, ON = range(4)  # the order of messages within a tick


def write_midi(
    path: Path, fitted: Fitted, titles: Titles = Titles(), dynamics: Dynamics = Dynamics()
) -> None:
    """Write ``fitted`` to ``path``, whole or not at all; see ``to_midi``."""
    with atomic_write(path) as partial:
        partial.write_bytes(midi_bytes(fitted, titles, dynamics))


def midi_bytes(fitted: Fitted, titles: Titles = Titles(), dynamics: Dynamics = Dynamics()) -> bytes:
    """Return the content of the file of ``fitted``; see ``to_midi``."""
    data = io.BytesIO()
    to_midi(fitted, titles, dynamics).save(file=data)
    return data.getvalue()


def to_midi(
    fitted: Fitted, titles: Titles = Titles(), dynamics: Dynamics = Dynamics()
) -> mido.MidiFile:
    """Return the file of ``fitted``: a conductor and one track for each instrument that plays.

    The fade at the end sinks to silence by controller 11.
    """
    grid, end = fitted.grid, int(fitted.grid.ticks(np.array([fitted.duration]))[0])
    tempi = _tempi(grid, end)
    notes = {c: _notes(fitted, c, dynamics, end) for c in range(len(CLASSES))}
    tracks = {c: events for c, events in notes.items() if events}
    for track, c in zip(tracks.values(), tracks, strict=True):
        track += _fade(fitted, CHANNELS[c], dynamics.fade, end)
    latest = max((tick for track in tracks.values() for tick, _, _ in track), default=0)
    if tracks and latest < tempi[-1][0]:
        # without an event after it, some programs drop the last tempo
        held = mido.Message(
            "control_change", channel=CHANNELS[min(tracks)], control=EXPRESSION, value=FULL
        )
        tracks[min(tracks)].append((tempi[-1][0], CONTROL, held))

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    conductor = [
        *_head(fitted, titles),
        *tempi,
        *_metres(grid, end),
        *_words(fitted, titles, end),
    ]
    file.tracks.append(_track(conductor, end))
    for c, track in tracks.items():
        file.tracks.append(_track([*_setup(c), *track], end))
    return file


def key(piece: Piece) -> str | None:
    """Return the key, such as "Ebm", whose profile fits the pitches best, or None if unclear."""
    fits = key_fits(pitch_class_seconds(piece))
    best, second = np.argsort(-fits)[:2]
    return KEYS[best] if fits[best] - fits[second] >= CLEAR else None


def ascii_name(text: str) -> str:
    """Return ``text`` in printable ASCII, letters without their accents.

    >>> ascii_name("Café / ночь")
    'Cafe / ????'
    """
    plain = unicodedata.normalize("NFKD", text)
    letters = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in letters).strip() or "untitled"


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


def _head(fitted: Fitted, titles: Titles) -> Iterator[Event]:
    """Yield what stands at the very beginning of the conductor track."""
    yield 0, FIRST, _meta("track_name", name=ascii_name(titles.title))
    yield 0, FIRST, _meta("text", text=str(Origin(fitted.duration, titles.rate, titles.start)))
    if titles.start is not None:
        yield 0, FIRST, _smpte(titles.start)
    if (estimate := key(fitted.piece)) is not None:
        yield 0, FIRST, _meta("key_signature", key=estimate)


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


def _tempi(grid: Grid, end: int) -> list[Event]:
    """Return the tempo events before tick ``end``, one where the tempo changes."""
    return [
        (int(beat) * TICKS, FIRST, _meta("set_tempo", tempo=int(grid.tempi[beat])))
        for beat in grid.changes
        if beat * TICKS < end
    ]


def _metres(grid: Grid, end: int) -> Iterator[Event]:
    """Yield the time signatures before tick ``end``, one where the metre changes."""
    changes = np.flatnonzero(np.diff(grid.sizes, prepend=-1))
    for bar in changes:
        tick = int(grid.lines[bar]) * TICKS
        if tick < end:
            size = int(grid.sizes[bar])
            yield tick, FIRST, _meta("time_signature", numerator=size, denominator=4)


def _words(fitted: Fitted, titles: Titles, end: int) -> Iterator[Event]:
    """Yield the markers on the cuts, a text where each scene begins, and ``titles.texts``."""

    def at(time: float) -> int:
        return int(np.clip(fitted.grid.ticks(np.array([time]))[0], 0, end))

    for text in titles.texts:
        yield at(text.time), FIRST, _meta("text", text=ascii_name(text.text))
    yield 0, FIRST, _meta("text", text="SCENE 01")
    for number, report in enumerate(fitted.cuts, 1):
        name = f"CUT {number:02d} {titles.clock(report.cut.time)}"
        yield at(report.cut.time), FIRST, _meta("marker", text=name)
    frame_ms = 1e3 * (0.04 if titles.rate is None else float(1 / titles.rate))
    for number, report in enumerate(fitted.kept, 2):
        words = f"SCENE {number:02d} {_answer(report, frame_ms)}"
        yield at(report.cut.time), FIRST, _meta("text", text=words)


def _answer(report: CutReport, frame_ms: float) -> str:
    """Return in words what begins on the frame of a cut."""
    hit = report.hit
    return f"on a {hit.kind}" if hit and abs(hit.error_ms) <= frame_ms else "(missed)"


def _setup(c: int) -> list[Event]:
    """Return what stands at the beginning of the track of class ``c``."""
    channel = CHANNELS[c]
    controls = ((VOLUME, LOUDNESS), (PAN, PANS[c]))
    return [
        (0, FIRST, _meta("track_name", name=CLASSES[c].capitalize())),
        (0, FIRST, mido.Message("program_change", channel=channel, program=PROGRAMS[c])),
        *(
            (0, FIRST, mido.Message("control_change", channel=channel, control=n, value=value))
            for n, value in controls
        ),
    ]


def _notes(fitted: Fitted, c: int, dynamics: Dynamics, end: int) -> list[Event]:
    """Return the notes of class ``c`` up to tick ``end``; a pitch struck again is re-struck."""
    piece, grid, channel = fitted.piece, fitted.grid, CHANNELS[c]
    # what begins on the last tick or after it would not sound
    mine = (piece.classes == c) & (grid.ticks(piece.onsets) < end)
    starts = grid.ticks(piece.onsets[mine]).tolist()
    stops = grid.ticks(piece.offsets[mine]).tolist()
    pitches, loudness = piece.pitches[mine].tolist(), dynamics.velocities(piece)[mine].tolist()
    struck: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)  # pitch: start: stop, vel.
    for pitch, start, stop, velocity in zip(pitches, starts, stops, loudness, strict=True):
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


def _fade(fitted: Fitted, channel: int, fade: float, end: int) -> list[Event]:
    """Return a ramp of controller 11 over the last ``fade`` seconds."""
    if fade <= 0:
        return []
    length = min(fade, fitted.duration)
    steps = np.linspace(0, 1, 65)
    ticks = np.minimum(fitted.grid.ticks(fitted.duration - length * (1 - steps)), end)
    values = np.round(FULL * (1 - steps)).astype(int)
    return [
        (
            int(tick),
            CONTROL,
            mido.Message("control_change", channel=channel, control=EXPRESSION, value=int(value)),
        )
        for tick, value in zip(ticks, values, strict=True)
    ]


@dataclass(frozen=True)
class Origin:
    """What a file of ours says about its video, in a text at the beginning."""

    duration: float  # seconds
    rate: Fraction | None = None  # frames a second
    start: Timecode | None = None  # of the first frame

    def __str__(self) -> str:
        rate = "" if self.rate is None else f" at {self.rate} frames a second"
        start = "" if self.start is None else f" from {self.start}"
        return f"emsync: video of {self.duration:.6f} s{rate}{start}"

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
    r"emsync: video of (\d+\.\d{6}) s(?: at ([1-9]\d*(?:/[1-9]\d*)?) frames a second)?"
    r"(?: from (\S+))?"
)
_MARKER = re.compile(r"CUT \d+ (\S+)")
_SCENE = re.compile(r"SCENE \d+ on a (\w+)")
_KEY = re.compile(rb"(\xff\x59\x02)(?![\xf9-\xff\x00-\x07][\x00\x01])..", re.DOTALL)
_DRUMS = re.compile(r"drum|percussion|\b(kit|perc)\b", re.IGNORECASE)
_TONAL = re.compile(r"piano|guitar|bass|strings|violin|organ|flute", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a file, or worth a remark."""

    severity: Literal["error", "warning"]  # an error breaks the contract
    text: str


@dataclass(frozen=True)
class Report:
    """What a file holds, and how it keeps the contract."""

    path: str
    findings: tuple[Finding, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> list[str]:
        """What breaks the contract."""
        return [finding.text for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[str]:
        """What is allowed, but may surprise."""
        return [finding.text for finding in self.findings if finding.severity == "warning"]

    @property
    def ok(self) -> bool:
        """Whether the file keeps the contract."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {
            "path": self.path,
            "ok": self.ok,
            "errors": self.errors,
            "warnings": self.warnings,
            **self.facts,
        }


def read_midi(path: Path) -> Piece:
    """Return the music of the file at ``path``: its classes, bars and long chords.

    Programs without a class and pitches beyond the keys of a piano are left out.
    """
    contents = _read(path)
    kept = [
        (instrument, note.pitch, note.start, note.stop)
        for note in contents.notes
        if note.stop is not None
        and LOWEST <= note.pitch <= HIGHEST
        and (instrument := program_class(note.program, note.channel == CHANNELS[DRUMS])) is not None
    ]
    ticks = Piece.of(np.array(kept, np.float64), np.array(contents.bar_lines(), np.float64))
    piece = ticks.retimed(contents.seconds)
    beats = (ticks.offsets - ticks.onsets) / contents.resolution
    return replace(piece, chords=long_chords(piece.classes, np.round(piece.onsets, 3), beats))


def check(path: PathLike, duration: float | None = None) -> Report:
    """Return how the file at ``path``, ours or anyone's, keeps the contract.

    ``duration`` is the video's, in seconds; a file of ours says it itself. InputError when the
    file is not MIDI.
    """
    contents = _read(Path(path))
    findings = (
        *_check_form(contents),
        *_check_instruments(contents),
        *_check_tempo(contents),
        *_check_notes(contents),
        *_check_names(contents),
        *_check_video(contents, duration),
    )
    return Report(str(path), findings, contents.facts())


@dataclass(frozen=True)
class _Note:
    track: int
    channel: int
    program: int
    pitch: int
    start: int  # ticks
    stop: int | None  # ticks; None if no note-off ends it


@dataclass(frozen=True)
class _Contents:
    """A MIDI file in absolute ticks."""

    format: int
    resolution: int  # ticks a quarter
    tracks: list[list[tuple[int, Message]]]  # each with its events in order
    notes: list[_Note]
    strays: int  # note-offs that end nothing
    damage: tuple[str, ...]  # what had to be mended to read it

    def events(self, *kinds: str) -> list[tuple[int, int, Message]]:
        """Return tick, track and message of the events of ``kinds``, by tick."""
        found = [
            (tick, t, message)
            for t, track in enumerate(self.tracks)
            for tick, message in track
            if message.type in kinds
        ]
        return sorted(found, key=lambda event: event[0])

    @cached_property
    def tempi(self) -> Float64s:
        """The (3, T) ticks, seconds and seconds a tick of each tempo (120 BPM until it says so)."""
        given = {0: 500_000} | {tick: m.tempo for tick, _, m in self.events("set_tempo")}
        starts = np.array(list(given), np.float64)
        speeds = np.array(list(given.values())) / 1e6 / self.resolution
        reached = np.concatenate([[0.0], np.cumsum(np.diff(starts) * speeds[:-1])])
        return np.stack([starts, reached, speeds])

    def seconds(self, ticks: ArrayLike) -> Seconds:
        """Return the times of ``ticks`` by the file's tempo map."""
        at = np.asarray(ticks, np.float64)
        starts, reached, speeds = self.tempi
        which = np.searchsorted(starts, at, side="right") - 1
        return np.asarray(reached[which] + (at - starts[which]) * speeds[which], np.float64)

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

    def bar_lines(self) -> list[int]:
        """Return the tick of each bar line before the end."""
        metres = self.metres()
        stops = [tick for tick, _, _ in metres[1:]] + [self.end]
        return [
            round(line)
            for (start, beats, beat), stop in zip(metres, stops, strict=True)
            for line in np.arange(start, stop, max(1.0, beats * beat))
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


def _read(path: Path) -> _Contents:
    """Read the MIDI file at ``path``; InputError when it is none."""
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if data is None:
        raise InputError(f"{str(path)!r} is larger than {LARGEST} bytes; no score is")
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
    return _Contents(file.type, file.ticks_per_beat, tracks, notes, strays, damage)


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


def _match(tracks: list[list[tuple[int, Message]]]) -> tuple[list[_Note], int]:
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
                notes.append(_Note(t, message.channel, program, message.note, start, tick))
            else:
                strays += 1
    for (t, channel, pitch), begun in open_notes.items():
        notes += [_Note(t, channel, program, pitch, start, None) for start, program in begun]
    return sorted(notes, key=lambda note: (note.start, note.track, note.pitch)), strays


def _error(text: str) -> Finding:
    return Finding("error", text)


def _remark(text: str) -> Finding:
    return Finding("warning", text)


def _several(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _check_form(contents: _Contents) -> Iterator[Finding]:
    """Clause 1: format 1, a conductor, an end to each track."""
    if contents.format != 1:
        yield _error(f"the file is of format {contents.format}, not 1: its tracks are not apart")
    if contents.resolution != TICKS:
        yield _remark(f"a quarter is {contents.resolution} ticks, not {TICKS}")
    for damage in contents.damage:
        yield _error(f"the file holds {damage}")
    if not contents.tracks:
        yield _error("the file holds no track")
        return
    if any(note.track == 0 for note in contents.notes):
        yield _error("track 0 plays notes; it should only conduct")
    for kind, words in (
        ("set_tempo", "tempo"),
        ("time_signature", "time signature"),
        ("key_signature", "key signature"),
        ("marker", "marker"),
    ):
        events = contents.events(kind)
        elsewhere = [track for _, track, _ in events if track != 0]
        if elsewhere and contents.format == 1:
            yield _error(
                f"{_several(len(elsewhere), words + ' event')} outside track 0, first in "
                f"{contents.name(elsewhere[0])}; programs look for them in track 0 only"
            )
        if kind in ("set_tempo", "time_signature") and (not events or events[0][0] > 0):
            yield _error(f"no {words} at the beginning; programs disagree on what holds then")
    for number, track in enumerate(contents.tracks):
        ends = [tick for tick, message in track if message.type == "end_of_track"]
        if not ends:
            yield _error(f"{contents.name(number)} has no end-of-track")
        elif len(ends) > 1 or track[-1][1].type != "end_of_track":
            yield _error(f"{contents.name(number)} goes on after its end-of-track")
        elif contents.tracks[0] and ends[0] > contents.tracks[0][-1][0]:
            yield _error(
                f"{contents.name(number)} ends at {contents.at(ends[0])}, after the conductor "
                f"track, which ends at {contents.at(contents.tracks[0][-1][0])}"
            )


def _check_instruments(contents: _Contents) -> Iterator[Finding]:
    """Clause 2: a named track and a channel for each instrument, and what stands at tick 0."""
    users: dict[int, set[int]] = defaultdict(set)  # channel: tracks
    for note in contents.notes:
        users[note.channel].add(note.track)
    if not contents.notes:
        yield _error("the file plays no note")
    for number in range(1, len(contents.tracks)):
        name = contents.name(number)
        channels = sorted(channel for channel, tracks in users.items() if number in tracks)
        if not channels:
            yield _error(f"{name} is empty: it plays no note")
            continue
        if len(channels) > 1:
            yield _error(f"{name} plays on {len(channels)} channels; give each its own track")
        yield from _check_start(contents, number, channels)
        if _DRUMS.search(name) and channels != [9]:
            yield _error(f"{name} is drums, but plays on channel {channels[0] + 1} instead of 10")
        elif _TONAL.search(name) and not _DRUMS.search(name) and 9 in channels:
            yield _error(f"{name} plays on channel 10, where programs play drums")
    for channel, tracks in sorted(users.items()):
        if len(tracks) > 1:
            names = ", ".join(contents.name(track) for track in sorted(tracks))
            yield _error(f"channel {channel + 1} is shared by {names}")


def _check_start(contents: _Contents, number: int, channels: Sequence[int]) -> Iterator[Finding]:
    """Report what a track does not set at tick 0."""
    first = [message for tick, message in contents.tracks[number] if tick == 0]
    for channel in channels:
        mine = [m for m in first if not m.is_meta and getattr(m, "channel", None) == channel]
        controls = {m.control for m in mine if m.type == "control_change"}
        missing = [
            words
            for words, there in (
                ("program", any(m.type == "program_change" for m in mine)),
                ("volume", VOLUME in controls),
                ("pan", PAN in controls),
            )
            if not there
        ]
        if missing:
            yield _error(
                f"{contents.name(number)} sets no {' and no '.join(missing)} at the beginning"
            )


def _check_tempo(contents: _Contents) -> Iterator[Finding]:
    """Clauses 3 and 5: tempo events on beats, and something to play after the last."""
    tempi, metres = contents.events("set_tempo"), contents.metres()
    starts = [tick for tick, _, _ in metres]
    off_beat = []
    for tick, _, message in tempi:
        start, _, beat = metres[int(np.searchsorted(starts, tick, side="right")) - 1]
        if (tick - start) % beat:
            off_beat.append(tick)
        if not 1 <= message.tempo:
            yield _error(f"the tempo at {contents.at(tick)} is endless: a beat lasts nothing")
        elif not 20 <= 60e6 / message.tempo <= 400:
            yield _remark(f"the tempo at {contents.at(tick)} is {60e6 / message.tempo:.1f} BPM")
    if off_beat:
        yield _error(
            f"{_several(len(off_beat), 'tempo event')} between beats, the first at "
            f"{contents.at(off_beat[0])}"
        )
    for (start, beats, beat), (after, _, _) in zip(metres[:-1], metres[1:], strict=True):
        if (after - start) % (beats * beat):
            yield _remark(f"the metre changes within a bar, at {contents.at(after)}")
    played = contents.events("note_on", "note_off", "control_change")
    if len(tempi) > 1 and (not played or played[-1][0] < tempi[-1][0]):
        yield _error(
            f"no note or controller after the last tempo event, at {contents.at(tempi[-1][0])}; "
            f"some programs then drop it"
        )


def _check_notes(contents: _Contents) -> Iterator[Finding]:
    """Clause 4: each note ends, before the end, and before its pitch is struck again."""

    def first(notes: Sequence[_Note]) -> str:
        note = notes[0]
        return (
            f"the first in {contents.name(note.track)}: pitch {note.pitch} on channel "
            f"{note.channel + 1} at {contents.at(note.start)}"
        )

    endless = [note for note in contents.notes if note.stop is None]
    if endless:
        yield _error(f"{_several(len(endless), 'note')} without a note-off, {first(endless)}")
    if contents.tracks and contents.tracks[0]:
        end = contents.tracks[0][-1][0]
        late = [note for note in contents.notes if note.stop is not None and note.stop > end]
        if late and contents.format == 1:
            yield _error(f"{_several(len(late), 'note')} beyond the conductor's end, {first(late)}")
    reach: dict[tuple[int, int], float] = {}
    overlapping = []
    for note in contents.notes:
        place = (note.channel, note.pitch)
        if note.start < reach.get(place, 0):
            overlapping.append(note)
        stop = np.inf if note.stop is None else note.stop
        reach[place] = max(reach.get(place, 0), stop)
    if overlapping:
        yield _error(
            f"{_several(len(overlapping), 'note')} struck while the same pitch sounds on the "
            f"channel, {first(overlapping)}"
        )
    empty = [note for note in contents.notes if note.stop == note.start]
    if empty:
        yield _remark(f"{_several(len(empty), 'note')} of no length, {first(empty)}")
    if contents.strays:
        yield _remark(f"{_several(contents.strays, 'note-off')} for notes that do not sound")


def _check_names(contents: _Contents) -> Iterator[Finding]:
    """Clauses 2 and 6: each track has a name, and all words are ASCII."""
    for number, track in enumerate(contents.tracks):
        if not any(message.type == "track_name" and message.name for _, message in track):
            yield _error(f"{contents.name(number)} has no name")
    words = [
        (track, m.name if m.type == "track_name" else m.text)
        for _, track, m in contents.events("track_name", "marker", "text", "lyrics", "cue_marker")
    ]
    foreign = [(track, text) for track, text in words if not text.isascii()]
    if foreign:
        place, text = foreign[0]
        yield _error(
            f"{_several(len(foreign), 'text')} with letters beyond ASCII, which programs read "
            f"differently; the first, in {contents.name(place)}, reads {ascii_name(text)!r}"
        )


def _check_video(contents: _Contents, duration: float | None) -> Iterator[Finding]:
    """Clauses 1 and 5: the end, the markers and the hits are where the video has them."""
    if not contents.tracks or not contents.tracks[0]:
        return
    conductor = contents.tracks[0]
    try:
        origins = [Origin.parse(m.text) for _, m in conductor if m.type == "text"]
    except UsageError as error:
        yield _error(f"the text about the video is wrong: {error}")
        return
    origin = next((o for o in origins if o is not None), None)
    length = duration if origin is None or duration is not None else origin.duration
    end = conductor[-1][0]
    if length is not None:
        before, reached, after = contents.seconds([max(0, end - 1), end, end + 1])
        if not before - 1e-6 <= length <= after + 1e-6:
            yield _error(f"the file ends at {reached:.3f} s, the video at {length:.3f} s")
    if not contents.events("marker"):
        yield _remark("no marker stands on any cut")
    if origin is None:
        return
    frame = 0.04 if origin.rate is None else float(1 / origin.rate)
    onsets = contents.seconds(sorted({note.start for note in contents.notes}))
    for tick, message in conductor:
        time = float(contents.seconds([tick])[0])
        if message.type == "marker" and (match := _MARKER.fullmatch(message.text)):
            there = _clock(match[1], origin)
            if there is None or abs(there - time) > frame / 2 + 0.002:
                yield _error(f"the marker {message.text!r} stands at {time:.3f} s")
        if message.type == "text" and (match := _SCENE.fullmatch(message.text)):
            if not len(onsets) or np.abs(onsets - time).min() > frame + 0.002:
                yield _error(f"{message.text!r} at {time:.3f} s, but no note begins there")


def _clock(text: str, origin: Origin) -> float | None:
    """Return the seconds from the video's beginning that a marker names."""
    try:
        if origin.rate is None:
            hours, minutes, seconds = text.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        code = Timecode.parse(text, origin.rate)
    except ValueError:
        return None
    first = 0 if origin.start is None else origin.start.frame
    return float((code.frame - first) / origin.rate)
