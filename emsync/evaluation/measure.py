"""Measure music against a film and against songs: what ``emsync evaluate`` calls.

Every function takes paths and returns plain values for JSON: no NaN, None where nothing could be
measured, and the name of every variant.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.errors import InputError, UsageError
from emsync.formats.smf import read_midi
from emsync.metrics import av_align, beats, cut_hits, quality, rhythm, tags
from emsync.music.piece import Piece
from emsync.plain import plain
from emsync.progress import Progress, silent
from emsync.sound.decode import own_sound
from emsync.sound.rhythm import rhythm_of
from emsync.sound.synthesis import synthesize
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch

Mono = NDArray[np.float32]  # (N,) samples

RATE = av_align.RATE
SCORES = {".mid", ".midi"}
SONGS = 100  # real songs that are measured, unless another number is asked for
SHIFTS = 16  # by which the sound is moved around for the control of AV-Align


# --- one video and one music ----------------------------------------------------------------------


def sync(
    video: Path,
    music: Path,
    reference: Path | None = None,
    tagger: Path | None = None,
    tagger_rate: int = 16000,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return how ``music`` (audio, a film's sound, or MIDI) goes with the pictures of ``video``.

    ``reference`` is the music the video came with; a tagger compares the two.
    """
    if tagger is not None and reference is None:
        raise UsageError("a tagger compares with the original music; name it with --reference")
    judge = None if tagger is None else tags.load(tagger, tagger_rate)
    sound, impact = hear(music), Impact()
    footage = watch(open_film(video), lambda share: progress("Watching", share), [impact])
    seen = Analysis.of(footage)
    motion = av_align.watch(footage.film, lambda share: progress("Following the motion", share))
    rate = float(Fraction(seen.fps))
    progress("Listening", 0.0)
    sound = sound[: round(seen.duration * RATE)]
    signal, cuts = rhythm_of(sound).signal, [cut.time for cut in seen.kept]
    events = moments(music, sound, seen.duration)
    report: dict[str, Any] = {
        "video": str(video),
        "music": str(music),
        "duration": seen.duration,
        "fps": seen.fps,
        "cut_hits": cut_hits.evaluate(cuts, events, seen.duration, rate),
        "av_align": aligned(motion, av_align.listen(sound), rate, seen.duration),
        "cm": rhythm.cm(signal, impact.signal(seen.duration), delays=(0.0,)).score,
    }
    if reference is not None:
        original = hear(reference)
        report["beats"] = beats.evaluate(original, sound, seen.duration)
    if judge is not None and reference is not None:
        end = round(seen.duration * judge.rate)
        pair = (hear(path, judge.rate)[:end] for path in (reference, music))
        report["tags"] = tags.evaluate(judge, *pair)
    progress("Listening", 1.0)
    return plain(report)


def hear(path: Path, rate: int = RATE) -> Mono:
    """Return the sound of an audio file, a film or a MIDI file, mono, from the first picture on."""
    if path.suffix.lower() in SCORES:
        sound = synthesize(path, rate=rate)
    else:
        sound = own_sound(path, rate)
    return sound.samples.mean(axis=1)


def moments(music: Path, sound: Mono, duration: float) -> dict[str, NDArray[np.float64]]:
    """Return the moments of ``music`` that may answer a cut: of its notes, or of its sound."""
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


# --- scores and songs -----------------------------------------------------------------------------


def compare(
    scores: Sequence[Path], reference: Path, limit: int = SONGS, progress: Progress = silent
) -> dict[str, Any]:
    """Return the symbolic quality of scores (files and folders) beside that of real songs.

    At most ``limit`` songs of the folder ``reference``, spread evenly over their names, each cut
    to the median length of the scores.
    """
    from emsync.data.songs import find_songs

    pieces, skipped = read_all(find_songs(scores), progress, "Reading scores")
    if not pieces:
        raise InputError("none of the scores could be read" + first_reason(skipped))
    seconds = float(np.median([piece.duration for piece in pieces]))
    songs = [named for named in find_songs([reference]) if named[1] not in set(scores)]
    real, unread = read_all(_spread(songs, limit), progress, "Reading songs", seconds)
    if not real:
        raise InputError(f"no song in {str(reference)!r} could be read" + first_reason(unread))
    progress("Measuring", 0.0)
    return plain({
        "scores": len(pieces),
        "songs": len(real),
        "seconds": seconds,
        "statistics": quality.compare(pieces, real),
        "failed": skipped + unread,
    })  # fmt: skip


def read_all(
    songs: Sequence[tuple[str, Path]],
    progress: Progress,
    stage: str,
    seconds: float | None = None,
) -> tuple[list[Piece], list[dict[str, str]]]:
    """Return the pieces that could be read, cut to an excerpt of ``seconds``, and the others."""
    from emsync.data.songs import read_song

    pieces, failed = [], []
    for count, (name, path) in enumerate(songs, 1):
        try:
            piece = read_song(path)
        except InputError as error:
            failed.append({"path": name, "reason": str(error)})
        else:
            piece = piece if seconds is None else quality.excerpt(piece, seconds)
            pieces += [piece] if len(piece) else []
        progress(stage, count / len(songs))
    return pieces, failed


def _spread(songs: Sequence[tuple[str, Path]], limit: int) -> Sequence[tuple[str, Path]]:
    return [songs[i * len(songs) // limit] for i in range(limit)] if limit < len(songs) else songs


def first_reason(failed: Sequence[Mapping[str, str]]) -> str:
    """Return the end of a sentence that says why the first of several could not be read."""
    return f": {failed[0]['reason']}" if failed else "; give .mid or .npz files"


# --- a model --------------------------------------------------------------------------------------


def control(
    checkpoint: str, pieces: int, seconds: float, progress: Progress = silent
) -> dict[str, Any]:
    """Return how the music of a checkpoint follows what is asked.

    ``metrics.control`` asks for one thing throughout, ``metrics.following`` (the key "arcs") for
    scenes of half of ``seconds`` each; both draw as many seconds of music.
    """
    from emsync.evaluation import following
    from emsync.evaluation.control import evaluate
    from emsync.model.composer import Composer

    composer = Composer.from_pretrained(checkpoint)
    sampling, scene, drawn = composer.sampling, seconds / 2, 0

    def tell(count: int) -> None:
        nonlocal drawn
        drawn += count
        progress("Composing", 0.5 + drawn / (4 * pieces))

    report = evaluate(
        composer, pieces, seconds, sampling, lambda share: progress("Composing", share / 2)
    )
    draw = following.drawer(composer, following.SCENES * scene, sampling, tell)
    arcs = following.evaluate(draw, pieces, scene, np.random.default_rng(0))
    return plain({"checkpoint": checkpoint, **report, "scene": scene, "arcs": arcs})


# --- in words -------------------------------------------------------------------------------------


def sync_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines that tell a person what ``sync`` measured."""
    hits = report["cut_hits"]
    names = {name: None for row in hits["events"].values() for name in row["within"]}
    lines = [f"{hits['cuts']} cuts in {report['duration']:.2f} s; shares hit, and by chance"]
    lines += grid(
        ["", *names, "median ms"],
        [
            [kind, *(f"{number(w['share'], '.0%')} / {w['shuffled']:.0%}"
                     for w in row["within"].values()), number(row["median_ms"], "+.0f")]
            for kind, row in hits["events"].items()
        ],
    )  # fmt: skip
    lines += ["AV-Align, and with the sound shifted"]
    lines += [
        f"  {name:<14} {row['score']:.3f}  {row['shifted']:.3f}"
        for name, row in report["av_align"].items()
    ]
    lines += [f"CM {report['cm']:.3f}"]
    lines += [
        f"beats, {name:<6} cover {row['cover']:.2f}, hit {row['hit']:.2f}"
        for name, row in report.get("beats", {}).items()
    ]
    if "tags" in report:
        row = report["tags"]
        lines.append(f"tags ({row['tagger']}): KL {row['kl_categorical']:.3f} categorical, "
                     f"{row['kl_bernoulli']:.3f} Bernoulli")  # fmt: skip
    return lines


def quality_table(statistics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table of symbolic statistics."""
    return grid(
        ["statistic", "scores", "songs", "overlap", "overlapped area", "KL", "songs' own", "KL"],
        [
            [name, number(row["mean"], ".3f"), number(row["reference_mean"], ".3f"),
             *(number(row[key], ".2f") for key in
               ("overlap", "overlapped_area", "kl", "real_overlapped_area", "real_kl"))]
            for name, row in statistics.items()
        ],
    )  # fmt: skip


def control_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table of what was asked against what was measured."""
    named = {
        "arousal, notes a second of each instrument": report["arousal"],
        "valence, mood model": report["valence"]["mood_model"],
        "valence, major less minor key": report["valence"]["mode"],
        "valence, share of major thirds": report["valence"]["major_thirds"],
        "onset density, onsets a second": report["onset_density"],
    }
    rows = [
        [name, f"{number(row['rho'], '+.2f')} [{number(row['low'], '+.2f')}, "
               f"{number(row['high'], '+.2f')}]", str(row["n"])]
        for name, row in named.items()
    ]  # fmt: skip
    bounds = report["boundaries"]
    rows.append([
        "boundaries, a chord within 1 s",
        f"{bounds['answered']:.0%}, by chance {bounds['chance']:.0%}", str(bounds["asked"]),
    ])  # fmt: skip
    return [*grid(["asked, measured", "Spearman's rho", "n"], rows), "", *arcs_table(report)]


ARCS = {  # the measures of ``metrics.following`` in words
    "density": "notes a second of each instrument",
    "polyphony": "pitched notes at once",
    "velocity": "velocity (by rule)",
    "mode": "major less minor key",
    "major_thirds": "share of major thirds",
    "register": "mean pitch",
}


def arcs_table(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table of how the music follows arcs within pieces."""
    head = [f"{told}: {asked}" for told in ("told", "constant") for asked in ("valence", "arousal")]
    rows = [
        [words, *(_followed(report["arcs"][name][told][asked])
                  for told in ("told", "constant") for asked in ("valence", "arousal"))]
        for name, words in ARCS.items()
    ]  # fmt: skip
    title = f"scenes of {report['scene']:g} s, rho within pieces"
    return grid([title, *head], rows)


def _followed(row: Mapping[str, Any]) -> str:
    if row["rho"] is None:
        return "–"
    return (f"{row['rho']:+.2f} [{number(row['low'], '+.2f')}, {number(row['high'], '+.2f')}], "
            f"p {row['p']:.4f}, n {row['n']}")  # fmt: skip


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def number(value: float | None, how: str) -> str:
    return "–" if value is None else format(value, how)
