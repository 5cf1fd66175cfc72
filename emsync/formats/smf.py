"""Standard MIDI files read into scores, checked before native code sees them.

``read_score`` is the one reader of scores; ``emsync.formats.midi_check`` alone reads raw events, as
a score no longer has what is wrong with its file.
"""

from pathlib import Path

from emsync.errors import InputError
from emsync.music.piece import Piece, Score, from_score

MOST_BYTES = 32 * 2**20  # no score is larger, and a hostile file may be
MOST_BARS = 20_000  # of one song: two hours at 300 beats a minute have 9,000


def read_midi(path: Path) -> Piece:
    """Return the music of the file at ``path``; InputError when it is none. See ``from_score``."""
    score = read_score(path)
    try:
        check_grid(score)
    except ValueError as error:
        raise InputError(f"{str(path)!r} is a broken MIDI file: {error}") from error
    return from_score(score)


def read_score(path: Path) -> Score:
    """Return the MIDI file at ``path`` as a score; InputError when it is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{str(path)!r} is larger than {MOST_BYTES} bytes; no score is")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    if not content.startswith(b"MThd"):
        raise InputError(f"{str(path)!r} is not a MIDI file; give a .mid")
    try:
        return parse(content)
    except (IndexError, RuntimeError, ValueError) as error:
        raise InputError(f"{str(path)!r} is a broken MIDI file: {error}") from error


def check_grid(score: Score) -> None:
    """Refuse, by ValueError, numbers that would make the time grid endless or undefined."""
    beat = score.ticks_per_quarter
    if beat < 1:
        raise ValueError("it has no ticks in a beat")
    shortest = 4 * beat
    for s in score.time_signatures:
        if s.numerator < 1 or s.denominator < 1:
            raise ValueError(f"its time signature is {s.numerator}/{s.denominator}")
        shortest = min(shortest, 4 * beat * s.numerator // s.denominator)
    if score.end() > MOST_BARS * shortest:
        raise ValueError(f"it has more than {MOST_BARS} bars")
    if any(not 1 <= t.qpm <= 1e6 for t in score.tempos):
        raise ValueError("its tempo is not a number of at least one beat a minute everywhere")


def parse(content: bytes) -> Score:
    """Return the score of a file's bytes; ValueError, IndexError or RuntimeError if unsound."""
    from symusic.core import ScoreTick

    _check_events(content)
    return ScoreTick.from_midi(content)


def _check_events(content: bytes) -> None:
    """Refuse events that end outside their track, or whose data bytes are none.

    symusic writes beyond its memory on a key above 127, so nothing unsound may reach it.
    """
    if content[:4] != b"MThd":
        raise ValueError("it does not begin with MThd")
    at = 8 + int.from_bytes(content[4:8], "big")
    while at + 8 <= len(content):
        kind, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "big")
        at += 8
        if at + size > len(content):
            raise ValueError("it ends within a track")
        if kind == b"MTrk":
            try:
                _check_track(content[at : at + size])
            except IndexError as error:
                raise ValueError("a track ends within an event") from error
        at += size


def _check_track(track: bytes) -> None:
    at, status = 0, 0
    while at < len(track):
        while track[at] > 127:  # the wait before the event
            at += 1
        at += 1
        if track[at] > 127:
            status = track[at]
            at += 1
        if status < 0xF0:
            data = track[at : at + (1 if 0xC0 <= status < 0xE0 else 2)]
            if status < 0x80 or not data or max(data) > 127:
                raise ValueError(f"an event of status {status} has the data bytes {list(data)}")
            at += len(data)
        elif status in (0xF0, 0xF7, 0xFF):
            ends = status == 0xFF and track[at] == 0x2F
            at += status == 0xFF  # the kind of text, tempo, ...
            size = 0
            while track[at] > 127:
                size = (size + track[at] - 128) << 7
                at += 1
            at += 1 + size + track[at]
            if ends:
                return
        else:
            raise ValueError(f"it has an event of status {status}")
