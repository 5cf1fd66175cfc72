"""Why each section of a film feels as it does, as a report shows it.

It has the shots that are in the section, what each cue said of them in words and numbers, and a
picture where the film strip has one.
"""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emsync.composition import Composition
from emsync.emotion.belief import Belief, Impression, product
from emsync.emotion.reasons import LEAST, Reason, reasons, told, whole, within
from emsync.planning.plan import Section
from emsync.planning.words import clipped
from emsync.report.rows import FAINT, clock, cue_colours, is_given
from emsync.video.footage import Still

WHY_COLUMNS = {  # of the picture's table: name, and where it stands, as shares of its width
    "section": 0.0,
    "from": 0.06,
    "feeling": 0.12,
    "what each cue went by": 0.195,
}
LONGEST_WHY = 125  # characters that the picture has room for
QUALITY = 80  # of the JPEG of a picture


@dataclass(frozen=True)
class Say:
    """What a cue says of one axis, for a page to draw: all in per cent from -1 to +1."""

    words: str  # such as "+0.60 ± 0.30"
    left: float
    width: float
    mean: float
    weight: str  # how much it counted, such as "75 %"; "" where that is not told

    @classmethod
    def of(cls, mean: float, sd: float, weight: float = math.nan) -> "Say | None":
        """Return it; None where the cue has no say."""
        if not math.isfinite(sd):
            return None
        low, high = max(-1.0, mean - sd), min(1.0, mean + sd)
        share = "" if math.isnan(weight) else f"{weight:.0%}".replace("%", " %")
        return cls(said(mean, sd), _per_cent(low), _per_cent(high) - _per_cent(low),
                   _per_cent(mean), share)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of the table of a section: a cue, or all together."""

    cue: str
    colour: str
    words: str
    valence: Say | None
    arousal: Say | None


@dataclass(frozen=True)
class Shot:
    """A line of the table of shots."""

    number: int
    start: float
    span: str
    says: list[tuple[str, str]]  # of each cue its words, and its numbers


@dataclass(frozen=True)
class Stretch:
    """A section of the plan, with all that says why it feels as it does."""

    name: str
    span: str
    emotion: str
    numbers: str
    told: str
    picture: str  # an address that holds the picture itself; "" where there is none
    rows: list[Row]
    cues: list[str]
    shots: list[Shot]


def stretches(composition: Composition) -> list[Stretch]:
    """Return the sections, each with why it feels as it does; none where nothing was seen."""
    shots, colours = composition.analysis.shots, cue_colours(composition.analysis.shots)
    given = " (given)" * is_given(composition.analysis)
    if not shots:
        return []
    return [
        _stretch(section, shots, colours, composition.strip, given)
        for section in composition.plan.sections
    ]


def why_rows(composition: Composition) -> list[list[str]]:
    """Return for each section its cells, in the order of WHY_COLUMNS; none if nothing was seen."""
    shots = composition.analysis.shots
    return [
        [
            section.theme or "–",
            clock(section.start),
            section.emotion or "–",
            clipped(told(reasons(within(shots, section.start, section.end))), LONGEST_WHY),
        ]
        for section in composition.plan.sections
        if shots
    ]


def _stretch(
    section: Section,
    shots: Sequence[Impression],
    colours: Mapping[str, str],
    strip: Sequence[Still],
    given: str,
) -> Stretch:
    parts = within(shots, section.start, section.end)
    why, cues = reasons(parts), list(dict.fromkeys(cue for shot in parts for cue in shot.says))
    first = 1 + sum(shot.end <= section.start + LEAST for shot in shots)
    return Stretch(
        name=section.theme or "–",
        span=f"{clock(section.start)} – {clock(section.end)}",
        emotion=(section.emotion or "not known") + given,
        numbers=f"valence {_number(section.valence)}, arousal {_number(section.arousal)}",
        told=told(why),
        picture=_picture(strip, section.start, section.end),
        rows=[*(_row(reason, colours) for reason in why), _together(parts)],
        cues=cues,
        shots=[_shot(number, part, cues) for number, part in enumerate(parts, first)],
    )


def _row(reason: Reason, colours: Mapping[str, str]) -> Row:
    belief = reason.belief
    return Row(
        reason.cue,
        colours.get(reason.cue, FAINT),
        str(reason).removeprefix(f"{reason.cue}: "),
        Say.of(belief.valence, belief.valence_sd, reason.valence_weight),
        Say.of(belief.arousal, belief.arousal_sd, reason.arousal_weight),
    )


def _together(parts: Sequence[Impression]) -> Row:
    belief = whole(parts)
    return Row(
        "together", "var(--ink)", "", Say.of(belief.valence, belief.valence_sd),
        Say.of(belief.arousal, belief.arousal_sd),
    )  # fmt: skip


def _shot(number: int, shot: Impression, cues: Sequence[str]) -> Shot:
    said = [shot.says.get(cue, Belief()) for cue in cues]
    both = [*said, product(said)]
    cells = [(belief.words, _numbers(belief)) for belief in both]
    cells[-1] = ("", cells[-1][1])
    return Shot(number, shot.start, f"{clock(shot.start)} – {clock(shot.end)}", cells)


def _numbers(belief: Belief) -> str:
    """Return the numbers of a belief: "V +0.50 ± 0.30, A −0.10 ± 0.40"."""
    axes = ((belief.valence, belief.valence_sd, "V"), (belief.arousal, belief.arousal_sd, "A"))
    return ", ".join(f"{name} {said(mean, sd)}" for mean, sd, name in axes if math.isfinite(sd))


def said(mean: float, sd: float) -> str:
    """Return a mean and a width in words.

    >>> said(-0.5, 0.25)
    '−0.50 ± 0.25'
    """
    return f"{_number(mean)} ± {sd:.2f}"


def _number(value: float) -> str:
    return "not known" if math.isnan(value) else f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _per_cent(value: float) -> float:
    return round(50 * (value + 1), 2)


def _picture(strip: Sequence[Still], start: float, end: float) -> str:
    """Return the picture nearest to the middle of a stretch, if one is in it, as an address."""
    import cv2

    inside = [still for still in strip if start <= still.time < end]
    if not inside:
        return ""
    still = min(inside, key=lambda still: abs(still.time - (start + end) / 2))
    done, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(still.pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    return "data:image/jpeg;base64," + b64encode(jpeg.tobytes()).decode() if done else ""
