"""Pictures of an analysis and of a plan, on paper a composer would pin to the wall."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsync.analysis import Analysis
from emsync.emotion.reasons import reasons, told, within
from emsync.files import atomic_write
from emsync.options import Options
from emsync.planning.plan import Plan
from emsync.planning.schedule import scheduled
from emsync.planning.words import (
    chord_symbols,
    clipped,
    film_facts,
    key_name,
    music_facts,
    with_signs,
)
from emsync.report.rows import (
    AROUSAL,
    CUT,
    DOTS,
    EMOTION_COLOURS,
    FAINT,
    GRID,
    INK,
    LEFT,
    PAPER,
    RIGHT,
    STYLE,
    VALENCE,
    WIDTH,
    clock,
    cropped,
    cue_colours,
    draw_chords,
    draw_cues,
    draw_emotions,
    draw_feeling,
    draw_motion,
    draw_plane,
    draw_players,
    draw_sections,
    label,
    name_cues,
    signed,
)
from emsync.video.footage import Still

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = 11  # states that the picture has room to write out
ROW_GAP = 0.36  # inches between rows, for the name of the next
CLOSE = 0.06  # between rows that belong together
CUES = 0.75  # inches of what the cues say of one axis
BELOW = 3.5  # inches of what stands below the time line of an analysis
FILM = 0.9  # of the film strip
LONGEST_CHART = 115  # characters of a section's chords
WHY = 0.75  # of a row of states, for what the cues went by
LONGEST_WHY = 105  # characters of it
LANE = 0.14  # inches of an instrument
LINE = 0.235  # inches of a line of words
MOST_SECTIONS = 24  # that are written out in words


def plot_analysis(analysis: Analysis, strip: Sequence[Still], path: Path) -> None:
    """Draw the film strip, cuts, motion and feeling of ``analysis`` into the PNG ``path``."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    places, foot = _places({"film": FILM, "feeling": 1.15, **_cue_rows(analysis), "cuts": 0.5,
                            "motion": 0.6})  # fmt: skip
    height = foot + BELOW
    with rc_context({**STYLE, "axes.edgecolor": GRID, "axes.facecolor": PAPER}):
        figure = Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor=PAPER)
        FigureCanvasAgg(figure)
        rows = _rows(figure, places)
        lower = figure.add_gridspec(
            1, 3, width_ratios=[1.0, 0.62, 1.9], top=(BELOW - 0.65) / height, bottom=0.4 / height,
            left=LEFT, right=RIGHT, wspace=0.2,
        )  # fmt: skip
        plane, bars, states = (figure.add_subplot(lower[i]) for i in range(3))
        _title(figure, analysis)
        _film(rows.pop("film"), strip, (RIGHT - LEFT) * WIDTH / FILM)
        _draw_cues(rows, analysis)
        _cuts(rows["cuts"], analysis)
        draw_motion(rows["motion"], analysis)
        draw_feeling(rows["feeling"], analysis)
        draw_plane(plane, analysis)
        draw_emotions(bars, analysis)
        _states(states, analysis)
        for axes in figure.axes:
            axes.spines[:].set_visible(False)
        for name, axes in rows.items():
            axes.set_xlim(0, analysis.duration)
            axes.tick_params(labelbottom=name == "motion")
        with atomic_write(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": None})


def plot_plan(
    analysis: Analysis,
    plan: Plan,
    strip: Sequence[Still],
    path: Path,
    options: Options = Options(),
) -> None:
    """Draw ``plan`` over the film's time, its chords bar by bar, into the PNG ``path``.

    ``options`` say how the cuts are met, which moves the bars.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    asked = plan.asked(analysis)
    sheet, lines = scheduled(plan, analysis, options)
    places, foot = _places({
        "film": FILM * bool(strip), "cuts": 0.5, "feeling": 0.95, **_cue_rows(asked),
        "sections": 0.55,
        "chords": 0.27, "players": LANE * len(plan.instruments),
    })  # fmt: skip
    words = _section_words(plan)
    height = foot + 0.7 + LINE * len(words) + 0.2
    with rc_context({**STYLE, "axes.edgecolor": GRID, "axes.facecolor": "none"}):
        figure = Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor=PAPER)
        FigureCanvasAgg(figure)
        known = f"{plan.duration:.2f} s", *music_facts(plan), *film_facts(plan)
        facts = "  ·  ".join(with_signs(fact) for fact in known)
        figure.text(LEFT, 1 - 0.4 / height, plan.source or "plan", size=17, weight="bold")
        figure.text(LEFT, 1 - 0.65 / height, facts, size=10.5, color=FAINT)
        across = RIGHT - LEFT
        rows = _rows(figure, places)
        if strip:
            _film(rows.pop("film"), strip, across * WIDTH / FILM)
        _draw_cues(rows, asked)
        _cuts(rows["cuts"], asked)
        draw_feeling(rows["feeling"], asked)
        draw_sections(rows["sections"], plan)
        draw_chords(rows["chords"], chord_symbols(plan, sheet.harmony), plan.duration)
        for time in lines:
            rows["chords"].axvline(time, 0, 0.2, color=FAINT, lw=0.9)  # below the names
        draw_players(rows["players"], plan)
        for name, axes in rows.items():
            axes.spines[:].set_visible(False)
            axes.set_xlim(0, plan.duration)
            if name != "players":
                axes.set_xticks([])
        rows["players"].locator_params(axis="x", nbins=10, integer=True, steps=[1, 2, 5, 10])
        rows["players"].xaxis.set_major_formatter(clock)
        low = LINE * len(words)
        _write(figure.add_axes((LEFT, 0.2 / height, across, low / height)), words)
        with atomic_write(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": None})


def _cue_rows(analysis: Analysis) -> dict[str, float]:
    """Return the heights of the rows of what the cues say; none where nothing was said."""
    return dict.fromkeys(("valence", "arousal"), CUES * bool(cue_colours(analysis.shots)))


def _draw_cues(rows: Mapping[str, "Axes"], analysis: Analysis) -> None:
    """Draw what the cues say in their rows, where there are any."""
    if "valence" in rows:
        for axis in ("valence", "arousal"):
            draw_cues(rows[axis], analysis, axis)
        name_cues(rows["valence"], analysis)


def _rows(figure: "Figure", places: Mapping[str, tuple[float, float]]) -> dict[str, "Axes"]:
    """Return axes across the page for ``places``."""
    height = float(figure.get_figheight())
    return {
        name: figure.add_axes((LEFT, 1 - (top + tall) / height, RIGHT - LEFT, tall / height))
        for name, (top, tall) in places.items()
    }


def _places(rows: Mapping[str, float]) -> tuple[dict[str, tuple[float, float]], float]:
    """Return how far from the upper edge each row of some height begins, and where the last ends.

    All in inches. Chords and players belong to the sections above them, and stand close.
    """
    down, foot, places = 1.05, 0.0, {}
    for name, tall in rows.items():
        if tall:
            down = foot + CLOSE if name in ("chords", "players") else down
            places[name] = (down, tall)
            foot = down + tall
            down = foot + ROW_GAP
    return places, foot


def _section_words(plan: Plan) -> list[tuple[str, ...]]:
    """Return the sections in words, a line of cells each, as many as are written out."""
    lines: list[tuple[str, ...]] = [
        (
            section.theme or "–",
            f"{clock(section.start)} – {clock(section.end)}",
            section.emotion,
            with_signs(key_name(plan.tonic, section.mode)),
            with_signs(clipped(section.chords, LONGEST_CHART)),
        )
        for section in plan.sections[:MOST_SECTIONS]
    ]
    more = len(plan.sections) - len(lines)
    return [*lines, ("…", f"and {more} more", "", "", "")] if more else lines


def _write(axes: "Axes", lines: Sequence[tuple[str, ...]]) -> None:
    """Write the lines of ``_section_words``."""
    axes.set_xlim(0, 1)
    axes.set_ylim(len(lines), 0)
    axes.set_axis_off()
    for row, cells in enumerate(lines):
        for x, cell in zip((0.0, 0.022, 0.12, 0.185, 0.265), cells, strict=True):
            colour, weight = EMOTION_COLOURS.get(cell, INK), "normal" if x else "bold"
            axes.text(x, row + 0.5, cell, color=colour, va="center", weight=weight)
    label(axes, "sections and their chords, bar by bar")


def _title(figure: Any, analysis: Analysis) -> None:
    kept, dropped = len(analysis.kept), len(analysis.cuts) - len(analysis.kept)
    height = figure.get_figheight()
    figure.text(LEFT, 1 - 0.4 / height, analysis.source or "analysis", size=17, weight="bold")
    facts = [f"{analysis.duration:.2f} s"]
    if rate := Fraction(analysis.fps):
        facts.append(f"{float(rate):.5g} frames a second")
    facts.append(
        f"{kept} cut{'s' * (kept != 1)} to answer" + f", {dropped} dropped" * bool(dropped)
    )
    figure.text(LEFT, 1 - 0.65 / height, "  ·  ".join(facts), size=10.5, color=FAINT)


def _film(axes: "Axes", strip: Sequence[Still], ratio: float) -> None:
    """Lay the pictures side by side in a row of a ``ratio`` of width to height."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    if not strip:
        return
    cell = 1 / len(strip)
    for i, still in enumerate(strip):
        pixels = cropped(still.pixels, cell * ratio)
        left = i * cell + 0.0008
        axes.imshow(
            pixels,
            extent=(left, (i + 1) * cell - 0.0008, 0, 1),
            aspect="auto",
            interpolation="antialiased",
        )
    axes.set_xlim(0, 1)


def _cuts(axes: "Axes", analysis: Analysis) -> None:
    """Draw each cut as a stem as high as it is strong; the dropped ones pale."""
    for cut in analysis.cuts:
        colour = CUT if cut.kept else "#c5ccd4"
        axes.plot(
            [cut.time, cut.time],
            [0, cut.strength],
            color=colour,
            lw=2.2 if cut.kept else 1.4,
            solid_capstyle="round",
            zorder=3 if cut.kept else 2,
        )
        axes.plot(cut.time, cut.strength, "o", color=colour, ms=5.5 if cut.kept else 3.5, zorder=3)
    axes.axhline(0, color=GRID, lw=1)
    axes.set_ylim(-0.02, 1.12)
    axes.set_yticks([0, 1], labels=["0", "1"])
    axes.set_xticklabels([])
    label(axes, "cuts by strength" if analysis.cuts else "no cuts")


def _states(axes: "Axes", analysis: Analysis) -> None:
    """Write the states in words, and below each what the cues went by, as many as have room."""
    why = [told(reasons(within(analysis.shots, s.start, s.end))) for s in analysis.arc]
    step = 1.0 + WHY * any(why)
    room = int(ROWS / step)
    axes.set_xlim(0, 1)
    axes.set_ylim(ROWS, 0)
    axes.set_axis_off()
    states = analysis.arc if len(analysis.arc) <= room else analysis.arc[: room - 1]
    for row, (state, reason) in enumerate(zip(states, why, strict=False)):
        words = (f"{clock(state.start)} – {clock(state.end)}", state.emotion or "not known",
                 signed("valence", state.valence), signed("arousal", state.arousal))  # fmt: skip
        colours = (INK, EMOTION_COLOURS.get(state.emotion, FAINT), VALENCE, AROUSAL)
        for x, word, colour in zip((0.0, 0.29, 0.51, 0.76), words, colours, strict=True):
            axes.text(x, step * row + 0.5, word, color=colour, va="center")
        small = clipped(reason, LONGEST_WHY)
        axes.text(0, step * row + 0.5 + WHY, small, color=FAINT, va="center", size=7.5)
    if more := len(analysis.arc) - len(states):
        axes.text(0, step * len(states) + 0.5, f"… and {more} more", color=FAINT, va="center")
    label(axes, f"{len(analysis.arc)} state{'s' * (len(analysis.arc) > 1)}")
