"""What a person wishes of the music, as edits of the plan: here, and nowhere else."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Float64s
from emsync.emotion.arc import State
from emsync.emotion.plane import SCALE, Point, mean_point
from emsync.errors import UsageError, warn
from emsync.limits import shown
from emsync.music.chords import NONE, ROOTS, TONES
from emsync.music.tonality import KEYS, TONICS, fifths_of, key_fits, pitch_class, tonic_and_mode
from emsync.options import Mode, Options
from emsync.planning.chart import Chart, bars_of, chart_text, moved, parse_chart, shortened
from emsync.planning.feeling import following, palette_of
from emsync.planning.plan import Plan, Section
from emsync.planning.players import check_instruments, check_pitched

FIRST, LAST = 1.0, 0.5  # what the first and the last chord weigh more in the key of a chart
FEELINGS = ("emotion_file", "max_va", "emotion", "valence", "arousal")  # options of the emotion


def wished(plan: Plan, options: Options) -> Plan:
    """Return ``plan`` with the wishes of ``options``: tempo, key, chords, players, ending."""
    if options.tempo is not None:
        plan = replace(plan, tempo=options.tempo)
    if options.ending is not None:
        plan = replace(plan, ending=options.ending)
    if options.instruments:
        names = check_instruments(options.instruments)
        plan = replace(plan, sections=tuple(replace(s, instruments=names) for s in plan.sections))
    if options.palette is not None:
        plan = with_palette(plan, os.fspath(options.palette))
    if options.tonic:
        plan = in_key(plan, TONICS[pitch_class(options.tonic)])
    if options.mode:
        plan = replace(
            plan,
            sections=tuple(
                s if s.mode == options.mode else replace(s, mode=options.mode, chords="")
                for s in plan.sections
            ),
        )
    return with_chords(plan, options) if options.chords else plan


def with_palette(plan: Plan, name: str) -> Plan:
    """Return ``plan`` played throughout by the players of the palette ``name``."""
    return replace(plan, sections=tuple(replace(s, palette=name) for s in plan.sections))


def revised(plan: Plan, analysis: Analysis, options: Options) -> Plan:
    """Return a plan that is given with the cuts and the feelings that ``options`` ask for.

    ``analysis`` has them already. A plan that is made from it needs no revision.
    """
    if options.cuts != "auto" or options.min_cut_distance is not None:
        plan = replace(plan, hits=tuple(cut.time for cut in analysis.kept))
    if options.arc == "scene" and all(getattr(options, name) is None for name in FEELINGS):
        return plan
    arc = analysis.arc
    if options.emotion_file is None:  # which is over time; the others edit what is there
        arc = felt(analysis.with_arc(plan.arc), options).arc
    suiting = palette_of(plan.arc)  # what followed from the feeling follows from the new one
    sections = [replace(s, palette="") if s.palette == suiting else s for s in plan.sections]
    return replace(plan, sections=tuple(with_feelings(sections, arc)))


def felt(analysis: Analysis, options: Options) -> Analysis:
    """Return ``analysis`` with the feeling that ``options`` ask for in place of its own."""
    if options.max_va is not None:
        analysis = analysis.scaled(options.max_va)
    if options.arc == "constant":
        analysis = analysis.constant()
    return analysis.with_feeling(
        cast("Mapping[str, float] | None", options.emotion),  # text was parsed when it was given
        options.valence,
        options.arousal,
        options.max_va or SCALE,
    )


def with_feelings(sections: Sequence[Section], arc: Sequence[State]) -> list[Section]:
    """Return ``sections`` with the feeling that ``arc`` has there, and what follows from it.

    What a person had edited, so that it did not follow from the feeling before, stays. In another
    mode the chords are drawn anew.
    """
    points = [_feeling(section, arc) for section in sections]
    before = following([Point(section.valence, section.arousal) for section in sections])
    rows = zip(sections, points, before, following(points), strict=True)
    return [_with_feeling(*row) for row in rows]


def _feeling(section: Section, arc: Sequence[State]) -> Point:
    """Return the mean of ``arc`` in ``section``."""
    inside = [(s, min(s.end, section.end) - max(s.start, section.start)) for s in arc]
    inside = [(state, length) for state, length in inside if length > 0]
    point = mean_point([state.point for state, _ in inside], [length for _, length in inside])
    return Point(round(point.valence, 4), round(point.arousal, 4))


def _with_feeling(
    section: Section, point: Point, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Section:
    changes = {name: after[name] for name in after if getattr(section, name) == before[name]}
    if not changes.get("mode", True):  # an unknown valence asks for no mode
        del changes["mode"]
    if changes.get("mode", section.mode) != section.mode:
        changes["chords"] = ""
    return replace(section, valence=point.valence, arousal=point.arousal, **changes)


def in_bars(plan: Plan, bars: Sequence[int], options: Options) -> Plan:
    """Return ``plan`` with no chart longer than its section, of so many ``bars``.

    The chords that a person wishes for all sections are cut to the shorter ones, and those of a
    plan that is given with a note: another tempo, hit or ending than it was made with moves its
    bars. UsageError where no section holds the chords that are wished for.
    """
    lengths = [bars_of(section.chart) for section in plan.sections]
    over = [i for i, length in enumerate(lengths) if length > bars[i]]
    if not over:
        return plan
    at = f"at {plan.tempo:.4g} beats a minute"
    if options.chords and len(over) == len(bars):
        raise UsageError(
            f"the chords {shown(options.chords)} last {lengths[0]:g} bars, but the longest section "
            f"has {max(bars)} {at}; name fewer, or halve them as in Am/2"
        )
    if not options.chords:
        first, section = over[0], plan.sections[over[0]]
        told = (
            f"section {first + 1}, from {section.start:.2f} to {section.end:.2f} s, has chords for "
            f"{lengths[first]:g} bars, but {bars[first]} {at}"
        )
        warn(f"{told}: the last are left out" + ", in others too" * (len(over) > 1))
    sections = list(plan.sections)
    for i in over:
        chart = shortened(sections[i].chart, bars[i])
        words = chart_text(chart, plan.fifths(sections[i]))
        sections[i] = replace(sections[i], chords=words)
    return replace(plan, sections=tuple(sections))


def in_key(plan: Plan, tonic: str) -> Plan:
    """Return ``plan`` on another tonic, its chords moved along."""
    if not plan.tonic:
        return replace(plan, tonic=tonic)
    up = pitch_class(tonic) - pitch_class(plan.tonic)
    plan = replace(plan, tonic=tonic)
    sections = tuple(
        replace(s, chords=chart_text(moved(s.chart, up), plan.fifths(s))) for s in plan.sections
    )
    return replace(plan, sections=sections)


def with_chords(plan: Plan, options: Options) -> Plan:
    """Return ``plan`` with the chords that a person names in each section, and their key."""
    check_pitched(plan.instruments)
    chart = parse_chart(options.chords)
    tonic, minor = key_of(chart)
    mode = options.mode or ("minor" if minor else "major")
    tonic = TONICS[pitch_class(options.tonic)] if options.tonic else tonic
    words = chart_text(chart, fifths_of(pitch_class(tonic), mode == "minor"))
    sections = tuple(replace(s, chords=words, mode=mode) for s in plan.sections)
    return replace(plan, tonic=tonic, sections=sections)


def key_of(chart: Chart) -> tuple[str, bool]:
    """Return the tonic of a chart and whether its key is minor: the key that its tones fit best.

    >>> key_of(parse_chart("Am F C G")), key_of(parse_chart("C G Am F"))
    (('A', True), ('C', False))
    """
    return tonic_and_mode(KEYS[int(fits(chart).argmax())])


def mode_on(tonic: str, chart: Chart) -> Mode:
    """Return the mode on ``tonic`` that a chart fits better."""
    major, minor = fits(chart)[pitch_class(tonic) + np.array([0, 12])]
    return "minor" if minor > major else "major"


def fits(chart: Chart) -> Float64s:
    """Return the (24,) fits of a chart with KEYS; UsageError where it names no chord.

    The first chord counts twice and the last one and a half times, since music begins and ends on
    its tonic more often than not.
    """
    known = [entry for entry in chart if entry.chord != NONE]
    if not known:
        words = "the chords are all N, none" if chart else "no chord is named"
        raise UsageError(f"{words}; name some such as C or Am")
    weights = np.array([entry.halves for entry in known], np.float64)
    weights[0] *= 1 + FIRST
    weights[-1] *= 1 + LAST
    numbers = [entry.chord for entry in known]
    return key_fits(weights @ (TONES[numbers] + ROOTS[numbers]))
