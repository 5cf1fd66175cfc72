"""Which films a batch has, what is wished of each, and what its outputs are named."""

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from emsync.errors import InputError, UsageError
from emsync.limits import quoted, read_text, shown
from emsync.options import Options
from emsync.performance.palette import file_of
from emsync.video.film import FILMS

# What a table may wish of a film, by its kind; of FILES, palette and cuts may also be words
FILES: Final = ("analysis", "cuts", "emotion_file", "like", "palette", "plan", "theme")
NUMBERS: Final = ("seed", "candidates", "audio_stream", "top_k")
REALS: Final = (
    "tempo", "valence", "arousal", "max_va", "min_cut_distance", "max_tempo_change", "humanize",
    "temperature", "top_p", "guidance",
)  # fmt: skip
WORDS: Final = (
    "estimator", "arc", "emotion", "tonic", "mode", "chords", "instruments", "sync", "ending",
    "start_timecode",
)  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A film, the beginning of its outputs' names, and what is wished of it alone."""

    film: Path
    name: str  # a path within the folder of outputs, without suffix
    wishes: Mapping[str, Any] = field(default_factory=dict)  # by the fields of ``Options``


def films_of(source: Path, out: Path) -> list[Listed]:
    """Return the films below the folder ``source``, but not below ``out``, or those of a list.

    A list is a text with a path a line; with the suffix .csv it is a table whose column ``film``
    has the paths, and whose other columns are wishes. Paths are relative to its folder. InputError
    where there is no film, UsageError where one is listed twice or a wish cannot be.
    """
    if not source.is_dir() and source.suffix.lower() in FILMS:
        raise UsageError(f"{quoted(source)} is no list; name its folder, or use generate")
    folder = _whole(source if source.is_dir() else source.parent)
    rows = _below(folder, _whole(out)) if source.is_dir() else _listed(source, folder)
    if not rows:
        raise InputError(
            f"there is no film in {quoted(source)}; give a folder of {' '.join(sorted(FILMS))}, "
            "or a list with a path a line"
        )
    paths = [_whole(folder / path) for path, _ in rows]
    if folders := [path for path in paths if path.is_dir()]:
        raise UsageError(f"{quoted(source)} lists {quoted(folders[0])}, a folder; list its films")
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise UsageError(f"{quoted(source)} has {quoted(twice[0])} twice; name each film once")
    names = _names([_within(path, folder) for path in paths])
    return [
        Listed(path, name, wishes)
        for path, name, (_, wishes) in zip(paths, names, rows, strict=True)
    ]


def anchored(options: Options, folder: Path) -> Options:
    """Return ``options`` with the files that they name in ``folder`` found from everywhere."""
    given = {name: getattr(options, name) for name in FILES}
    paths = {name: value for name, value in given.items() if isinstance(value, str | os.PathLike)}
    return replace(options, **{name: _found(name, text, folder) for name, text in paths.items()})


def _found(wish: str, value: str | os.PathLike[str], folder: Path) -> Any:
    """Return a wish of FILES with the file that it names found from everywhere."""
    is_word = (
        value in ("auto", "none")
        if wish == "cuts"
        else (wish == "palette" and file_of(os.fspath(value)) is None)
    )
    return value if is_word else str(folder / value)


def _whole(path: Path) -> Path:
    """Return ``path`` from the root on, without ``..``; links are not followed."""
    return Path(os.path.normpath(path.absolute()))


def _below(folder: Path, out: Path) -> list[tuple[str, dict[str, Any]]]:
    hidden = out if out != folder and out.is_relative_to(folder) else None
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in FILMS and not path.name.startswith(".") and path.is_file()
    ]
    return [(str(path), {}) for path in found if hidden not in path.parents]


def _listed(source: Path, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    text = read_text(source, others="surrogateescape")
    if "\0" in text:
        raise InputError(f"{quoted(source)} is not a text; save it as UTF-8")
    if source.suffix.lower() != ".csv":
        lines = [line.strip() for line in text.split("\n")]  # names may have other ends of lines
        return [(line, {}) for line in lines if line and not line.startswith("#")]
    table = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        return _rows(table, source, folder)
    except csv.Error as error:
        raise UsageError(f"{quoted(source)}, line {table.line_num}: {error}") from error


def _rows(
    table: "csv.DictReader[str]", source: Path, folder: Path
) -> list[tuple[str, dict[str, Any]]]:
    columns = [name.strip().replace("-", "_") for name in table.fieldnames or ()]
    table.fieldnames = columns
    known = ("film", *sorted({*FILES, *NUMBERS, *REALS, *WORDS}))
    for column in columns:
        if column not in known:
            raise UsageError(
                f"{quoted(source)}: {shown(column)} is no column; there are {', '.join(known)}"
            )
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise UsageError(f"{quoted(source)} has two columns {twice[0]!r}; leave one out")
    if "film" not in columns:
        raise UsageError(f"{quoted(source)} has no column 'film'; its first line names the columns")
    return [
        (row["film"], _wishes(row, folder, f"{quoted(source)}, line {table.line_num}"))
        for row in table
    ]


def _wishes(row: Mapping[str | Any, Any], folder: Path, place: str) -> dict[str, Any]:
    """Return what the fields of a line wish; an empty one wishes nothing."""
    if None in row or None in row.values():
        raise UsageError(f"{place}: it has not as many fields as there are columns")
    return {
        name: _value(name, text.strip(), folder, place)
        for name, text in row.items()
        if name and name != "film" and text.strip()
    }


def _value(name: str, text: str, folder: Path, place: str) -> Any:
    if name in FILES:
        return _found(name, text, folder)
    kind = int if name in NUMBERS else float if name in REALS else str
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"{place}: {name} is {shown(text)}, which is no number") from error


def _within(film: Path, folder: Path) -> Path:
    """Return a film's path within ``folder``; of one that lies elsewhere, from the root on."""
    if film.is_relative_to(folder):
        return film.relative_to(folder)
    return film.relative_to(film.anchor)


def _names(films: Sequence[Path]) -> list[str]:
    """Return what outputs are named: as the film without suffix, or with it where two would clash.

    >>> _names([Path("a.mp4"), Path("b/a.mp4"), Path("b/a.mov")])
    ['a', 'b/a.mp4', 'b/a.mov']
    """
    whole = [film.as_posix() for film in films]
    short = [film.with_suffix("").as_posix() for film in films]
    taken = Counter(name.casefold() for name in [*short, *whole])  # where cases do not differ, too
    return [
        one if taken[one.casefold()] == 1 else full for one, full in zip(short, whole, strict=True)
    ]
