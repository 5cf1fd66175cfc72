"""What a report says in words: its figures, a row for each section and each cut, and remarks."""

from collections.abc import Mapping

import numpy as np

from emsync.composition import Composition
from emsync.emotion.plane import in_percent, normalise
from emsync.music.tonality import estimate_key
from emsync.planning.plan import Plan
from emsync.planning.words import form, key_name, main_mode, with_signs
from emsync.report.rows import clock
from emsync.sound.loudness import Loudness
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
SECTION_COLUMNS = {  # as COLUMNS
    "section": 0.0,
    "from": 0.06,
    "feeling": 0.12,
    "key": 0.195,
    "level": 0.27,
    "instruments": 0.32,
    "chords, bar by bar": 0.55,
}
LETTERS = 8  # of the form that a tile has room for
LONGEST_CHART = 70  # characters of a section's chords that a picture has room for


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
        _key(composition),
        (f"{len(fitted.piece)}", f"notes, {len(played)} instrument{'s' * (len(played) != 1)}"),
        (f"{composition.options.seed}", "seed"),
    ]


def section_rows(plan: Plan) -> list[list[str]]:
    """Return for each section its cells, in the order of SECTION_COLUMNS."""
    return [
        [
            section.theme or "–",
            clock(section.start),
            section.emotion or "–",
            with_signs(key_name(plan.tonic, section.mode)) or "–",
            f"{level:.0f}",
            ", ".join(section.instruments),
            with_signs(section.chords) or "–",
        ]
        for section, (_, level) in zip(plan.sections, plan.levels, strict=True)
    ]


def cut_rows(composition: Composition) -> list[tuple[list[str], bool]]:
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


def loudness_lines(loudness: Mapping[str, Loudness]) -> list[str]:
    """Return how loud the sound of each kind of file is, a line for each."""
    names = {"audio": "the music", "video": "the film's sound"}
    return [f"{names[kind]}: {loud}" for kind, loud in loudness.items()]


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
    planned = {key_name(composition.plan.tonic, s.mode) for s in composition.plan.sections}
    if (heard := _heard(composition)) and heard not in planned and composition.plan.tonic:
        said.append(f"The notes are estimated to be in {with_signs(heard)}, which was not planned.")
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


def _key(composition: Composition) -> tuple[str, str]:
    """Return the key that was planned, else the one that the notes are estimated to have."""
    plan = composition.plan
    if planned := key_name(plan.tonic, main_mode(plan)):
        return with_signs(planned), f"key; form {form(plan, LETTERS)}"
    heard = _heard(composition)
    return (with_signs(heard), "key, estimated") if heard else ("–", "no clear key")


def _heard(composition: Composition) -> str:
    """Return the key that the notes are estimated to have, or ""."""
    name = estimate_key(composition.piece)
    return key_name(name.removesuffix("m"), "minor" if name[-1] == "m" else "major") if name else ""


def _signed(value: float | None, digits: int) -> str:
    """Return a number with its sign, or a dash where there is none.

    >>> _signed(-1.26, 1), _signed(0.001, 1), _signed(None, 1)
    ('−1.3', '0.0', '–')
    """
    if value is None:
        return "–"
    rounded = round(value, digits) + 0.0
    return (f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}").replace("-", "−")
