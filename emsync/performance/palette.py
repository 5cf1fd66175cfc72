"""A palette: the players of a score, from a TOML file that a person can write.

summary = "violins over cellos"

[[players]]
name = "Violins"
plays = "strings"
sound = "String Ensemble 1"
range = "G3-E7"
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from emsync.errors import InputError, UsageError
from emsync.limits import can_be_read_again, one_line, quoted, read_toml, shown
from emsync.music.general_midi import FULL, KITS, MELODIC, PROGRAM_NAMES, STROKES
from emsync.music.piece import CLASSES, DRUMS
from emsync.music.tonality import pitch_class
from emsync.performance.player import LOUDNESS, OCTAVE, Line, Notes, Player, Repeats
from emsync.settings import Within, build

FOLDER = Path(__file__).parent / "palettes"
MOST_BYTES = 64 * 2**10  # of a file
LONGEST_SUMMARY = 100  # characters
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .&'()+-]{0,39}")
PITCH = re.compile(r"([A-Ga-g][#b]?)(-?\d)")
OFF = "off"  # of drums that are not struck


@dataclass(frozen=True)
class Palette:
    """The players of a score."""

    name: str  # of one that is shipped, or the path of its file
    summary: str  # what it is, in a line
    players: tuple[Player, ...]  # in the order of the score

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it plays."""
        played = {player.instrument for player in self.players if not player.doubles}
        return tuple(name for number, name in enumerate(CLASSES) if number in played)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the palette that is shipped by that name, or the one of a file.

        A name with a point or a stroke in it is that of a file. UsageError or InputError says
        what is wrong with it.
        """
        return _read(cls, _path(name), name)


@lru_cache
def names() -> tuple[str, ...]:
    """Return the names of the palettes that are shipped."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def shipped() -> dict[str, str]:
    """Return the summary of each palette that is shipped, by its name."""
    return {name: Palette.named(name).summary for name in names()}


def text_of(name: str) -> str:
    """Return the TOML of a palette that can be read, by its name or the path of its file."""
    Palette.named(name)  # which says what is wrong with it
    return _path(name).read_text(encoding="utf-8")


def _path(name: str) -> Path:
    check_name(name)
    return FOLDER / f"{name}.toml" if name in names() else Path(name)


def file_of(name: str) -> Path | None:
    """Return the file that a palette's name is the path of; None where it is not one of a file."""
    is_path = name.endswith(".toml") or "/" in name or "\\" in name
    return Path(name) if is_path and name not in names() else None


def check_name(name: str) -> None:
    """Refuse what is neither the name of a shipped palette nor that of a file; UsageError."""
    if name in names() or file_of(name):
        return
    near = get_close_matches(name.lower(), names(), 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise UsageError(
        f"there is no palette {shown(name)}{meant}; choose one of {', '.join(names())}, or a file "
        "such as mine.toml"
    )


@dataclass(frozen=True)
class _Written:
    """A player as a file has it."""

    name: str
    plays: Literal["drums", "bass", "guitar", "piano", "strings"]
    sound: str | int
    range: str = ""
    octave: Annotated[int, Within(-4, 4)] = 0
    notes: Notes = "all"
    line: Line = "all"
    doubles: bool = False
    repeats: Repeats = "struck"
    volume: Annotated[int, Within(0, FULL)] = LOUDNESS
    pan: Annotated[int, Within(0, FULL)] = 64
    strokes: Mapping[str, Any] = field(default_factory=dict)


def _read(kind: type[Palette], path: Path, name: str) -> Any:
    told = f"the palette {quoted(path)}: "
    if not can_be_read_again(path):  # each section asks for it
        raise InputError(f"{told}it is not a file that can be read again; save it as a .toml first")
    data = read_toml(path, MOST_BYTES)
    if unknown := sorted(set(data) - {"summary", "players"}):
        raise InputError(f"{told}{shown(unknown[0])} is no key of it; there are summary, players")
    summary = data.get("summary", "")
    if not isinstance(summary, str) or one_line(summary, LONGEST_SUMMARY) != summary:
        raise InputError(
            f"{told}summary is {shown(summary)}, not a line of at most {LONGEST_SUMMARY} characters"
        )
    rows = data.get("players")
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{told}it has no players; write a table [[players]] for each of them")
    if len(rows) > len(MELODIC) + 1:
        raise InputError(
            f"{told}it has {len(rows)} players; {len(MELODIC)} and one for drums are the most"
        )
    players = tuple(_player(row, f"{told}player {n}: ") for n, row in enumerate(rows, 1))
    _check(players, told)
    return kind(name, summary, players)


def _player(row: Any, place: str) -> Player:
    one = build(_Written, row, place, InputError)
    if not NAME.fullmatch(one.name):
        raise InputError(
            f"{place}the name is {shown(one.name)}; it must have 1 to 40 letters without accents, "
            "digits, spaces or signs such as - and '"
        )
    place = f"{place[:-2]}, {one.name}: "
    instrument = CLASSES.index(one.plays)
    drums = instrument == DRUMS
    low, high = _range(one.range, place) if one.range else (0, FULL)
    if drums:
        for key in ("range", "octave", "notes", "line", "doubles", "repeats"):
            if getattr(one, key) != getattr(_Written, key):
                raise InputError(f"{place}drums have no {key}; leave it out")
    elif one.strokes:
        raise InputError(f"{place}strokes are of drums, not of {one.plays}; leave them out")
    return Player(
        one.name,
        instrument,
        program=_program(one.sound, KITS if drums else _PROGRAMS, drums, place),
        volume=one.volume,
        pan=one.pan,
        low=low,
        high=high,
        octave=one.octave,
        notes=one.notes,
        line=one.line,
        doubles=one.doubles,
        repeats=one.repeats,
        strokes=tuple(_strokes(one.strokes, place)),
    )


_PROGRAMS = {name: number for number, name in enumerate(PROGRAM_NAMES)}


def _program(sound: Any, known: Mapping[str, int], drums: bool, place: str) -> int:
    """Return the program that ``sound`` names, or the number that it is."""
    what = "drum kit" if drums else "sound of General MIDI"
    if isinstance(sound, int) and not isinstance(sound, bool):
        if not 0 <= sound <= FULL:
            raise InputError(f"{place}sound is {shown(sound)}, outside 0 to {FULL}")
        if drums and sound not in known.values():
            raise InputError(f"{place}sound {sound} is no {what}; name one of {', '.join(known)}")
        return sound
    lower = {name.lower(): number for name, number in known.items()}
    if isinstance(sound, str) and sound.lower() in lower:
        return lower[sound.lower()]
    near = get_close_matches(str(sound).lower(), list(lower), 1)
    meant = next((name for name in known if near and name.lower() == near[0]), "")
    ways = f"name one of {', '.join(known)}" if drums else "name one such as Violin, or 0 to 127"
    raise InputError(
        f"{place}{shown(sound)} is no {what}; {f'did you mean {meant}?' if meant else ways}"
    )


def pitch_of(name: str) -> int:
    """Return the MIDI pitch of a name; ValueError where it is none.

    >>> pitch_of("C4"), pitch_of("Bb-1"), pitch_of("G9")
    (60, 10, 127)
    """
    found = PITCH.fullmatch(name.strip())
    if not found:
        raise ValueError(f"{shown(name)} is no pitch such as C4 (the middle C), F#2 or Bb5")
    sign = {"": 0, "#": 1, "b": -1}[found[1][1:]]  # B#3 is C4, Cb4 is B3
    number = pitch_class(found[1][0].upper()) + sign + OCTAVE * (int(found[2]) + 1)
    if not 0 <= number <= FULL:
        raise ValueError(f"{shown(name)} is outside C-1 to G9")
    return number


def _range(text: str, place: str) -> tuple[int, int]:
    """Return the lowest and the highest pitch of such as "G3-E7"."""
    split = re.fullmatch(r"\s*([^\s-]+-?\d*?)\s*-\s*([^\s-]+(?:-\d)?)\s*", text)
    if not split:
        raise InputError(f"{place}the range is {shown(text)}, not two pitches such as G3-E7")
    try:
        low, high = pitch_of(split[1]), pitch_of(split[2])
    except ValueError as error:
        raise InputError(f"{place}in the range {shown(text)}, {error}") from error
    if low > high:
        raise InputError(
            f"{place}the range {shown(text)} is upside down; its lowest pitch is first"
        )
    if high - low < OCTAVE - 1:
        raise InputError(
            f"{place}the range {shown(text)} excludes some notes in every octave; let it span "
            "twelve keys at least, such as C3-B3"
        )
    return low, high


def _strokes(given: Mapping[str, Any], place: str) -> Iterable[tuple[int, int]]:
    """Yield what is struck in place of each key, -1 for nothing."""
    for group, other in given.items():
        if group not in STROKES:
            raise InputError(f"{place}strokes has {shown(group)}; there are {', '.join(STROKES)}")
        if other == OFF:
            new = -1
        elif isinstance(other, int) and not isinstance(other, bool) and 0 <= other <= FULL:
            new = other
        elif isinstance(other, str) and other in STROKES and other != "other":
            new = STROKES[other][-1]
        else:
            known = ", ".join(name for name in STROKES if name != "other")
            raise InputError(
                f"{place}strokes.{group} is {shown(other)}; write {OFF!r}, one of {known}, or a "
                f"key from 0 to {FULL}"
            )
        yield from ((key, new) for key in STROKES[group])


def _check(players: tuple[Player, ...], told: str) -> None:
    """Refuse players that cannot be together, or that leave notes of a class to nobody."""
    known = set[str]()
    for player in players:
        if player.name.lower() in known:
            raise InputError(f"{told}two players are named {shown(player.name)}; rename one")
        known.add(player.name.lower())
    for instrument in sorted({player.instrument for player in players}):
        mine = [player for player in players if player.instrument == instrument]
        words, first = CLASSES[instrument], mine[0]
        alone = [player for player in mine if not player.doubles]
        if not alone:
            raise InputError(
                f"{told}{first.name} doubles the {words}, whom nobody plays; let one player of "
                f"{words} not double"
            )
        if other := next((p for p in alone if p.repeats != alone[0].repeats), None):
            raise InputError(
                f"{told}of the {words}, {alone[0].name} and {other.name} differ in repeats "
                f"({alone[0].repeats} and {other.repeats}); give them one value"
            )
        if instrument == DRUMS and len(mine) > 1:
            raise InputError(
                f"{told}{mine[0].name} and {mine[1].name} both play the drums, which have one "
                "channel; leave one out"
            )
        if all(key < 0 for key in _keys(first)):
            raise InputError(f"{told}{first.name} strikes nothing; leave some of its strokes on")
        for notes in ("long", "short"):
            for line in ("upper", "lower"):
                if not any(p.notes in ("all", notes) and p.line in ("all", line) for p in alone):
                    raise InputError(
                        f"{told}of the {words}, nobody plays the {notes} notes of the {line} line; "
                        "let a player have them, or all notes"
                    )


def _keys(player: Player) -> list[int]:
    strokes = dict(player.strokes)
    return [strokes.get(key, key) for key in range(FULL + 1)]
