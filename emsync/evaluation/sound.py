"""Music beside real music as sound: ``emsync evaluate sound``.

Files of sound, films and scores are heard in patches of 3 s, each begun in the middle of the one
before, and measured by ``metrics.sound`` in what musicnn hears. Scores are played. All are brought
to one level first, so that loudness has no part, and silence at both ends is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from emsync.arrays import Float32s, Float64s
from emsync.data.songs import READERS, read_played
from emsync.data.split import song_key
from emsync.encoders import musicnn
from emsync.encoders.threads import one_thread_each
from emsync.errors import InputError, UsageError, warn
from emsync.evaluation.quality import SONGS, first_reason, spread
from emsync.evaluation.sync import hear
from emsync.limits import quoted, shown
from emsync.matching.library import SOUNDS
from emsync.metrics import sound
from emsync.music.piece import to_score
from emsync.plain import plain
from emsync.progress import Progress, silent
from emsync.retrieval.drawn.playing import passage
from emsync.retrieval.heard import level_gain
from emsync.sound.spectra import HOP, RATE, window
from emsync.sound.synthesis import synthesize
from emsync.video.film import FILMS

TAGGERS = tuple(musicnn.FOLDERS)
LENGTH = musicnn.WINDOW * HOP  # samples of a patch
PATCHES = 20  # of a file at most: of a longer one so many are drawn, so that none outweighs others
PASSAGE = 32.0  # seconds of an .npz song that are played: as many patches
FAINT = 1e-3  # of the highest sample: what is softer at both ends of a file is silence
ENOUGH = musicnn.FEATURES  # patches; with fewer a covariance has no full rank


class Heard(NamedTuple):
    """What a tagger hears in P patches of a file."""

    features: Float64s  # (P, FEATURES)
    tags: Float64s  # (P, 50) probabilities


def evaluate(
    made: Path,
    real: Path,
    taggers: Sequence[str] = TAGGERS[:1],
    limit: int = SONGS,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return how near the music in the folder ``made`` is to that in the folder ``real``.

    Of ``real`` at most ``limit`` files, spread evenly over their names; those of a name that is
    among ``made`` are always among them.
    """
    for tagger in taggers or ("",):
        if tagger not in TAGGERS:
            raise UsageError(
                f"there is no tagger {shown(tagger)}; choose from {', '.join(TAGGERS)}"
            )
        musicnn.check(tagger)
    ours, theirs = find(made), find(real)
    paired = {name: path for name, path in theirs.items() if name in ours}
    rest = [item for item in theirs.items() if item[0] not in paired]
    chosen = paired | dict(spread(rest, max(0, limit - len(paired))))
    failed: list[dict[str, str]] = []
    sides = []
    for folder, files in ((made, ours), (real, chosen)):
        found, unread = hear_all(files, taggers, seed, progress)
        if not found:
            raise InputError(f"no music in {quoted(folder)} could be heard" + first_reason(unread))
        failed += unread
        sides.append(found)
    rows: dict[str, dict[str, Any]] = {}
    for number, tagger in enumerate(taggers):
        progress("Measuring", number / len(taggers))
        heard = [{name: by[tagger] for name, by in side.items()} for side in sides]
        rows[tagger] = measured(heard[0], heard[1], seed)
    count = next(iter(rows.values()))["patches"]
    if count < ENOUGH:
        warn(
            f"{count} patches are few: distances of fewer than {ENOUGH} are large for that alone; "
            "compare them with those of as many only"
        )
    return plain({
        "files": len(sides[0]),
        "reference": len(sides[1]),
        "pairs": len(set(sides[0]) & set(sides[1])),
        "seed": seed,
        "taggers": rows,
        "failed": failed,
    })  # fmt: skip


def find(folder: Path) -> dict[str, Path]:
    """Return the files of a folder in which there may be music, by their names without endings."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {quoted(folder)}; give one of sound, films or MIDI")
    kinds = {*SOUNDS, *FILMS, *READERS}
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in kinds and p.is_file()):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if found.setdefault(name, path) != path:
            raise UsageError(
                f"{quoted(folder)} holds both {shown(found[name].name)} and {shown(path.name)}, "
                "which would count twice; keep one of them"
            )
    if not found:
        raise InputError(f"there is no music in {quoted(folder)}; give sound, films or MIDI")
    return found


def hear_all(
    files: Mapping[str, Path], taggers: Sequence[str], seed: int, progress: Progress
) -> tuple[dict[str, dict[str, Heard]], list[dict[str, str]]]:
    """Return what each tagger hears in files, and those that could not be read and why."""
    found, failed = {}, []
    for count, (name, path) in enumerate(files.items(), 1):
        rng = np.random.default_rng([seed, song_key(name)])
        try:
            samples = music_of(path, rng)
        except InputError as error:
            failed.append({"path": str(path), "reason": str(error)})
        else:
            begins = patches(len(samples), rng)
            found[name] = {tagger: listen(samples, begins, tagger) for tagger in taggers}
        progress("Listening", count / len(files))
    return found, failed


def music_of(path: Path, rng: Generator) -> Float32s:
    """Return the (N,) samples of a file, RATE a second, at one level and without silent ends.

    Of a Lakh Pianoroll song a passage that is drawn, since to play all of it takes long.
    InputError where a file cannot be read, is silent, or is shorter than a patch.
    """
    if path.suffix.lower() == ".npz":
        song = read_played(path)
        song = passage(song, PASSAGE, rng) or song
        samples = synthesize(to_score(song.piece, song.velocities), rate=RATE).samples.mean(axis=1)
    else:
        samples = hear(path, RATE)
    samples = np.nan_to_num(samples)
    loud = np.flatnonzero(np.abs(samples) > FAINT * np.abs(samples).max(initial=0.0))
    samples = samples[loud[0] : loud[-1] + 1] if len(loud) else samples
    gain = level_gain(samples)
    if gain == 0:
        raise InputError(f"{quoted(path)} is silent; there is no music to measure")
    if len(samples) < LENGTH:
        raise InputError(
            f"{quoted(path)} holds {len(samples) / RATE:.1f} s of sound, and {LENGTH / RATE:.0f} s "
            "are heard at once; give longer music"
        )
    return samples * np.float32(gain)


def patches(length: int, rng: Generator) -> list[int]:
    """Return the first samples of the patches of so many samples: all, or PATCHES drawn of them."""
    begins = range(0, length - LENGTH + 1, LENGTH // 2)
    if len(begins) <= PATCHES:
        return list(begins)
    return [begins[i] for i in sorted(rng.permutation(len(begins))[:PATCHES])]


def listen(samples: Float32s, begins: Sequence[int], tagger: str) -> Heard:
    """Return what a tagger hears in the patches of samples that begin there."""
    import torch

    network = musicnn.load(tagger)

    def heard(begin: int) -> list[Float32s]:
        mel, _ = window(samples[begin : begin + LENGTH], musicnn.WINDOW)
        with torch.inference_mode():
            return [row[0].numpy() for row in network.heard(torch.from_numpy(mel)[None])]

    with one_thread_each() as workers:
        rows = list(workers.map(heard, begins))
    return Heard(*(np.stack(column).astype(np.float64) for column in zip(*rows, strict=True)))


def measured(made: Mapping[str, Heard], real: Mapping[str, Heard], seed: int = 0) -> dict[str, Any]:
    """Return all figures of what one tagger heard in the files of both sides, by their names."""
    ours, theirs = ([side[name].features for name in sorted(side)] for side in (made, real))
    tags, others = ({name: heard.tags for name, heard in side.items()} for side in (made, real))
    found = sound.distance(theirs, ours, set(made) == set(real), seed)
    own = sound.own_distance(theirs, found.patches, seed) if len(theirs) > 1 else None
    return {
        "patches": found.patches,
        "distance": asdict(found.at_n),
        "endless": asdict(found.endless),
        "own": None if own is None else {
            "patches": own.patches,
            "distance": asdict(own.at_n),
            "endless": asdict(own.endless),
        },
        "kl": asdict(sound.of_pairs(others, tags, seed)),
        "kl_others": asdict(sound.of_others(others, tags, seed)),
        "inception": asdict(sound.inception_score(list(tags.values()), seed)),
        "inception_reference": asdict(sound.inception_score(list(others.values()), seed)),
    }  # fmt: skip
