"""How music goes with the pictures of a film: ``emsync evaluate sync``.

Returns plain values for JSON: no NaN, None where nothing could be measured.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s
from emsync.errors import UsageError
from emsync.evaluation import sim
from emsync.formats.smf import read_midi
from emsync.metrics import av_align, beats, cut_hits, rhythm, tags
from emsync.options import CUT_DISTANCE
from emsync.plain import plain
from emsync.progress import Progress, silent
from emsync.sound.decode import own_sound
from emsync.sound.rhythm import rhythm_of
from emsync.sound.synthesis import synthesize
from emsync.synchrony import seen
from emsync.video.cuts import thinned
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

if TYPE_CHECKING:
    from emsync.synchrony.checkpoint import Synchrony

Mono = NDArray[np.float32]  # (N,) samples

RATE = av_align.RATE
SCORES = {".mid", ".midi"}
SHIFTS = 16  # by which the sound is moved around for the control of AV-Align


def evaluate(
    video: Path,
    music: Path,
    reference: Path | None = None,
    tagger: Path | None = None,
    tagger_rate: int = 16000,
    synchrony: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return how ``music`` (audio, a film's sound, or MIDI) goes with the pictures of ``video``.

    ``reference`` is the music the video came with; a tagger compares the two. ``synchrony`` names
    the towers of "sim": without it, those that come with the package, and None where there are
    none.
    """
    if tagger is not None and reference is None:
        raise UsageError("a tagger compares with the original music; name it with --reference")
    judge = None if tagger is None else tags.load(tagger, tagger_rate)
    towers = sim.opened(synchrony)
    sound, impact = hear(music), Impact()
    looks = [] if towers is None else seen.observers(towers.sees)
    original = None if reference is None else hear(reference)
    footage = watch(open_film(video), lambda share: progress("Watching", share), [impact, *looks])
    film = footage.film
    kept = [c.time for c in thinned(footage.cuts, film.duration, CUT_DISTANCE) if c.kept]
    motion = av_align.watch(footage.film, lambda share: progress("Following the motion", share))
    progress("Listening", 0.0)
    sound = sound[: round(film.duration * RATE)]
    signal = rhythm_of(sound).signal
    events = moments(music, sound, film.duration)
    report: dict[str, Any] = {
        "video": str(video),
        "music": str(music),
        "duration": film.duration,
        "fps": str(film.fps),
        "cut_hits": cut_hits.evaluate(kept, events, film.duration, float(film.fps)),
        "av_align": aligned(motion, av_align.listen(sound), float(film.fps), film.duration),
        "cm": rhythm.cm(signal, impact.signal(film.duration), delays=(0.0,)).score,
        "sim": None,
    }
    if towers is not None:
        rows = embedded(towers, music, film.duration)
        report["sim"] = sim.evaluate(towers.embed_film(seen.see(footage, looks)), rows)
    if original is not None:
        report["beats"] = beats.evaluate(original, sound, film.duration)
    if judge is not None and reference is not None:
        end = round(film.duration * judge.rate)
        pair = (hear(path, judge.rate)[:end] for path in (reference, music))
        report["tags"] = tags.evaluate(judge, *pair)
    progress("Listening", 1.0)
    return plain(report)


def hear(path: Path, rate: int = RATE) -> Mono:
    """Return the sound of an audio file, a film or a MIDI file, mono, from the first picture on."""
    is_score = path.suffix.lower() in SCORES
    sound = synthesize(path, rate=rate) if is_score else own_sound(path, rate)
    return sound.samples.mean(axis=1)


def embedded(towers: "Synchrony", music: Path, duration: float) -> Float32s:
    """Return the rows of the first ``duration`` seconds of a score or of sound; of silence none."""
    from emsync.sound.mel import RATE as SAMPLES

    if music.suffix.lower() in SCORES:
        piece = read_midi(music)
        return towers.embed_notes(piece, min(duration, piece.duration))
    return towers.embed_sound(hear(music, SAMPLES)[: round(duration * SAMPLES)])


def moments(music: Path, sound: Mono, duration: float) -> dict[str, NDArray[np.float64]]:
    """Return the moments of ``music`` that may hit a cut: of its notes, or of its sound."""
    if music.suffix.lower() in SCORES:
        return cut_hits.events(read_midi(music), duration)
    return {"beat": beats.track(sound), "onset": av_align.listen(sound).onsets}


def aligned(
    motion: av_align.Motion, sound: av_align.Sound, rate: float, duration: float
) -> dict[str, dict[str, float]]:
    """Return {variant: the score, and its mean over SHIFTS of the sound around the video}."""
    scores = av_align.evaluate(motion, sound, rate)
    steps = (duration * k / (SHIFTS + 1) for k in range(1, SHIFTS + 1))
    moved = [av_align.evaluate(motion, av_align.shifted(sound, by, duration), rate) for by in steps]
    return {
        name: {"score": score, "shifted": float(np.mean([row[name] for row in moved]))}
        for name, score in scores.items()
    }
