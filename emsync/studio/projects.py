"""The films of the studio on disk, each a folder that the command line can open, too.

    HOME/FILM/film.mp4, proxy.mp4, strip/, seen.json, analysis.json, plan.json, project.json
    HOME/FILM/versions/N.json           documents, by which a person undoes
    HOME/FILM/takes/TAKE/               score.mid, sound.flac, take.json, recipe.json, stems, files

``analysis.json`` and ``plan.json`` are those of the present version. Ids are made here, and looked
up: no name that a browser sends is ever part of a path.
"""

import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from emsync.errors import InputError, UsageError, warn
from emsync.files import atomic_write, together
from emsync.json_fields import FieldError, as_written, list_of, object_of, real, text_of
from emsync.limits import one_line, quoted, read_json
from emsync.studio.document import Document

FORMAT = 1
MOST_VERSIONS = 200  # that are kept; the oldest go first
ID = re.compile(r"[0-9a-f]{16}")
HALF = re.compile(rf"\.{ID.pattern}\.part")  # a film that is arriving, or being deleted
PARTIAL = re.compile(r"\..+\.part(\..*)?")
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
FILE = re.compile(r"[a-z]+\.[a-z0-9]+|")  # what files of ours are called; "" is none
MOST_ROWS = 1000  # versions, or pictures, of which a record is still read
LONGEST_NAME = 200  # characters of a film's name


@dataclass(frozen=True)
class Version:
    """A state of the document."""

    number: int
    what: str  # was done, in a few words


@dataclass(frozen=True)
class Record:
    """What ``project.json`` says of a film."""

    name: str  # of the file that was dropped
    film: str  # the name of its copy
    drawn: bool = False  # whether the film is the demonstration's, which is drawn
    created: float = field(default_factory=time.time)  # seconds since 1970
    state: str = "watching"  # then "ready", or "failed" for ``reason``
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the film, for the page
    strip: tuple[float, ...] = ()  # seconds of its pictures, by number
    picture: str = ""  # the file that a browser plays; "" while there is none
    picture_type: str = ""  # its media type
    composed: int = 0  # how often pieces were drawn, so that the next are others
    versions: tuple[Version, ...] = ()  # ascending
    at: int = 0  # the number of the present one; 0 while there is none


@dataclass
class Project:
    """A film in the studio. Its methods change the files, and are called one at a time.

    What is in memory changes once it is on the disk, so that a full disk loses nothing.
    """

    id: str
    folder: Path
    record: Record

    @classmethod
    def create(cls, home: Path, name: str, drawn: bool = False) -> Self:
        """Make the folder of a new film, hidden until ``enter`` is called, the film being there.

        ``name`` is what a person calls it; control characters and folders are taken out of it.
        """
        name = one_line(Path(name).name, LONGEST_NAME).strip(" .") or "film"
        suffix = Path(name).suffix.lower()
        film = f"film{suffix}" if SUFFIX.fullmatch(suffix) else "film.video"
        id_ = secrets.token_hex(8)
        folder = home / f".{id_}.part"
        (folder / "takes").mkdir(parents=True)
        return cls(id_, folder, Record(name, film, drawn))

    def enter(self) -> None:
        """Let the film count: all of it has arrived."""
        self.save()
        self.folder = self.folder.rename(self.folder.with_name(self.id))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a film's folder; InputError where it is none of ours."""
        data = read_json(folder / "project.json")
        if data.get("format") != FORMAT:
            raise InputError(f"{quoted(folder)} is of another version of the studio")
        try:
            record = _record(data)
        except FieldError as error:
            raise InputError(f"{quoted(folder / 'project.json')}: {error}") from error
        return cls(folder.name, folder, record)

    @property
    def film(self) -> Path:
        """The film as it was dropped."""
        return self.folder / self.record.film

    def save(self, **changes: Any) -> None:
        """Write ``project.json`` with ``changes`` of the record."""
        record = replace(self.record, **changes)
        write_json(self.folder / "project.json", _plain(record))
        self.record = record

    def leave(self) -> None:
        """Let the film count no more, as before ``enter``; a start removes what is then left."""
        self.folder = self.folder.rename(self.folder.with_name(f".{self.id}.part"))

    def delete(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder)

    def sweep(self) -> None:
        """Remove what a worker that was ended has left half written."""
        for place, folders, files in os.walk(self.folder):
            for name in filter(PARTIAL.fullmatch, files):
                (Path(place) / name).unlink(missing_ok=True)
            for name in [*filter(PARTIAL.fullmatch, folders)]:
                shutil.rmtree(Path(place) / name)
                folders.remove(name)

    def bytes(self) -> int:
        """Return how much room all of it takes."""
        return _size(self.folder)

    # --- versions ---

    def document(self) -> Document:
        """Return the present document."""
        return Document.from_json(self.document_json())

    def version(self, number: int) -> Document:
        """Return the document of a version."""
        return Document.from_json(read_json(self._version(number)))

    def document_json(self) -> dict[str, Any]:
        """Return the present document as plain values; a take that is gone is not kept."""
        data = read_json(self._version(self.record.at))
        return {**data, "take": take if (take := data.get("take")) in self.takes() else None}

    def seen(self) -> dict[str, Any]:
        """Return the analysis as the film was first seen."""
        return read_json(self.folder / "seen.json")

    def put(self, document: Document, what: str, **changes: Any) -> None:
        """Make ``document`` the present version; what was undone before it is gone.

        ``changes`` are those of the record that go with it.
        """
        record = self.record
        number = max((v.number for v in record.versions), default=0) + 1
        before = [v for v in record.versions if v.number <= record.at]
        kept = (*before, Version(number, one_line(what, 80).strip() or "changed"))[-MOST_VERSIONS:]
        (self.folder / "versions").mkdir(exist_ok=True)
        new = replace(record, versions=kept, at=number, **changes)
        self._write(document, new, self._version(number))
        for version in set(record.versions) - set(kept):
            self._version(version.number).unlink(missing_ok=True)

    def go(self, number: int) -> None:
        """Make the version of this number the present one; KeyError where there is none."""
        if number not in {v.number for v in self.record.versions}:
            raise KeyError(number)
        self._write(self.version(number), replace(self.record, at=number))

    def beside(self, step: int) -> int | None:
        """Return the number of the version so many steps from the present one, if there is one."""
        numbers = [v.number for v in self.record.versions]
        place = numbers.index(self.record.at) + step if self.record.at in numbers else -1
        return numbers[place] if 0 <= place < len(numbers) else None

    def _version(self, number: int) -> Path:
        return self.folder / "versions" / f"{number}.json"

    def _write(self, document: Document, record: Record, version: Path | None = None) -> None:
        with together() as files:
            if version is not None:
                _dump(files.file(version), document.to_json())
            document.analysis.save(files.file(self.folder / "analysis.json"))
            document.plan.save(files.file(self.folder / "plan.json"))
            _dump(files.file(self.folder / "project.json"), _plain(record))
        self.record = record

    # --- takes ---

    def takes(self) -> list[str]:
        """Return the ids of the takes that are whole, oldest first."""
        whole = []
        for name in self._take_names():
            with suppress(FileNotFoundError):  # not yet, or no more
                facts = (self.folder / "takes" / name / "take.json").stat()
                whole.append((facts.st_mtime_ns, name))
        return [name for _, name in sorted(whole)]

    def _take_names(self) -> list[str]:
        with suppress(FileNotFoundError), os.scandir(self.folder / "takes") as entries:
            return [
                e.name for e in entries if ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)
            ]
        return []  # the film is just being deleted, or a person has removed the folder

    def has(self, id_: object) -> bool:
        """Return whether there is a take of this id."""
        return id_ in self._take_names() and id_ in self.takes()

    def take(self, id_: object) -> Path:
        """Return the folder of a take; KeyError where there is none of this id."""
        if not self.has(id_):
            raise KeyError(id_)
        return self.folder / "takes" / str(id_)

    def delete_take(self, id_: str) -> None:
        """Remove a take: hidden at once, so that no half of it is ever seen."""
        folder = self.take(id_)
        shutil.rmtree(folder.rename(folder.with_name(f".{id_}.part")))


def open_home(home: Path) -> Path:
    """Return the folder of the studio, which is made where it is missing."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # other people of the machine stay out
        if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UsageError(
            f"the studio cannot keep its films in {quoted(home)}: {error.strerror}; name another "
            "folder with --home"
        ) from error
    return home


def load_all(home: Path) -> dict[str, Project]:
    """Return the films in ``home`` by their ids, none but those of a process that has its lock.

    A film that cannot be read is left alone, with a warning. What an upload or a deletion that was
    killed has left is removed. Links are not followed.
    """
    found = {}
    for folder in sorted(home.iterdir()):
        if folder.is_symlink():
            continue
        if HALF.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
        elif ID.fullmatch(folder.name):
            try:
                found[folder.name] = Project.load(folder)
            except InputError as error:
                warn(f"a film is left alone: {error}")
    return found


def _record(data: Mapping[str, Any]) -> Record:
    """Return the record that ``project.json`` holds; FieldError says which value is off."""
    if missing := [key for key in ("name", "film", "versions") if key not in data]:
        raise FieldError(f"there is no {missing[0]}")
    record = Record(**{key: _READERS[key](data[key], key) for key in _READERS if key in data})
    numbers = [version.number for version in record.versions]
    if numbers != sorted({*numbers}):
        raise FieldError("the numbers of the versions do not ascend")
    if record.state == "ready" and record.at not in numbers:
        raise FieldError(f"at is {record.at}, and there is no such version")
    return record


def _whole(value: Any, key: str) -> int:
    return int(real(value, key, 0, 2**53))


def _one_of(*known: str) -> Callable[[Any, str], str]:
    def read(value: Any, key: str) -> str:
        if value not in known:
            raise FieldError(f"{key} is {as_written(value)}, none of {', '.join(known)}")
        return str(value)

    return read


def _file(value: Any, key: str) -> str:
    if not FILE.fullmatch(text_of(value, key)):
        raise FieldError(f"{key} is {as_written(value)}, which is no file of the studio")
    return str(value)


def _versions(value: Any, key: str) -> tuple[Version, ...]:
    rows = [object_of(row, f"{key}[{n}]") for n, row in enumerate(list_of(value, key, MOST_ROWS))]
    return tuple(
        Version(
            _whole(row.get("number"), f"{key}[{n}].number"),
            text_of(row.get("what"), f"{key}[{n}].what"),
        )
        for n, row in enumerate(rows)
    )


def _facts(value: Any, key: str) -> dict[str, Any]:
    facts = object_of(value, key)
    if "duration" in facts:
        real(facts["duration"], f"{key}.duration", 0)
    return facts


def _times(value: Any, key: str) -> tuple[float, ...]:
    rows = list_of(value, key, MOST_ROWS)
    return tuple(real(row, f"{key}[{n}]") for n, row in enumerate(rows))


_READERS: Mapping[str, Callable[[Any, str], Any]] = {  # of the record, by name
    "name": text_of, "film": _file, "drawn": lambda value, key: value is True, "created": real,
    "state": _one_of("watching", "ready", "failed"), "reason": text_of, "facts": _facts,
    "strip": _times, "picture": _file, "picture_type": _one_of("", "video/mp4", "video/webm"),
    "composed": _whole, "versions": _versions, "at": _whole,
}  # fmt: skip


def _size(folder: Path | str) -> int:
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # it may go meanwhile
                inside = entry.is_dir(follow_symlinks=False)
                total += _size(entry.path) if inside else entry.stat(follow_symlinks=False).st_size
    return total


def _plain(record: Record) -> dict[str, Any]:
    return {"format": FORMAT, **asdict(record)}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    with atomic_write(path) as partial:
        _dump(partial, data)


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, allow_nan=False) + "\n", encoding="utf-8")
