"""From a sound that a maker drew to a candidate: as long as the film, ended, and judged.

    score = hits + sounding + what the maker judges itself, all alike

- hits: the kept cuts with an onset of the sound within a frame, each by its strength.
- sounding: the half seconds, up to the ending, that are neither silent nor clipped.

Where rhythm is requested, it weighs as much as each: CM of the sound and the pictures.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from emsync.arrays import Float32s, Seconds
from emsync.commission import Commission
from emsync.errors import AssetError
from emsync.fit.ending import Ending
from emsync.fit.time_map import CutReport, Hit
from emsync.makers import Drawn
from emsync.metrics.cut_hits import ROUNDING
from emsync.metrics.events import errors
from emsync.ranking import Judged, hits_of, rhythm_with
from emsync.signals import SAMPLE_RATE
from emsync.sound.audio import OUTPUT_RATE, finish_in_place, whole
from emsync.sound.blocks import Kept, Sound
from emsync.sound.resampling import at_rate
from emsync.sound.rhythm import onsets
from emsync.video.cuts import Cut

SPAN = 0.5  # seconds of which "sounding" is judged
SILENT = 1e-3  # RMS below which they are silent: -60 dB of full scale
CLIPPED = 1e-3  # share of their samples that may be beyond full scale
FRAME = 0.04  # seconds, where the film has no rate
HEARD = 0.03  # seconds to which an onset is known: it lies on the steps of a spectrum


@dataclass(frozen=True, eq=False)
class SoundCandidate(Judged):
    """One sound made for the film, and how good it is."""

    sound: Sound  # exactly as long as the film, ended, at OUTPUT_RATE; not yet levelled
    ending: Ending
    seed: int
    parts: dict[str, float]  # from 0 to 1: hits, sounding, those of the maker, rhythm if requested
    reports: tuple[CutReport, ...]  # one for each cut, kept or not

    @property
    def cuts(self) -> tuple[CutReport, ...]:
        """The cuts of the film, kept or not, and what answers each."""
        return self.reports

    def weight(self, part: str) -> float:
        """Return how much a part weighs in the score: they weigh the same."""
        return 1.0


def candidate(asked: Commission, drawn: Drawn, seed: int) -> SoundCandidate:
    """Return what was drawn with ``seed`` as it goes under the film, and how good it is.

    AssetError where it holds what is no number, as of a damaged network.
    """
    duration, rate = asked.brief.duration, Fraction(asked.brief.fps) or None
    fade = duration - asked.ending.fade_start
    sound = whole(at_rate(drawn.sound, OUTPUT_RATE))
    if not np.isfinite(sound.samples).all():
        raise AssetError(
            f"the sound of seed {seed} holds what is no number; the checkpoint is damaged"
        )
    sounding = sounding_share(sound.samples[: round(asked.ending.fade_start * sound.rate)])
    finished = finish_in_place(sound, duration, fade)
    mono = whole(at_rate(finished, SAMPLE_RATE)).samples.mean(axis=1)
    cuts = tuple(cut for cut in asked.brief.cuts if cut.kind != "ending")
    reports = answered(cuts, onsets(mono), rate)
    parts = {
        "hits": hits_of([report for report in reports if report.cut.kept]),
        "sounding": sounding,
        **drawn.parts,
    }
    if asked.visible is not None:
        parts["rhythm"] = rhythm_with(mono, asked.visible)
    rounded = {name: round(float(value), 4) for name, value in parts.items()}
    # no chord is sure to be struck
    ending = replace(asked.ending, chord=None)
    return SoundCandidate(Kept(finished), ending, seed, rounded, reports)


def sounding_share(samples: Float32s) -> float:
    """Return the share of the half seconds of (N, 2) samples that are neither silent nor clipped.

    Without samples it is 1.
    """
    length = round(SPAN * OUTPUT_RATE)
    parts = [samples[at : at + length] for at in range(0, len(samples), length)]
    return float(np.mean([_sounds(part) for part in parts])) if parts else 1.0


def _sounds(part: Float32s) -> bool:
    level = float(np.sqrt(np.mean(part.astype(np.float64) ** 2)))
    return level >= SILENT and float((np.abs(part) > 1).mean()) <= CLIPPED


def answered(cuts: tuple[Cut, ...], times: Seconds, rate: Fraction | None) -> tuple[CutReport, ...]:
    """Return what becomes of each cut in a sound with onsets at ``times``: (N,) seconds.

    A kept cut is hit by an onset no further than a frame from it, or HEARD where frames are
    shorter; ``rate`` is frames a second.
    """
    frame = max(float(1 / rate) if rate else FRAME, HEARD) + ROUNDING
    reports = []
    for cut, error in zip(cuts, errors([cut.time for cut in cuts], times), strict=True):
        nearest = None
        if np.isfinite(error):
            at = cut.time + float(error)
            nearest = Hit("onset", at, at, 1e3 * float(error), "")
        hit = nearest if cut.kept and abs(error) <= frame else None
        reports.append(CutReport(cut, hit, nearest, None))
    return tuple(reports)
