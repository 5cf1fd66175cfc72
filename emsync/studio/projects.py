"""The films of the studio on disk, each a folder that the command line can open, too.

    HOME/FILM/film.mp4, proxy.mp4, strip/, seen.json, analysis.json, plan.json, project.json
    HOME/FILM/versions/N.json           documents, by which a person undoes
    HOME/FILM/takes/TAKE/               score.mid, sound.flac, take.json, recipe.json, stems, files

``analysis.json`` and ``plan.json`` are those of the present version. Ids are made here, and looked
up: no name that a browser sends is ever part of a path.
"""

import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from emsync.errors import InputError
from emsync.files import atomic_write, together
from emsync.limits import one_line, read_json
from emsync.studio.document import Document

FORMAT = 1
MOST_VERSIONS = 200  # that are kept; the oldest go first
ID = re.compile(r"[0-9a-f]{16}")
PARTIAL = re.compile(r"\..+\.part(\..*)?")
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
LONGEST_NAME = 200  # characters of a film's name


@dataclass(frozen=True)
class Version:
    """A state of the document."""

    number: int
    what: str  # was done, in a few words


@dataclass
class Record:
    """What ``project.json`` says of a film."""

    name: str  # of the file that was dropped
    film: str  # the name of its copy
    created: float = field(default_factory=time.time)  # seconds since 1970
    state: str = "watching"  # then "ready", or "failed" for ``reason``
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)  # of the film, for the page
    strip: list[float] = field(default_factory=list)  # seconds of its pictures, by number
    picture: str = ""  # the file that a browser plays; "" while there is none
    picture_type: str = ""  # its media type
    composed: int = 0  # how often pieces were drawn, so that the next are others
    versions: list[Version] = field(default_factory=list)  # ascending
    at: int = 0  # the number of the present one; 0 while there is none


@dataclass
class Project:
    """A film in the studio. Its methods change the files, and are called one at a time."""

    id: str
    folder: Path
    record: Record

    @classmethod
    def create(cls, home: Path, name: str) -> Self:
        """Make the folder of a new film, whose file is still to be filled."""
        suffix = Path(name).suffix.lower()
        film = f"film{suffix}" if SUFFIX.fullmatch(suffix) else "film.video"
        id_ = secrets.token_hex(8)
        folder = home / id_
        (folder / "takes").mkdir(parents=True)
        project = cls(id_, folder, Record(one_line(Path(name).name or "film", LONGEST_NAME), film))
        project.save()
        return project

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a film's folder; InputError where it is none of ours."""
        data = read_json(folder / "project.json")
        if data.pop("format", None) != FORMAT:
            raise InputError(f"{folder.name} is of another version of the studio")
        known = {f.name for f in fields(Record)}
        try:
            rows = [Version(int(row["number"]), str(row["what"])) for row in data.pop("versions")]
            record = Record(**{k: v for k, v in data.items() if k in known}, versions=rows)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder.name} has a damaged project.json") from error
        return cls(folder.name, folder, record)

    @property
    def film(self) -> Path:
        """The film as it was dropped."""
        return self.folder / self.record.film

    def save(self) -> None:
        """Write ``project.json``."""
        write_json(self.folder / "project.json", {"format": FORMAT, **asdict(self.record)})

    def delete(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder)

    def sweep(self) -> None:
        """Remove what a worker that was ended has left half written."""
        for path in sorted(self.folder.rglob("*")):
            if PARTIAL.fullmatch(path.name) and path.exists():
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def bytes(self) -> int:
        """Return how much room all of it takes."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # it may go meanwhile
                total += path.lstat().st_size
        return total

    # --- versions ---

    def document(self) -> Document:
        """Return the present document."""
        return Document.from_json(read_json(self._version(self.record.at)))

    def seen(self) -> dict[str, Any]:
        """Return the analysis as the film was first seen."""
        return read_json(self.folder / "seen.json")

    def put(self, document: Document, what: str) -> None:
        """Make ``document`` the present version; what was undone before it is gone."""
        record = self.record
        kept = [v for v in record.versions if v.number <= record.at]
        gone = [v for v in record.versions if v.number > record.at]
        number = max((v.number for v in record.versions), default=0) + 1
        kept.append(Version(number, one_line(what, 80) or "changed"))
        gone += kept[:-MOST_VERSIONS]
        record.versions, record.at = kept[-MOST_VERSIONS:], number
        (self.folder / "versions").mkdir(exist_ok=True)
        self._write(document, self._version(number))
        for version in gone:
            self._version(version.number).unlink(missing_ok=True)

    def go(self, number: int) -> Document:
        """Make the version of this number the present one; KeyError where there is none."""
        if number not in {v.number for v in self.record.versions}:
            raise KeyError(number)
        self.record.at = number
        document = self.document()
        self._write(document)
        return document

    def beside(self, step: int) -> int | None:
        """Return the number of the version so many steps from the present one, if there is one."""
        numbers = [v.number for v in self.record.versions]
        place = numbers.index(self.record.at) + step if self.record.at in numbers else -1
        return numbers[place] if 0 <= place < len(numbers) else None

    def _version(self, number: int) -> Path:
        return self.folder / "versions" / f"{number}.json"

    def _write(self, document: Document, version: Path | None = None) -> None:
        with together() as files:
            if version is not None:
                _dump(files.file(version), document.to_json())
            document.analysis.save(files.file(self.folder / "analysis.json"))
            document.plan.save(files.file(self.folder / "plan.json"))
            record = {"format": FORMAT, **asdict(self.record)}
            _dump(files.file(self.folder / "project.json"), record)

    # --- takes ---

    def takes(self) -> list[str]:
        """Return the ids of the takes that are whole, oldest first."""
        folders = [p for p in (self.folder / "takes").glob("*") if ID.fullmatch(p.name)]
        whole = [p for p in folders if (p / "take.json").is_file()]
        return [p.name for p in sorted(whole, key=_made)]

    def take(self, id_: str) -> Path:
        """Return the folder of a take; KeyError where there is none of this id."""
        if id_ not in self.takes():
            raise KeyError(id_)
        return self.folder / "takes" / id_


def _made(take: Path) -> tuple[int, str]:
    return (take / "take.json").stat().st_mtime_ns, take.name


def load_all(home: Path) -> dict[str, Project]:
    """Return the films in ``home`` by their ids; a folder that cannot be read is left alone."""
    home.mkdir(parents=True, exist_ok=True)
    found = {}
    for folder in sorted(home.iterdir()):
        if ID.fullmatch(folder.name) and (folder / "project.json").is_file():
            with suppress(InputError):
                found[folder.name] = Project.load(folder)
    return found


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    with atomic_write(path) as partial:
        _dump(partial, data)


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, allow_nan=False) + "\n", encoding="utf-8")
