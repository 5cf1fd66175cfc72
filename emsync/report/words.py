"""What a report says in words: its figures, a row for each section and each cut, and remarks."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from emsync.composition import Composition
from emsync.emotion.plane import in_percent, normalise
from emsync.music.general_midi import KITS, PROGRAM_NAMES
from emsync.music.piece import CLASSES, DRUMS
from emsync.music.tonality import TONICS, estimate_key
from emsync.performance.part import Part
from emsync.performance.performance import Performance
from emsync.performance.player import Player
from emsync.planning.plan import Plan
from emsync.planning.words import (
    clipped,
    form,
    key_name,
    main_mode,
    palette_name,
    palette_names,
    with_signs,
)
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
    "palette": 0.315,
    "instruments": 0.405,
    "chords, bar by bar": 0.61,
}
PLAYER_COLUMNS = {  # as COLUMNS
    "player": 0.0,
    "sound": 0.15,
    "plays": 0.34,
    "notes": 0.42,
    "lowest": 0.49,
    "highest": 0.55,
    "softest": 0.62,
    "median velocity": 0.69,
    "loudest": 0.79,
}
LONGEST_PALETTE = 13  # characters of its name that the table has room for
LETTERS = 8  # of the form that a tile has room for
LONGEST_CHART = 60  # characters of a section's chords that a picture has room for


def tiles(
    composition: Composition, loudness: Mapping[str, Loudness] = MappingProxyType({})
) -> list[tuple[str, str]]:
    """Return the figures that stand above all, each with its words."""
    fitted, video, rate = composition.fitted, composition.analysis, composition.rate
    length = f"{round(video.duration * rate)} frames at {float(rate):.5g}" if rate else "of film"
    met = [report.hit for report in composition.cuts if report.hit is not None]
    exact = sum(abs(hit.error_frames(rate) or 0) <= 1 for hit in met)
    within = f"cuts hit, {exact} within a frame" if rate else "cuts hit"
    hits = (f"{len(met)} of {len(composition.cuts)}", within) if composition.cuts else NO_CUTS
    beats = np.searchsorted(fitted.tempo_map.starts, fitted.duration * 1e6)
    bpm = 60e6 / fitted.tempo_map.tempi[: max(1, int(beats))]
    players = len(composition.performance().parts)
    spread = f"beats a minute, {bpm.min():.0f} to {bpm.max():.0f}"
    return [
        (f"{video.duration:.2f} s", length),
        hits,
        (f"{np.median(bpm):.0f}", spread if bpm.max() - bpm.min() >= 1 else "beats a minute"),
        _key(composition),
        (f"{len(fitted.piece)}", f"notes, {players} player{'s' * (players != 1)}"),
        *_loudness_tile(loudness),
        (f"{composition.options.seed}", "seed"),
    ]


def _loudness_tile(loudness: Mapping[str, Loudness]) -> list[tuple[str, str]]:
    """Return how loud the music is, where it was played."""
    if "audio" not in loudness or math.isinf(loudness["audio"].integrated):
        return []
    music = loudness["audio"]
    return [(f"{_signed(music.integrated, 1)} LUFS", f"true peak {_signed(music.true_peak, 1)} dB")]


def section_rows(plan: Plan) -> list[list[str]]:
    """Return for each section its cells, in the order of SECTION_COLUMNS."""
    return [
        [
            section.theme or "–",
            clock(section.start),
            section.emotion or "–",
            with_signs(key_name(plan.tonic, section.mode)) or "–",
            f"{level:.0f}",
            clipped(palette_name(section), LONGEST_PALETTE) or "–",
            ", ".join(section.instruments),
            with_signs(section.chords) or "–",
        ]
        for section, (_, level) in zip(plan.sections, plan.levels, strict=True)
    ]


def player_rows(performance: Performance) -> list[list[str]]:
    """Return for each player the cells, in the order of PLAYER_COLUMNS."""
    return [_player_row(part) for part in performance.parts]


def _player_row(part: Part) -> list[str]:
    player, drums = part.player, part.player.instrument == DRUMS
    names = [player.name, sound_of(player), CLASSES[player.instrument], str(len(part.onsets))]
    if not len(part.onsets):
        return [*names, *["–"] * 5]
    reach = ("–", "–") if drums else map(_pitch, (part.pitches.min(), part.pitches.max()))
    struck = part.velocities.min(), np.median(part.velocities), part.velocities.max()
    return [*names, *reach, *(f"{velocity:.0f}" for velocity in struck)]


def sound_of(player: Player) -> str:
    """Return the General MIDI name of a player's sound or kit, its number where it has none."""
    if player.instrument != DRUMS:
        return PROGRAM_NAMES[player.program]
    kits = {number: name for name, number in KITS.items()}
    return f"{kits.get(player.program, player.program)} kit"


def _pitch(pitch: int) -> str:
    """Return the name of a MIDI pitch.

    >>> _pitch(60), _pitch(58)
    ('C4', 'B♭3')
    """
    return with_signs(f"{TONICS[pitch % 12]}{pitch // 12 - 1}")


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
    """Return how loud the music is, and the film's sound where that has more in it than music."""
    names = {"audio": "the music", "video": "the film's sound"}
    lines = {f"{names[kind]}: ": str(loud) for kind, loud in loudness.items()}
    return [
        name + loud
        for name, loud in lines.items()
        if name != "the film's sound: " or loud != lines.get("the music: ")
    ]


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
    """Return who plays the music, and its mood, in a line."""
    video, asked = composition.analysis, composition.options.emotion
    known = not np.isnan(video.valence + video.arousal)
    mood = f"valence {_signed(video.valence, 2)}, arousal {_signed(video.arousal, 2)}"
    names = ", ".join(palette_names(composition.plan))
    players = f"played by {names}" if names else ""
    parts = ["Music composed by emsync", players, mood if known else "", in_percent(video.emotion)]
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
