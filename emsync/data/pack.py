"""A folder as compressed pieces with checksums, to be carried to another machine and back.

    PIECES/000.xz, 001.xz, ...   one xz stream, cut: the folder's files, one after another
    PIECES/pieces.json           names, sizes and SHA-256 of the files and of the pieces

A store of 327 MB becomes 57 MB. Nothing but the standard library is needed to unpack it.
"""

import hashlib
import io
import json
import lzma
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Annotated, BinaryIO

from emsync.errors import EmsyncError, InputError, UsageError
from emsync.files import together
from emsync.limits import quoted, read_json, shown
from emsync.settings import Within, build
from emsync.targets import check_apart

MIB = 2**20  # bytes
BLOCK = 2**22  # bytes read at once
INDEX = "pieces.json"
LONGEST = 60  # characters of a name: at most 240 bytes, which every file system takes
MEMORY = 256 * MIB  # that unpacking may take; what is packed here needs 9 MiB
# Tokens and weights in bfloat16 are numbers of two bytes: each byte of them is foretold apart.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 3, "lp": 1, "pb": 1}]


@dataclass(frozen=True)
class Part:
    """One file, or one piece of the stream."""

    name: str
    size: Annotated[int, Within(0, 10**15)]  # bytes
    sha256: str


def pack(folder: Path, out: Path, piece: int, only: Sequence[str] = ()) -> list[Part]:
    """Write the files of ``folder`` to ``out`` in pieces of at most ``piece`` MiB; return these.

    ``only`` names the files to take; without it, all are taken, and no folders. Of what is in
    ``out``, only the pieces of an earlier packing are replaced.
    """
    if piece < 1:
        raise UsageError(f"a piece of {piece} MiB holds nothing; 1 is the least")
    try:
        names = sorted(only) or sorted(p.name for p in folder.iterdir() if p.is_file())
        if not names:
            raise InputError(f"there are no files in {str(folder)!r} to pack")
        earlier = _earlier(out)
        read = {"one of the files to pack": [folder / name for name in names]}
        check_apart([out / name for name in earlier], read)
        out.parent.mkdir(parents=True, exist_ok=True)
        with together() as outputs:
            partial = outputs.folder(out, earlier)
            files: list[Part] = []
            pieces = _cut(_squeezed(folder, names, files), partial, piece * MIB)
            index = {"files": [asdict(p) for p in files], "pieces": [asdict(p) for p in pieces]}
            (partial / INDEX).write_text(json.dumps(index, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"cannot pack {str(folder)!r}: {error}") from error
    return pieces


def unpack(pieces: Path, out: Path) -> list[Part]:
    """Write the files that ``pack`` was given to ``out``, and return them.

    InputError names every piece that is missing or damaged; ``out`` is written only when all are
    sound, and all files appear, or none of them.
    """
    files, parts = _read_index(pieces)
    faults = [fault for part in parts if (fault := _fault(pieces / part.name, part))]
    if faults:
        raise InputError(
            f"{len(faults)} of {len(parts)} pieces in {str(pieces)!r} must be copied again: "
            f"{', '.join(faults)}"
        )
    read = [pieces / INDEX, *(pieces / part.name for part in parts)]
    check_apart([out / part.name for part in files], {"one of the pieces": read})
    out.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(part.size for part in files), shutil.disk_usage(out.parent).free
    if needed > free:
        raise EmsyncError(f"{needed} bytes are to be unpacked; {str(out)!r} has room for {free}")
    try:
        packed = _Unpacked(pieces / part.name for part in parts)
        with closing(packed) as stream, together() as outputs:
            partial = outputs.folder(out)
            for part in files:
                with (partial / part.name).open("wb") as file:
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
    if not (pieces / INDEX).exists():
        raise InputError(f"{str(pieces)!r} has no {INDEX}")
    index, name = read_json(pieces / INDEX), f"{quoted(pieces / INDEX)} is not sound: "
    lists = [index.get(key) for key in ("files", "pieces")]
    if not all(isinstance(rows, list) for rows in lists):
        raise InputError(f"{name}it has no lists of files and pieces")
    files, parts = ([build(Part, row, name, InputError) for row in rows or ()] for rows in lists)
    for part in (*files, *parts):
        if PurePath(part.name).name != part.name or part.name == ".." or len(part.name) > LONGEST:
            raise InputError(f"{name}{shown(part.name)} is no file's name")
    for some in (files, parts):
        if len({part.name for part in some}) < len(some):
            raise InputError(f"{name}it names a file twice")
    return files, parts


def _earlier(out: Path) -> list[str]:
    """Return the files of an earlier ``pack``; UsageError where ``out`` holds other pieces."""
    earlier = [part.name for part in _read_index(out)[1]] if (out / INDEX).exists() else []
    others = {path.name for path in out.glob("*.xz")} - set(earlier)
    if others:
        raise UsageError(
            f"{str(out)!r} holds {min(others)!r}, which emsync did not write; name another folder"
        )
    return [INDEX, *earlier]


def _fault(path: Path, part: Part) -> str:
    """Return what is wrong with a piece, or nothing."""
    if not path.is_file():
        return f"{part.name} (missing)"
    with path.open("rb") as file:
        good = hashlib.file_digest(file, "sha256").hexdigest() == part.sha256
    return "" if good else f"{part.name} (damaged)"


class _Unpacked:
    """The stream of several pieces, unpacked as far as it is read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = iter(paths)
        self.file: BinaryIO = io.BytesIO()
        self.unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY)

    def read(self, most: int) -> bytes:
        """Return at most so many bytes; none at the end. EOFError where the stream is cut off."""
        while not self.unpacker.eof:
            if content := self.unpacker.decompress(self._packed(), most):
                return content
        return b""

    def close(self) -> None:
        """Close the piece that is being read."""
        self.file.close()

    def _packed(self) -> bytes:
        """Return the next bytes of the pieces, if the unpacker needs any."""
        if not self.unpacker.needs_input:
            return b""
        while not (content := self.file.read(BLOCK)):
            self.file.close()
            if (path := next(self.paths, None)) is None:
                raise EOFError("the stream ends too early")
            self.file = path.open("rb")
        return content


def _copy(stream: _Unpacked, file: BinaryIO, size: int) -> str:
    """Copy the next ``size`` bytes of ``stream`` to ``file`` and return their SHA-256."""
    digest = hashlib.sha256()
    while size and (block := stream.read(min(size, BLOCK))):
        file.write(block)
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
