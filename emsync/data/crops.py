"""Training examples: a stretch of a song's tokens, and the features beside them.

``augment`` decides by chance where a song is cut and which conditions are requested of it;
``window`` makes the example of that, and of any other passage, without chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from emsync.arrays import Seconds
from emsync.conditioning import Conditioner, Floats
from emsync.data.labels import Scale
from emsync.music.piece import Piece
from emsync.music.statistics import density
from emsync.settings import Within, check
from emsync.tokens import Ids, Timeline, Tokenizer

SHARE = Within(0, 1)
LABELS = ("valence", "arousal")  # that a song may have, or that are measured on it


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

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def plain(cls) -> "Cropping":
        """Return the cropping that changes nothing: for measuring, not for training."""
        return cls(0.0, 0.0, 0, 0.0)


@dataclass(frozen=True, eq=False)
class Passage:
    """Where a song is cut, and what is requested of it there."""

    ids: Ids  # of the whole song; the first one says how many instruments play
    timeline: Timeline  # of them
    requested: Piece  # the whole song, with the boundaries and labels that are requested
    start: int = 1  # the token that the passage begins with
    dropped: frozenset[str] = frozenset()  # labels and conditioners that are not requested

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
    """Return the names of all labels and conditioners but the music's own time."""
    return frozenset(LABELS) | {c.name for c in conditioners if not c.always_on}


def augment(
    ids: Ids,
    tokenizer: Tokenizer,
    conditioners: Sequence[Conditioner],
    context: int,
    rng: np.random.Generator,
    cropping: Cropping,
    labels: Mapping[str, float],
) -> Passage:
    """Choose a passage of ``context`` tokens of a song, and what is requested of it, by chance.

    CHORDs are removed, the song is transposed, boundaries are shifted and conditions dropped.
    """
    if tokenizer.mark is not None and cropping.chord_dropout:
        marks = ids == tokenizer.mark
        ids = ids[~(marks & (rng.random(len(ids)) < cropping.chord_dropout))]
    start = _start(ids, tokenizer, context, rng, cropping)
    if cropping.transpose:
        semitones = int(rng.integers(-cropping.transpose, cropping.transpose + 1))
        ids = tokenizer.transpose(ids, semitones)
    unconditional = rng.random() < cropping.condition_dropout
    dropped = frozenset(name for name, share in cropping.drop.items() if rng.random() < share)
    passage = Passage.of(ids, tokenizer)
    chords = _jittered(passage.requested.chords, cropping.boundary_jitter, rng)
    return replace(
        passage,
        requested=replace(passage.requested, chords=chords, labels=labels),
        start=start,
        dropped=dropped | droppable(conditioners) if unconditional else dropped,
    )


def window(
    passage: Passage,
    conditioners: Sequence[Conditioner],
    context: int,
    arousal: Scale | None = None,
    pad: int = 0,
) -> Example:
    """Return ``context`` tokens of ``passage`` after the song's first one, and their features.

    Where no label gives the arousal, the scale ``arousal`` maps the note density of these tokens.
    """
    ids, timeline, piece = passage.ids, passage.timeline, passage.requested
    last = min(passage.start + context, len(ids))
    chosen = np.append(0, np.arange(passage.start, last))  # the first token stays
    inputs = chosen[:context]
    labels = dict(piece.labels)
    if arousal is not None and "arousal" not in labels:
        first, end = timeline.times[passage.start], timeline.times[chosen[-1]]
        heard = piece.where((piece.onsets >= first) & (piece.onsets <= end))
        labels["arousal"] = arousal(density(heard, max(end - first, 1.0)))
    kept = {k: v for k, v in labels.items() if k not in passage.dropped}
    requested = replace(piece, labels=kept)
    features = {}
    for c in conditioners:
        target = c.from_music(requested)
        rows = c.features(c.null_target(target) if c.name in passage.dropped else target, timeline)
        features[c.name] = _pad(rows[inputs], context, np.nan) if c.place == "position" else rows
    return Example(_pad(ids[chosen], context + 1, pad), features)


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
