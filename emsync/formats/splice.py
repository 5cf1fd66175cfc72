"""A score that is kept, and its notes of one span replaced: an edit of the file's own events.

Nothing outside the span is written anew: each event of the file stays as it is, ours or anyone's.
Ticks are the file's own. Spans are from the first tick to before the last.
"""

import io
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import mido
import numpy as np

from emsync.errors import InputError
from emsync.formats.chord_events import is_chord
from emsync.formats.labels import ascii_name
from emsync.formats.midi import Origin, chord_symbol, control, setup
from emsync.formats.midi_raw import RawMidi, RawNote, raw_of
from emsync.formats.smf import MOST_BYTES, load
from emsync.limits import can_be_read_again, quoted, read_bytes
from emsync.music.general_midi import DRUM_CHANNEL, EXPRESSION, FULL, MELODIC, PEDAL
from emsync.music.piece import (
    CLASSES,
    DRUMS,
    HIGHEST,
    LOWEST,
    Piece,
    long_chords,
    singles,
)
from emsync.performance.player import Player

SCENE = re.compile(r"SCENE (\d+) (?:on a \w+|\(missed\))")  # what answers a cut, in a text of ours

PERFORMED = (EXPRESSION, PEDAL)  # controllers that belong to notes, not to a player's sound
PLAYED = ("note_on", "note_off", "control_change")  # what programs hold to be music

Ticks: TypeAlias = tuple[int, int]  # from, and to
Event: TypeAlias = tuple[int, Any]  # tick, message
Home: TypeAlias = tuple[int, int]  # track, channel


@dataclass(frozen=True)
class NewNote:
    """A note that is put into a span."""

    player: Player
    pitch: int
    start: int  # ticks
    stop: int
    velocity: int


class NewControl(NamedTuple):
    """A controller that a player of new notes sets, in the span or before or after it."""

    player: Player
    tick: int
    number: int
    value: int


@dataclass(frozen=True)
class Edit:
    """What a span holds in the place of what it held."""

    span: Ticks
    notes: Sequence[NewNote]
    controls: Sequence[NewControl] = ()  # of a number that is replaced, by tick
    replaced: Collection[int] = ()  # controllers that go where new notes are played
    ramp: Sequence[tuple[int, int]] | None = None  # tick and value of a fade, in place of another
    answers: Mapping[int, str] | None = None  # by tick: the words of ours on what is at a cut
    symbols: Sequence[tuple[int, str]] | None = None  # tick and name of chords, in place of others
    end: int = 0  # the tick at which the film ends, where the span reaches it


@dataclass(frozen=True)
class KeptScore:
    """A MIDI file whose bars and tempi are known."""

    raw: RawMidi
    origin: Origin | None  # what a file of ours says about its film

    @property
    def duration(self) -> float:
        """The seconds of its film, or those to its end where it does not say."""
        return self.origin.duration if self.origin else float(self.raw.seconds([self.raw.end])[0])

    @classmethod
    def read(cls, path: Path) -> "KeptScore":
        """Read the MIDI file at ``path``; InputError where it is none, or its beats are unknown."""
        name = quoted(path)
        if not can_be_read_again(path):
            raise InputError(f"the kept score {name} is not a file; save it as a .mid first")
        repaired = load(path).repaired
        if repaired.frames:
            raise InputError(
                f"{name} counts frames instead of beats, so its bars are unknown; export it "
                "with a tempo map"
            )
        whole = not repaired.remarks and not repaired.unended
        content = read_bytes(path, MOST_BYTES) if whole else repaired.content
        try:
            raw = raw_of(content, tuple(repaired.remarks), tuple(repaired.unended))
        except (EOFError, OSError, ValueError) as error:
            raise InputError(
                f"{name} cannot be kept event by event: {error}; export it anew from the program "
                "that made it"
            ) from error
        if raw.format == 2:
            raise InputError(
                f"{name} holds separate patterns (format 2), not one score; export it as format 1"
            )
        if not raw.tempi:
            raise InputError(
                f"{name} has no tempo, so where its beats are in the film is unknown; export it "
                "with its tempo map"
            )
        texts = [m.text for _, _, m in raw.events("text")]
        origins = (Origin.parse(text) for text in texts)
        return cls(raw, next((o for o in origins if o is not None), None))


def written(raw: RawMidi) -> bytes:
    """Return ``raw`` as the content of a file."""
    file = mido.MidiFile(type=raw.format, ticks_per_beat=raw.resolution)
    for track in raw.tracks:
        waits = np.diff([0, *(tick for tick, _ in track)]).tolist()
        events = [m.copy(time=wait) for wait, (_, m) in zip(waits, track, strict=True)]
        file.tracks.append(mido.MidiTrack(events))
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def class_of(raw: RawMidi, note: RawNote) -> int | None:
    """Return the class of a note, of CLASSES; None of what no class holds."""
    return raw.instrument(note) if LOWEST <= note.pitch <= HIGHEST else None


def piece_of(raw: RawMidi, time: Callable[[Any], Any], downbeats: Sequence[float] = ()) -> Piece:
    """Return the notes of the five classes as they sound; ``time`` turns (N,) ticks into times.

    What players of a class double in unison is one note, in octaves it is two. Boundary chords are
    the long ones, and those that texts of ours tell of.
    """
    notes = [n for n in raw.notes if class_of(raw, n) is not None and n.stop is not None]
    if any(said is not None for said in raw.instruments):
        notes = _singly(raw, notes)
    classes = np.array([class_of(raw, note) for note in notes], np.uint8)
    starts = np.array([note.start for note in notes], np.int64)
    stops = np.array([note.stop for note in notes], np.int64)
    onsets = time(starts)
    rows = np.stack([classes, [note.pitch for note in notes], onsets, time(stops)], axis=1)
    chords = long_chords(classes, onsets, (stops - starts) / raw.resolution)
    if len(starts) and (said := [t for t, text in scenes(raw) if text.endswith("on a chord")]):
        nearest = [starts[np.abs(starts - tick).argmin()] for tick in said]
        chords = np.union1d(chords, time(np.array(nearest)))
    return Piece.of(rows[rows[:, 3] > rows[:, 2]], np.array(downbeats, np.float64), chords)


def _singly(raw: RawMidi, notes: Sequence[RawNote]) -> list[RawNote]:
    """Return the notes with one in place of those of a class that double each other."""
    onsets = raw.seconds([note.start for note in notes])
    keys = [(raw.instrument(note), note.pitch) for note in notes]
    rows = np.column_stack([np.array(keys, np.float64).reshape(-1, 2), onsets, onsets])
    return [notes[place] for place in singles(rows)]


def spliced(raw: RawMidi, edit: Edit) -> RawMidi:
    """Return ``raw`` with the notes that begin in a span replaced.

    A new note ends at the end of the span at the latest, and where its key is struck again; it is
    left out where a note from before the span holds its key. New notes join the track of their
    player, or else that of their class; a track that has none left goes. The controllers that are
    replaced are those performed anew where new notes are played, and after the span they stand as
    they did.
    """
    first, stop = edit.span
    gone = {(n.track, at) for n in raw.notes if first <= n.start < stop
            for at in (n.on, n.off) if at is not None}  # fmt: skip
    kept = [note for note in raw.notes if not first <= note.start < stop]
    news: dict[int, list[tuple[int, int, Any]]] = defaultdict(list)  # tick, rank, message
    homes, added = _homes(raw, edit)
    if raw.format == 0:  # all is in one track
        homes = {player: (0, channel) for player, (_, channel) in homes.items()}
        begin = (m for events in added for _, m in events if not m.is_meta)
        news[0], added = [(0, 0, m) for m in begin], []
    for home, notes in _by_home(edit.notes, homes).items():
        news[home[0]] += _events(notes, home[1], _held(kept, home[1], first), stop)
    joined = {homes[note.player] for note in edit.notes}
    for home in sorted(joined):
        news[home[0]] += _controls(raw, edit, home, homes)
    if edit.ramp:
        playing = {(n.track, n.channel) for n in kept if n.start < first} | joined
        if EXPRESSION in edit.replaced:  # those who play anew fade as they are performed
            playing -= joined
        for track, channel in sorted(playing):
            fade = [(tick, control(channel, EXPRESSION, value)) for tick, value in edit.ramp]
            news[track] += [(tick, 1, message) for tick, message in fade if tick >= first]

    if edit.symbols:
        news[0] += [(tick, 1, m) for tick, name in edit.symbols for m in chord_symbol(name)]
    named = {(tick, name) for tick, name in raw.chords() if first <= tick < stop}

    def stays(track: int, at: int, event: Event) -> bool:
        tick, m = event
        if edit.symbols is not None and first <= tick < stop:
            if m.type == "sequencer_specific" and is_chord(m.data):
                return False
            if m.type == "text" and (tick, m.text) in named:
                return False
        if m.type == "control_change" and first <= tick < stop:
            anew = m.control in edit.replaced and (track, m.channel) in joined
            if anew or (m.control == EXPRESSION and edit.ramp is not None):
                return False
        return (track, at) not in gone

    tracks = []
    silenced = {n.track for n in raw.notes} - {n.track for n in kept} - {0}
    for number, events in enumerate([*raw.tracks, *added]):
        plays = any(message.type == "note_on" for _, _, message in news[number])
        if not plays and (number in silenced or number >= len(raw.tracks)):
            continue
        staying = [event for at, event in enumerate(events) if stays(number, at, event)]
        if number == 0 and edit.answers:
            staying = [_answered(event, edit) for event in staying]
        tracks.append(_merged(staying, news[number]))
    tracks = _ended(_with_last_tempo(raw, tracks, first), raw.end, edit.end)
    return raw_of(written(RawMidi(raw.format, raw.resolution, tracks, [], 0, (), ())))


def _homes(raw: RawMidi, edit: Edit) -> tuple[dict[Player, Home], list[list[Event]]]:
    """Return the track and channel of each player who is to play, and the tracks that are new.

    That is the track of the player's name, program and class, or else where the class has most
    notes: in the span, or else anywhere.
    """
    first, stop = edit.span
    own: dict[tuple[str, int, int], Home] = {}
    played: dict[int, Counter[Home]] = defaultdict(Counter)
    for note in raw.notes:
        if (c := raw.instrument(note)) is not None:
            home = note.track, note.channel
            played[c][home] += 1_000_000 if first <= note.start < stop else 1
            if raw.instruments[note.track] is not None:
                own.setdefault((raw.title(note.track), note.program, c), home)
    classes = {c: counts.most_common(1)[0][0] for c, counts in sorted(played.items())}
    used = {m.channel for track in raw.tracks for _, m in track if hasattr(m, "channel")}
    homes: dict[Player, Home] = {}
    added: list[list[Event]] = []
    players = dict.fromkeys(note.player for note in edit.notes)
    for player in sorted(players, key=lambda player: player.instrument):
        c = player.instrument
        there = own.get((ascii_name(player.name), player.program, c), classes.get(c))
        if there is None:
            channel = _free_channel(c, used)
            used.add(channel)
            there = len(raw.tracks) + len(added), channel
            added.append([(0, message) for _, _, message in setup(player, channel)])
            added[-1].append((raw.tracks[0][-1][0], mido.MetaMessage("end_of_track")))
        homes[player] = there
    return homes, added


def _controls(
    raw: RawMidi, edit: Edit, home: Home, homes: Mapping[Player, Home]
) -> list[tuple[int, int, Any]]:
    """Return the replaced controllers (rank 1) of a track in the span, as performed anew.

    They begin with the value that is in force there, and end with that which the track had.
    """
    (first, stop), (track, channel) = edit.span, home
    player = next(note.player for note in edit.notes if homes[note.player] == home)
    old = raw.tracks[track] if track < len(raw.tracks) else []
    events: list[tuple[int, int, Any]] = []
    for number in edit.replaced:
        had = [
            (tick, m.value)
            for tick, m in old
            if m.type == "control_change" and (m.channel, m.control) == (channel, number)
        ]
        new = [(c.tick, c.value) for c in edit.controls if (c.player, c.number) == (player, number)]
        rest = FULL if number == EXPRESSION else 0
        value = _in_force(had, first - 1, rest)
        inside = [(first, _in_force(new, first, rest))]
        inside += [(tick, value) for tick, value in new if first < tick < stop]
        if not edit.end:  # the end of the film is no seam
            inside.append((stop - 1, _in_force(had, stop - 1, rest)))
        for tick, wanted in inside:
            if wanted != value:
                events.append((tick, 1, control(channel, number, wanted)))
                value = wanted
    return events


def _in_force(events: Iterable[tuple[int, int]], tick: int, rest: int) -> int:
    """Return the last value of (tick, value) ``events`` until ``tick``, ``rest`` before them."""
    return next((value for at, value in reversed(list(events)) if at <= tick), rest)


def _free_channel(c: int, used: set[int]) -> int:
    """Return the channel of a class that has none yet; its own, where that is free."""
    if c == DRUMS:
        return DRUM_CHANNEL
    free = [n for n in (MELODIC[c - 1], *MELODIC) if n not in used]
    if not free:
        raise InputError(
            f"the kept score uses all channels, so {CLASSES[c]} cannot join; ask for others with "
            "--instruments"
        )
    return free[0]


def _by_home(notes: Iterable[NewNote], homes: Mapping[Player, Home]) -> dict[Home, list[NewNote]]:
    found: dict[Home, list[NewNote]] = defaultdict(list)
    for note in notes:
        found[homes[note.player]].append(note)
    return found


def _held(kept: Iterable[RawNote], channel: int, first: int) -> dict[int, float]:
    """Return until which tick notes from before the span hold the pitches of a channel."""
    held: dict[int, float] = {}
    for note in kept:
        if note.channel == channel and note.start < first:
            stop = math.inf if note.stop is None else note.stop
            held[note.pitch] = max(stop, held.get(note.pitch, 0))
    return held


def _events(
    notes: Iterable[NewNote], channel: int, held: Mapping[int, float], end: int
) -> list[tuple[int, int, Any]]:
    """Return the note-offs (rank 0) and note-ons (rank 2) of new notes on a channel."""
    struck: dict[int, dict[int, NewNote]] = defaultdict(dict)  # by pitch and start, the longest
    for note in sorted(notes, key=lambda note: note.stop):
        if note.start >= held.get(note.pitch, 0) and note.start < end:
            struck[note.pitch][note.start] = note
    events: list[tuple[int, int, Any]] = []
    for pitch, row in sorted(struck.items()):
        for start, after in itertools.pairwise([*sorted(row), end]):
            note, values = row[start], {"channel": channel, "note": pitch}
            stop = min(max(note.stop, start + 1), after)
            on = mido.Message("note_on", velocity=note.velocity, **values)
            events += [(start, 2, on), (stop, 0, mido.Message("note_off", velocity=0, **values))]
    return events


def _merged(track: Sequence[Event], news: Iterable[tuple[int, int, Any]]) -> list[Event]:
    """Return a track with new events: at one tick first their note-offs, last their note-ons."""
    *old, end = track if track and track[-1][1].type == "end_of_track" else [*track, _end(track)]
    rows = [*news, *((tick, 1, message) for tick, message in old)]
    rows.sort(key=lambda row: row[:2])
    events = [(tick, message) for tick, _, message in rows]
    return [*events, (max(end[0], events[-1][0] if events else 0), end[1])]


def _end(track: Sequence[Event]) -> Event:
    return track[-1][0] if track else 0, mido.MetaMessage("end_of_track")


def _answered(event: Event, edit: Edit) -> Event:
    """Return a text of ours in the span with what the new music has at its cut."""
    tick, m = event
    found = SCENE.fullmatch(m.text) if m.type == "text" else None
    if found is None or edit.answers is None or tick not in edit.answers:
        return event
    return tick, m.copy(text=f"SCENE {found[1]} {edit.answers[tick]}")


def _with_last_tempo(raw: RawMidi, tracks: list[list[Event]], first: int) -> list[list[Event]]:
    """Hold a controller after the last tempo if only notes that are gone came after it.

    Some programs drop a tempo that nothing follows.
    """
    last = max(raw.tempi)
    ticks = [[tick for tick, m in track if m.type in PLAYED] for track in tracks]
    latest = max((row[-1] for row in ticks if row), default=last)
    before = max((tick for tick, _, _ in raw.events(*PLAYED)), default=0)
    if len(raw.tempi) < 2 or latest >= last or before < last:
        return tracks
    number = next(t for t, row in enumerate(ticks) if row and row[-1] == latest)
    channel = next(m.channel for _, m in reversed(tracks[number]) if m.type in PLAYED)
    held = (max(last, first), 1, control(channel, EXPRESSION, FULL))
    return [_merged(track, [held] if t == number else []) for t, track in enumerate(tracks)]


def _ended(tracks: list[list[Event]], before: int, end: int) -> list[list[Event]]:
    """Return the tracks, the first of which conducts to ``end``, and as far as the file has grown.

    ``before`` is the tick at which the file ended.
    """
    latest = max(track[-1][0] for track in tracks)
    *events, (tick, last) = tracks[0]
    reached = max(tick, end, latest if latest > before else 0)
    return [[*events, (reached, last)], *tracks[1:]]


def scenes(raw: RawMidi) -> list[tuple[int, str]]:
    """Return the texts of ours on what is at a cut, with their ticks."""
    return [
        (tick, m.text)
        for tick, track, m in raw.events("text")
        if track == 0 and SCENE.fullmatch(m.text)
    ]
