"""Training examples: a stretch of a song's tokens, and the features beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from emsync.conditioning import Conditioner, Floats
from emsync.data.labels import Scale
from emsync.music import Piece, Seconds
from emsync.tokens import Ids, Tokenizer


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
class Example:
    """One row of a batch."""

    ids: Ids  # (context + 1,) inputs are ids[:-1], answers ids[1:]; padded at the end
    features: dict[str, Floats]  # (P, channels) or (context, channels)


def crop(
    ids: Ids,
    tokenizer: Tokenizer,
    conditioners: Sequence[Conditioner],
    context: int,
    rng: np.random.Generator,
    cropping: Cropping,
    labels: Mapping[str, float],
    arousal: Scale,
    start: int | None = None,
    pad: int = 0,
) -> Example:
    """Cut ``context`` tokens from a whole song, after its first token, which tells the instruments.

    They begin with token ``start``, or where chance falls. Where no label says the arousal, it is
    that of the crop: what the model will hear beside the label.
    """
    if tokenizer.mark is not None and cropping.unmarked:
        marks = ids == tokenizer.mark
        ids = ids[~(marks & (rng.random(len(ids)) < cropping.unmarked))]
    if start is None:
        start = _start(ids, tokenizer, context, rng, cropping)
    window = np.append(0, np.arange(start, min(start + context, len(ids))))  # the first token stays
    if cropping.transpose:
        semitones = int(rng.integers(-cropping.transpose, cropping.transpose + 1))
        ids = tokenizer.transpose(ids, semitones)
    inputs = window[:context]
    timeline = tokenizer.timeline(ids)
    piece = tokenizer.decode(ids)
    heard = density_between(piece, timeline.times[start], timeline.times[window[-1]])
    known = dict(labels)
    known.setdefault("arousal", arousal(heard))
    silent = rng.random() < cropping.unasked
    drop = {name: rng.random() < share for name, share in cropping.drop.items()}
    asked = {k: v for k, v in known.items() if not (silent or drop.get(k))}
    piece = replace(piece, labels=asked, chords=_moved(piece.chords, cropping.moved, rng))
    features = {}
    for c in conditioners:
        target = c.from_music(piece)
        if drop.get(c.name) or (silent and not c.clock):
            target = c.unasked(target)
        rows = c.features(target, timeline)
        features[c.name] = _pad(rows[inputs], context, np.nan) if c.place == "position" else rows
    return Example(_pad(ids[window], context + 1, pad), features)


def density_between(piece: Piece, start: float, end: float) -> float:
    """Return the notes a second of each instrument that plays from ``start`` to ``end`` seconds."""
    inside = (piece.onsets >= start) & (piece.onsets <= end)
    playing = len(np.unique(piece.classes[inside]))
    return float(inside.sum() / max(end - start, 1.0) / max(playing, 1))


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
