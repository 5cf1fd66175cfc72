"""The bytes of a MIDI file checked, and written anew where they are not as the standard has them.

Native code writes beyond its memory on a key above 127, and readers differ in what they forgive. So
every reader of ours gets the bytes that come from here: what players play is repaired, with a
remark, and all else is refused.
"""

from collections import Counter
from dataclasses import dataclass, field

from emsync.limits import shown

MOST_EVENTS = 1_000_000  # two hours of a dense score of ours; one hour of it has 450,000
MOST_TRACKS = 1024
MOST_REMARKS = 12
MOST_TICKS = 2**31 - 1  # what native code counts to
FRAMES = (24, 25, 29, 30)  # a second, of SMPTE time

END, TEMPO, OFFSET, METRE, KEY = 0x2F, 0x51, 0x54, 0x58, 0x59  # kinds of meta events
LENGTHS = {0x00: 2, 0x20: 1, 0x21: 1, TEMPO: 3, OFFSET: 5, METRE: 4, KEY: 2}
NAMES = {TEMPO: "tempo", OFFSET: "SMPTE offset", METRE: "time signature", KEY: "key signature"}
MOST_OFFSET = (60, 60, 30, 100)  # minutes, seconds, frames, hundredths: fewer than these
SHORTEST_BEAT = 7  # of a time signature, as a power of 2: 1/128


@dataclass
class Repaired:
    """A MIDI file as the standard has it, and what was not so."""

    content: bytes = b""
    remarks: dict[str, None] = field(default_factory=dict)  # as an ordered set
    unended: list[int] = field(default_factory=list)  # tracks without an end-of-track
    frames: bool = False  # whether time is in frames of SMPTE, and no beats are known
    endless: int = 0  # notes that nothing ends, which native code leaves out
    ticks: int = 0  # of the last event
    events: int = 0

    def remark(self, text: str) -> None:
        """Tell once of something that was repaired, and not of everything in a file of rubbish."""
        if len(self.remarks) < MOST_REMARKS:
            self.remarks[text] = None


def repair(content: bytes) -> Repaired:
    """Return a MIDI file as all readers read it; ValueError, with the reason, where it is none."""
    done = Repaired()
    content = _unwrapped(content, done)
    if len(content) < 14 or content[:4] != b"MThd":
        raise ValueError("it ends within its header")
    length = int.from_bytes(content[4:8], "big")
    kind, count, division = (int.from_bytes(content[i : i + 2], "big") for i in (8, 10, 12))
    if length < 6:
        raise ValueError(f"its header has {length} bytes")
    if length > 6:
        done.remark(f"a header of {length} bytes")
    division, tempo = _resolution(division, done)
    tracks: list[bytes] = []
    at = 8 + length
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "big")
        if name == b"MTrk":
            if len(tracks) == MOST_TRACKS:
                raise ValueError(f"it has more than {MOST_TRACKS} tracks")
            timed, first = bool(tempo), tempo if not tracks else b""
            events, at = _track(content, at + 8, at + 8 + size, timed, len(tracks), done)
            tracks.append(_chunk(first + events))
        elif _is_name(name) and at + 8 + size <= len(content):
            done.remark(f"a chunk {shown(name.decode())} that is no track")
            at += 8 + size
        else:
            at = _next_track(content, at)
            done.remark("bytes between or after its tracks")
    if not tracks:
        raise ValueError("it holds no track")
    if at < len(content):
        done.remark("bytes between or after its tracks")
    if count != len(tracks):
        done.remark(f"{len(tracks)} tracks where its header counts {count}")
    if kind > 2 or (kind == 0 and len(tracks) > 1):
        done.remark(f"the format {kind} in a file of {len(tracks)} tracks")
        kind = 1
    header = b"".join(n.to_bytes(2, "big") for n in (kind, len(tracks), division))
    done.content = b"MThd\0\0\0\6" + header + b"".join(tracks)
    return done


def _unwrapped(content: bytes, done: Repaired) -> bytes:
    """Return the MIDI file in a RIFF file, or ``content`` where it is none."""
    if content[:4] != b"RIFF" or content[8:12] != b"RMID":
        return content
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if content[at : at + 4] == b"data":
            done.remark("a RIFF file around it")
            return content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise ValueError("it is a RIFF file without a score")


def _resolution(division: int, done: Repaired) -> tuple[int, bytes]:
    """Return the ticks a quarter, and the event of the only tempo where time is SMPTE frames."""
    if division == 0:
        raise ValueError("it has no ticks in a beat")
    if division < 0x8000:
        return division, b""
    frames, ticks = 256 - (division >> 8), division & 255
    if frames not in FRAMES or not ticks:
        raise ValueError(f"it counts {ticks} ticks in each of {frames} frames a second")
    done.frames = True
    done.remark(f"{frames} frames a second instead of beats, which are taken to be seconds")
    # 29 means 30 frames in 1.001 s
    micro = 1_001_000 if frames == 29 else 1_000_000
    beat = 30 * ticks if frames == 29 else frames * ticks
    return beat, bytes((0, 0xFF, TEMPO, 3)) + micro.to_bytes(3, "big")


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and name.isascii() and name.isalnum()


def _next_track(content: bytes, at: int) -> int:
    found = content.find(b"MTrk", at)
    return len(content) if found < 0 else found


def _chunk(events: bytes) -> bytes:
    return b"MTrk" + len(events).to_bytes(4, "big") + events


def _track(
    data: bytes, at: int, end: int, timed: bool, number: int, done: Repaired
) -> tuple[bytes, int]:
    """Return the events from ``at`` to ``end``, and where the next chunk begins.

    ``timed`` leaves tempi out: time is in frames, and they mean nothing.
    """
    out, wait, tick, status = bytearray(), 0, 0, 0
    sounding: Counter[tuple[int, int]] = Counter()  # by channel and pitch
    try:
        while True:
            if at >= end:
                if at == end and (end == len(data) or _is_name(data[end : end + 4])):
                    done.unended.append(number)
                    break
                if data[end : end + 4] == b"MTrk":
                    raise ValueError("a track ends within an event")
                done.remark("a track that is longer than it says")
                end = len(data)
            ticks, at = _number(data, at)
            wait, tick = wait + ticks, tick + ticks
            done.events += 1
            if done.events > MOST_EVENTS:
                raise ValueError(f"it has more than {MOST_EVENTS} events")
            byte, event = data[at], b""
            if byte < 0xF0:
                if byte >= 0x80:
                    status, at = byte, at + 1
                event, at = _channel_event(data, at, status, done)
                if (kind := status & 0xF0) in (0x80, 0x90):
                    key, begins = (status & 15, event[1]), kind == 0x90 and event[2] > 0
                    sounding[key] = max(0, sounding[key] + (1 if begins else -1))
            elif byte == 0xFF:
                kind = data[at + 1]
                size, at = _number(data, at + 2)
                if kind == END:
                    at += size
                    break
                if at + size > len(data):
                    raise ValueError("it ends within a track")
                event = _meta_event(kind, data[at : at + size], timed, done)
                at += size
            elif byte in (0xF0, 0xF7):  # nothing of a synthesizer's own is of use
                size, at = _number(data, at + 1)
                at += size
            else:
                done.remark("events that only a cable has")
                at += 1 + {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(byte, 0)
            if event:
                out += _written(wait) + event
                wait = 0
    except IndexError as error:
        raise ValueError("it ends within a track") from error
    if tick > MOST_TICKS:
        raise ValueError(f"it lasts {tick} ticks")
    done.ticks, done.endless = max(done.ticks, tick), done.endless + sounding.total()
    if at != end:
        if at < end <= len(data) and (end == len(data) or _is_name(data[end : end + 4])):
            done.remark("events after the end of a track")
        else:
            done.remark("a track of another length than it says")
            end = _next_track(data, at)
    return bytes(out) + _written(wait) + bytes((0xFF, END, 0)), end


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, four bytes at most, and where it ends."""
    value = 0
    for i in range(at, at + 4):
        value = value << 7 | data[i] & 127
        if data[i] < 128:
            return value, i + 1
    raise ValueError("a number in it has more than four bytes")


def _written(value: int) -> bytes:
    """Return ``value`` in seven bits a byte."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def _channel_event(data: bytes, at: int, status: int, done: Repaired) -> tuple[bytes, int]:
    """Return an event with its status, and where it ends."""
    if not status:
        raise ValueError("an event of it does not say what it is")
    event = bytearray((status,))
    while len(event) < (2 if 0xC0 <= status < 0xE0 else 3):
        byte = data[at]
        at += 1
        if 0xF8 <= byte < 0xFF:
            done.remark("events that only a cable has")
        elif byte > 127:
            done.remark("a data byte above 127, which MIDI does not have")
            event.append(127)
        else:
            event.append(byte)
    return bytes(event), at


def _meta_event(kind: int, body: bytes, timed: bool, done: Repaired) -> bytes:
    """Return a meta event, or nothing for one that says nothing."""
    if len(body) != LENGTHS.get(kind, len(body)):
        done.remark(f"a {NAMES.get(kind, 'meta event')} of {len(body)} bytes")
    elif kind == TEMPO and not any(body):
        done.remark("a tempo at which a beat lasts nothing")
    elif kind == METRE and not (body[0] and body[1] <= SHORTEST_BEAT):
        done.remark(f"the time signature {body[0]}/2^{body[1]}")
    elif kind == KEY and not ((body[0] <= 7 or body[0] >= 249) and body[1] < 2):
        done.remark("a key signature that does not exist")
    elif kind == OFFSET and (
        body[0] >= 0x80 or any(n >= most for n, most in zip(body[1:], MOST_OFFSET, strict=True))
    ):
        done.remark("an SMPTE offset that is no time")
    elif not (kind == TEMPO and timed):
        return bytes((0xFF, kind)) + _written(len(body)) + body
    return b""
