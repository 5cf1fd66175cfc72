"""Training examples: a stretch of a song's tokens, and the features beside them.

``augment`` decides by chance where a song is cut and what is asked of it; ``window`` makes the
example of that, and of any other passage, without chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from emsync.arrays import Seconds
from emsync.conditioning import Conditioner, Floats
from emsync.data.labels import Scale
from emsync.music.piece import Piece
from emsync.music.statistics import density
from emsync.tokens import Ids, Timeline, Tokenizer

LABELS = ("valence", "arousal")  # of a song, whoever or whatever tells them


@dataclass(frozen=True)
class Cropping:
    """How a crop is made of a song (Sulun, Viana & Davies, section 4.2)."""

    from_start: float = 0.05  # probability of a crop from the start of the song
    from_bar: float = 0.5  # probability of a crop from a bar line
    transpose: int = 3  # semitones up or down at most
    unmarked: float = 0.2  # share of the CHORDs removed, with their boundary: chords come unasked
    moved: float = 0.0  # seconds at most from a CHORD to where its boundary is asked
    drop: Mapping[str, float] = field(default_factory=dict)  # label or conditioner -> probability
    unasked: float = 0.0  # probability that nothing is asked but the music's own time

    @classmethod
    def plain(cls) -> "Cropping":
        """Return the cropping that changes nothing: for measuring, not for training."""
        return cls(0.0, 0.0, 0, 0.0)


@dataclass(frozen=True, eq=False)
class Passage:
    """Where a song is cut, and what is asked of it there."""

    ids: Ids  # of the whole song; the first one tells the instruments
    timeline: Timeline  # of them
    asked: Piece  # the whole song, its boundaries and labels as they are asked for
    start: int = 1  # the token that the passage begins with
    silent: frozenset[str] = frozenset()  # labels and conditioners of which nothing is asked

    @classmethod
    def of(cls, ids: Ids, tokenizer: Tokenizer) -> "Passage":
        """Return a song as it is, from its start on, all asked that the music itself meets."""
        return cls(ids, tokenizer.timeline(ids), tokenizer.decode(ids))


@dataclass(frozen=True, eq=False)
class Example:
    """One row of a batch."""

    ids: Ids  # (context + 1,) inputs are ids[:-1], answers ids[1:]; padded at the end
    features: dict[str, Floats]  # (P, channels) or (context, channels)


def everything(conditioners: Sequence[Conditioner]) -> frozenset[str]:
    """Return the names of all labels and conditioners but the music's own time."""
    return frozenset(LABELS) | {c.name for c in conditioners if not c.clock}


def augment(
    ids: Ids,
    tokenizer: Tokenizer,
    conditioners: Sequence[Conditioner],
    context: int,
    rng: np.random.Generator,
    cropping: Cropping,
    labels: Mapping[str, float],
) -> Passage:
    """Choose a passage of ``context`` tokens of a whole song, and what is asked of it, by chance.

    CHORDs are removed, the song is transposed, boundaries are moved and conditions left open.
    """
    if tokenizer.mark is not None and cropping.unmarked:
        marks = ids == tokenizer.mark
        ids = ids[~(marks & (rng.random(len(ids)) < cropping.unmarked))]
    start = _start(ids, tokenizer, context, rng, cropping)
    if cropping.transpose:
        semitones = int(rng.integers(-cropping.transpose, cropping.transpose + 1))
        ids = tokenizer.transpose(ids, semitones)
    nothing = rng.random() < cropping.unasked
    silent = frozenset(name for name, share in cropping.drop.items() if rng.random() < share)
    passage = Passage.of(ids, tokenizer)
    chords = _moved(passage.asked.chords, cropping.moved, rng)
    return replace(
        passage,
        asked=replace(passage.asked, chords=chords, labels=labels),
        start=start,
        silent=silent | everything(conditioners) if nothing else silent,
    )


def window(
    passage: Passage,
    conditioners: Sequence[Conditioner],
    context: int,
    arousal: Scale | None = None,
    pad: int = 0,
) -> Example:
    """Return ``context`` tokens of ``passage`` after the song's first one, and their features.

    Where no label says the arousal, ``arousal`` makes it of the density of these tokens' notes:
    it is what the model will hear beside the label.
    """
    ids, timeline, piece = passage.ids, passage.timeline, passage.asked
    last = min(passage.start + context, len(ids))
    chosen = np.append(0, np.arange(passage.start, last))  # the first token stays
    inputs = chosen[:context]
    labels = dict(piece.labels)
    if arousal is not None and "arousal" not in labels:
        first, end = timeline.times[passage.start], timeline.times[chosen[-1]]
        heard = piece.where((piece.onsets >= first) & (piece.onsets <= end))
        labels["arousal"] = arousal(density(heard, max(end - first, 1.0)))
    asked = replace(piece, labels={k: v for k, v in labels.items() if k not in passage.silent})
    features = {}
    for c in conditioners:
        target = c.from_music(asked)
        rows = c.features(c.unasked(target) if c.name in passage.silent else target, timeline)
        features[c.name] = _pad(rows[inputs], context, np.nan) if c.place == "position" else rows
    return Example(_pad(ids[chosen], context + 1, pad), features)


def _moved(times: Seconds, most: float, rng: np.random.Generator) -> Seconds:
    """Return ``times``, each up to ``most`` seconds off: a film's cuts keep no beat either."""
    return np.maximum(times + rng.uniform(-most, most, len(times)), 0.0) if most else times


def _start(
    ids: Ids, tokenizer: Tokenizer, context: int, rng: np.random.Generator, cropping: Cropping
) -> int:
    """Return the index of the first token of the crop after the one that tells the instruments."""
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
