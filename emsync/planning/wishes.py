"""What a person wishes of the music, as edits of the plan: here, and nowhere else."""

from dataclasses import replace

import numpy as np

from emsync.errors import UsageError
from emsync.music.chords import NONE, ROOTS, TONES
from emsync.music.tonality import KEYS, TONICS, has_flats, key_fits, pitch_class
from emsync.options import Options
from emsync.planning.chart import Chart, chart_text, moved, parse_chart
from emsync.planning.plan import Plan, Section
from emsync.planning.players import check_instruments

FIRST, LAST = 1.0, 0.5  # what the first and the last chord weigh more in the key of a chart


def wished(plan: Plan, options: Options) -> Plan:
    """Return ``plan`` with the wishes of ``options``: tempo, key, chords, instruments, ending."""
    if options.tempo is not None:
        plan = replace(plan, tempo=options.tempo)
    if options.ending is not None:
        plan = replace(plan, ending=options.ending)
    if options.instruments:
        names = check_instruments(options.instruments)
        plan = replace(plan, sections=tuple(replace(s, instruments=names) for s in plan.sections))
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


def in_key(plan: Plan, tonic: str) -> Plan:
    """Return ``plan`` on another tonic, its chords moved along."""
    if not plan.tonic:
        return replace(plan, tonic=tonic)
    to = pitch_class(tonic)
    up = to - pitch_class(plan.tonic)

    def moved_words(section: Section) -> str:
        flats = has_flats(to, section.mode == "minor")
        return chart_text(moved(section.chart, up), flats) if section.chords else ""

    sections = tuple(replace(s, chords=moved_words(s)) for s in plan.sections)
    return replace(plan, tonic=tonic, sections=sections)


def with_chords(plan: Plan, options: Options) -> Plan:
    """Return ``plan`` with the chords that a person names in each section, and their key."""
    chart = parse_chart(options.chords)
    tonic, minor = key_of(chart)
    mode = options.mode or ("minor" if minor else "major")
    tonic = TONICS[pitch_class(options.tonic)] if options.tonic else tonic
    words = chart_text(chart, has_flats(pitch_class(tonic), mode == "minor"))
    sections = tuple(replace(s, chords=words, mode=mode) for s in plan.sections)
    return replace(plan, tonic=tonic, sections=sections)


def key_of(chart: Chart) -> tuple[str, bool]:
    """Return the tonic of a chart and whether its key is minor: the key that its tones fit best.

    The first chord counts twice and the last one and a half times, since music begins and ends on
    its tonic more often than not.

    >>> key_of(parse_chart("Am F C G")), key_of(parse_chart("C G Am F"))
    (('A', True), ('C', False))
    """
    known = [entry for entry in chart if entry.chord != NONE]
    if not known:
        raise UsageError("the chords are all N, none; name some such as C or Am")
    weights = np.array([entry.halves for entry in known], np.float64)
    weights[0] *= 1 + FIRST
    weights[-1] *= 1 + LAST
    numbers = [entry.chord for entry in known]
    sounding = weights @ (TONES[numbers] + ROOTS[numbers])
    key = KEYS[int(key_fits(sounding).argmax())]
    return TONICS[pitch_class(key.removesuffix("m"))], key.endswith("m")
