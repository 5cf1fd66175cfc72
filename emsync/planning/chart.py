"""A chord chart: the chords of a section in words, a bar each.

"Am F | C G/2 E/2" is four bars, the last one with a chord for each half. Lines between bars are for
the eye alone. A chart shorter than its section is played again from the start.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from emsync.errors import UsageError
from emsync.limits import shown
from emsync.music.chords import chord_name, parse_chord, transposed

HALVES = {"": 2, "/2": 1}  # half bars that a chord lasts, by what stands after its name
PHRASE = 4  # bars, with a line after them


class Entry(NamedTuple):
    """One chord of a chart."""

    chord: int  # see ``emsync.music.chords``
    halves: int = 2  # half bars that it lasts


Chart = tuple[Entry, ...]


def parse_chart(text: str) -> Chart:
    """Return the chords of ``text``; UsageError names the place of one that is none.

    >>> [tuple(entry) for entry in parse_chart("Am | G/2 F/2")]
    [(21, 2), (7, 1), (5, 1)]
    """
    entries = []
    words = [word for word in text.replace("|", " ").replace(",", " ").split() if word]
    for place, word in enumerate(words, 1):
        name, slash, part = word.partition("/")
        if slash + part not in HALVES:
            raise UsageError(
                f"chord {place}, {shown(word)}: after a stroke stands 2, for half a bar, as in "
                "Am/2; a bass note of its own cannot be asked for"
            )
        try:
            entries.append(Entry(parse_chord(name), HALVES[slash + part]))
        except UsageError as error:
            raise UsageError(f"chord {place}: {error}") from error
    return tuple(entries)


def chart_text(chart: Iterable[Entry], fifths: int | None = None) -> str:
    """Return a chart in words, with a line after every four bars; see ``chord_name``.

    >>> chart_text(parse_chart("Am F C G Am F/2 E/2"))
    'Am F C G | Am F/2 E/2'
    """
    marks = {halves: mark for mark, halves in HALVES.items()}
    words, passed = [], 0
    for entry in chart:
        if passed and passed % (2 * PHRASE) == 0:
            words.append("|")
        words.append(chord_name(entry.chord, fifths) + marks[entry.halves])
        passed += entry.halves
    return " ".join(words)


def bars_of(chart: Sequence[Entry]) -> float:
    """Return how many bars a chart lasts."""
    return sum(entry.halves for entry in chart) / 2


def shortened(chart: Iterable[Entry], bars: int) -> Chart:
    """Return what of a chart is in its first ``bars``.

    >>> chart_text(shortened(parse_chart("Am/2 F C G"), 2))
    'Am/2 F C/2'
    """
    kept, room = [], 2 * bars
    for entry in chart:
        if room > 0:
            kept.append(entry._replace(halves=min(entry.halves, room)))
        room -= entry.halves
    return tuple(kept)


def turned(chart: Iterable[Entry], bars: int) -> Chart:
    """Return a loop of ``chart`` that comes to its first chord after so many bars.

    >>> chart_text(turned(parse_chart("Am F C"), 2)), chart_text(turned(parse_chart("Am/2 F"), 1))
    ('F C Am', 'F Am/2 F/2 F/2 Am/2')
    """
    halves = [entry.chord for entry in chart for _ in range(entry.halves)]
    halves *= 1 + len(halves) % 2  # in whole bars
    at = -2 * bars % len(halves)
    halves = halves[at:] + halves[:at]
    pairs = zip(halves[::2], halves[1::2], strict=True)
    charts = ((Entry(a),) if a == b else (Entry(a, 1), Entry(b, 1)) for a, b in pairs)
    return tuple(entry for chart in charts for entry in chart)


def moved(chart: Iterable[Entry], semitones: int) -> Chart:
    """Return a chart so many semitones higher."""
    return tuple(Entry(transposed(entry.chord, semitones), entry.halves) for entry in chart)
