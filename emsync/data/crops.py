"""Training examples: a stretch of a song's tokens, and the features beside them.

``augment`` decides by chance where a song is cut, what of it is given besides, and which conditions
are requested of it; ``window`` makes the example of that, and of any other passage, without chance.

Where a condition knows music that is given, a theme from elsewhere in the song and what comes later
may stand before the passage that is cut: [theme] [later] passage. Each of them begins with the
song's first token, which tells the instruments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from emsync.arrays import Seconds
from emsync.conditioning import Conditioner, Floats, GivenKind, beside_given, knows_given
from emsync.data.labels import Scale
from emsync.data.rests import with_rests
from emsync.music.piece import Piece
from emsync.music.statistics import density
from emsync.settings import Within, check
from emsync.tokens import Ids, Timeline, Tokenizer

SHARE = Within(0, 1)
LABELS = ("valence", "arousal")  # that a song may have, or that are measured on it
PLAYERS = "instruments"  # the conditioner that tells who plays: told of it, instruments may rest
THEME = (1 / 12, 1 / 4)  # of the context: a theme's tokens, at least and at most
LATER = (1 / 25, 1 / 5)  # of the context: those of what comes later
FEWEST = 16  # tokens of what comes later
APART = 256  # tokens at least from a crop to a theme after it: what comes next is no theme


@dataclass(frozen=True)
class Cropping:
    """How a crop is made of a song. The figures are emsync's own: the paper gives none."""

    from_start: Annotated[float, SHARE, "probability of a crop from the song's start"] = 0.05
    from_bar: Annotated[float, SHARE, "probability of a crop from a bar line"] = 0.5
    transpose: Annotated[int, Within(0, 24), "semitones up or down at most"] = 3
    chord_dropout: Annotated[float, SHARE, "share of the CHORDs left out, with boundary"] = 0.2
    boundary_jitter: Annotated[
        float, Within(0, 60), "seconds at most from a CHORD to its requested boundary"
    ] = 0.0
    drop: Annotated[
        Mapping[str, float], SHARE, "by a label or a conditioner: how often it is not requested"
    ] = field(default_factory=dict)
    condition_dropout: Annotated[
        float, SHARE, "probability that nothing is requested but the music's own time"
    ] = 0.0
    theme: Annotated[
        float, SHARE, "probability that a theme from elsewhere in the song is given, if one can be"
    ] = 0.2
    later: Annotated[
        float, SHARE, "probability that what comes after the crop is given, if that can be"
    ] = 0.2
    rests: Annotated[
        float, SHARE, "probability that instruments rest for some bars, where they are requested"
    ] = 0.0

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def plain(cls) -> "Cropping":
        """Return the cropping that changes nothing: for measuring, not for training."""
        return cls(0.0, 0.0, 0, 0.0, theme=0.0, later=0.0)


@dataclass(frozen=True, eq=False)
class Passage:
    """Where a song is cut, what is given of it besides, and what is requested there."""

    ids: Ids  # of the whole song; the first one says how many instruments play
    timeline: Timeline  # of them
    requested: Piece  # the whole song, with the boundaries and labels that are requested
    start: int = 1  # the token that the passage begins with
    dropped: frozenset[str] = frozenset()  # labels and conditioners that are not requested
    theme: range = range(0)  # tokens of the song that are given as a theme; none: no theme
    later: int = 0  # tokens of what comes after the passage that are given

    @classmethod
    def of(cls, ids: Ids, tokenizer: Tokenizer) -> "Passage":
        """Return a song as it is, from its start on, with all that it meets requested."""
        return cls(ids, tokenizer.timeline(ids), tokenizer.decode(ids))


@dataclass(frozen=True, eq=False)
class Example:
    """One row of a batch."""

    ids: Ids  # (context + 1,) inputs are ids[:-1], targets ids[1:]; padded at the end
    features: dict[str, Floats]  # (P, channels) or (context, channels)


def droppable(conditioners: Sequence[Conditioner]) -> frozenset[str]:
    """Return the names of all labels and conditioners but the music's own time, and what is given.

    What is given can be read in any case; so it is told of in unconditional examples too.
    """
    return frozenset(LABELS) | {
        c.name for c in conditioners if not c.always_on and not knows_given([c])
    }


def augment(
    ids: Ids,
    tokenizer: Tokenizer,
    conditioners: Sequence[Conditioner],
    context: int,
    rng: np.random.Generator,
    cropping: Cropping,
    labels: Mapping[str, float],
) -> Passage:
    """Choose a passage of a song, what is given and what is requested, by chance.

    They have ``context`` tokens together. Conditions are dropped, instruments rest, CHORDs are
    removed, the song is transposed and boundaries are shifted.
    """
    dropped = _dropped(conditioners, rng, cropping)
    requested = {c.name for c in conditioners} - dropped
    if cropping.rests and PLAYERS in requested and rng.random() < cropping.rests:
        ids = with_rests(ids, tokenizer, rng)
    if tokenizer.mark is not None and cropping.chord_dropout:
        marks = ids == tokenizer.mark
        ids = ids[~(marks & (rng.random(len(ids)) < cropping.chord_dropout))]
    given = knows_given(conditioners)
    theme = _length(THEME, context, rng, cropping.theme) if given else 0
    later = _length(LATER, context, rng, cropping.later) if given else 0
    room = _room(context, theme, later)
    start = _start(ids, tokenizer, room, rng, cropping)
    if start + room + FEWEST >= len(ids):
        later = 0
    if cropping.transpose:
        semitones = int(rng.integers(-cropping.transpose, cropping.transpose + 1))
        ids = tokenizer.transpose(ids, semitones)
    passage = Passage.of(ids, tokenizer)
    chords = _jittered(passage.requested.chords, cropping.boundary_jitter, rng)
    return replace(
        passage,
        requested=replace(passage.requested, chords=chords, labels=labels),
        start=start,
        dropped=dropped,
        theme=_theme(ids, tokenizer, theme, start, start + context, rng),
        later=later,
    )


def window(
    passage: Passage,
    conditioners: Sequence[Conditioner],
    context: int,
    arousal: Scale | None = None,
    pad: int = 0,
) -> Example:
    """Return what is given and the tokens of ``passage``, ``context`` in all, and their features.

    The rows beside a token are those of its own time in the song; beside the first token of each
    part, which tells the instruments, those of the moment before it. Where no label gives the
    arousal, the scale ``arousal`` maps the note density of the passage.
    """
    ids, timeline, piece = passage.ids, passage.timeline, passage.requested
    room = _room(context, len(passage.theme), passage.later)
    last = min(passage.start + room, len(ids))
    later = range(last, min(last + passage.later, len(ids)))
    parts: list[tuple[GivenKind | None, range]] = [
        ("theme", passage.theme), ("later", later), (None, range(passage.start, last)),
    ]  # fmt: skip
    parts = [(kind, part) for kind, part in parts if len(part)]
    chosen = np.concatenate([np.append(0, part) for _, part in parts])
    beside = [(kind, np.append(part.start - 1, part)) for kind, part in parts]
    labels = dict(piece.labels)
    if arousal is not None and "arousal" not in labels:
        first, end = timeline.times[passage.start], timeline.times[last - 1]
        heard = piece.where((piece.onsets >= first) & (piece.onsets <= end))
        labels["arousal"] = arousal(density(heard, max(end - first, 1.0)))
    kept = {k: v for k, v in labels.items() if k not in passage.dropped}
    if later:
        kept["resumes"] = timeline.times[last - 1]
    requested = replace(piece, labels=kept)
    features = {}
    for c in conditioners:
        target = c.from_music(requested)
        rows = c.features(c.null_target(target) if c.name in passage.dropped else target, timeline)
        if c.place == "position":
            rows = np.concatenate([beside_given(c, kind, rows[part]) for kind, part in beside])
            rows = _pad(rows[:context], context, np.nan)
        features[c.name] = rows
    return Example(_pad(ids[chosen], context + 1, pad), features)


def _room(context: int, theme: int, later: int) -> int:
    """Return how many of ``context`` tokens are left beside a theme and what comes later."""
    return context - sum(length + 1 for length in (theme, later) if length)


def _dropped(
    conditioners: Sequence[Conditioner], rng: np.random.Generator, cropping: Cropping
) -> frozenset[str]:
    """Return which labels and conditioners are not requested, by chance."""
    unconditional = rng.random() < cropping.condition_dropout
    dropped = frozenset(name for name, share in cropping.drop.items() if rng.random() < share)
    return dropped | droppable(conditioners) if unconditional else dropped


def _length(
    share: tuple[float, float], context: int, rng: np.random.Generator, probability: float
) -> int:
    """Return the tokens of music that is given with a ``probability``; 0: it is not."""
    if not probability or rng.random() >= probability:
        return 0
    return int(rng.integers(int(context * share[0]), int(context * share[1]) + 1))


def _theme(
    ids: Ids, tokenizer: Tokenizer, length: int, start: int, stop: int, rng: np.random.Generator
) -> range:
    """Return ``length`` tokens from a bar line of the song, outside of ``start`` to ``stop``."""
    if not length or tokenizer.bar is None:
        return range(0)
    bars = np.flatnonzero(ids == tokenizer.bar)
    ends = bars + length
    bars = bars[(ends <= start) | ((bars >= stop + APART) & (ends <= len(ids)))]
    first = int(rng.choice(bars)) if len(bars) else 0
    return range(first, first + length if len(bars) else 0)


def _jittered(times: Seconds, most: float, rng: np.random.Generator) -> Seconds:
    """Return ``times``, each up to ``most`` seconds off: a film's cuts keep no beat either."""
    return np.maximum(times + rng.uniform(-most, most, len(times)), 0.0) if most else times


def _start(
    ids: Ids, tokenizer: Tokenizer, context: int, rng: np.random.Generator, cropping: Cropping
) -> int:
    """Return the index of the crop's first token after the one that counts the instruments."""
    last = len(ids) - context
    way = rng.random()
    if last <= 1 or way < cropping.from_start:
        return 1
    if tokenizer.bar is not None and way < cropping.from_start + cropping.from_bar:
        bars = np.flatnonzero(ids[:last] == tokenizer.bar)
        if len(bars):
            return int(rng.choice(bars))
    return int(rng.integers(1, last + 1))


def _pad(rows: np.ndarray, length: int, value: float) -> np.ndarray:
    """Return ``rows`` lengthened to ``length`` with ``value``."""
    widths = [(0, length - len(rows))] + [(0, 0)] * (rows.ndim - 1)
    return np.pad(rows, widths, constant_values=value)
