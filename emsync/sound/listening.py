"""What the film's own sound is like, second by second: how loud, busy and bright; speech; music.

One pass over the sound keeps five numbers of each step, 16 ms. Speech and music are told apart by
published measures of the seconds around: speech grows loud and soft some four times a second, and
some of its tones stay for a moment; music has a pulse (Scheirer & Slaney 1997), or many tones that
stay (Hawley 1993). That speech is soft for much of its time (Saunders 1996) is left out: over the
hiss of an old film it is not.

Shapes: N samples, T steps, F frequencies, S seconds.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.encoders.threads import one_thread_each
from emsync.errors import InputError, warn
from emsync.sound.biquads import at_rest, filtered
from emsync.sound.blocks import evened
from emsync.sound.decode import check_track, film_sound
from emsync.sound.loudness import OFFSET, SILENT, Weighting, lufs, with_context
from emsync.sound.spectra import HOP, RATE, STEP_RATE, hertz, log_mel, powers
from emsync.video.film import Film

PIECE = 12  # seconds of sound that are worked on at once
REACH = 16  # steps before and after a piece, for what begins or stays across its edges
CELL = 6  # seconds, of which musicnn hears the middle three; PIECE holds whole cells
MOST_CELLS = 1200  # that musicnn hears, two hours; of a longer film it hears some
QUIETEST = 10 ** ((SILENT - OFFSET) / 10)  # the power of SILENT

NEAR = 3.0  # seconds around each that tell of speech, and of tones
PULSE = 5.0  # seconds around each that tell of its pulse
BEATS = 0.25, 1.2  # seconds from beat to beat
# A Butterworth filter of 2.5 to 6 Hz, around the 4 Hz of syllables, by which speech is modulated:
# scipy.signal.butter(2, (2.5, 6.0), "bandpass", fs=STEP_RATE, output="sos")
SYLLABLES = np.reshape(
    (
        *(0.024630608049068834, 0.04926121609813767, 0.024630608049068834),
        *(1.0, -1.4746379902539084, 0.722728276912528),
        *(1.0, -2.0, 1.0),
        *(1.0, -1.7695305894814763, 0.8414029322156326),
    ),
    (2, 6),
)
TONES = 160  # frequencies, up to 5 kHz, among which tones are sought
AROUND, STANDS_OUT = 15, 4.0  # frequencies above whose mean level a tone is, by so many dB
STAYS, HELD = 15, 0.85  # steps, a quarter of a second, for this share of which a tone is held

# From what is surely none of it to what surely is, measured on read speech, songs, noise and bangs.
PULSED, TONAL = (0.2, 0.35), (0.6, 1.5)  # music: clarity of the pulse, or tones that stay
MODULATED, VOICED = (0.15, 0.3), (0.02, 0.1)  # speech: both, and no music
ONSET = 1.5, 0.06  # flux of an onset: so many times the mean around it, and so much more


@dataclass(frozen=True, eq=False)
class Heard:
    """What a film's own sound is like, a row for each second; the last row may be of more or less.

    A second is silent where its loudness is SILENT.
    """

    loudness: Float64s  # (S,) LUFS, SILENT at least
    onsets: Float64s  # (S,) onsets a second
    brightness: Float64s  # (S,) spectral centroid in hertz, below 8000; 0 in silence
    speech: Float64s  # (S,) how surely somebody speaks, in [0, 1]
    music: Float64s  # (S,) how surely music plays, in [0, 1]
    tags: Float64s  # (S, 50) shares of ``TAGS``, as if it were music; 0 in silence


def check_listening(film: Film, track: int | None = None) -> None:
    """Refuse, before ``film`` is watched, what ``listen`` could not do.

    AssetError where weights are missing or broken, UsageError where there is no such ``track``,
    InputError where no decoder reads the one that is named.
    """
    from emsync.encoders import musicnn

    musicnn.check()
    check_track(film, track)


def listen(
    film: Film, progress: Callable[[float], None] | None = None, track: int | None = None
) -> Heard | None:
    """Return what the film's own sound is like, under its pictures; None if it has none.

    ``track`` is counted among its sounds; None takes what a player does. A sound that cannot be
    decoded is heard as far as it goes, and a warning says so; None where nothing is.
    """
    check_listening(film, track)
    try:
        sound = film_sound(film, RATE, track)
    except InputError as error:
        warn(f"{error}; the film's own sound is not listened to")
        return None
    blocks = iter(()) if sound is None else _as_far_as_it_goes(sound.make())
    first = next(blocks, None)
    if sound is None or first is None:
        return None
    length = max(sound.length, HOP)
    every = -(-length // (CELL * RATE * MOST_CELLS))  # of so many cells musicnn hears one
    ear = Weighting(RATE)
    steps: list[Float32s] = []
    tags: list[Float32s] = []
    pieces = evened(itertools.chain([first], blocks), length, PIECE * RATE)
    from emsync.encoders.musicnn import load

    load()  # once, and not in each worker
    with one_thread_each() as workers:
        for number, piece in enumerate(with_context(pieces, REACH * HOP)):
            spectra = powers(piece.mean(axis=1))
            mel = log_mel(spectra)
            steps.append(_steps(ear(piece[REACH * HOP : -REACH * HOP]), spectra, mel))
            cells = _cells(mel[REACH : REACH + steps[-1].shape[1]])
            due = [(len(tags) + i) % every == 0 for i in range(len(cells))]
            fresh = workers.map(_tagged, itertools.compress(cells, due))
            for is_due in due:
                tags.append(next(fresh) if is_due else tags[-1])
            if progress:
                progress(min(1.0, (number + 1) * PIECE * RATE / length))
    return _told(np.concatenate(steps, axis=1), np.array(tags))


def _as_far_as_it_goes(blocks: Iterable[Float32s]) -> Iterator[Float32s]:
    try:
        yield from blocks
    except InputError as error:
        warn(f"{error}; what follows is not listened to")


def _steps(weighted: Float64s, spectra: Float32s, mel: Float32s) -> Float32s:
    """Return (5, T): the numbers of each step of a piece that ``_told`` takes.

    ``spectra`` and ``mel`` reach beyond the piece on both sides. No sum is a product of matrices,
    whose last bits depend on the number of threads: an onset may hang on them.
    """
    count = len(weighted) // HOP
    own = slice(REACH, REACH + count)
    magnitudes = np.sqrt(spectra[own])
    flux = np.maximum(0.0, np.diff(mel, axis=0, prepend=mel[:1])).mean(axis=1)
    return np.stack(
        [
            weighted[: count * HOP].reshape(count, HOP).mean(axis=1),
            flux[own],
            magnitudes.sum(axis=1),
            (magnitudes * hertz()).sum(axis=1),
            _tones(spectra)[own],
        ]
    ).astype(np.float32)


def _tones(spectra: Float32s) -> Float64s:
    """Return the (T,) numbers of tones that stay: peaks of the spectrum that keep their place."""
    from scipy.ndimage import uniform_filter1d

    levels = 10 * np.log10(spectra[:, :TONES] + QUIETEST)
    higher = levels >= uniform_filter1d(levels, AROUND, axis=1) + STANDS_OUT
    peaks = np.zeros(levels.shape, np.float32)
    inner = levels[:, 1:-1]
    peaks[:, 1:-1] = (inner >= levels[:, :-2]) & (inner >= levels[:, 2:]) & higher[:, 1:-1]
    held = uniform_filter1d(peaks, STAYS, axis=0) >= HELD
    counts: Float64s = held.sum(axis=1).astype(np.float64)
    return counts


def _cells(mel: Float32s) -> list[Float32s]:
    """Return the spectrogram of a piece, CELL seconds at a time."""
    size = round(CELL * STEP_RATE)
    return [mel[at : at + size] for at in range(0, len(mel), size)]


def _tagged(cell: Float32s) -> Float32s:
    """Return the (50,) tags of the middle of a cell; what is too short is repeated, as upstream."""
    import torch

    from emsync.encoders.musicnn import WINDOW, load

    if not cell.any():
        return np.zeros(50, np.float32)
    at = max(0, (len(cell) - WINDOW) // 2)
    window = np.resize(cell[at : at + WINDOW], (WINDOW, cell.shape[1]))
    tags: Float32s = load()(torch.from_numpy(window)[None])[0].numpy()
    return tags.round(4)  # torch's sums depend on the number of threads in their last digits


def _told(steps: Float32s, tags: Float32s) -> Heard:
    """Return what the (5, T) numbers of steps, and the (cells, 50) tags, tell of each second."""
    power, flux, weight, moment, tones = steps.astype(np.float64)
    count = len(power)
    seconds = max(1, round(count / STEP_RATE))
    second = np.minimum((np.arange(count) / STEP_RATE).astype(np.int64), seconds - 1)
    middles = ((np.arange(seconds) + 0.5) * STEP_RATE).astype(np.int64).clip(max=count - 1)

    def mean(values: NDArray[Any]) -> Float64s:
        return np.bincount(second, values) / np.bincount(second)

    loudness = np.maximum(lufs(mean(power)), SILENT)
    held = _near(tones, NEAR)[middles]
    music = np.maximum(_ramp(_pulse(flux, middles), *PULSED), _ramp(held, *TONAL))
    voice = _ramp(_modulation(power)[middles], *MODULATED) * _ramp(held, *VOICED)
    audible = loudness > SILENT
    return Heard(
        loudness=loudness,
        onsets=audible * mean(_onsets(flux)) * STEP_RATE,
        brightness=audible * mean(moment) / np.maximum(mean(weight), QUIETEST),
        speech=audible * (1 - music) * voice,
        music=audible * music,
        tags=audible[:, None] * tags[np.minimum(np.arange(seconds) // CELL, len(tags) - 1)],
    )


def _near(values: NDArray[Any], seconds: float) -> Float64s:
    """Return the (T,) means of ``values`` over so many seconds around each step."""
    from scipy.ndimage import uniform_filter1d

    size = round(seconds * STEP_RATE)
    means: Float64s = uniform_filter1d(values.astype(np.float64), size, mode="nearest")
    return means


def _modulation(power: Float64s) -> Float64s:
    """Return (T,) how strongly the amplitude swings as by syllables, of its mean."""
    amplitude = np.sqrt(power)
    mean = _near(amplitude, NEAR)
    swings = filtered(SYLLABLES, (amplitude - mean)[:, None], at_rest(SYLLABLES, 1))[:, 0]
    swing = _near(swings**2, NEAR)
    return np.sqrt(np.maximum(swing, 0.0)) / (mean + math.sqrt(QUIETEST))


def _pulse(flux: Float64s, middles: Int64s) -> Float64s:
    """Return the (S,) clarity of the pulse: how well what grows repeats itself after a beat."""
    reach = round(PULSE / 2 * STEP_RATE)
    least, most = (round(beat * STEP_RATE) for beat in BEATS)
    clarity = np.zeros(len(middles))
    for i, middle in enumerate(middles):
        here = flux[max(0, middle - reach) : middle + reach]
        if len(here) > 2 * most:
            spectrum = np.fft.rfft(here - here.mean(), 2 * len(here))
            repeats = np.fft.irfft(np.abs(spectrum) ** 2)[: most + 1]
            clarity[i] = repeats[least:].max() / (repeats[0] + QUIETEST)
    return clarity


def _onsets(flux: Float64s) -> NDArray[np.bool_]:
    """Return (T,) where onsets are: peaks of what grows (Böck et al. 2012)."""
    from scipy.ndimage import maximum_filter1d

    times, more = ONSET
    highest: NDArray[np.bool_] = flux == maximum_filter1d(flux, 5)
    return highest & (flux > times * _near(flux, 1.5) + more)


def _ramp(values: Float64s, none: float, full: float) -> Float64s:
    """Return 0 where values are ``none`` or less, 1 where they are ``full`` or more."""
    shares: Float64s = np.interp(values, (none, full), (0.0, 1.0))
    return shares
