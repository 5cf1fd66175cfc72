"""Who plays which note of a piece, and in which octave."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.music.moments import near
from emsync.music.piece import CLASSES, DRUMS, Piece
from emsync.performance.figures import Figure, phrases
from emsync.performance.player import BAND, OCTAVE, PLAIN, Casting, Player

AT_HIT = 0.005  # seconds within which a stroke is on a hit
KICK = 36  # key of a bass drum
FARTHEST = 99  # octaves to a range that is narrower than the figure: anybody else goes before


@dataclass(frozen=True, eq=False)
class Role:
    """The notes of one player. n notes, of N in the piece."""

    player: Player
    notes: NDArray[np.intp]  # (n,) their places in the piece, ascending
    pitches: NDArray[np.uint8]  # (n,) MIDI pitches at which they are played


Dealt = tuple[Player, NDArray[np.intp], NDArray[np.intp]]  # who, which notes, at which pitches


def arranged(piece: Piece, casting: Casting = PLAIN, hits: Sequence[float] = ()) -> list[Role]:
    """Return the roles of those who play anything, in the order of the players.

    Every note has one player who does not double, at its own pitch or octaves from it, and within
    that player's range. A class that nobody plays at the time is played by those who play it
    earlier or later, or else by the plain band. A figure (a line of a phrase) stays with one
    player, and is moved as one where the range allows it. Drum strokes that a player leaves out are
    struck at ``hits``, in seconds.
    """
    starts = np.array([start for start, _ in casting])
    casts = _complete([players for _, players in casting])
    dealt: list[Dealt] = []
    for instrument in range(len(CLASSES)):
        notes = np.flatnonzero(piece.classes == instrument)
        if instrument == DRUMS:
            scenes = _scenes(starts, piece.onsets[notes])
            for scene in np.unique(scenes).tolist():
                drummer = _of(casts[scene], DRUMS)[0]
                dealt.append(_struck(piece, notes[scenes == scene], drummer, hits))
        elif len(notes):
            for figures in phrases(piece, notes, starts[1:]):
                scene = int(_scenes(starts, piece.onsets[figures[0].notes[:1]])[0])
                dealt += _phrase(piece, figures, _of(casts[scene], instrument))
    order = {player.track: player for cast in reversed(casts) for player in reversed(cast)}
    return list(_roles([order[track] for track in _tracks(casts)], dealt))


def _complete(casts: Sequence[Sequence[Player]]) -> list[list[Player]]:
    """Return the casts, each with others for the classes that it does not play.

    They are those of the first cast that has the class, so that drums stay on one track, or the one
    of the plain band.
    """
    return [
        [*players, *(p for c in range(len(CLASSES)) if not _of(players, c) for p in _any(casts, c))]
        for players in casts
    ]


def _any(casts: Sequence[Sequence[Player]], instrument: int) -> list[Player]:
    """Return the players of a class in the first of ``casts``, or the plain band, that has it."""
    return next(found for players in (*casts, BAND) if (found := _of(players, instrument)))


def _of(players: Iterable[Player], instrument: int) -> list[Player]:
    return [player for player in players if player.instrument == instrument]


def _scenes(starts: Seconds, onsets: Seconds) -> NDArray[np.intp]:
    return np.searchsorted(starts[1:], onsets, side="right")


def _tracks(casts: Iterable[Sequence[Player]]) -> list[tuple[str, int, int, int, int]]:
    """Return the tracks of all casts, each once, in order."""
    return list(dict.fromkeys(player.track for cast in casts for player in cast))


def _roles(players: Iterable[Player], dealt: Iterable[Dealt]) -> Iterable[Role]:
    """Yield what was dealt to each of ``players``, put together."""
    by_track = defaultdict(list)
    for player, notes, pitches in dealt:
        by_track[player.track].append((notes, pitches))
    for player in players:
        if parts := by_track[player.track]:
            notes, pitches = (np.concatenate(column) for column in zip(*parts, strict=True))
            order = np.argsort(notes, kind="stable")
            if len(order):
                yield Role(player, notes[order], pitches[order].astype(np.uint8))


def _struck(piece: Piece, notes: NDArray[np.intp], player: Player, hits: Sequence[float]) -> Dealt:
    """Return the strokes of a drummer."""
    keys = np.arange(128)
    for key, other in player.strokes:
        keys[key] = other
    strokes = keys[piece.pitches[notes]]
    known = keys[keys >= 0]
    instead = keys[KICK] if keys[KICK] >= 0 else known[0]
    on_hit = near(piece.onsets[notes], hits, AT_HIT)
    strokes = np.where((strokes < 0) & on_hit, instead, strokes)
    return player, notes[strokes >= 0], strokes[strokes >= 0]


def _phrase(piece: Piece, figures: Sequence[Figure], players: Sequence[Player]) -> list[Dealt]:
    """Return a phrase of one class as it is dealt to the players of the class."""
    takes: dict[int, list[Figure]] = defaultdict(list)  # by the place of the player
    for figure in figures:
        pitches = piece.pitches[figure.notes].astype(np.intp)
        free = [n for n, player in enumerate(players) if not player.doubles]
        fitting = [n for n in free if suits(players[n], figure)] or free
        takes[min(fitting, key=lambda n: _effort(players[n], pitches))].append(figure)
        for n, player in enumerate(players):
            if player.doubles and suits(player, figure):
                takes[n].append(figure)
    return [
        (players[n], np.concatenate([f.notes for f in mine]), _placed(piece, mine, players[n]))
        for n, mine in sorted(takes.items())
    ]


def suits(player: Player, figure: Figure) -> bool:
    """Return whether a figure is of those that a player plays. A lone line is of either kind."""
    kind = player.notes == "all" or (player.notes == "short") == figure.short
    if player.line == "all" or (figure.alone and not player.doubles):
        return kind
    return kind and (player.line == "upper") == figure.upper


def _effort(player: Player, pitches: NDArray[np.intp]) -> tuple[int, float]:
    """Return by how many octaves a player moves a figure, and how far it is from the middle."""
    pitches = pitches + OCTAVE * player.octave
    move = _move(player, pitches)
    middle = (player.low + player.high) / 2
    return FARTHEST if move is None else abs(move), abs(float(pitches.mean()) - middle)


def _move(player: Player, pitches: NDArray[np.intp]) -> int | None:
    """Return the fewest octaves that bring ``pitches`` into a range; None if they are wider."""
    least = -((int(pitches.min()) - player.low) // OCTAVE)
    most = (player.high - int(pitches.max())) // OCTAVE
    return min(max(0, least), most) if least <= most else None


def _placed(piece: Piece, figures: Sequence[Figure], player: Player) -> NDArray[np.intp]:
    """Return the pitches at which a player plays the notes of ``figures``.

    All are moved by the same octaves where most would be outside the range. Else a figure with a
    note outside is moved by its own octaves, and one that is wider than the range note by note.
    So all tones of a chord stay; an octave may become a unison.
    """
    lines = [piece.pitches[f.notes].astype(np.intp) + OCTAVE * player.octave for f in figures]
    whole = np.concatenate(lines)
    outside = (whole < player.low) | (whole > player.high)
    move = _move(player, whole)
    if move is not None and 2 * np.count_nonzero(outside) > len(whole):
        return whole + OCTAVE * move
    return np.concatenate([_folded(player, line) for line in lines])


def _folded(player: Player, line: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return a line moved into the range of a player by the fewest octaves, as one if it can be."""
    move = _move(player, line)
    if move is not None:
        return line + OCTAVE * move
    return np.concatenate([_folded(player, line[i : i + 1]) for i in range(len(line))])
