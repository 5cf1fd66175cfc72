"""What a player knows of a note before striking it: metre, chord, line, phrase, and the others.

Everything is counted in beats, by the downbeats of the piece alone, so that it is the same at
every tempo. Shapes: N notes, F features, G strokes (the notes of a voice that begin together).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s, Seconds
from emsync.music.piece import BEATS, CLASSES, DRUMS, Piece

# General MIDI's drums by what is struck; the last kind is all others
KINDS = (
    (35, 36),  # bass drum
    (38, 40),  # snare
    (37, 39),  # side stick, clap
    (42,),  # closed hi-hat
    (44,),  # pedal hi-hat
    (46,),  # open hi-hat
    (41, 43, 45),  # low toms
    (47, 48, 50),  # high toms
    (49, 52, 55, 57),  # crash
    (51, 53, 59),  # ride
    (54, 56),  # tambourine, cowbell
    (69, 70, 82),  # shakers
    (60, 61, 62, 63, 64),  # bongos, congas
)
GRID = 24  # of a beat: what lies nearer together begins together
SIXTEENTHS = 4  # in a beat
FAR = 16.0  # beats: what is further away is as good as not there
REST = 1.0  # beats of silence that begin a phrase
NEAR = 2.0  # beats around a note in which the others are counted
LINE = 65  # notes over which the usual register of a voice is taken
BAR = 2.0  # seconds, where a piece has no bars


@dataclass(frozen=True, eq=False)
class Metre:
    """Where notes stand in their bars."""

    beats: Float64s  # (N,) since the first downbeat
    place: Float64s  # (N,) beats since the note's own downbeat
    bars: Int64s  # (N,) the note's bar, from 0


def metre(times: Seconds, downbeats: Seconds) -> Metre:
    """Return where ``times`` stand; bars go on before the first downbeat and after the last.

    A bar that is shorter than its neighbours has fewer beats, not faster ones.
    """
    lines = downbeats if len(downbeats) > 1 else np.append(downbeats, [])
    lines = np.unique(np.round(lines, 6))
    if len(lines) < 2:
        first = lines[0] if len(lines) else 0.0
        lines = np.array([first, first + BAR])
    lengths = np.diff(lines)
    last = float(max(times.max(initial=0.0), lines[-1])) + 1e-6
    before = int(np.ceil(max(lines[0] - float(times.min(initial=lines[0])), 0.0) / lengths[0]))
    after = int((last - lines[-1]) / lengths[-1]) + 1
    lines = np.concatenate([
        lines[0] - lengths[0] * np.arange(before, 0, -1),
        lines,
        lines[-1] + lengths[-1] * np.arange(1, after + 1),
    ])  # fmt: skip
    lengths = np.diff(lines)
    usual = _running_median(lengths, 9)
    beats = np.clip(np.round(BEATS * lengths / usual), 1, 2 * BEATS)
    starts = np.concatenate([[0.0], np.cumsum(beats)])
    counted = np.round(np.interp(times, lines, starts) * GRID) / GRID
    bars = np.clip(np.searchsorted(starts, counted + 1e-9, side="right") - 1, 0, len(beats) - 1)
    return Metre(counted, counted - starts[bars], bars)


def drum_kinds(pitches: NDArray[np.integer]) -> Int64s:
    """Return the (N,) index into KINDS of drums; their number for all others."""
    table = np.full(128, len(KINDS))
    for kind, keys in enumerate(KINDS):
        table[list(keys)] = kind
    return table[pitches]


@dataclass(frozen=True, eq=False)
class Strokes:
    """The notes of a piece by voice and moment: a voice is an instrument, or a kind of drum."""

    of: Int64s  # (N,) the stroke of each note
    voices: Int64s  # (G,) ascending
    beats: Float64s  # (G,) ascending within a voice
    ends: Float64s  # (G,) beats; of the longest note
    tops: Float64s  # (G,) MIDI pitch
    bottoms: Float64s  # (G,)
    sizes: Int64s  # (G,) notes

    @classmethod
    def find(
        cls, voices: Int64s, pitches: NDArray[np.integer], beats: Float64s, ends: Float64s
    ) -> "Strokes":
        """Return the strokes of N notes."""
        ticks = np.round(beats * GRID).astype(np.int64)
        span = int(ticks.max(initial=0)) + 1
        keys, first, of, sizes = np.unique(
            voices * span + ticks, return_index=True, return_inverse=True, return_counts=True
        )
        tops, bottoms = np.full(len(keys), -1.0), np.full(len(keys), 999.0)
        until = np.full(len(keys), -np.inf)
        np.maximum.at(tops, of, pitches)
        np.minimum.at(bottoms, of, pitches)
        np.maximum.at(until, of, ends)
        return cls(of, voices[first], beats[first], until, tops, bottoms, sizes)

    @property
    def joined(self) -> NDArray[np.bool_]:
        """The (G - 1,) strokes that have one of their own voice before them, from the second on."""
        return np.diff(self.voices) == 0

    def steps(self, values: Float64s, missing: float) -> tuple[Float64s, Float64s]:
        """Return how far each value is from the one before and to the one after it in its voice."""
        gaps = np.where(self.joined, np.diff(values), missing)
        return np.append(missing, gaps), np.append(gaps, missing)


def features(piece: Piece) -> NDArray[np.float32]:
    """Return the (N, F) features of the notes of ``piece``."""
    if not len(piece):
        return np.zeros((0, len(_columns(_EXAMPLE))), np.float32)
    return np.column_stack(_columns(piece)).astype(np.float32)


def _columns(piece: Piece) -> list[Float64s]:
    """Return the features, each (N,)."""
    classes, pitches = piece.classes.astype(np.int64), piece.pitches.astype(np.int64)
    drums = classes == DRUMS
    here = metre(piece.onsets, piece.downbeats)
    beats = here.beats
    ends = beats + (metre(piece.offsets, piece.downbeats).beats - beats)
    kinds = np.where(drums, drum_kinds(pitches), -1)
    voices = np.where(drums, len(CLASSES) + kinds, classes)
    strokes = Strokes.find(voices, pitches, beats, ends)
    of = strokes.of

    columns = [(classes == c) * 1.0 for c in range(len(CLASSES))]
    columns += [(kinds == kind) * 1.0 for kind in range(len(KINDS) + 1)]

    # metre
    sixteenth = np.round(here.place * SIXTEENTHS).astype(np.int64)
    off = here.place * SIXTEENTHS - sixteenth
    columns += [(sixteenth % 16 == s) * 1.0 for s in range(16)]
    columns += [(np.abs(off) > 0.1) * 1.0, off]
    columns += [(here.bars % 4 == bar) * 1.0 for bar in range(4)]

    # the voice before and after
    since, until = strokes.steps(strokes.beats, FAR)
    columns += [_log(since)[of], _log(until)[of], _log(until)[of] - _log(since)[of]]
    columns += [(np.abs(since - d) < 0.02)[of] * 1.0 for d in (0.25, 0.5, 1.0, 2.0)]
    columns += [(np.abs(until - d) < 0.02)[of] * 1.0 for d in (0.25, 0.5, 1.0, 2.0)]
    up, down = strokes.steps(strokes.tops, 0.0)
    pitched = ~(drums[np.unique(of, return_index=True)[1]])
    rise, fall = (
        np.where(pitched, np.clip(up, -12, 12) / 12, 0),
        np.where(pitched, np.clip(down, -12, 12) / 12, 0),
    )
    columns += [rise[of], fall[of], ((rise > 0) & (fall < 0))[of] * 1.0]
    columns += [np.where(drums, 0.0, _log(np.clip(ends - beats, 0, FAR)))]
    columns += [np.where(drums, 0.0, np.clip((ends - beats) / until[of], 0, 2))]

    # register and place in the chord
    usual = np.zeros(len(piece))
    for voice in np.unique(voices[~drums]):
        mine = voices == voice
        usual[mine] = _running_median(pitches[mine].astype(np.float64), LINE)
    columns += [np.where(drums, 0.0, (pitches - 60) / 24)]
    columns += [np.where(drums, 0.0, np.clip((pitches - usual) / 12, -3, 3))]
    size = strokes.sizes[of]
    columns += [(size == n) * 1.0 for n in (1, 2, 3)] + [(size > 3) * 1.0, np.log2(size)]
    top = (pitches == strokes.tops[of]) & (size > 1) & ~drums
    bottom = (pitches == strokes.bottoms[of]) & (size > 1) & ~drums
    span = np.maximum(strokes.tops - strokes.bottoms, 1)[of]
    height = np.where(drums | (size < 2), 0.5, (pitches - strokes.bottoms[of]) / span)
    columns += [top * 1.0, bottom * 1.0, height]

    # the others at this moment
    ticks = np.round(beats * GRID).astype(np.int64)
    moments, at = np.unique(ticks, return_inverse=True)
    for voice in (*range(1, len(CLASSES)), *(len(CLASSES) + k for k in range(len(KINDS)))):
        sounds = np.zeros(len(moments))
        sounds[at[voices == voice]] = 1.0
        columns += [sounds[at] * (voices != voice)]

    # how much happens around: of the voice, the class, and of all
    for group in (voices, classes, np.zeros_like(classes)):
        columns += [np.log2(1 + _around(group, beats, NEAR)), np.log2(1 + _around(group, beats, 8))]

    # phrases of the class: since a rest, and until the next
    begun, left = _phrases(classes, beats, ends)
    columns += [_log(begun), _log(left), begun / np.maximum(begun + left, 0.25)]
    columns += [(begun < 0.01) * 1.0, (left < 0.01) * 1.0]

    # speed and what kind of music it is
    length = float(np.median(np.diff(piece.downbeats))) if len(piece.downbeats) > 1 else BAR
    columns += [np.full(len(piece), np.log2(length / BAR))]
    columns += [np.full(len(piece), float((classes == c).mean())) for c in range(len(CLASSES))]
    return columns


def _log(beats: Float64s) -> Float64s:
    """Return lengths in octaves from a beat, between a 32nd and FAR."""
    return np.log2(np.clip(beats, 0.125, FAR))


def _around(groups: Int64s, beats: Float64s, reach: float) -> Float64s:
    """Return the (N,) notes of the same group within ``reach`` beats before and after."""
    found = np.zeros(len(beats))
    for group in np.unique(groups):
        mine = groups == group
        times = np.sort(beats[mine])
        low, high = beats[mine] - reach - 1e-6, beats[mine] + reach + 1e-6
        found[mine] = np.searchsorted(times, high) - np.searchsorted(times, low)
    return found


def _phrases(classes: Int64s, beats: Float64s, ends: Float64s) -> tuple[Float64s, Float64s]:
    """Return the (N,) beats since the phrase of the class began, and to its last stroke."""
    begun, left = np.zeros(len(beats)), np.zeros(len(beats))
    for c in np.unique(classes):
        mine = np.flatnonzero(classes == c)
        sound = np.maximum.accumulate(np.maximum(ends[mine], beats[mine] + 0.25))
        new = np.append(True, beats[mine][1:] - sound[:-1] >= REST)
        phrase = np.cumsum(new) - 1
        first = beats[mine][new]
        last = beats[mine][np.append(np.flatnonzero(new)[1:], len(mine)) - 1]
        begun[mine] = beats[mine] - first[phrase]
        left[mine] = last[phrase] - beats[mine]
    return begun, left


def _running_median(values: Float64s, width: int) -> Float64s:
    from scipy.ndimage import median_filter

    return median_filter(values, size=width, mode="nearest")


_EXAMPLE = Piece.of(np.array([(DRUMS, 36, 0.0, 0.1)]), np.array([0.0, BAR]))
