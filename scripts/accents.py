"""Does music strike where the condition ``accents`` asks it to?

    python scripts/accents.py CHECKPOINT SONGS [--films FOLDER] [--pieces 16] [--seconds 16]

CHECKPOINT was taught the condition; SONGS is a folder of songs, of which those that it did not see
lend their accents, and FOLDER one of films, which lend what begins to move in them. Pieces are
drawn with these accents and nothing else asked for, and with nothing at all. Figures are Spearman
correlations within a piece, and their means over the pieces with 95 % intervals, by a bootstrap:
of what was asked with the accents of the music in each step; and with how much is struck, in half
seconds. Chance is what was asked of the other pieces.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Float64s
from emsync.checkpoints import find_checkpoint
from emsync.conditioning import Floats
from emsync.data.songs import read_song
from emsync.evaluation.drawing import draw_all
from emsync.evaluation.likelihood import untrained
from emsync.evaluation.suite import find_films
from emsync.evaluation.tables import grid
from emsync.fit.tempo import MIDDLE, at_tempo
from emsync.metrics import statistics
from emsync.model.composer import Composer
from emsync.music.piece import CLASSES, Piece
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch
from emsync_conditioners.accents import Accents

HALF = 8  # steps, half a second
FEWEST = 0.2  # share of the steps of a passage that are to be accents


def of_songs(
    composer: Composer, folder: Path, songs: Path, steps: int, told: Accents
) -> Iterator[Floats]:
    """Yield the accents of the middles of songs that the checkpoint did not see."""
    for _, path in untrained([songs], folder):
        target = told.from_music(read_song(path, composer.tempo))
        passage = target[len(target) // 2 :][:steps]
        if len(passage) == steps and (passage > 0).mean() > FEWEST:
            yield passage


def of_films(composer: Composer, folder: Path, steps: int, told: Accents) -> Iterator[Floats]:
    """Yield the accents of films, passage by passage, in the composer's time."""
    for path in find_films(folder):
        impact = Impact()
        duration = watch(open_film(path), None, [impact]).film.duration
        seen = impact.curve(duration)
        film = at_tempo(Analysis(duration, "25", impact=seen), composer.tempo or MIDDLE, MIDDLE)
        target = told.from_video(film)
        for at in range(0, len(target) - steps + 1, steps):
            if not np.isnan(target).any():
                yield target[at : at + steps]


def struck(piece: Piece, steps: int, width: float) -> Float64s:
    """Return how much is struck in each step."""
    at = np.minimum((piece.onsets / width + 1e-6).astype(np.intp), steps - 1)
    count = np.zeros((steps, len(CLASSES)))
    np.add.at(count, (at, piece.classes), 1.0)
    return np.sqrt(count).sum(axis=1)


def halves(values: Floats | Float64s) -> Float64s:
    """Return the means of half seconds."""
    whole = values[: len(values) // HALF * HALF]
    return whole.reshape(-1, HALF).mean(axis=1, dtype=np.float64)


def rho(a: Floats | Float64s, b: Floats | Float64s) -> float:
    """Return the rank correlation; 0 where nothing changes."""
    found = statistics.spearman(a.tolist(), b.tolist()).rho
    return 0.0 if np.isnan(found) else found


def row(name: str, asked: Sequence[Floats], pieces: Sequence[Piece], told: Accents) -> list[str]:
    """Return the figures of pieces that were, or were not, asked for these accents."""
    steps = len(asked[0])
    heard = [np.pad(told.from_music(piece), (0, steps))[:steps] for piece in pieces]
    amount = [halves(struck(piece, steps, told.step)) for piece in pieces]
    fine = [rho(a, b) for a, b in zip(asked, heard, strict=True)]
    table = np.array([[rho(halves(a), b) for a in asked] for b in amount])
    own, others = table.diagonal(), (table.sum(axis=1) - table.diagonal()) / (len(table) - 1)
    figures = (statistics.mean(one) for one in (fine, own, others, own - others))
    return [name, *(f"{f.value:+.2f} [{f.low:+.2f}, {f.high:+.2f}]" for f in figures)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("songs", type=Path)
    parser.add_argument("--films", type=Path)
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=16.0)
    parser.add_argument("--guidance", type=float, help="that of the checkpoint, if left out")
    given = parser.parse_args()
    composer = Composer.from_pretrained(given.checkpoint)
    if given.guidance is not None:
        sampling = replace(composer.sampling, guidance=given.guidance)
        composer = replace(composer, sampling=sampling)
    told = next(c for c in composer.model.conditioners if isinstance(c, Accents))
    steps, null = int(given.seconds / told.step), composer.null_targets(given.seconds)
    sources = {
        "songs": of_songs(composer, find_checkpoint(given.checkpoint), given.songs, steps, told)
    }
    if given.films is not None:
        sources["films"] = of_films(composer, given.films, steps, told)
    lines = []
    plain = draw_all(composer, [null] * given.pieces, given.seconds)
    for name, source in sources.items():
        asked = [target for target, _ in zip(source, range(given.pieces), strict=False)]
        drawn = draw_all(composer, [{**null, told.name: t} for t in asked], given.seconds)
        lines.append(row(f"of {name}, asked ({len(asked)} pieces)", asked, drawn, told))
        lines.append(row(f"of {name}, not asked", asked, plain[: len(asked)], told))
    head = ("accents", "with accents, in steps", "with what is struck, in half seconds",
            "chance", "above chance")  # fmt: skip
    print(*grid(head, lines), sep="\n")


if __name__ == "__main__":
    main()
