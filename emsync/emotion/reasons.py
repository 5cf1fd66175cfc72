"""Why a stretch of film feels as it does: what each cue said of its shots, put shortly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emsync.emotion.belief import Belief, Impression, product

LEAST = 0.02  # seconds of a shot within a stretch, less than a frame, below which it is not in it
SILENT = "nothing to go by"  # a cue that says nothing


@dataclass(frozen=True)
class Reason:
    """What one cue said of a stretch of film."""

    cue: str
    belief: Belief  # mean and spread of what it said, by how sure it was; the words likewise
    spoke: int  # of how many shots it had something to say
    shots: int  # how many shots there are
    valence_weight: float  # how much it counted in the product, in [0, 1], over the seconds
    arousal_weight: float

    def __str__(self) -> str:
        """Return it in words: ``faces: two faces, happy 0.9 (2 of 5 shots)``."""
        some = f" ({self.spoke} of {self.shots} shots)" if 0 < self.spoke < self.shots else ""
        return f"{self.cue}: {self.belief.words or SILENT}{some}"


def within(shots: Sequence[Impression], start: float, end: float) -> list[Impression]:
    """Return the parts of ``shots`` that are from ``start`` until ``end``."""
    parts = ((max(shot.start, start), min(shot.end, end), shot.says) for shot in shots)
    return [Impression(*part) for part in parts if part[1] - part[0] > LEAST]


def reasons(shots: Sequence[Impression]) -> list[Reason]:
    """Return what each cue said of a stretch that is made of ``shots``, in the order they spoke."""
    cues = dict.fromkeys(cue for shot in shots for cue in shot.says)
    return [_reason(cue, shots) for cue in cues]


def told(why: Sequence[Reason]) -> str:
    """Return reasons in a line: ``faces: two faces, happy 0.9 · sound: quiet``."""
    return " · ".join(map(str, why))


def has_say(belief: Belief) -> bool:
    """Return whether a belief speaks of an axis at all."""
    return math.isfinite(min(belief.valence_sd, belief.arousal_sd))


def whole(shots: Sequence[Impression]) -> Belief:
    """Return what all cues together say of a stretch: the mean of its seconds, and its spread."""
    said = [(shot.end - shot.start, product(list(shot.says.values()))) for shot in shots]
    return _mixed([(seconds, seconds, belief) for seconds, belief in said])


def guess(stretches: Sequence[tuple[float, float]], shots: Sequence[Impression], kind: str) -> str:
    """Return in how many stretches of seconds the valence may have the other sign; "" if in none.

    ``kind`` is what they are called, such as "states".
    """
    said = [whole(within(shots, start, end)) for start, end in stretches] if shots else []
    unsure = sum(abs(belief.valence) < belief.valence_sd for belief in said)
    where = f" in {unsure} of {len(said)} {kind}" if len(said) > 1 else ""
    return f"whether it is pleasant or unpleasant is a guess{where}" if unsure else ""


def _reason(cue: str, shots: Sequence[Impression]) -> Reason:
    said = [(s.end - s.start, s.says[cue]) for s in shots if cue in s.says]
    spoken = [(seconds, belief) for seconds, belief in said if has_say(belief)]
    # a second of which the cue was sure tells more of it than one of which it hardly was
    sure = [(seconds * b.valence_sd**-2, seconds * b.arousal_sd**-2, b) for seconds, b in spoken]
    mixed = _mixed(sure)
    held: dict[str, float] = {}  # how much the same words weigh
    for on_valence, on_arousal, belief in sure or [(seconds, 0.0, b) for seconds, b in said]:
        held[belief.words] = held.get(belief.words, 0.0) + on_valence + on_arousal
    return Reason(
        cue, replace(mixed, words=max(held, key=lambda words: held[words])), len(spoken),
        len(shots), _weight(cue, shots, "valence_sd"), _weight(cue, shots, "arousal_sd"),
    )  # fmt: skip


def _mixed(said: Sequence[tuple[float, float, Belief]]) -> Belief:
    """Return the mean and the spread of beliefs, each with its weight on valence and arousal."""
    valence = _spread([(weight, b.valence, b.valence_sd) for weight, _, b in said])
    arousal = _spread([(weight, b.arousal, b.arousal_sd) for _, weight, b in said])
    return Belief(valence[0], arousal[0], valence[1], arousal[1])


def _spread(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Return the mean and the standard deviation of weighted Gaussians, those with a say."""
    rows = [(weight, mean, sd) for weight, mean, sd in rows if weight and math.isfinite(sd)]
    total = sum(weight for weight, _, _ in rows)
    if not total:
        return 0.0, math.inf
    centre = sum(weight * mean for weight, mean, _ in rows) / total
    spread = sum(weight * (sd * sd + (mean - centre) ** 2) for weight, mean, sd in rows)
    return centre, math.sqrt(spread / total)


def _weight(cue: str, shots: Sequence[Impression], sd: str) -> float:
    """Return the cue's share of the precision, averaged over the seconds of which any cue spoke."""
    share = seconds = 0.0
    for shot in shots:
        precisions = {name: getattr(belief, sd) ** -2 for name, belief in shot.says.items()}
        if total := sum(precisions.values()):
            share += (shot.end - shot.start) * precisions.get(cue, 0.0) / total
            seconds += shot.end - shot.start
    return share / seconds if seconds else 0.0
