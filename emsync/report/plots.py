"""Pictures of an analysis, on paper a composer would pin to the wall."""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emsync.analysis import Analysis
from emsync.emotion.plane import NEUTRAL, gaussians, middle
from emsync.files import atomic_write
from emsync.video.footage import Curve, Still

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, GRID, PAPER = "#1d2733", "#7b8794", "#e3e7ec", "#ffffff"
MOTION, CUT, VALENCE, AROUSAL = "#3d6f9e", "#d1495b", "#2a9d8f", "#e08e2b"
EMOTION_COLOURS = {
    "anger": "#c8553d",
    "disgust": "#7a9e3f",
    "fear": "#6c4f94",
    "joy": "#e8b93b",
    "sadness": "#4a7fb5",
    "surprise": "#d8739b",
    NEUTRAL: FAINT,
}
ROWS = 11  # states that the picture has room to write out
ROOM = 0.06  # share of the time that a state lasts at least to be named in the picture
NAMES = {  # where the plane has room for each: valence, arousal
    "anger": (-0.47, 0.63),
    "disgust": (-0.34, 0.04),
    "fear": (-0.72, 1.02),
    "joy": (0.8, 0.505),
    NEUTRAL: (0.0, -0.22),
    "sadness": (-0.66, -0.3),
    "surprise": (0.42, 0.705),
}
WIDTH, HEIGHT, DOTS = 13.0, 8.4, 120  # inches and dots an inch: 1560 x 1008 pixels
LEFT, RIGHT = 0.062, 0.985  # edges of the drawing, as shares of the width

STYLE: Any = {  # matplotlib's settings for every picture
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.parse_math": False,  # a file name may hold dollar signs
}


def plot_analysis(analysis: Analysis, strip: Sequence[Still], path: Path) -> None:
    """Draw the film strip, cuts, motion and feeling of ``analysis`` into the PNG ``path``."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({**STYLE, "axes.edgecolor": GRID, "axes.facecolor": PAPER}):
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DOTS, facecolor=PAPER)
        FigureCanvasAgg(figure)
        across = {"left": LEFT, "right": RIGHT}
        upper = figure.add_gridspec(
            4, 1, height_ratios=[1.3, 1.75, 0.75, 0.9], top=0.9, bottom=0.435, hspace=0.34, **across
        )
        lower = figure.add_gridspec(
            1, 3, width_ratios=[1.05, 0.75, 1.6], top=0.355, bottom=0.045, wspace=0.2, **across
        )
        film, over_time, cuts, motion = (figure.add_subplot(upper[i]) for i in range(4))
        plane, bars, states = (figure.add_subplot(lower[i]) for i in range(3))
        _title(figure, analysis)
        _film(film, strip)
        _cuts(cuts, analysis)
        draw_motion(motion, analysis)
        draw_feeling(over_time, analysis)
        draw_plane(plane, analysis)
        draw_emotions(bars, analysis)
        _states(states, analysis)
        over_time.tick_params(labelbottom=False)  # as the motion's
        for axes in figure.axes:
            axes.spines[:].set_visible(False)
        for axes in (cuts, motion, over_time):
            axes.set_xlim(0, analysis.duration)
        with atomic_write(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": None})


def _title(figure: Any, analysis: Analysis) -> None:
    kept, dropped = len(analysis.kept), len(analysis.cuts) - len(analysis.kept)
    figure.text(LEFT, 0.955, analysis.source or "analysis", size=17, weight="bold")
    facts = [f"{analysis.duration:.2f} s"]
    if rate := Fraction(analysis.fps):
        facts.append(f"{float(rate):.5g} frames a second")
    facts.append(
        f"{kept} cut{'s' * (kept != 1)} to answer" + f", {dropped} dropped" * bool(dropped)
    )
    figure.text(LEFT, 0.925, "  ·  ".join(facts), size=10.5, color=FAINT)


def _film(axes: "Axes", strip: Sequence[Still]) -> None:
    """Lay the pictures side by side, each as wide as its share of the time."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    if not strip:
        return
    box = axes.get_position()
    ratio = box.width * WIDTH / (box.height * HEIGHT)  # of the row
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


def cropped(pixels: Any, ratio: float) -> Any:
    """Return the middle of a picture, cut to a width of ``ratio`` heights."""
    height, width = pixels.shape[:2]
    if width > height * ratio:
        keep = max(1, round(height * ratio))
        return pixels[:, (width - keep) // 2 :][:, :keep]
    keep = max(1, round(width / ratio))
    return pixels[(height - keep) // 2 :][:keep]


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


def draw_motion(axes: "Axes", analysis: Analysis) -> None:
    """Draw how much the picture moves, if that was measured."""
    if analysis.motion:
        times, values = _points(analysis.motion, analysis.duration)
        axes.fill_between(times, values, color=MOTION, alpha=0.22, lw=0)
        axes.plot(times, values, color=MOTION, lw=1.2)
        # A single burst must not flatten all the rest.
        top = max(0.1, min(values.max(), 2.5 * float(np.quantile(values, 0.95))))
        axes.set_ylim(0, 1.1 * top)
    for cut in analysis.kept:
        axes.axvline(cut.time, color=CUT, lw=0.8, alpha=0.45)
    axes.locator_params(axis="y", nbins=3)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(clock)
    label(axes, "motion, picture heights a second")


def draw_feeling(axes: "Axes", analysis: Analysis) -> None:
    """Draw valence and arousal: each second's as a faint curve, each state's as a bold step.

    A band in its colour names the emotion of each state that has room for a name.
    """
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground=PAPER, alpha=0.8)]
    axes.axhline(0, color="#c5ccd4", lw=1)
    for state in analysis.arc:
        colour = EMOTION_COLOURS.get(state.emotion, FAINT)
        axes.axvspan(state.start, state.end, color=colour, alpha=0.13, lw=0)
        if state.length >= ROOM * analysis.duration:
            middle = (state.start + state.end) / 2
            axes.text(
                middle,
                -0.98,
                state.emotion,
                color=colour,
                ha="center",
                va="bottom",
                size=8.5,
                weight="bold",
                clip_on=True,
                zorder=4,
                path_effects=halo,
            )
    for state in analysis.arc[1:]:
        axes.axvline(state.start, color=INK, lw=0.8, alpha=0.5)
    edges = [analysis.arc[0].start, *(state.end for state in analysis.arc)]
    for name, curve, value, colour in (
        ("valence", analysis.valence_curve, analysis.valence, VALENCE),
        ("arousal", analysis.arousal_curve, analysis.arousal, AROUSAL),
    ):
        if curve:
            times, values = _points(curve, analysis.duration)
            axes.plot(times, values, color=colour, lw=1, alpha=0.55)
        steps = [getattr(state, name) for state in analysis.arc]
        axes.stairs(steps, edges, baseline=None, color=colour, lw=2.2)
        axes.plot([], [], color=colour, lw=2.2, label=_signed(name, value))
    for cut in analysis.kept:
        axes.axvline(cut.time, color=CUT, lw=0.8, alpha=0.3)
    axes.set_ylim(-1.02, 1.02)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "", "0", "", "+1"])
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.xaxis.set_major_formatter(clock)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.2
    )
    label(axes, "feeling over time")


def draw_plane(axes: "Axes", analysis: Analysis) -> None:
    """Draw the Gaussians at one standard deviation, the path of the clip, and its point."""
    from matplotlib.patches import Ellipse
    from matplotlib.patheffects import withStroke

    axes.axhline(0, color=GRID, lw=1)
    axes.axvline(0, color=GRID, lw=1)
    for name, g in {**gaussians(), NEUTRAL: middle()}.items():
        colour = EMOTION_COLOURS[name]
        share = analysis.emotion.get(name, 0.0)
        centre, size = (g.valence, g.arousal), (2 * g.valence_sd, 2 * g.arousal_sd)
        axes.add_patch(Ellipse(centre, *size, color=colour, alpha=0.10 + 0.4 * share, lw=0))
        axes.add_patch(Ellipse(centre, *size, fill=False, ec=colour, lw=1.1))
    halo = [withStroke(linewidth=2.5, foreground=PAPER, alpha=0.8)]
    for name, (x, y) in NAMES.items():
        axes.text(
            x,
            y,
            name,
            size=9,
            color=EMOTION_COLOURS[name],
            ha="center",
            va="center",
            path_effects=halo,
            zorder=4,
        )
    points = np.asarray([(state.valence, state.arousal) for state in analysis.arc])
    axes.plot(*points.T, "o-", color=INK, lw=1, ms=3.5, alpha=0.4, zorder=4)
    axes.plot(analysis.valence, analysis.arousal, "o", ms=11, mfc=INK, mec=PAPER, mew=2, zorder=5)
    axes.set_xlim(-1.04, 1.04)
    axes.set_ylim(-1.04, 1.08)
    axes.set_aspect("equal")
    axes.set_xticks([-1, 0, 1], labels=["−1", "valence", "+1"])
    axes.set_yticks([-1, 0, 1], labels=["−1", "arousal", "+1"])
    axes.tick_params(axis="y", labelrotation=90)
    label(axes, "states, and the whole")


def draw_emotions(axes: "Axes", analysis: Analysis) -> None:
    """Draw the shares of the six emotions and of neutral as bars."""
    names = sorted(EMOTION_COLOURS, key=lambda name: analysis.emotion.get(name, 0.0))
    shares = [analysis.emotion.get(name, 0.0) for name in names]
    axes.barh(names, shares, color=[EMOTION_COLOURS[name] for name in names], height=0.62)
    for y, share in enumerate(shares):
        axes.text(share + 0.02, y, f"{share:.0%}", va="center", size=8.5, color=FAINT)
    axes.set_xlim(0, max([0.5, *shares]) * 1.2)
    axes.set_xticks([])
    axes.tick_params(axis="y", labelcolor=INK)
    label(axes, "as emotions")


def _states(axes: "Axes", analysis: Analysis) -> None:
    """Write the states in words, a line each, as many as there is room for."""
    axes.set_xlim(0, 1)
    axes.set_ylim(ROWS, 0)
    axes.set_axis_off()
    states = analysis.arc if len(analysis.arc) <= ROWS else analysis.arc[: ROWS - 1]
    for row, state in enumerate(states):
        words = (f"{clock(state.start)} – {clock(state.end)}", state.emotion or "not known",
                 _signed("valence", state.valence), _signed("arousal", state.arousal))  # fmt: skip
        colours = (INK, EMOTION_COLOURS.get(state.emotion, FAINT), VALENCE, AROUSAL)
        for x, word, colour in zip((0.0, 0.29, 0.51, 0.76), words, colours, strict=True):
            axes.text(x, row + 0.5, word, color=colour, va="center")
    if more := len(analysis.arc) - len(states):
        axes.text(0, len(states) + 0.5, f"… and {more} more", color=FAINT, va="center")
    label(axes, f"{len(analysis.arc)} state{'s' * (len(analysis.arc) > 1)}")


def _signed(name: str, value: float) -> str:
    """Return a valence or an arousal in words.

    >>> _signed("valence", -0.25)
    'valence −0.25'
    """
    return f"{name} " + ("not known" if math.isnan(value) else f"{value:+.2f}".replace("-", "−"))


def _points(curve: Curve, duration: float) -> tuple[Any, Any]:
    """Return the middle of each step, the last one within the video, and its value."""
    times = (np.arange(len(curve.values)) + 0.5) * curve.step
    return np.minimum(times, duration), np.asarray(curve.values)


def label(axes: "Axes", text: str) -> None:
    """Name a drawing above its left corner."""
    axes.text(0, 1.02, text, transform=axes.transAxes, va="bottom", size=10, weight="bold")


def clock(seconds: float, _: float | None = None) -> str:
    """Return a time as minutes and seconds.

    >>> clock(75.5), clock(7.0)
    ('1:15.5', '0:07')
    """
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}".removesuffix(".0")
