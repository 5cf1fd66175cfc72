"""The drawing of a report, as part of a PNG and as SVG.

Under one time line stand the film strip, the motion, the emotion, the plan's sections, who plays,
the chords above every note as it is played, the fainter the softer, its velocity, and the tempo in
bars, crossed by the cuts; then how each cut is hit.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from emsync.composition import Composition
from emsync.files import atomic_write
from emsync.fit.time_map import Fitted
from emsync.music.piece import CLASSES, DRUMS
from emsync.performance.part import Part
from emsync.planning.words import clipped
from emsync.report import rows as draw
from emsync.report.origin import origin
from emsync.report.rows import (
    CUT,
    DOTS,
    FAINT,
    GRID,
    INK,
    LEFT,
    PAPER,
    PLAYER_COLOURS,
    RIGHT,
    STYLE,
    WIDTH,
)
from emsync.report.why import WHY_COLUMNS, why_rows
from emsync.report.words import (
    COLUMNS,
    LONGEST_CHART,
    PLAYER_COLUMNS,
    SECTION_COLUMNS,
    cut_rows,
    player_rows,
    remarks,
    section_rows,
    subtitle,
    tiles,
    title,
)
from emsync.sound.loudness import Loudness
from emsync.video.footage import Still

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_WIDTH = 0.003  # share of the width that a note takes at least
HIT_REACH = 0.02  # seconds; notes that begin this close to a hit are the hit
ROOMY = 0.055  # share of the width that the words beside a cut's number need
LABELS = 0.02  # least distance between two bar numbers, as a share of the width
ROW = 0.235  # inches of a table's row
LETTER = 0.0085  # inches that a letter is wide, for each point of its size
ROLL = 3.1  # inches of the notes, drums included
TOP = 1.75  # inches of the words above all
BOTTOM = 3.35  # inches of the drawings below the time line
ROW_GAP = 0.36  # inches between rows, for the name of the next
CLOSE = 0.06  # inches between rows that belong together
NO_FILM = 0.18  # inches in its place, so that the name of the next row is below the cuts' numbers
SECTIONS = 0.5  # inches of the sections
LANE = 0.13  # inches of a player
NAME = 6.5  # points of a player's name
LONGEST_NAME = 15  # characters of it that have room beside the lane
BREATH = 1.0  # seconds of rest that part two spans in which somebody plays
VELOCITIES = 0.6  # inches of the velocities
SOFT, LOUD = 40, 124  # velocities: the softer notes are as faint, the louder ones as strong
FAINTEST = 0.25  # share of its colour that the softest note has
CHORDS = 0.23  # inches of the chords
AXIS = 0.75  # inches below the last row, for its times


def write_png(
    path: Path, composition: Composition, loudness: Mapping[str, Loudness] = MappingProxyType({})
) -> None:
    """Draw the report of a composition, whose sound is of ``loudness``, into the PNG ``path``."""
    from matplotlib import rc_context

    table, notes = cut_rows(composition), [*origin(composition), *remarks(composition)]
    why = why_rows(composition)
    players, figures = player_rows(composition.performance()), tiles(composition, loudness)
    lines = [line for note in notes for line in wrap(note, 170)]
    sections = [[*cells, clipped(chords, LONGEST_CHART)]
                for *cells, chords in section_rows(composition.plan)]  # fmt: skip
    rows = len(sections) + (len(why) + 2) * bool(why) + len(players) + len(table) + len(lines)
    foot = 1.1 + ROW * (rows + 4)
    with rc_context(_style()):
        figure = _figure(TOP + _height(composition) + foot)
        page = _Page(figure)
        page.text(LEFT, 0.52, title(composition), size=19, weight="bold")
        page.text(LEFT, 0.80, subtitle(composition), size=10.5, color=FAINT)
        for left, (value, words) in zip(_side_by_side(figures), figures, strict=True):
            page.text(left, 1.24, value, size=14, weight="bold")
            page.text(left, 1.45, words, size=9, color=FAINT)
        page.down = TOP
        _draw(page, composition)
        _table(page, SECTION_COLUMNS, [(cells, True) for cells in sections])
        page.down += ROW
        if why:
            _table(page, WHY_COLUMNS, [(cells, True) for cells in why])
            page.down += ROW
        _table(page, PLAYER_COLUMNS, [(cells, True) for cells in players])
        if table:
            page.down += ROW
            _table(page, COLUMNS, table)
        _lines(page, lines)
        with atomic_write(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": None})


def _side_by_side(figures: Sequence[tuple[str, str]]) -> list[float]:
    """Return where each figure begins, as a share of the width, so that each has room."""
    letters = [max(14 * len(value), 9 * len(words)) for value, words in figures]
    free = (RIGHT - LEFT) * WIDTH - sum(letters) * LETTER
    gap = free / max(1, len(figures) - 1)
    return [LEFT + (sum(letters[:i]) * LETTER + i * gap) / WIDTH for i in range(len(figures))]


@dataclass
class _Page:
    """A figure on which things are placed by inches from its upper edge."""

    figure: "Figure"
    down: float = 0.0  # inches from the upper edge, where the next row begins

    def y(self, inches: float) -> float:
        """Return a distance from the upper edge as matplotlib counts it."""
        return 1 - inches / float(self.figure.get_figheight())

    def text(self, x: float, inches: float, words: str, **style: Any) -> None:
        self.figure.text(x, self.y(inches), words, **style)

    def row(self, height: float, gap: float = ROW_GAP) -> "Axes":
        """Return axes of a height in inches, as wide as the page, below those before."""
        axes = self.box(height, self.down, (LEFT, RIGHT))
        self.down += height + gap
        return axes

    def box(self, height: float, top: float, x: tuple[float, float]) -> "Axes":
        """Return axes from ``top`` inches on, between two shares of the width."""
        tall = float(self.figure.get_figheight())
        axes = self.figure.add_axes((x[0], self.y(top + height), x[1] - x[0], height / tall))
        axes.set_facecolor("none")
        axes.spines[:].set_visible(False)
        return axes


def _height(composition: Composition) -> float:
    """Return the inches that the drawing takes."""
    film = 0.9 + ROW_GAP if composition.strip else NO_FILM
    plan = SECTIONS + CLOSE + _lanes(composition) + ROW_GAP
    chords = CHORDS + CLOSE if composition.labels_of().chords else 0.0
    rows = film + 0.65 + ROW_GAP + 0.95 + ROW_GAP + plan + chords + ROLL + ROW_GAP
    rows += VELOCITIES + ROW_GAP + 0.42
    return 0.42 + rows + AXIS + BOTTOM


def _lanes(composition: Composition) -> float:
    """Return the inches that the players take."""
    return LANE * max(1, len(composition.performance().parts))


def time_line(composition: Composition) -> dict[str, float]:
    """Return where the time line is in the SVG, as shares of its width and height, and its seconds.

    It is from ``left`` to ``right``, and from the top down to ``foot``.
    """
    height = _height(composition)
    foot = round((height - BOTTOM - AXIS) / height, 5)
    duration = composition.fitted.duration
    return {"left": LEFT, "right": RIGHT, "foot": foot, "duration": duration}


def timeline_foot(composition: Composition) -> float:
    """Return the inches from the upper edge of the PNG to the end of the time line."""
    return TOP + _height(composition) - BOTTOM - AXIS


def _draw(page: _Page, composition: Composition) -> None:
    """Draw everything but the words above and the table below."""
    video, fitted, plan = composition.analysis, composition.fitted, composition.plan
    parts = composition.performance().parts
    top = page.down
    page.down += 0.42
    if composition.strip:
        film = page.row(0.9)
        _film(film, composition.strip, 0.9)
    else:
        page.down += NO_FILM
    motion = page.row(0.65)
    draw.draw_motion(motion, video)
    feeling = page.row(0.95)
    draw.draw_feeling(feeling, video)
    sections = page.row(SECTIONS, CLOSE)
    draw.draw_sections(sections, plan)
    players = page.row(_lanes(composition))
    _players(players, parts)
    rows = [motion, feeling, sections, players]
    if symbols := [(symbol.time, symbol.text) for symbol in composition.labels_of().chords]:
        rows.append(page.row(CHORDS, CLOSE))
        draw.draw_chords(rows[-1], symbols, fitted.duration)
    above = rows[-1] if symbols else None
    tonal = [part for part in parts if part.player.instrument != DRUMS]
    drums = [part for part in parts if part.player.instrument == DRUMS]
    roll = page.row(ROLL - 0.65 * bool(drums), 0.05 if drums else ROW_GAP)
    _roll(roll, composition, tonal)
    rows.append(roll)
    draw.label(above or roll, "chords and notes, as played" if symbols else "notes, as played")
    _legend(above or roll, composition)
    if drums:
        rows.append(page.row(0.6))
        _drums(rows[-1], composition, drums)
    velocities = page.row(VELOCITIES)
    _velocities(velocities, parts)
    rows.append(velocities)
    tempo = page.row(0.42, AXIS)
    _tempo(tempo, fitted)
    rows.append(tempo)
    for axes in rows:
        axes.set_xlim(0, fitted.duration)
        if axes is not tempo:
            axes.set_xticks([])
    tempo.locator_params(axis="x", nbins=10, integer=True, steps=[1, 2, 5, 10])
    tempo.xaxis.set_major_formatter(draw.clock)
    _flags(page, composition, top, page.down - AXIS)
    side = page.down
    page.down += BOTTOM
    _before_and_after(page.box(2.55, side, (LEFT, 0.44)), composition)
    draw.draw_plane(page.box(2.65, side - 0.05, (0.50, 0.76)), video)
    draw.draw_emotions(page.box(2.55, side, (0.855, RIGHT)), video)


def _film(axes: "Axes", strip: Sequence[Still], height: float) -> None:
    """Lay the pictures side by side, each as wide as its share of the time."""
    axes.set_axis_off()
    ratio = (RIGHT - LEFT) * WIDTH / len(strip) / height
    pixels = [draw.cropped(still.pixels, ratio) for still in strip]
    low = min(len(picture) for picture in pixels)
    narrow = min(picture.shape[1] for picture in pixels)
    seam = np.full((low, 2, 3), 255, np.uint8)
    parts = [part for picture in pixels for part in (picture[:low, :narrow], seam)]
    axes.imshow(np.concatenate(parts[:-1], axis=1), extent=(0, 1, 0, 1), aspect="auto")


def _players(axes: "Axes", parts: Sequence[Part]) -> None:
    """Draw who plays when: a lane for each player, in the order of the tracks."""
    for lane, part in enumerate(parts):
        bars = [(start, end - start) for start, end in spans(part)]
        colour = PLAYER_COLOURS[CLASSES[part.player.instrument]]
        axes.broken_barh(bars, (lane - 0.31, 0.62), color=colour, alpha=0.75, lw=0)
    axes.set_ylim(max(1, len(parts)) - 0.4, -0.6)
    names = [_shortened(part.player.name) for part in parts]
    axes.set_yticks(range(len(parts)), labels=names, size=NAME)


def spans(part: Part) -> list[tuple[float, float]]:
    """Return from when to when somebody plays, in seconds, without a rest of ``BREATH``."""
    if not len(part.onsets):
        return []
    until = np.maximum.accumulate(part.offsets)
    breaks = np.flatnonzero(part.onsets[1:] - until[:-1] >= BREATH)
    starts = part.onsets[np.concatenate([[0], breaks + 1])]
    ends = until[np.concatenate([breaks, [len(until) - 1]])]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def _roll(axes: "Axes", composition: Composition, parts: Sequence[Part]) -> None:
    """Draw the notes by pitch, coloured by instrument."""
    tonal = np.concatenate([np.zeros(0, np.uint8), *(part.pitches for part in parts)])
    low, high = (int(tonal.min()) - 2, int(tonal.max()) + 3) if len(tonal) else (47, 73)
    middle, span = (low + high) / 2, max(high - low, 24)
    low, high = round(middle - span / 2), round(middle + span / 2)
    axes.set_ylim(low, high)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, labels=[f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    _bar_lines(axes, composition.fitted)
    for part in parts:
        _notes(axes, composition, part, part.pitches.astype(float), max(0.86, (high - low) / 52))


def _drums(axes: "Axes", composition: Composition, parts: Sequence[Part]) -> None:
    """Draw the drums, one line for each sound."""
    sounds = np.unique(np.concatenate([part.pitches for part in parts]))
    lines = max(len(sounds), 4)
    axes.set_ylim(-0.8, lines - 0.2)
    axes.set_yticks([(lines - 1) / 2], labels=["drums"])
    _bar_lines(axes, composition.fitted)
    for part in parts:
        places = np.searchsorted(sounds, part.pitches).astype(float)
        _notes(axes, composition, part, places, max(0.7, lines / 12))


def _notes(axes: "Axes", composition: Composition, part: Part, places: Any, thick: float) -> None:
    """Draw the notes of a part as bars at heights ``places``; a ring begins each hit."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba_array

    drums, least = part.player.instrument == DRUMS, composition.fitted.duration * LEAST_WIDTH
    left, right = part.onsets, part.offsets
    # a drum is struck, however long its note; and a hair's breadth parts a note from the next
    right = left + least if drums else np.maximum(left + least, right - least / 3)
    low, high = places - thick / 2, places + thick / 2
    corners = [(left, low), (right, low), (right, high), (left, high)]
    boxes: Any = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)  # (N, 4, 2)
    colour = PLAYER_COLOURS[CLASSES[part.player.instrument]]
    shades = to_rgba_array(colour, strength(part.velocities))
    axes.add_collection(PolyCollection(boxes, facecolors=shades, edgecolors="none"))
    hits = composition.fitted.hits
    hit = np.isclose(left[:, None], hits, rtol=0, atol=HIT_REACH).any(axis=1)
    x = left[hit] + (least / 2 if drums else 0)
    axes.plot(x, places[hit], "o", ms=5.5, mfc=colour, mec=CUT, mew=1.5, clip_on=False, zorder=4)


def strength(velocities: Any) -> Any:
    """Return how much of its colour each note has, from FAINTEST to 1, in hundredths.

    >>> strength(np.array([10, 82, 127])).tolist()
    [0.25, 0.62, 1.0]
    """
    share = np.clip((velocities.astype(float) - SOFT) / (LOUD - SOFT), 0, 1)
    return np.round(FAINTEST + (1 - FAINTEST) * share, 2)


def _velocities(axes: "Axes", parts: Sequence[Part]) -> None:
    """Draw how hard each note is struck, as a point."""
    for part in parts:
        colour = PLAYER_COLOURS[CLASSES[part.player.instrument]]
        axes.plot(part.onsets, part.velocities, "o", ms=2.6, mfc=colour, mec="none", alpha=0.75)
    axes.set_ylim(20, 130)
    axes.set_yticks([40, 80, 120], labels=["40", "80", "120"])
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    draw.label(axes, "velocity of each note")


def _bar_lines(axes: "Axes", fitted: Fitted) -> None:
    for time in _bars(fitted):
        axes.axvline(time, color=GRID, lw=0.8, zorder=0.5)


def _bars(fitted: Fitted) -> Any:
    """Return the seconds at which the bars begin, up to the end of the video."""
    starts = fitted.tempo_map.downbeats
    return starts[starts < fitted.duration]


def _tempo(axes: "Axes", fitted: Fitted) -> None:
    """Draw the tempo, and number the bars above it."""
    starts, bpm = fitted.tempo_map.starts / 1e6, 60e6 / fitted.tempo_map.tempi
    axes.stairs(bpm, starts, color=INK, lw=1.5, baseline=None)
    shown = bpm[starts[:-1] < fitted.duration]
    low, high = float(shown.min()), float(shown.max())
    room = max(2.0, 0.15 * (high - low))
    axes.set_ylim(low - room, high + room)
    ticks = [low, high] if high - low >= 1 else [low]
    axes.set_yticks(ticks, labels=[f"{tick:.0f}" for tick in ticks])
    _bar_lines(axes, fitted)
    free = 0.12 * fitted.duration  # beside the name of the row
    for number, time in enumerate(_bars(fitted), 1):
        if time < free:
            continue
        free = time + LABELS * fitted.duration
        axes.annotate(
            str(number), (time, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 4),
            textcoords="offset points", ha="center", size=8, color=FAINT,
        )  # fmt: skip
    draw.label(axes, "tempo, in bars")


def _flags(page: _Page, composition: Composition, top: float, bottom: float) -> None:
    """Draw the cuts through all rows, each with its number and what hits it."""
    from matplotlib.lines import Line2D

    duration, kept = composition.fitted.duration, composition.cuts
    places = [LEFT + report.cut.time / duration * (RIGHT - LEFT) for report in kept] + [1.0]
    for number, (report, x, following) in enumerate(zip(kept, places, places[1:], strict=False), 1):
        line = Line2D([x, x], [page.y(top + 0.3), page.y(bottom)], color=CUT, lw=0.9, alpha=0.5)
        page.figure.add_artist(line)
        hit = report.hit
        page.text(
            x, top + 0.2, str(number), size=9, weight="bold", ha="center", va="center",
            color=PAPER if hit else CUT,
            bbox={"boxstyle": "circle,pad=0.28", "fc": CUT if hit else PAPER, "ec": CUT, "lw": 1.2},
        )  # fmt: skip
        if following - x > ROOMY:
            words, colour = (hit.kind, INK) if hit else ("missed", FAINT)
            page.text(x + 0.0125, top + 0.2, words, size=9, va="center", color=colour)


def _legend(axes: "Axes", composition: Composition) -> None:
    """Name the instruments in their colours, above the right corner."""
    handles = []
    for name in composition.piece.instruments:
        handles += axes.plot([], [], "s", color=PLAYER_COLOURS[name], ms=7, label=name)
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(CLASSES),
        frameon=False, borderaxespad=0.1, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip


def _before_and_after(axes: "Axes", composition: Composition) -> None:
    """Draw how far the nearest event was from each cut as written, and how far the hit is."""
    kept, rate = composition.cuts, composition.rate
    unit, factor = ("frames", float(rate) / 1000) if rate else ("ms", 1.0)
    axes.axhline(0, color=FAINT, lw=1)
    furthest = 1.0
    for number, report in enumerate(kept, 1):
        now = report.hit or report.nearest
        if now is None or report.before is None:
            continue
        before, after = (one.error_ms * factor for one in (report.before, now))
        furthest = max(furthest, abs(before), abs(after))
        axes.plot([number] * 2, [before, after], color=GRID, lw=2.5, solid_capstyle="round")
        axes.plot(number, before, "o", ms=6, mfc=PAPER, mec=FAINT, mew=1.3)
        inside = CUT if report.hit else PAPER
        axes.plot(number, after, "o", ms=7, mfc=inside, mec=CUT, mew=1.3, zorder=3)
    axes.set_ylim(-1.15 * furthest, 1.15 * furthest)
    axes.set_xlim(0.5, max(len(kept), 4) + 0.5)
    step = max(1, len(kept) // 16)
    axes.set_xticks(range(1, len(kept) + 1, step))
    axes.locator_params(axis="y", nbins=5)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.plot([], [], "o", ms=6, mfc=PAPER, mec=FAINT, mew=1.3, label="as written")
    axes.plot([], [], "o", ms=7, mfc=CUT, mec=CUT, label="fitted")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.1,
        handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    draw.label(axes, f"{unit} off, cut by cut" if kept else "no cut to answer")


def _table(
    page: _Page, columns: Mapping[str, float], table: Sequence[tuple[list[str], bool]]
) -> None:
    """Write a table; rows that are not true are faint."""
    from matplotlib.lines import Line2D

    y, width = page.down + 0.1, RIGHT - LEFT
    for name, at in columns.items():
        page.text(LEFT + at * width, y, name, size=9, color=FAINT)
    rule = Line2D([LEFT, RIGHT], [page.y(y + 0.08)] * 2, color=GRID, lw=1)
    page.figure.add_artist(rule)
    for cells, true in table:
        y += ROW
        for cell, at in zip(cells, columns.values(), strict=True):
            page.text(LEFT + at * width, y + 0.04, cell, size=9.5, color=INK if true else FAINT)
    page.down = y + 0.15


def _lines(page: _Page, lines: Sequence[str]) -> None:
    """Write the remarks."""
    for line in lines:
        page.down += ROW
        page.text(LEFT, page.down, line, size=9, color=FAINT)


def _figure(height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def _style() -> Any:
    """Return matplotlib's settings: as in the other pictures, and SVG that is always the same."""
    return {**STYLE, "svg.fonttype": "none", "svg.hashsalt": "emsync"}


VARIABLES = {INK: "ink", FAINT: "faint", GRID: "grid", PAPER: "paper", "#c5ccd4": "pale"}


def svg(composition: Composition) -> str:
    """Return the drawing as an SVG element whose colours are the page's."""
    from matplotlib import rc_context

    words = io.StringIO()
    with rc_context(_style()):
        figure = _figure(_height(composition))
        figure.patch.set_alpha(0)
        _draw(_Page(figure), composition)
        nothing = {"Creator": None, "Date": None, "Format": None, "Type": None}
        figure.savefig(words, format="svg", metadata=nothing, dpi=1.5 * DOTS)
    text = words.getvalue()
    text = text[text.index("<svg") :]  # a doctype has no place within a page
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 role="img"', text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    return text
