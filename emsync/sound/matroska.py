"""The shape of a pixel, written into the header of a Matroska or WebM file.

FFmpeg's muxer learns it from the coded pictures alone, and those of VP8, VP9 and others do not say
it. So a placeholder is written as the name of the track, and afterwards the header of the track is
made anew, as long as before: with the size of display (RFC 9559, 5.1.4.1.28) and the true name.
"""

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

PLACEHOLDER = "emsync: a place for the size of display"
HEADER = 2**20  # bytes within which the tracks are described
SEGMENT, TRACKS, ENTRY, NAME = 0x18538067, 0x1654AE6B, 0xAE, 0x536E  # the names of elements
VIDEO, CHECKSUM, VOID = 0xE0, 0xBF, 0xEC
WIDTH, HEIGHT, UNIT = 0x54B0, 0x54BA, 0x54B2  # of display, in pixels unless the unit is another


def display_size(width: int, height: int, pixel: Fraction) -> tuple[int, int]:
    """Return the size at which pictures are shown, no smaller, of exactly the right shape.

    >>> display_size(720, 576, Fraction(16, 15)), display_size(64, 48, Fraction(4, 3))
    ((768, 576), (96, 54))
    """
    shape = pixel * width / height
    times = -(-height // shape.denominator)
    if shape.denominator * times > 2 * height:
        return max(1, round(width * pixel)), height
    return shape.numerator * times, shape.denominator * times


def write_display_size(path: Path, size: tuple[int, int], name: str) -> None:
    """Put the size of display, and ``name``, in the place of PLACEHOLDER in the file ``path``."""
    with path.open("r+b") as file:
        head = file.read(HEADER)
        for begin, end in _find(head, SEGMENT, TRACKS):
            tracks = head[begin:end]
            for first, last in _find(tracks, ENTRY):
                made = _with_size(tracks[first:last], size, name)
                tracks = tracks[:first] + made + tracks[last:]
            checked = [(a, b) for i, a, b in _elements(tracks, 0, len(tracks)) if i == CHECKSUM]
            for first, last in checked:  # of all that follows it
                summed = zlib.crc32(tracks[last:]).to_bytes(4, "little")
                tracks = tracks[:first] + summed + tracks[last:]
            file.seek(begin)
            file.write(tracks)


def _with_size(entry: bytes, size: tuple[int, int], name: str) -> bytes:
    """Return the description of a track, as long as before; unchanged without PLACEHOLDER."""
    parts = [(i, entry[a:b]) for i, a, b in _elements(entry, 0, len(entry))]
    if not any(i == NAME and body.startswith(PLACEHOLDER.encode()) for i, body in parts):
        return entry
    parts = [(i, _stretched(body, size) if i == VIDEO else body) for i, body in parts if i != NAME]
    parts += [(NAME, name.encode())] if name else []
    made = b"".join(_element(i, body) for i, body in parts)
    rest = len(entry) - len(made) - 9  # the head of a void takes 9 bytes
    return made + _bytes(VOID) + (rest | 1 << 56).to_bytes(8, "big") + bytes(rest)


def _stretched(video: bytes, size: tuple[int, int]) -> bytes:
    """Return the description of pictures with their size of display."""
    parts = [(i, video[a:b]) for i, a, b in _elements(video, 0, len(video))]
    kept = [(i, body) for i, body in parts if i not in (WIDTH, HEIGHT, UNIT)]
    kept += [(WIDTH, _bytes(size[0])), (HEIGHT, _bytes(size[1]))]
    return b"".join(_element(i, body) for i, body in kept)


def _find(data: bytes, *path: int) -> Iterator[tuple[int, int]]:
    """Yield where the content of each element lies that ``path`` leads to, one within the other."""
    places = [(0, len(data))]
    for wanted in path:
        inside = [item for begin, end in places for item in _elements(data, begin, end)]
        places = [(a, b) for i, a, b in inside if i == wanted]
    yield from places


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the name of each element, and where its content begins and ends, as far as known."""
    while at < end and data[at]:
        length = 9 - data[at].bit_length()
        name, at = int.from_bytes(data[at : at + length], "big"), at + length
        if at >= end or not data[at]:
            return
        length = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + length], "big") & ~(1 << 7 * length)
        at += length
        yield name, at, min(end, at + size)
        at += size


def _element(name: int, body: bytes) -> bytes:
    """Return an element; its length is written in as few bytes as it takes."""
    count = next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1)
    return _bytes(name) + (len(body) | 1 << 7 * count).to_bytes(count, "big") + body


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
