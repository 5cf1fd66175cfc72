"""The piece ends, it is not cut off: a last chord that rings into the end of the video."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Seconds
from emsync.fit.time_map import Fitted
from emsync.fit.voicing import voiced
from emsync.music.chords import NONE, QUALITIES, Harmony
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.music.statistics import pitch_class_seconds
from emsync.options import EndingKind
from emsync.video.cuts import Cut

RING = 3.0  # seconds the last chord sounds, at most
FADE = 3.0  # seconds of a fade-out without a chord, at most half the video
SHARE = 0.2  # of a short video
REACH = 1.5  # seconds around the wanted time in which a last chord is looked for
BESIDE = 1.0  # seconds; a cut so near to the wanted time would lose its chord to it
GRIP = 0.03  # seconds; what begins this close to the chord belongs to it
LATELY = 0.5  # seconds before the chord that lead to it
LEADERS = (PIANO, STRINGS, GUITAR, BASS)  # of whom the first ends a piece that nobody has played


@dataclass(frozen=True)
class Ending:
    """How the music ends: decided once, for what is requested, the last chord and the fade."""

    kind: EndingKind
    chord: float | None  # seconds at which the last chord begins, if there is one
    fade_start: float  # seconds from which the music sinks to silence; the end if it does not

    @classmethod
    def of(cls, kind: EndingKind, analysis: Analysis) -> Self:
        """Return the ending of ``kind`` that suits a film's length and cuts."""
        end = analysis.duration
        if kind == "cadence":
            chord = last_chord(end, analysis.cuts)
            return cls(kind, chord, chord)
        return cls(kind, None, end - min(FADE, end / 2) if kind == "fade" else end)

    def requested_in(self, analysis: Analysis) -> Analysis:
        """Return ``analysis`` with the last chord as one more boundary to see coming."""
        if self.chord is None or any(
            cut.kept and abs(cut.time - self.chord) < 1e-6 for cut in analysis.cuts
        ):
            return analysis
        cuts = (*analysis.cuts, Cut(self.chord, kind="ending"))
        return replace(analysis, cuts=tuple(sorted(cuts, key=lambda cut: cut.time)))

    def apply(
        self,
        fitted: Fitted,
        harmony: Harmony | None = None,
        players: Collection[int] = range(len(CLASSES)),
    ) -> tuple[Fitted, Self]:
        """Return the music with its last chord, and the ending with the time that chord has.

        ``fitted`` is the music fitted to the cuts of ``requested_in``, ``harmony`` the chords
        that were asked of it, in the film's time, ``players`` the classes that may play at the end.
        """
        if self.chord is None:
            return fitted, self
        reports = tuple(report for report in fitted.cuts if report.cut.kind != "ending")
        hits = {report.cut.time: report.hit.time for report in reports if report.hit is not None}
        aim = hits.get(self.chord, self.chord)
        piece, chord = cadence(
            fitted.piece, aim, fitted.duration, list(hits.values()), harmony, players
        )
        ending = replace(self, chord=chord, fade_start=chord)
        return replace(fitted, piece=piece, cuts=reports), ending

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return asdict(self)


def last_chord(duration: float, cuts: Sequence[Cut]) -> float:
    """Return when the last chord begins: on a cut near the end, or a ring before it."""
    ring = min(RING, SHARE * duration)
    wanted, reach = duration - ring, max(ring / 2, BESIDE)
    near = [cut.time for cut in cuts if cut.kept and abs(cut.time - wanted) <= reach]
    return near[-1] if near else wanted


def cadence(
    piece: Piece,
    wanted: float,
    duration: float,
    hits: Sequence[float] = (),
    harmony: Harmony | None = None,
    players: Collection[int] = range(len(CLASSES)),
) -> tuple[Piece, float]:
    """Return ``piece`` ending on a chord near ``wanted`` that rings to ``duration``, and its time.

    It begins where there is a boundary chord, else a downbeat, else the onset with most notes; but
    where one of ``hits``, the moments that hit cuts, is wanted, the chord stands on it. It is the
    chord that ``harmony`` has last, or else the tonic triad of the piece, voiced for those of the
    classes ``players`` who have played (``voicing.voiced``); drums alone have none. What sounds
    before it ends with it, and what would begin later is left out: at later ``hits`` the chord is
    struck again. Drums have a last stroke there, and at the hits.
    """
    at = _nearest(piece.onsets, wanted) if wanted in hits else _best_moment(piece, wanted)
    strokes = [at, *(_struck(piece, hit) for hit in hits if hit > at + GRIP)]
    drums = piece.classes == DRUMS
    earlier = piece.onsets < at - GRIP
    strikes = (np.abs(piece.onsets[:, None] - strokes) <= GRIP).any(axis=1)
    ended = replace(
        piece,
        offsets=np.minimum(piece.offsets, np.where(drums, duration, at)),
        chords=np.union1d(piece.chords[piece.chords <= at + GRIP], strokes),
    ).where(earlier | (drums & strikes))
    pitched = [c for c in range(len(CLASSES)) if c in players and c != DRUMS]
    able = [c for c in pitched if c in ended.classes] or [c for c in LEADERS if c in pitched][:1]
    if not able:
        return ended, at
    root, tones = _last_harmony(harmony) or _tonic_triad(piece)
    chord = voiced(root, tones, {c: _left(ended, c, at) for c in able})
    edges = itertools.pairwise([*strokes, duration])
    rows = [(c, p, *edge) for edge in edges for c in able for p in chord[c]]
    notes = np.concatenate([ended.rows, np.array(rows, np.float64)])
    return Piece.of(notes, ended.downbeats, ended.chords, ended.labels), at


def _struck(piece: Piece, hit: float) -> float:
    """Return the onset that hits a cut at ``hit``, or ``hit`` itself where there is none."""
    near = _nearest(piece.onsets, hit) if len(piece) else hit
    return near if abs(near - hit) <= GRIP else hit


def _left(piece: Piece, instrument: int, at: float) -> list[int]:
    """Return the pitches that a class sounds shortly before ``at``, or those it struck last."""
    mine = piece.where((piece.classes == instrument) & (piece.onsets < at))
    last = mine.onsets.max(initial=0.0)
    sounds = (mine.offsets > at - LATELY) | (mine.onsets >= last - GRIP)
    return sorted(set(mine.pitches[sounds].tolist()))


def _nearest(times: Seconds, wanted: float) -> float:
    return float(times[np.argmin(np.abs(times - wanted))])


def _best_moment(piece: Piece, wanted: float) -> float:
    """Return the moment near ``wanted`` that ends the piece best; ``wanted`` itself in silence."""
    onsets, sizes = np.unique(piece.onsets, return_counts=True)
    sounding = onsets[np.abs(onsets - wanted) <= REACH]
    for marks in (piece.chords, piece.downbeats):
        near = marks[np.abs(marks - wanted) <= REACH]
        if len(near):
            mark = _nearest(near, wanted)
            if len(sounding) and np.abs(sounding - mark).min() <= GRIP:
                return _nearest(sounding, mark)
    if not len(sounding):
        return wanted
    fullest = sizes[np.searchsorted(onsets, sounding)] - np.abs(sounding - wanted)
    return float(sounding[np.argmax(fullest)])


def _last_harmony(harmony: Harmony | None) -> tuple[int, list[int]] | None:
    """Return the root and the tones, from it, of the last chord that is asked for."""
    if harmony is None or not len(harmony.chords) or harmony.chords[-1] == NONE:
        return None
    quality, root = divmod(int(harmony.chords[-1]), 12)
    return root, list(list(QUALITIES.values())[quality])


def _tonic_triad(piece: Piece) -> tuple[int, list[int]]:
    """Return the root and the tones of the triad that the piece sounds most."""
    sounding = pitch_class_seconds(piece)
    triads = {
        (tonic, third): sounding[tonic] * 1.5
        + sounding[(tonic + third) % 12]
        + sounding[(tonic + 7) % 12]
        for tonic in range(12)
        for third in (3, 4)
    }
    tonic, third = max(triads, key=lambda triad: triads[triad])
    return tonic, [0, third, 7]
