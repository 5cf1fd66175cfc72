"""Read MIDI files of any origin into pieces, and refuse what is no song."""

from collections.abc import Mapping
from pathlib import Path

from symusic.core import ScoreTick, TempoTick, TempoTickList

from emsync.data.lakh import LARGEST, MOST_SECONDS
from emsync.errors import InputError
from emsync.music import Piece, Score, from_score

MOST_BARS = 20_000  # of one song: two hours at 300 beats a minute have 9,000


def read_midi(
    path: Path, labels: Mapping[str, float] | None = None, tempo: float | None = None
) -> Piece:
    """Return the song at ``path``, from its start.

    With a ``tempo`` in beats a minute the whole song is brought to it; without, it keeps its own.
    Raises InputError, with the reason, for what is not MIDI or not a song.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        content = path.read_bytes()
        _check_events(content)
        score = ScoreTick.from_midi(content)
        _check_grid(score)
        if tempo is not None:
            score.tempos = TempoTickList([TempoTick(0, tempo)])
        piece = from_score(score, labels)
        if not len(piece):
            raise ValueError("it has no notes of the five classes")
        if piece.duration > MOST_SECONDS:
            raise ValueError(
                f"it lasts {piece.duration:.0f} s; a song has at most {MOST_SECONDS:.0f}"
            )
        return piece
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (IndexError, RuntimeError, ValueError) as error:
        raise InputError(f"{str(path)!r} is no song in MIDI: {error}") from error


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


def _check_grid(score: Score) -> None:
    """Refuse numbers that would make the time grid endless or undefined."""
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
