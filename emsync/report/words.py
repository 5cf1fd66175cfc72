"""What a report says in words: its figures, a row for each cut, and remarks."""

from collections.abc import Mapping

import numpy as np

from emsync.composition import Composition
from emsync.emotion.plane import in_percent, normalise
from emsync.fit.time_map import Fitted
from emsync.music.tonality import estimate_key
from emsync.video.cuts import left_out

NO_PREVIEW = "No preview holds pictures of this kind: the page plays the music alone."
NO_CUTS = ("–", "no cuts to hit")
COLUMNS = {  # of the table: name, and where it stands, as shares of its width
    "cut": 0.0,
    "timecode": 0.04,
    "seconds": 0.15,
    "strength": 0.24,
    "answered by": 0.32,
    "bar | beat | tick": 0.44,
    "frames off": 0.58,
    "ms off": 0.67,
    "frames off before fitting": 0.75,
    "tempo": 0.92,
}


def tiles(composition: Composition) -> list[tuple[str, str]]:
    """Return the figures that stand above all, each with its words."""
    fitted, video, rate = composition.fitted, composition.analysis, composition.rate
    length = f"{round(video.duration * rate)} frames at {float(rate):.5g}" if rate else "of film"
    met = [report.hit for report in composition.cuts if report.hit is not None]
    exact = sum(abs(hit.error_frames(rate) or 0) <= 1 for hit in met)
    within = f"cuts hit, {exact} within a frame" if rate else "cuts hit"
    hits = (f"{len(met)} of {len(composition.cuts)}", within) if composition.cuts else NO_CUTS
    beats = np.searchsorted(fitted.tempo_map.starts, fitted.duration * 1e6)
    bpm = 60e6 / fitted.tempo_map.tempi[: max(1, int(beats))]
    played = fitted.piece.instruments
    spread = f"beats a minute, {bpm.min():.0f} to {bpm.max():.0f}"
    return [
        (f"{video.duration:.2f} s", length),
        hits,
        (f"{np.median(bpm):.0f}", spread if bpm.max() - bpm.min() >= 1 else "beats a minute"),
        _key(fitted),
        (f"{len(fitted.piece)}", f"notes, {len(played)} instrument{'s' * (len(played) != 1)}"),
        (f"{composition.options.seed}", "seed"),
    ]


def rows(composition: Composition) -> list[tuple[list[str], bool]]:
    """Return for each kept cut its cells, in the order of COLUMNS, and whether it is hit."""
    table, rate = [], composition.rate
    for number, report in enumerate(composition.cuts, 1):
        cut, hit, before = report.cut, report.hit, report.before
        cells = [
            str(number),
            composition.labels.clock(cut.time) if rate else "–",
            f"{cut.time:.3f}",
            f"{cut.strength:.2f}",
            hit.kind if hit else "missed",
            hit.position if hit else "–",
            _signed(hit.error_frames(rate) if hit else None, 2),
            _signed(hit.error_ms if hit else None, 1),
            _signed(before.error_frames(rate) if before else None, 1),
            _signed(100 * report.tempo_change, 1) + " %",
        ]
        table.append((cells, hit is not None))
    return table


def remarks(composition: Composition) -> list[str]:
    """Return what is to be said below the table."""
    said: list[str] = []
    labels = composition.labels
    if not composition.cuts:
        said.append("The film has no cut that the music was asked to answer.")
    dropped = [report.cut.time for report in composition.fitted.cuts if not report.cut.kept]
    if dropped:
        moments = ", ".join(labels.clock(t) if labels.rate else f"{t:.3f} s" for t in dropped)
        why = left_out(report.cut for report in composition.fitted.cuts)
        said.append(f"{why}: {moments}.")
    if composition.ending.chord is not None:
        chord = composition.ending.chord
        said.append(f"The last chord begins at {chord:.2f} s and rings to the end.")
    if composition.fitted.note:
        said.append(f"About the bars: {composition.fitted.note}.")
    if not composition.strip:
        said.append("The film was not watched, its analysis was given: there is no film strip.")
    return said


def title(composition: Composition) -> str:
    """Return the name of the film."""
    return composition.analysis.source or "emsync"


def subtitle(composition: Composition) -> str:
    """Return the mood of the music in a line."""
    video, asked = composition.analysis, composition.options.emotion
    known = not np.isnan(video.valence + video.arousal)
    mood = f"valence {_signed(video.valence, 2)}, arousal {_signed(video.arousal, 2)}"
    parts = ["Music composed by emsync", mood if known else "", in_percent(video.emotion)]
    if isinstance(asked, Mapping):  # text was parsed when it was given
        parts.append(f"asked for {in_percent(normalise(asked))}")
    return "  ·  ".join(part for part in parts if part)


def _key(fitted: Fitted) -> tuple[str, str]:
    """Return the key with the signs that musicians read, and how sure it is."""
    name = estimate_key(fitted.piece)
    if name is None:
        return "–", "no clear key"
    tonic = name.removesuffix("m").replace("b", "♭").replace("#", "♯")
    return f"{tonic} {'minor' if name.endswith('m') else 'major'}", "key, estimated"


def _signed(value: float | None, digits: int) -> str:
    """Return a number with its sign, or a dash where there is none.

    >>> _signed(-1.26, 1), _signed(0.001, 1), _signed(None, 1)
    ('−1.3', '0.0', '–')
    """
    if value is None:
        return "–"
    rounded = round(value, digits) + 0.0
    return (f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}").replace("-", "−")
