"""Standard MIDI files, checked before native code reads them."""

from emsync.music.piece import Score


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
