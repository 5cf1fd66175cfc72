"""A folder as compressed pieces with checksums, to be carried to another machine and back.

    PIECES/000.xz, 001.xz, ...   one xz stream, cut: the folder's files, one after another
    PIECES/pieces.json           names, sizes and SHA-256 of the files and of the pieces

A store of 327 MB becomes 57 MB. Nothing but the standard library is needed to unpack it.
"""

import hashlib
import io
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from emsync.errors import InputError, UsageError
from emsync.files import atomic_write

MIB = 2**20  # bytes
BLOCK = 2**22  # bytes read at once
INDEX = "pieces.json"
# Tokens and weights in bfloat16 are numbers of two bytes: each byte of them is foretold apart.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 3, "lp": 1, "pb": 1}]


@dataclass(frozen=True)
class Part:
    """One file, or one piece of the stream."""

    name: str
    size: int  # bytes
    sha256: str


def pack(folder: Path, out: Path, piece: int, only: Sequence[str] = ()) -> list[Part]:
    """Write the files of ``folder`` to ``out`` in pieces of at most ``piece`` MiB; return these.

    ``only`` names the files to take; without it, all are taken, and no folders.
    """
    if piece < 1:
        raise UsageError(f"a piece of {piece} MiB holds nothing; 1 is the least")
    try:
        names = sorted(only) or sorted(p.name for p in folder.iterdir() if p.is_file())
        if not names:
            raise InputError(f"there are no files in {str(folder)!r} to pack")
        out.mkdir(parents=True, exist_ok=True)
        for old in [out / INDEX, *out.glob("*.xz")]:
            old.unlink(missing_ok=True)
        files: list[Part] = []
        pieces = _cut(_squeezed(folder, names, files), out, piece * MIB)
    except OSError as error:
        raise InputError(f"cannot pack {str(folder)!r}: {error}") from error
    index = {"files": [asdict(p) for p in files], "pieces": [asdict(p) for p in pieces]}
    with atomic_write(out / INDEX) as partial:
        partial.write_text(json.dumps(index, indent=1) + "\n")
    return pieces


def unpack(pieces: Path, out: Path) -> list[Part]:
    """Write the files that ``pack`` was given to ``out``, and return them.

    InputError names every piece that is missing or damaged; ``out`` is written only when all are
    sound, and each file appears whole or not at all.
    """
    files, parts = _read_index(pieces)
    faults = [fault for part in parts if (fault := _fault(pieces / part.name, part))]
    if faults:
        raise InputError(
            f"{len(faults)} of {len(parts)} pieces in {str(pieces)!r} must be copied again: "
            f"{', '.join(faults)}"
        )
    out.mkdir(parents=True, exist_ok=True)
    try:
        with lzma.open(io.BufferedReader(_Joined(pieces / part.name for part in parts))) as stream:
            for part in files:
                with atomic_write(out / part.name) as partial, partial.open("wb") as file:
                    if _copy(stream, file, part.size) != part.sha256:
                        raise ValueError(f"{part.name!r} is not what was packed")
    except (EOFError, ValueError, lzma.LZMAError) as error:
        raise InputError(f"{str(pieces / INDEX)!r} is not of these pieces: {error}") from error
    return files


def _squeezed(folder: Path, names: Sequence[str], files: list[Part]) -> Iterator[bytes]:
    """Yield the compressed stream, and note in ``files`` what went into it."""
    squeeze = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=FILTERS)
    for name in names:
        digest, size = hashlib.sha256(), 0
        with (folder / name).open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                size += len(block)
                yield squeeze.compress(block)
        files.append(Part(name, size, digest.hexdigest()))
    yield squeeze.flush()


def _cut(stream: Iterator[bytes], out: Path, most: int) -> list[Part]:
    """Write ``stream`` to files of ``most`` bytes, the last of them less."""
    pieces: list[Part] = []
    held = bytearray()

    def put(content: bytes) -> None:
        name = f"{len(pieces):03}.xz"
        (out / name).write_bytes(content)
        pieces.append(Part(name, len(content), hashlib.sha256(content).hexdigest()))

    for block in stream:
        held += block
        while len(held) > most:
            put(bytes(held[:most]))
            del held[:most]
    put(bytes(held))
    return pieces


def _read_index(pieces: Path) -> tuple[list[Part], list[Part]]:
    try:
        index = json.loads((pieces / INDEX).read_text())
        files, parts = ([Part(**row) for row in index[key]] for key in ("files", "pieces"))
        for part in (*files, *parts):
            if PurePath(part.name).name != part.name:
                raise ValueError(f"{part.name!r} is no file's name")
    except OSError as error:
        raise InputError(f"{str(pieces)!r} has no {INDEX}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{str(pieces / INDEX)!r} is not sound: {error}") from error
    return files, parts


def _fault(path: Path, part: Part) -> str:
    """Return what is wrong with a piece, or nothing."""
    if not path.is_file():
        return f"{part.name} (missing)"
    with path.open("rb") as file:
        good = hashlib.file_digest(file, "sha256").hexdigest() == part.sha256
    return "" if good else f"{part.name} (damaged)"


class _Joined(io.RawIOBase):
    """Several files, read as if they were one."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = iter(paths)
        self.file: BinaryIO = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (content := self.file.read(len(buffer))):
            self.file.close()
            if (path := next(self.paths, None)) is None:
                return 0
            self.file = path.open("rb")
        buffer[: len(content)] = content
        return len(content)


def _copy(stream: io.BufferedIOBase, file: BinaryIO, size: int) -> str:
    """Copy the next ``size`` bytes of ``stream`` to ``file`` and return their SHA-256."""
    digest = hashlib.sha256()
    while size and (block := stream.read(min(size, BLOCK))):
        file.write(block)
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
