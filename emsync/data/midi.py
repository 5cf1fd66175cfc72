"""Read MIDI files of any origin into pieces, and refuse what is no song."""

from collections.abc import Mapping
from pathlib import Path

from emsync.data.lakh import LARGEST, MOST_SECONDS
from emsync.errors import InputError
from emsync.formats.smf import parse
from emsync.music.piece import Piece, Score, from_score

MOST_BARS = 20_000  # of one song: two hours at 300 beats a minute have 9,000


def read_midi(
    path: Path, labels: Mapping[str, float] | None = None, tempo: float | None = None
) -> Piece:
    """Return the song at ``path``, from its start.

    With a ``tempo`` in beats a minute the whole song is brought to it; without, it keeps its own.
    Raises InputError, with the reason, for what is not MIDI or not a song.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        content = path.read_bytes()
        score = parse(content)
        _check_grid(score)
        if tempo is not None:
            from symusic.core import TempoTick, TempoTickList

            score.tempos = TempoTickList([TempoTick(0, tempo)])
        piece = from_score(score, labels)
        if not len(piece):
            raise ValueError("it has no notes of the five classes")
        if piece.duration > MOST_SECONDS:
            raise ValueError(
                f"it lasts {piece.duration:.0f} s; a song has at most {MOST_SECONDS:.0f}"
            )
        return piece
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (IndexError, RuntimeError, ValueError) as error:
        raise InputError(f"{str(path)!r} is no song in MIDI: {error}") from error


def _check_grid(score: Score) -> None:
    """Refuse numbers that would make the time grid endless or undefined."""
    beat = score.ticks_per_quarter
    if beat < 1:
        raise ValueError("it has no ticks in a beat")
    shortest = 4 * beat
    for s in score.time_signatures:
        if s.numerator < 1 or s.denominator < 1:
            raise ValueError(f"its time signature is {s.numerator}/{s.denominator}")
        shortest = min(shortest, 4 * beat * s.numerator // s.denominator)
    if score.end() > MOST_BARS * shortest:
        raise ValueError(f"it has more than {MOST_BARS} bars")
    if any(not 1 <= t.qpm <= 1e6 for t in score.tempos):
        raise ValueError("its tempo is not a number of at least one beat a minute everywhere")
