"""The check of a .mid, ours or anyone's, in plain words.

The clauses named below are those of docs/midi-contract.md in the repository.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from emsync.errors import UsageError
from emsync.formats.labels import ascii_name
from emsync.formats.midi import Origin
from emsync.formats.midi_raw import RawMidi, RawNote, read_raw
from emsync.music.bars import TICKS
from emsync.music.general_midi import DOWN, DRUM_CHANNEL, PAN, PEDAL, VOLUME
from emsync.music.piece import CLASSES, DRUMS
from emsync.options import PathLike
from emsync.video.timecode import Timecode

_MARKER = re.compile(r"(?:CUT \d+|cut) (\S+)")
_SCENE = re.compile(r"SCENE \d+ on a (\w+)")
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


def check(path: PathLike, duration: float | None = None) -> Report:
    """Return how the file at ``path``, ours or anyone's, keeps the contract.

    ``duration`` is the video's, in seconds; a file of ours says it itself. InputError when the
    file is not MIDI.
    """
    contents = read_raw(Path(path))
    findings = (
        *_check_form(contents),
        *_check_instruments(contents),
        *_check_tempo(contents),
        *_check_notes(contents),
        *_check_pedals(contents),
        *_check_names(contents),
        *_check_video(contents, duration),
        *_check_plan(contents),
    )
    return Report(str(path), findings, contents.facts())


def _error(text: str) -> Finding:
    return Finding("error", text)


def _remark(text: str) -> Finding:
    return Finding("warning", text)


def _several(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _check_form(contents: RawMidi) -> Iterator[Finding]:
    """Clause 1: format 1, a conductor, an end to each track."""
    if contents.format != 1:
        yield _error(f"the file is of format {contents.format}, not 1: its tracks are not apart")
    if contents.resolution != TICKS:
        yield _remark(f"a quarter is {contents.resolution} ticks, not {TICKS}")
    for repair in contents.repairs:
        yield _remark(f"the file holds {repair}; programs may not read it alike")
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
    for number in contents.unended:
        yield _error(f"{contents.name(number)} has no end-of-track")
    ends = [track[-1][0] for track in contents.tracks]
    late = [number for number, end in enumerate(ends) if end > ends[0]]
    if late:
        yield _error(
            f"{_several(len(late), 'track')} end after the conductor track, which ends at "
            f"{contents.at(ends[0])}; the first is {contents.name(late[0])}"
        )


def _check_instruments(contents: RawMidi) -> Iterator[Finding]:
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
        drums = _is_drums(contents, number)
        if drums and channels != [DRUM_CHANNEL]:
            yield _error(f"{name} is drums, but plays on channel {channels[0] + 1} instead of 10")
        elif drums is False and DRUM_CHANNEL in channels:
            yield _error(f"{name} plays on channel 10, where programs play drums")
    for channel, tracks in sorted(users.items()):
        if len(tracks) > 1:
            names = ", ".join(contents.name(track) for track in sorted(tracks))
            yield _error(f"channel {channel + 1} is shared by {names}")


def _is_drums(contents: RawMidi, number: int) -> bool | None:
    """Return whether a track is one of drums, by its class or else its name; None is unknown."""
    said, name = contents.instruments[number], contents.name(number)
    if said is not None:
        return said == DRUMS
    return bool(_DRUMS.search(name)) or (False if _TONAL.search(name) else None)


def _check_start(contents: RawMidi, number: int, channels: Sequence[int]) -> Iterator[Finding]:
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


def _check_tempo(contents: RawMidi) -> Iterator[Finding]:
    """Clauses 3 and 5: tempo events on beats, and something to play after the last."""
    tempi, metres = contents.events("set_tempo"), contents.metres()
    ticks = np.array([tick for tick, _, _ in tempi], np.int64)
    held = np.searchsorted([tick for tick, _, _ in metres], ticks, side="right") - 1
    off_beat = [
        tick
        for tick, (start, _, beat) in zip(ticks.tolist(), (metres[i] for i in held), strict=True)
        if (tick - start) % beat
    ]
    if off_beat:
        yield _error(
            f"{_several(len(off_beat), 'tempo event')} between beats, the first at "
            f"{contents.at(off_beat[0])}"
        )
    odd = [(tick, 60e6 / m.tempo) for tick, _, m in tempi if not 20 <= 60e6 / m.tempo <= 400]
    if odd:
        tick, bpm = odd[0]
        yield _remark(
            f"{_several(len(odd), 'tempo event')} outside 20 to 400 BPM, the first at "
            f"{contents.at(tick)}: {bpm:.1f} BPM"
        )
    within = [
        after
        for (start, beats, beat), (after, _, _) in itertools.pairwise(metres)
        if (after - start) % (beats * beat)
    ]
    if within:
        yield _remark(
            f"the metre changes within a bar, {_several(len(within), 'time')}, first at "
            f"{contents.at(within[0])}"
        )
    played = contents.events("note_on", "note_off", "control_change")
    if len(tempi) > 1 and (not played or played[-1][0] < tempi[-1][0]):
        yield _error(
            f"no note or controller after the last tempo event, at {contents.at(tempi[-1][0])}; "
            f"some programs then drop it"
        )


def _check_notes(contents: RawMidi) -> Iterator[Finding]:
    """Clause 4: each note ends, before the end, and before its pitch is struck again."""

    def first(notes: Sequence[RawNote]) -> str:
        note = notes[0]
        return (
            f"the first in {contents.name(note.track)}: pitch {note.pitch} on channel "
            f"{note.channel + 1} at {contents.at(note.start)}"
        )

    endless = [note for note in contents.notes if note.stop is None]
    if endless:
        yield _error(f"{_several(len(endless), 'note')} without a note-off, {first(endless)}")
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


def _check_pedals(contents: RawMidi) -> Iterator[Finding]:
    """Clause 5: no sustain pedal is down at the end."""
    last: dict[int, tuple[int, int, int]] = {}  # channel: tick, track, value
    for tick, track, m in contents.events("control_change"):
        if m.control == PEDAL:
            last[m.channel] = tick, track, m.value
    for channel, (tick, track, value) in sorted(last.items()):
        if value >= DOWN:
            yield _error(
                f"the sustain pedal of {contents.name(track)}, on channel {channel + 1}, is down "
                f"from {contents.at(tick)} to the end; programs let its notes ring on"
            )


def _check_names(contents: RawMidi) -> Iterator[Finding]:
    """Clauses 2 and 6: each track has a name, and all words are ASCII."""
    for number, track in enumerate(contents.tracks):
        if not any(message.type == "track_name" and message.name for _, message in track):
            yield _error(f"{contents.name(number)} has no name")
    words = [
        (track, m.name if m.type.endswith("_name") else m.text)
        for _, track, m in contents.events(
            "track_name", "instrument_name", "marker", "text", "lyrics", "cue_marker"
        )
    ]
    foreign = [(track, text) for track, text in words if not text.isascii()]
    if foreign:
        place, text = foreign[0]
        yield _error(
            f"{_several(len(foreign), 'text')} with letters beyond ASCII, which programs read "
            f"differently; the first, in {contents.name(place)}, reads {ascii_name(text)!r}"
        )


def _check_video(contents: RawMidi, duration: float | None) -> Iterator[Finding]:
    """Clauses 1 and 5: the end, the markers and the hits are where the video has them."""
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
    times = contents.seconds([tick for tick, _ in conductor]).tolist()
    for time, (_, message) in zip(times, conductor, strict=True):
        if message.type == "marker" and (match := _MARKER.fullmatch(message.text)):
            there = _clock(match[1], origin)
            if there is None or abs(there - time) > frame / 2 + 0.002:
                yield _error(f"the marker {message.text!r} stands at {time:.3f} s")
        claims_hit = message.type == "text" and _SCENE.fullmatch(message.text)
        if claims_hit and (not len(onsets) or np.abs(onsets - time).min() > frame + 0.002):
            yield _error(f"{message.text!r} at {time:.3f} s, but no note begins there")


def _check_plan(contents: RawMidi) -> Iterator[Finding]:
    """Clause 7: chord symbols that can be read, and sections that agree with the tracks."""
    chords, sections = contents.chords(), contents.sections()
    unknown = [tick for tick, name in chords if name is None]
    if unknown:
        yield _error(
            f"{_several(len(unknown), 'chord symbol')} of no chord, the first at "
            f"{contents.at(unknown[0])}"
        )
    end = contents.tracks[0][-1][0]
    late = [tick for tick, _ in chords if tick > end] + [t for t, _, _ in sections if t > end]
    if late:
        yield _error(
            f"{_several(len(late), 'chord symbol or section')} after the end, the first at "
            f"{contents.at(late[0])}"
        )
    texts: dict[int, list[str]] = defaultdict(list)
    for tick, _, message in contents.events("text", "lyrics"):
        texts[tick].append(message.text)
    for tick, name in chords:
        if name and name not in texts[tick]:
            yield _remark(f"no text beside the chord symbol {name} at {contents.at(tick)} names it")
            break
    numbers = [number for _, number, _ in sections]
    if numbers != list(range(1, len(numbers) + 1)):
        told = ", ".join(map(str, numbers[:20]))
        yield _error(f"the sections are numbered {told}, not one after the other from 1")
    elif sections and sections[0][0] > 0:
        yield _error(f"the first section begins at {contents.at(sections[0][0])}, not at the start")
    yield from _check_players(contents, [words for _, _, words in sections])


def _check_players(contents: RawMidi, sections: Sequence[str]) -> Iterator[Finding]:
    """Report instruments that play and are in no section, and those in a section but not heard."""
    asked = {name for words in sections for name in re.findall("|".join(CLASSES), words)}
    played = {_class_name(contents, note.track) for note in contents.notes} & set(CLASSES)
    if asked and (silent := [name for name in CLASSES if name in asked - played]):
        yield _remark(f"a section names {', '.join(silent)}, but no track plays it")
    if asked and (extra := [name for name in CLASSES if name in played - asked]):
        yield _remark(f"{', '.join(extra)} plays, but no section names it")


def _class_name(contents: RawMidi, number: int) -> str:
    """Return the name of the class of a track, or else its own name."""
    said = contents.instruments[number]
    return CLASSES[said] if said is not None else contents.title(number).lower()


def _clock(text: str, origin: Origin) -> float | None:
    """Return the seconds from the video's beginning that a marker names."""
    try:
        if origin.rate is None:
            hours, minutes, seconds = text.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        code = Timecode.parse(text, origin.rate)
    except ValueError:
        return None
    start = Timecode(0, code.rate, code.drop) if origin.start is None else origin.start
    return float((code - start) / origin.rate)
