"""Standard MIDI files read into scores, checked before native code sees them.

``load`` is the one reader: what it refuses is refused by whatever plays, checks, measures or learns
from a score. ``emsync.formats.midi_raw`` looks at the events of what it returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emsync.errors import InputError, warn
from emsync.formats.instruments import sounding
from emsync.formats.smf_repair import Repaired, repair
from emsync.limits import quoted, read_bytes
from emsync.music.piece import Piece, Played, Score, played_score
from emsync.music.ticks import tick_seconds

MOST_BYTES = 32 * 2**20  # no score is larger, and a hostile file may be
MOST_BARS = 20_000  # of one song: two hours at 300 beats a minute have 9,000
MOST_HOURS = 4  # of one song: its sound takes 1.3 GB of memory an hour
FASTEST = 1e6  # beats a minute; a faster tempo is damage


@dataclass(frozen=True, eq=False)
class MidiFile:
    """A MIDI file that was read: its bytes as the standard has them, and its score."""

    repaired: Repaired
    score: Score

    @property
    def instruments(self) -> list[int | None]:
        """The class of each track of the score, where a file of ours names it."""
        classes = sounding(self.repaired.content)
        return classes if len(classes) == len(self.score.tracks) else []

    def piece(self, labels: Mapping[str, float] | None = None) -> Piece:
        """Return the music. See ``from_score``."""
        return self.played(labels).piece

    def played(self, labels: Mapping[str, float] | None = None) -> Played:
        """Return the music with the velocity and the track of each note."""
        return played_score(self.score, labels, self.instruments)


def load(path: Path) -> MidiFile:
    """Return the MIDI file at ``path``; InputError, with the reason, when it is none."""
    name, content = quoted(path), read_bytes(path, MOST_BYTES)
    if not content.startswith((b"MThd", b"RIFF")):
        raise InputError(f"{name} is not a MIDI file: it does not begin with 'MThd'; give a .mid")
    try:
        return _loaded(content)
    except (IndexError, RuntimeError, ValueError) as error:
        raise InputError(f"{name} is a broken MIDI file: {error}") from error


def read_score(path: Path) -> Score:
    """Return the MIDI file at ``path`` as a score, and warn of what was repaired in it."""
    return _read(path).score


def read_midi(path: Path) -> Piece:
    """Return the music of the file at ``path``, and warn of what was repaired in it."""
    return _read(path).piece()


def _read(path: Path) -> MidiFile:
    file = load(path)
    found = [*file.repaired.remarks, *["a track without an end"] * bool(file.repaired.unended)]
    if endless := file.repaired.endless:
        plural = "s" * (endless > 1)
        found.append(f"{endless} note{plural} without an end, left out")
    if found:
        warn(f"{quoted(path)} was repaired; it holds {'; '.join(found)}"[:500])
    return file


def parse(content: bytes) -> Score:
    """Return the score of a file's bytes; ValueError, IndexError or RuntimeError if unsound."""
    return _loaded(content).score


def _loaded(content: bytes) -> MidiFile:
    from symusic.core import ScoreTick

    repaired = repair(content)
    score = ScoreTick.from_midi(repaired.content)
    _check_grid(score, repaired.ticks)
    return MidiFile(repaired, score)


def _check_grid(score: Score, end: int) -> None:
    """Refuse, by ValueError, a tempo or metre that makes the score endless."""
    if any(t.qpm > FASTEST for t in score.tempos):
        raise ValueError(f"its tempo is more than {FASTEST:.0f} beats a minute")
    beat = score.ticks_per_quarter
    seconds = tick_seconds([end], {t.time: t.mspq for t in score.tempos}, beat)[0]
    if seconds > MOST_HOURS * 3600:
        raise ValueError(f"it lasts {seconds / 3600:.1f} hours, and {MOST_HOURS} are the most")
    bars = [4 * beat, *(4 * beat * s.numerator // s.denominator for s in score.time_signatures)]
    if score.end() > MOST_BARS * max(1, min(bars)):
        raise ValueError(f"it has more than {MOST_BARS} bars")
