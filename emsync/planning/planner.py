"""How a plan is made: sections by the film's feeling, then chords and themes drawn by the seed."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from emsync.analysis import Analysis
from emsync.emotion.arc import State
from emsync.errors import UsageError
from emsync.fit.ending import Ending
from emsync.fit.spotting import spotting_of, tempo_with_cuts
from emsync.music.chords import NONE, transposed
from emsync.music.piece import BEATS
from emsync.music.tonality import TONICS, fifths_of, pitch_class
from emsync.options import Mode, Options, PathLike
from emsync.planning.casting import with_players
from emsync.planning.chart import PHRASE, Chart, chart_text, moved
from emsync.planning.feeling import following, modes_of
from emsync.planning.placing import Placing, section_bars
from emsync.planning.plan import Plan, Section
from emsync.planning.progressions import closed, loop
from emsync.planning.theme import read_theme, with_theme
from emsync.planning.wishes import in_bars, key_of, mode_on, revised, wished
from emsync.video.film import same_length

LONGEST = 24.0  # seconds of a section; a longer scene is divided
LOOP = 8  # bars; shorter sections of a theme so begin as its longer ones do
PLAIN_COLOUR = 0.1  # share of chords with a seventh at no arousal; calm has twice that, storm none
SHORTEST = 1.0  # seconds of a chord; two fit into a bar of 120 beats a minute or fewer
ALIKE = 0.2  # distance on the plane within which a section goes on with the theme before it ...
AGAIN = 0.5  # ... and within which an earlier theme returns: what went away is known again sooner
IN_A_ROW = 2  # sections of one theme; another follows


def plan_of(analysis: Analysis, options: Options = Options(), grid: Placing | None = None) -> Plan:
    """Return the plan for a film: the one that ``options`` give, else one made, then their wishes.

    What it leaves open, such as the chords of a section, is drawn by the seed. ``grid`` has the
    bars, where they are known before the music is spotted.
    """
    if options.plan is None:
        plan = outlined(analysis, options)
        if options.theme is not None:
            plan = with_theme(plan, read_theme(options.theme))
    else:
        given = given_plan(options.plan, analysis.duration)
        plan = revised(given.lasting(analysis.duration), analysis, options)
    plan = with_players(wished(plan, options), options)
    bars = bar_counts(plan, analysis, options, grid)
    return in_bars(filled(plan, bars.planned, options.seed), bars.most, options)


def given_plan(plan: Plan | PathLike, duration: float | None) -> Plan:
    """Return the plan, or the one of the file that is named, checked.

    UsageError where it is of another film than one of ``duration`` seconds; None is any.
    """
    given = Plan.from_json(plan.to_json()) if isinstance(plan, Plan) else Plan.load(plan)
    if duration is not None and not same_length(given.duration, duration):
        raise UsageError(
            f"the plan is of {given.source or 'a film'} and {given.duration:.2f} s, the video has "
            f"{duration:.2f} s; plan this video"
        )
    return given


def outlined(analysis: Analysis, options: Options = Options()) -> Plan:
    """Return the plan of what the film itself asks: tempo, hits, and sections without chords."""
    ending = Ending.of(options.ending or "cadence", analysis)
    met = ending.requested_in(analysis)  # all that the music will meet: a tempo that suits it
    tempo = tempo_with_cuts(met, options.sync, options.max_tempo_change)
    phrase = PHRASE * BEATS * 60 / tempo
    states = [part for state in analysis.arc for part in divided(state, analysis, phrase)]
    letters = themes(states)
    left = {} if len(analysis.arc) > 1 else {"density": math.nan}  # the composer's
    sections = tuple(
        Section(
            state.start,
            state.end,
            state.valence,
            state.arousal,
            theme=letter,
            **{**follows, **left},
        )
        for state, letter, follows in zip(
            states, letters, following([state.point for state in states]), strict=True
        )
    )
    hits = tuple(cut.time for cut in analysis.kept)
    return Plan(
        analysis.duration, tempo, analysis.tonic, "cadence", hits, sections,
        analysis.source,
    )  # fmt: skip


def filled(plan: Plan, bars: Sequence[int], seed: int = 0) -> Plan:
    """Return ``plan`` with what it leaves open drawn by the seed: tonic, modes, chords.

    Chords that are there say the tonic and their modes. ``bars`` are those of each section. One
    seed draws other chords for another film, told by its length.
    """
    film = (seed, round(1000 * plan.duration))
    rng = np.random.default_rng([*film, 1])
    drawn: Mode = "minor" if rng.random() < 0.5 else "major"
    charts = [_named(section.chart) for section in plan.sections]
    every = tuple(entry for chart in charts for entry in chart)
    any_tonic = TONICS[int(rng.integers(len(TONICS)))]
    tonic = plan.tonic or (key_of(every)[0] if every else any_tonic)
    home = mode_on(tonic, every) if every else drawn
    modes = [mode_on(tonic, chart) if chart else home for chart in charts]
    sections = [
        section if section.mode else replace(section, mode=mode)
        for section, mode in zip(plan.sections, modes, strict=True)
    ]
    return replace(
        plan, tonic=tonic, sections=_with_chords(sections, bars, tonic, film, plan.tempo)
    )


def _named(chart: Chart) -> Chart:
    return tuple(entry for entry in chart if entry.chord != NONE)


class Bars(NamedTuple):
    """How many bars each section has; one that is shorter than a bar counts as one."""

    planned: list[int]  # the last chord's is one, however long it rings
    most: list[int]  # that a chart may have: also those over which the last chord rings


def bar_counts(
    plan: Plan,
    analysis: Analysis,
    options: Options = Options(),
    grid: Placing | None = None,
) -> Bars:
    """Return the bars of each section of a plan for a film."""
    brief, ending = plan.brief(analysis)
    spotting = grid or spotting_of(brief, options.sync, options.max_tempo_change)
    planned, even = (
        [max(1, len(edges) - 1) for edges in section_bars(plan, spotting, last)]
        for last in (ending.chord, None)
    )
    return Bars(planned, [max(both) for both in zip(planned, even, strict=True)])


def _with_chords(
    sections: Sequence[Section],
    bars: Sequence[int],
    tonic: str,
    film: tuple[int, int],
    tempo: float,
) -> tuple[Section, ...]:
    """Return the sections with chords drawn where they have none, from the last to the first.

    So each one's close knows the chord that follows: on a cut the chord changes. ``film`` is the
    seed, and what tells the film from others.
    """
    found: list[Section] = []
    up, last = pitch_class(tonic), len(sections) - 1
    for number, (section, count) in reversed([*enumerate(zip(sections, bars, strict=True))]):
        if not section.chords:
            key = ord(section.theme) if section.theme else 1000 + number
            rng = np.random.default_rng([*film, 2, key, section.mode == "minor"])
            after = _named(found[-1].chart) if found else ()
            onto = transposed(after[0].chord, -up) if after else None
            chart = drawn_chart(rng, section, count, number == last, tempo, onto)
            words = chart_text(moved(chart, up), fifths_of(up, section.mode == "minor"))
            section = replace(section, chords=words)
        found.append(section)
    return tuple(reversed(found))


def drawn_chart(
    rng: np.random.Generator,
    section: Section,
    bars: int,
    last: bool,
    tempo: float = 120.0,
    onto: int | None = None,
) -> Chart:
    """Return chords for a section of so many bars, in C: a loop, which leads on or ends at home.

    ``onto`` is the chord, in C, that follows. Where beats are fast, no bar has two chords.
    """
    minor = section.mode == "minor"
    calm = 0.0 if math.isnan(section.arousal) else -section.arousal
    colour = PLAIN_COLOUR * (1 + calm)
    halved = BEATS / 2 * 60 / tempo >= SHORTEST
    home = section.theme == "A"  # the film begins with A
    chart = loop(rng, minor, LOOP, colour, home, halved)
    return closed(rng, chart, bars, "tonic" if last else "half", minor, onto)


def divided(state: State, analysis: Analysis, phrase: float) -> list[State]:
    """Return a scene in parts of about LONGEST seconds at most.

    It is divided on its strongest cut around the middle, or where it has none there after a whole
    number of phrases of ``phrase`` seconds.
    """
    if state.length <= max(LONGEST, 2 * phrase):
        return [state]
    middle, reach = (state.start + state.end) / 2, state.length / 4
    near = [cut for cut in analysis.kept if abs(cut.time - middle) <= reach]
    even = state.start + max(1, round(state.length / 2 / phrase)) * phrase
    at = max(near, key=lambda cut: cut.strength).time if near else even
    halves = replace(state, end=at), replace(state, start=at)
    return [part for half in halves for part in divided(half, analysis, phrase)]


def themes(states: Sequence[State]) -> list[str]:
    """Return a letter for each section: one theme where the feeling is alike, no more than twice.

    After two in a row of one theme comes another, as in the form AABA; after Z follows "". A theme
    that was left returns at a feeling that is only near to its own, as in ABA.
    """
    letters: list[str] = []
    first: dict[str, tuple[State, Mode | None]] = {}
    for state in zip(states, modes_of([state.valence for state in states]), strict=True):
        row = letters[-IN_A_ROW:]
        tired = row[0] if len(row) == IN_A_ROW and len(set(row)) == 1 else ""
        away = {letter: _apart(state, begun) for letter, begun in first.items() if letter}
        near = {
            letter: distance
            for letter, distance in away.items()
            if letter != tired and distance <= (ALIKE if letter in row[-1:] else AGAIN)
        }
        best = min(near, key=lambda letter: near[letter], default="")
        if not best:
            best = chr(ord("A") + len(first)) if len(first) < 26 else ""
            first.setdefault(best, state)
        letters.append(best)
    return letters


def _apart(one: tuple[State, Mode | None], other: tuple[State, Mode | None]) -> float:
    """Return the distance of two feelings; modes that differ are far apart, unknown ones alike."""
    (a, mode), (b, other_mode) = one, other
    if mode != other_mode:
        return math.inf
    return math.hypot(*np.nan_to_num([a.valence - b.valence, a.arousal - b.arousal]).tolist())
