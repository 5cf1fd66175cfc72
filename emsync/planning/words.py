"""A plan in words: keys, form, and what each section is, for scores, reports and summaries."""

import re
from pathlib import PurePath

import numpy as np

from emsync.music.chords import NONE, SIGNS, Harmony, chord_name
from emsync.music.tonality import KEYS, fifths_of, pitch_class, spelt
from emsync.options import Mode
from emsync.planning.plan import Plan, Section

FIRST_CHORD = 0.1  # seconds by which a section's first chord may miss its start
PRINTED = {"b": "♭", "#": "♯"}
LONGEST_FORM = 12  # sections whose letters are shown
LONGEST_CHART = 60  # characters of a section's chords that a line has room for


def key_name(tonic: str, mode: str | None) -> str:
    """Return a key in words, spelt as keys of its mode are; "" where the tonic is not known.

    >>> key_name("Db", "minor"), key_name("Db", "major"), key_name("C", None)
    ('C# minor', 'Db major', 'C')
    """
    if not tonic:
        return ""
    root = pitch_class(tonic)
    letter, sign = spelt(root, fifths_of(root, mode == "minor"), flatwards=3)
    name = letter + SIGNS[sign]
    return f"{name} {mode}" if mode else name


def main_mode(plan: Plan) -> Mode | None:
    """Return the mode of most of the film's time, the earlier of equals.

    >>> from emsync.planning.plan import Plan, Section
    >>> parts = Section(0.0, 4.0, mode="major"), Section(4.0, 9.0, mode="minor")
    >>> main_mode(Plan(9.0, 120.0, "C", sections=parts))
    'minor'
    """
    lasts = dict.fromkeys((section.mode for section in plan.sections), 0.0)
    for section in plan.sections:
        lasts[section.mode] += section.end - section.start
    return max(lasts, key=lambda mode: lasts[mode])


def key_of_plan(plan: Plan) -> str:
    """Return the key of most of the film's time as one of ``KEYS``, such as "C#m"; "" if open."""
    return key_of(plan.tonic, main_mode(plan))


def key_of(tonic: str, mode: str | None) -> str:
    """Return a key as one of ``KEYS``; "" where the tonic or the mode is open.

    >>> key_of("Db", "minor")
    'C#m'
    """
    return KEYS[12 * (mode == "minor") + pitch_class(tonic)] if tonic and mode else ""


def with_signs(name: str) -> str:
    """Return the name of a chord or a key with the signs that musicians read.

    >>> with_signs("Bbm7"), with_signs("C# minor")
    ('B♭m7', 'C♯ minor')
    """
    return re.sub(r"\b([A-G])([b#])", lambda found: found[1] + PRINTED[found[2]], name)


def section_words(plan: Plan, section: Section) -> str:
    """Return the feeling, key and players of a section.

    >>> from emsync.planning.plan import Plan, Section
    >>> part = Section(0.0, 9.0, 0.7, 0.4, mode="major", instruments=("piano", "strings"))
    >>> section_words(Plan(9.0, 120.0, "C", sections=(part,)), part)
    'joy, C major, piano strings'
    """
    parts = (section.emotion, key_name(plan.tonic, section.mode), " ".join(section.instruments))
    return ", ".join(part for part in parts if part)


def chord_symbols(plan: Plan, harmony: Harmony | None) -> list[tuple[float, str]]:
    """Return when each chord begins, and its name as the key of its section spells it.

    ``harmony`` is in the film's time. A chord that goes on is named again only where a section
    begins, as on a lead sheet.
    """
    if harmony is None:
        return []
    starts = np.array([section.start for section in plan.sections[1:]])
    symbols: list[tuple[float, str]] = []
    before = None
    for time, number in zip(harmony.starts.tolist(), harmony.chords.tolist(), strict=True):
        if time >= plan.duration:
            break
        place = int(np.searchsorted(starts, time + FIRST_CHORD, side="right"))
        if (place, number) != before and not (before is None and number == NONE):
            fifths = plan.fifths(plan.sections[place])
            symbols.append((max(time, 0.0), chord_name(number, fifths)))
        before = (place, number)
    return symbols


def form(plan: Plan, most: int = LONGEST_FORM) -> str:
    """Return the letters of the sections in a row, the first ``most`` of many; a dot has none.

    >>> from emsync.planning.plan import Plan, Section
    >>> parts = tuple(Section(i, i + 1, theme=theme) for i, theme in enumerate("ABA"))
    >>> form(Plan(3.0, 120.0, sections=parts))
    'A B A'
    """
    letters = [section.theme or "." for section in plan.sections]
    return " ".join([*letters[:most], *["..."] * (len(letters) > most)])


def clipped(text: str, most: int) -> str:
    """Return ``text`` in at most so many characters, cut off after a word.

    >>> clipped("Am F C G | Am F C G", 14)
    'Am F C G | ...'
    """
    return text if len(text) <= most else text[: most - 3].rsplit(" ", 1)[0] + " ..."


def music_facts(plan: Plan) -> list[str]:
    """Return the music as a whole: key, if it is known, tempo, form and palettes."""
    key, names = key_name(plan.tonic, main_mode(plan)), ", ".join(palette_names(plan))
    facts = key, f"{plan.tempo:.4g} beats a minute", f"form {form(plan)}"
    return [*filter(None, facts), *([f"played by {names}"] if names else [])]


def palette_names(plan: Plan) -> list[str]:
    """Return the palettes that a plan names, each once; files by their names."""
    return list(dict.fromkeys(filter(None, map(palette_name, plan.sections))))


def palette_name(section: Section) -> str:
    """Return the palette that a section names, a file by its name; "" where it names none."""
    return PurePath(section.palette).name


def palettes_told(plan: Plan) -> list[str]:
    """Return for each section its palette where a plan has several; else "", for all have one."""
    many = len(palette_names(plan)) > 1
    return [palette_name(section) if many else "" for section in plan.sections]


def film_facts(plan: Plan) -> list[str]:
    """Return what is to be met of the film: how many moments, and its end."""
    hits = f"{len(plan.hits)} moment{'s' * (len(plan.hits) != 1)} to hit"
    return [hits, f"ending: {plan.ending}"]


def plan_lines(plan: Plan) -> list[str]:
    """Return what a plan does in a few lines: the whole, then a line for each section."""
    lines = [", ".join(music_facts(plan))]
    for section, palette in zip(plan.sections, palettes_told(plan), strict=True):
        words = "; ".join(filter(None, (section_words(plan, section), palette)))
        chords = clipped(section.chords, LONGEST_CHART)
        lines.append(
            f"  {section.start:8.3f} s  {section.theme or '.'}  "
            + ": ".join(part for part in (words, chords) if part)
        )
    return lines


def told(plan: Plan) -> str:
    """Return all of a plan for a person to read: a line for the whole, two for each section."""
    facts = f"{plan.duration:.2f} s", *music_facts(plan), *film_facts(plan)
    lines = [", ".join(facts)]
    for section, palette in zip(plan.sections, palettes_told(plan), strict=True):
        felt = f"valence {section.valence:+.2f}, arousal {section.arousal:+.2f}"
        parts = section_words(plan, section), felt if section.emotion else "", palette
        words = "; ".join(filter(None, parts))
        lines += [
            f"  {section.start:8.3f} to {section.end:.3f} s  {section.theme or '–'}  {words}",
            f"      {section.chords or 'chords by the seed'}",
        ]
    return "\n".join(lines)
