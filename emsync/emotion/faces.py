"""Valence and arousal from what the faces in a film express.

A face says what somebody in the film feels, which is not what the film makes its audience feel; so
the belief is a wide one. What faces express makes a mixture of emotions, in which each face of each
shot has one vote, weighed by its size and sharpness; many faces are no surer than a few. Faces that
are neutral, or are seen once, or for a small part of a span, count for little.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.emotion.plane import NEUTRAL
from emsync.video.faces import Face
from emsync.video.footage import Footage, Needs

EMOTION: Mapping[str, str] = {  # that an expression stands for
    "neutral": NEUTRAL,
    "happy": "joy",
    "sad": "sadness",
    "angry": "anger",
    "fearful": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
}
NUMBERS = ("one face", "two faces", "three faces", "four faces", "five faces")
CROWD = "a crowd"
NO_FACE = Belief(words="no face")

# The network errs by 0.27 in valence and 0.32 in arousal (root mean square over 42 faces, judged by
# eye). What an audience feels differs from what a face expresses by at least as much again.
UNSURE = 0.5  # width that is added to that of the emotions
LEAST = 0.01  # trust in neutral faces, which are in films of all kinds, and in a passing glimpse


@dataclass(frozen=True)
class Faces(Estimator):
    """The emotions that faces express."""

    name: ClassVar[str] = "faces"
    summary: ClassVar[str] = "emotion from what faces express"

    @property
    def needs(self) -> Needs:
        return Needs(faces=True)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        faces = footage.faces
        starts, ends = (np.array([getattr(f, edge) for f in faces]) for edge in ("start", "end"))
        within = [np.flatnonzero((starts < end) & (ends > start)) for start, end in spans]
        return [
            _felt([faces[i] for i in indices], span)
            for indices, span in zip(within, spans, strict=True)
        ]


def _felt(faces: Sequence[Face], span: Span) -> Belief:
    """Return what the ``faces`` in ``span`` make of it; each has one vote."""
    clear = [face.height * face.sharpness for face in faces]
    if not sum(clear):
        return NO_FACE
    # One look is a weak witness: what the network says of a face differs from look to look.
    weights = [c * face.looks / (face.looks + 1) for c, face in zip(clear, faces, strict=True)]
    votes = {
        name: sum(w * f.expression.get(name, 0.0) for w, f in zip(weights, faces, strict=True))
        for name in EMOTION
    }
    said = Belief.of({EMOTION[name]: vote for name, vote in votes.items()})
    start, end = span
    shown = [(max(face.start, start), min(face.end, end)) for face in faces]
    steady = sum(weights) / sum(clear)
    expressive = 1 - votes["neutral"] / sum(votes.values())
    return replace(
        said,
        valence_sd=math.hypot(said.valence_sd, UNSURE),
        arousal_sd=math.hypot(said.arousal_sd, UNSURE),
        words=in_words(most_at_once(shown), votes),
    ).trusted(max(LEAST, steady * expressive * covered(shown) / (end - start)))


def in_words(count: int, votes: Mapping[str, float]) -> str:
    """Return how many faces there are, and which expression has the most votes.

    >>> in_words(2, {"happy": 0.9, "neutral": 0.1})
    'two faces, happy 0.9'
    """
    most = max(votes, key=lambda name: votes[name])
    many = NUMBERS[count - 1] if count <= len(NUMBERS) else CROWD
    return f"{many}, {most} {votes[most] / sum(votes.values()):.1f}"


def most_at_once(spans: Sequence[Span]) -> int:
    """Return how many of ``spans`` there are at most at one moment.

    >>> most_at_once([(0.0, 2.0), (1.0, 3.0), (3.0, 6.0)])
    2
    """
    starts, ends = np.sort(np.array(spans), axis=0).T
    begun, over = (np.searchsorted(edges, starts, side="right") for edges in (starts, ends))
    return int((begun - over).max())


def covered(spans: Sequence[Span]) -> float:
    """Return the seconds that are in one of ``spans`` or more.

    >>> covered([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0)])
    4.0
    """
    total, until = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
