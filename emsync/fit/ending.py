"""The piece ends, it is not cut off: a last chord that rings into the end of the video."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.arrays import Float64s, Seconds
from emsync.fit.time_map import Fitted
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

    The chord is the boundary chord there, else the downbeat, else the onset with most notes; but
    where one of ``hits``, the moments that hit cuts, is wanted, the chord stands on it. What
    begins later is left out, save at later ``hits``; what sounds in the chord rings to the end, but
    for tones that are foreign to the chord that ``harmony`` has last: they end before. Where fewer
    than three pitch classes are left, its root is not the lowest tone, or none begins there, that
    chord joins them, its root below all others, or else the tonic triad of the piece, so that there
    is a chord to end on; ``players`` are the classes that may play it, and drums alone have none.
    """
    at = _nearest(piece.onsets, wanted) if wanted in hits else _best_moment(piece, wanted)
    held = (piece.onsets <= at + GRIP) & (piece.offsets > at + GRIP) & (piece.classes != DRUMS)
    stays = piece.onsets <= at + GRIP
    for hit in hits:
        stays |= np.abs(piece.onsets - hit) <= GRIP
    able = [number for number in (PIANO, STRINGS, GUITAR, BASS) if number in players]
    planned = _last_harmony(harmony)
    if planned is not None:
        root, tones = planned
        left = ~np.isin((piece.pitches.astype(np.int64) - root) % 12, tones)  # foreign
        if able and not _stands_on(root, piece.pitches[held & ~left]):
            left |= piece.pitches < _lowest(root, able)
        left &= held
        stays &= ~(left & (piece.onsets >= at - GRIP))
        held &= ~left
        piece = replace(piece, offsets=np.where(left, at, piece.offsets))
    ended = replace(
        piece,
        offsets=np.where(held, duration, np.minimum(piece.offsets, duration)),
        chords=np.union1d(piece.chords[piece.chords <= at + GRIP], [at]),
    ).where(stays)
    begins = (np.abs(ended.onsets[ended.classes != DRUMS] - at) <= GRIP).any()
    full = len(np.unique(piece.pitches[held] % 12)) >= 3
    stands = planned is None or (begins and _stands_on(planned[0], piece.pitches[held]))
    if able and not (full and stands):
        root, tones = planned or _tonic_triad(piece)
        notes = np.concatenate([ended.rows, _joining(ended, root, tones, at, duration, able)])
        ended = Piece.of(notes, ended.downbeats, ended.chords, ended.labels)
    return ended, at


def _stands_on(root: int, pitches: NDArray[np.uint8]) -> bool:
    """Return whether the lowest of the pitches, if there is one, is a root."""
    return bool(len(pitches)) and int(pitches.min()) % 12 == root


def _lowest(root: int, able: Sequence[int]) -> int:
    """Return the pitch of the root below a chord that some of the classes play."""
    return root + (36 if BASS in able else 48)


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


def _joining(
    ended: Piece, root: int, tones: Sequence[int], at: float, duration: float, able: Sequence[int]
) -> Float64s:
    """Return the rows of a chord, where not taken, by the first of those ``able`` who has played.

    The root below it is the bass's, where it is able.
    """
    upper = next((c for c in able if (ended.classes == c).any()), able[0])
    chord = [(upper, (36 if upper == BASS else 60) + root + tone) for tone in tones]
    chord.append((BASS if BASS in able else upper, _lowest(root, able)))
    ringing = ended.where(ended.offsets > at + GRIP)
    taken = set(zip(ringing.classes.tolist(), ringing.pitches.tolist(), strict=True))
    new = [note for note in dict.fromkeys(chord) if note not in taken]
    return np.array([(c, p, at, duration) for c, p in new], np.float64).reshape(-1, 4)
