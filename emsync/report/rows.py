"""The rows that the pictures of an analysis, a plan and a composition share, and their style."""

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from emsync.analysis import Analysis
from emsync.emotion.belief import Impression, product
from emsync.emotion.plane import NEUTRAL, gaussians, middle
from emsync.emotion.reasons import has_say
from emsync.performance.dynamics import LOUDEST
from emsync.planning.plan import Plan, Section
from emsync.planning.words import key_name, palettes_told, with_signs
from emsync.video.footage import Curve

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
CUE_COLOURS = {  # of the cues; the colour-blind tell them apart, too
    "faces": "#d55e00",
    "pictures": "#2f7fd0",
    "sound": "#cc79a7",
}
OTHER_CUES = ("#009e73", "#56b4e9", "#8a6d3b")  # of plug-ins, in turn
PLAYER_COLOURS = {  # of the instruments
    "drums": "#8a929b",
    "bass": "#7d4fa0",
    "guitar": "#d08a1d",
    "piano": "#2f74c0",
    "strings": "#3a9a57",
}
BAND, LINE = 0.07, 0.6  # strength of a cue's band and line times its width: the surer, the stronger
FAINTEST = 0.2  # strength of the line of a cue that hardly has a say
NAME = 9  # points of the names of sections
NAMES_OF_CHORDS = (9.0, 8.0, 7.0)  # points, as many as there are
GAP = 0.004  # share of the width before and after a name
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
WIDTH, DOTS = 13.0, 120  # inches and dots an inch: 1560 pixels
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


def cropped(pixels: Any, ratio: float) -> Any:
    """Return the middle of a picture, cut to a width of ``ratio`` heights."""
    height, width = pixels.shape[:2]
    if width > height * ratio:
        keep = max(1, round(height * ratio))
        return pixels[:, (width - keep) // 2 :][:, :keep]
    keep = max(1, round(width / ratio))
    return pixels[(height - keep) // 2 :][:keep]


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
        axes.plot([], [], color=colour, lw=2.2, label=signed(name, value))
    for cut in analysis.kept:
        axes.axvline(cut.time, color=CUT, lw=0.8, alpha=0.3)
    axes.set_ylim(-1.02, 1.02)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "", "0", "", "+1"])
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.xaxis.set_major_formatter(clock)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.2
    )
    label(axes, "feeling over time, as it was given" if is_given(analysis) else "feeling over time")


def is_given(analysis: Analysis) -> bool:
    """Return whether a person gave the feeling, or a part of it, in place of the cues."""
    known = not math.isnan(analysis.valence) or not math.isnan(analysis.arousal)
    return known and not analysis.estimator


def cue_colours(shots: Sequence[Impression]) -> dict[str, str]:
    """Return the cues that had a say of any shot, each with its colour."""
    there = dict.fromkeys(cue for shot in shots for cue in shot.says)
    heard = {cue for shot in shots for cue, said in shot.says.items() if has_say(said)}
    others = itertools.cycle(OTHER_CUES)
    return {cue: CUE_COLOURS.get(cue) or next(others) for cue in there if cue in heard}


def draw_cues(axes: "Axes", analysis: Analysis, axis: str) -> None:
    """Draw what each cue says of ``axis`` shot by shot: its mean, and its width as a band.

    A black line is their product. The surer a cue is, the stronger its band.
    """
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import to_rgba

    shots = analysis.shots
    for cue, colour in cue_colours(shots).items():
        said = [(s, s.says[cue]) for s in shots if cue in s.says]
        bands, lines, shades, strokes = [], [], [], []
        for shot, mean, sd in ((s, getattr(b, axis), getattr(b, f"{axis}_sd")) for s, b in said):
            if math.isfinite(sd):
                low, high = max(-1.0, mean - sd), min(1.0, mean + sd)
                x = shot.start, shot.end
                bands.append([(x[0], low), (x[1], low), (x[1], high), (x[0], high)])
                lines.append([(x[0], mean), (x[1], mean)])
                shades.append(to_rgba(colour, min(0.4, BAND / sd)))
                strokes.append(to_rgba(colour, max(FAINTEST, min(1.0, LINE / sd))))
        axes.add_collection(PolyCollection(bands, facecolors=shades, edgecolors="none"))
        axes.add_collection(LineCollection(lines, colors=strokes, lw=3, capstyle="butt"))
    together = [(s.start, s.end, product(list(s.says.values()))) for s in shots]
    agreed = [[(start, getattr(b, axis)), (end, getattr(b, axis))] for start, end, b in together
              if math.isfinite(getattr(b, f"{axis}_sd"))]  # fmt: skip
    axes.add_collection(LineCollection(agreed, colors=INK, lw=1.2, capstyle="butt", zorder=3))
    axes.axhline(0, color="#c5ccd4", lw=1, zorder=0.5)
    axes.set_ylim(-1.02, 1.02)
    axes.set_yticks([-1, 0, 1], labels=["−1", "0", "+1"])
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(clock)
    followed = "; the given one is followed" if is_given(analysis) else ""
    label(axes, f"{axis}, as each cue says it of each shot{followed}")


def name_cues(axes: "Axes", analysis: Analysis) -> None:
    """Name the cues in their colours above the right corner, and the line of their product."""
    for cue, colour in cue_colours(analysis.shots).items():
        axes.plot([], [], color=colour, lw=3, label=cue)
    axes.plot([], [], color=INK, lw=1.2, label="together")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=8, frameon=False, borderaxespad=0.2
    )


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


def signed(name: str, value: float) -> str:
    """Return a valence or an arousal in words.

    >>> signed("valence", -0.25)
    'valence −0.25'
    """
    return f"{name} " + ("not known" if math.isnan(value) else f"{value:+.2f}".replace("-", "−"))


def _points(curve: Curve, duration: float) -> tuple[Any, Any]:
    """Return the middle of each step, the last one within the video, and its value."""
    times = (np.arange(len(curve.values)) + 0.5) * curve.step
    return np.minimum(times, duration), np.asarray(curve.values)


def draw_sections(axes: "Axes", plan: Plan) -> None:
    """Draw each section as a band as high as it is loud, with its letter, key and emotion."""
    palettes = palettes_told(plan)
    for section, (_, level), palette in zip(plan.sections, plan.levels, palettes, strict=True):
        colour = EMOTION_COLOURS.get(section.emotion, FAINT)
        length = section.end - section.start
        axes.bar(section.start, level, length, align="edge", color=colour, alpha=0.26, lw=0)
        axes.plot([section.start, section.end], [level, level], color=colour, lw=2)
        axes.axvline(section.start, color=INK, lw=0.8, alpha=0.5)
        at, low = section.start + GAP * plan.duration, LOUDEST * 0.12
        if words := first_that_fits(axes, _names_of(plan, section, palette), length, plan.duration):
            axes.text(at, low, section.theme, size=NAME, color=INK, weight="bold")
            rest = words.removeprefix(section.theme).lstrip(" ·")  # a browser draws no first space
            at += seconds_wide(axes, section.theme, plan.duration) + 2 * GAP * plan.duration
            axes.text(at, low, rest, size=NAME, color=INK)
    axes.set_ylim(0, LOUDEST)
    axes.set_yticks([40, 80, 120], labels=["", "80", "120"])
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    label(axes, "sections, as high as they are loud (velocity)")


def _names_of(plan: Plan, section: Section, palette: str) -> list[str]:
    """Return what a section may be called in its band, the longest first."""
    theme, key = section.theme, with_signs(key_name(plan.tonic, section.mode))
    short = key.removesuffix(" major").replace(" minor", "m")
    whole = theme, key, section.emotion
    choices = ((*whole, palette), whole, (theme, key), (theme, short), (theme,))
    return ["  ·  ".join(filter(None, choice)) for choice in choices]


def draw_players(axes: "Axes", plan: Plan) -> None:
    """Draw who plays when: a lane for each instrument that the plan asks for anywhere."""
    names = plan.instruments[::-1]
    for lane, name in enumerate(names):
        for section in plan.sections:
            if name in section.instruments:
                axes.barh(
                    lane, section.end - section.start, 0.62, section.start,
                    color=PLAYER_COLOURS[name], alpha=0.75, lw=0,
                )  # fmt: skip
    for section in plan.sections[1:]:
        axes.axvline(section.start, color=PAPER, lw=1.5)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(range(len(names)), labels=names, size=8)


def draw_chords(axes: "Axes", symbols: Sequence[tuple[float, str]], duration: float) -> None:
    """Draw the chords as boxes, each from its start to the next, and name those that have room.

    The names are of the size that lets most of them stand; those that would touch an earlier one
    are left out.
    """
    ends = [time for time, _ in symbols[1:]] + [duration]
    for number, ((start, _), end) in enumerate(zip(symbols, ends, strict=True)):
        axes.axvspan(start, end, color=INK, alpha=0.11 if number % 2 else 0.05, lw=0)
    fits = {size: _side_by_side(axes, symbols, duration, size) for size in NAMES_OF_CHORDS}
    size = max(fits, key=lambda size: len(fits[size]))  # of equals the largest, which is first
    for left, words in fits[size]:
        axes.text(left, 0.36, words, size=size, color=INK, weight="bold")
    axes.set_ylim(0, 1)
    axes.set_yticks([])


def _side_by_side(
    axes: "Axes", symbols: Sequence[tuple[float, str]], duration: float, size: float
) -> list[tuple[float, str]]:
    """Return where names of a size begin, without those that would touch an earlier one."""
    free, placed, gap = -math.inf, [], GAP * duration
    for start, name in symbols:
        words = with_signs(name)
        wide = seconds_wide(axes, words, duration, size)
        left = min(start + gap / 2, duration - wide - gap / 2)
        if left >= free:
            placed.append((left, words))
            free = left + wide + gap
    return placed


def first_that_fits(axes: "Axes", choices: Iterable[str], length: float, duration: float) -> str:
    """Return the first of ``choices`` that is narrower than ``length`` seconds, or ""."""
    room = length - 2 * GAP * duration
    return next((words for words in choices if seconds_wide(axes, words, duration) <= room), "")


def seconds_wide(axes: "Axes", words: str, duration: float, size: float = NAME) -> float:
    """Return how many of the ``duration`` seconds across ``axes`` a name of a size takes."""
    inches = axes.get_position().width * WIDTH
    return _inches(words) * size / NAME / inches * duration


@lru_cache(maxsize=4096)
def _inches(words: str) -> float:
    """Return the width of a name of NAME points in bold, the wider of both weights."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not words:
        return 0.0
    font = FontProperties(family=STYLE["font.family"], weight="bold")
    return float(TextPath((0, 0), words, size=NAME, prop=font).get_extents().width) / 72


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
