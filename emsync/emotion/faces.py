"""Valence and arousal from what the faces in a film express.

A face says what somebody in the film feels, which is not what the film makes its audience feel; so
the belief is a wide one. What faces express makes a mixture of emotions, in which each face of each
shot has one vote, weighed by its size and sharpness; many faces are no surer than a few.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

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
MORE = "a crowd"
UNSURE = 0.5  # width that is added: what an audience feels beside what a face expresses
LEAST = 0.01  # trust of a neutral face, or one seen for a moment of a long span
NO_FACE = Belief(words="no face")


@dataclass(frozen=True)
class Faces(Estimator):
    """The emotions that faces express."""

    name: ClassVar[str] = "faces"
    summary: ClassVar[str] = "emotion from the expressions of faces; weights are shipped"

    unsure: float = UNSURE

    @classmethod
    def given(cls, argument: str) -> Self:
        from emsync.encoders.weights import check_weights  # which imports torch

        estimator = super().given(argument)
        check_weights("faces")
        return estimator

    @property
    def needs(self) -> Needs:
        return Needs(faces=True)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [self._felt(footage.faces, span) for span in spans]

    def _felt(self, faces: Sequence[Face], span: Span) -> Belief:
        start, end = span
        seen = [face for face in faces if face.start < end and face.end > start]
        votes = [face.height * face.sharpness for face in seen]
        if not sum(votes):
            return NO_FACE
        shares = {
            name: sum(v * f.expression.get(name, 0.0) for v, f in zip(votes, seen, strict=True))
            for name in EMOTION
        }
        said = Belief.of({EMOTION[name]: share for name, share in shares.items()})
        covered = _covered([(max(f.start, start), min(f.end, end)) for f in seen]) / (end - start)
        expressive = 1 - shares["neutral"] / sum(votes)
        return replace(
            said,
            valence_sd=math.hypot(said.valence_sd, self.unsure),
            arousal_sd=math.hypot(said.arousal_sd, self.unsure),
            words=in_words(len(seen), shares),
        ).trusted(max(covered * expressive, LEAST))


def in_words(count: int, votes: Mapping[str, float]) -> str:
    """Return how many faces there are, and which expression has the most votes.

    >>> in_words(2, {"happy": 0.9, "neutral": 0.1})
    'two faces, happy 0.9'
    """
    most = max(votes, key=lambda name: votes[name])
    many = NUMBERS[count - 1] if count <= len(NUMBERS) else MORE
    return f"{many}, {most} {votes[most] / sum(votes.values()):.1f}"


def _covered(spans: Sequence[Span]) -> float:
    """Return the seconds that are in one of ``spans`` or more.

    >>> _covered([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0)])
    4.0
    """
    total, until = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
