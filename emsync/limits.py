"""What a stranger's file may cost: bounded reading, and its text in our sentences.

A size is never believed: a reader stops at its limit. A device is not read, since it may have no
end, and a pipe is not waited for forever. JSON and TOML are bounded in size and depth.
"""

import json
import math
import os
import re
import select
import stat
import tomllib
import unicodedata
from fractions import Fraction
from pathlib import Path
from typing import Any, SupportsFloat

from emsync.errors import EmsyncError, InputError

MOST_BYTES = 64 * 2**20  # of a text or a JSON file
BLOCK = 2**20  # bytes read at once
MOST_DEPTH = 64  # of values within values
MOST_DOTS, LINE_DOTS = 100_000, 256  # of a TOML file, and of a line: each may be a table in a table
MOST_DIGITS = 400  # of a number, which covers every finite float
PATIENCE = 10.0  # seconds to wait for a pipe
SHOWN = 60  # characters of a stranger's text in a sentence of ours
LONGEST_NAME = 200  # characters of a file's name in a sentence of ours
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # directions of writing

_NUMBER = re.compile(
    r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?(/\d{1,40})?", re.ASCII
)


def shown(value: object, most: int = SHOWN) -> str:
    r"""Return ``value`` quoted in one line for a message: escaped, and cut short.

    >>> shown("a\nb\x1b[31m"), shown("x" * 90, 10)
    ("'a\\nb\\x1b[31m'", "'xxxxxx...")
    """
    text = repr(value[: most + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= most else text[: most - 3] + "..."


def quoted(path: str | os.PathLike[str]) -> str:
    """Return the name of a file for a message."""
    return shown(str(path), LONGEST_NAME)


def can_be_read_again(path: Path) -> bool:
    """Return whether ``path`` is no pipe, which is empty once it was read; it may be missing."""
    return path.is_file() or path.is_dir() or not path.exists()


def one_line(text: str, most: int = 200) -> str:
    r"""Return ``text`` fit for a field of a line, also in XML and on a terminal; at most so long.

    Control characters and what turns the direction of writing become spaces; the half characters
    that stand for bytes of a name in another encoding become U+FFFD.

    >>> one_line("a\nb\x00c\u2028d\u202ee")
    'a b c d e'
    """
    return "".join(
        "\ufffd" if unicodedata.category(c) == "Cs" else " " if _leaves_its_line(c) else c
        for c in text[:most]
    )


def _leaves_its_line(c: str) -> bool:
    return (
        unicodedata.category(c) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(c) in TURNS
        or c in "\ufffe\uffff"  # which XML cannot hold
    )


def parse_number(text: str) -> Fraction:
    """Return the decimal number or the ratio that ``text`` writes, exactly.

    ValueError where it is none, or has so many digits or so large an exponent that it would cost
    more than any time or rate is worth.

    >>> parse_number("-1.5e1"), parse_number("30000/1001")
    (Fraction(-15, 1), Fraction(30000, 1001))
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a number")
    over, _, under = text.partition("/")
    if under and not int(under):
        raise ValueError(f"{shown(text)} divides by 0")
    return Fraction(over) / int(under or 1)


def as_float(number: SupportsFloat) -> float:
    """Return a number as a float; infinity where it is too large for one.

    >>> as_float(10**400)
    inf
    """
    try:
        return float(number)
    except OverflowError:
        return math.inf


def check_file(path: Path, error: type[EmsyncError] = InputError) -> int:
    """Return the size in bytes of an ordinary file; ``error`` where ``path`` is none.

    For what another library opens, which would wait for a pipe, or read a device to its end.
    """
    try:
        facts = path.stat()
    except (OSError, ValueError) as reason:
        text = getattr(reason, "strerror", None) or str(reason)
        raise error(f"cannot read {quoted(path)}: {text}") from reason
    if not stat.S_ISREG(facts.st_mode):
        raise error(f"cannot read {quoted(path)}: it is no ordinary file")
    return facts.st_size


def read_bytes(path: Path, most: int = MOST_BYTES, error: type[EmsyncError] = InputError) -> bytes:
    """Return the content of the file or pipe at ``path``; ``error`` says why it cannot be read."""
    name = quoted(path)
    too_many = f"cannot read {name}: it has more than {most} bytes, which are too many"
    try:
        if path.is_dir():
            raise error(f"cannot read {name}: it is a folder; name a file")
        # a pipe without a writer would keep an ordinary open waiting
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            mode = os.fstat(descriptor).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise error(f"cannot read {name}: it is a device; name a file")
            data = bytearray()
            if stat.S_ISREG(mode) and os.fstat(descriptor).st_size > most:
                raise error(too_many)
            while len(data) <= most:
                if stat.S_ISFIFO(mode) and not select.select([file], [], [], PATIENCE)[0]:
                    raise error(f"cannot read {name}: nothing came from the pipe")
                if not (piece := file.read(min(BLOCK, most + 1 - len(data)))):
                    break
                data += piece
    except FileNotFoundError as missing:
        raise error(f"there is no file {name}") from missing
    except (OSError, ValueError) as reason:  # a name with a null byte is a ValueError
        text = getattr(reason, "strerror", None) or str(reason)
        raise error(f"cannot read {name}: {text}") from reason
    if len(data) > most:
        raise error(too_many)
    return bytes(data)


def read_text(
    path: Path,
    most: int = MOST_BYTES,
    error: type[EmsyncError] = InputError,
    others: str = "strict",
) -> str:
    """Return the UTF-8 text of the file at ``path``, with or without a byte order mark.

    With "surrogateescape" for ``others``, bytes that are no UTF-8 are read as in names of files.
    """
    data = read_bytes(path, most, error)
    try:
        return data.decode("utf-8-sig", others)
    except UnicodeDecodeError as wrong:
        name = quoted(path)
        raise error(f"{name} is not a text: byte {wrong.start} is no UTF-8") from wrong


def read_json(
    path: Path, most: int = MOST_BYTES, error: type[EmsyncError] = InputError
) -> dict[str, Any]:
    """Return the JSON object in the file at ``path``; ``error`` where it holds none."""
    data = parse_json(read_text(path, most, error), quoted(path), error)
    if not isinstance(data, dict):
        raise error(f"{quoted(path)} holds no JSON object")
    return data


def parse_json(text: str, name: str, error: type[EmsyncError] = InputError) -> Any:
    """Return the value of a JSON ``text``: no deeper than MOST_DEPTH, its numbers finite.

    A key that stands twice in an object is an error, since one of its values would be lost.
    """
    if _depth(text) > MOST_DEPTH:
        raise error(f"{name} is not read: its values lie more than {MOST_DEPTH} deep")
    try:
        return json.loads(
            text,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as wrong:
        raise error(f"{name} is not JSON: {one_line(str(wrong))}") from wrong


def read_toml(
    path: Path, most: int = MOST_BYTES, error: type[EmsyncError] = InputError
) -> dict[str, Any]:
    """Return the tables of the TOML file at ``path``: no deeper than MOST_DEPTH."""
    text, name = read_text(path, most, error), quoted(path)
    dots = text.count("."), max((line.count(".") for line in text.splitlines()), default=0)
    if _depth(text) > MOST_DEPTH or dots[0] > MOST_DOTS or dots[1] > LINE_DOTS:
        raise error(f"{name} is not read: its values lie more than {MOST_DEPTH} deep")
    try:
        return tomllib.loads(text, parse_float=_finite)
    except (ValueError, RecursionError) as wrong:
        raise error(f"{name} is not TOML: {one_line(str(wrong))}") from wrong


def _depth(text: str) -> int:
    """Return how deep brackets lie within each other, those in strings too; 0 if they are few."""
    if text.count("[") + text.count("{") <= MOST_DEPTH:
        return 0  # whatever their order, and much faster
    depth = deepest = 0
    for c in text:
        if c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, each key once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"the key {shown(twice)} stands twice in one object")
    return found


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text) if len(text) <= MOST_DIGITS else math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value
