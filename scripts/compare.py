"""Compare generated music with held-out songs of a store, over settings of the sampler.

    python scripts/compare.py STORE CHECKPOINT [--pieces 16] [--seconds 30] [--temperature 1.0 ...]
                              [--top-p 0.95 ...] [--guidance 1.0 ...]

prints one JSON object: for each setting the statistics of ``emsync.metrics.quality`` beside those
of as many excerpts of songs that were never trained on, and their mean overlapped area.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from emsync.data.split import split
from emsync.data.store import Store
from emsync.metrics.quality import compare, excerpt
from emsync.model.composer import Composer
from emsync.music.piece import Piece
from emsync.music.tonality import TONICS
from emsync.options import Sampling
from emsync.video.cuts import Cut


def excerpts(store: Store, count: int, seconds: float) -> list[Piece]:
    """Return ``seconds`` of ``count`` held-out songs, from a bar line."""
    _, held = split(store, 0.05)
    chosen = [song for song in held if song.seconds > 2 * seconds][:count]
    return [excerpt(store.tokenizer.decode(store.ids(song)), seconds) for song in chosen]


def generated(composer: Composer, count: int, seconds: float, sampling: Sampling) -> list[Piece]:
    """Return ``count`` pieces of random feelings, with a boundary every four seconds or more."""
    rng = np.random.default_rng(0)
    films = []
    for tonic in itertools.islice(itertools.cycle(TONICS), count):
        valence, arousal = rng.uniform(-0.7, 0.7, 2).tolist()
        times = np.cumsum(rng.uniform(4, 8, int(seconds / 6))).tolist()
        films.append(
            composer.partial_analysis(
                seconds, valence=valence, arousal=arousal, tonic=tonic,
                cuts=tuple(Cut(time) for time in times if time < seconds),
            )
        )  # fmt: skip
    targets = [composer.targets(film) for film in films]
    drawn = composer.sample(targets, [seconds] * count, range(count), sampling)
    return [sample.piece.until(seconds) for sample in drawn]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--temperature", type=float, nargs="+", default=[1.0])
    parser.add_argument("--top-p", type=float, nargs="+", default=[0.95])
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0])
    args = parser.parse_args()
    composer = Composer.from_pretrained(args.checkpoint)
    real = excerpts(Store.open(args.store), args.pieces, args.seconds)
    results = []
    for values in itertools.product(args.temperature, args.top_p, args.guidance):
        setting = dict(zip(("temperature", "top_p", "guidance"), values, strict=True))
        sampling = Sampling(**setting)
        table = compare(generated(composer, args.pieces, args.seconds, sampling), real)
        overlap = float(np.nanmean([row["overlap"] for row in table.values()]))
        results.append({**setting, "overlap": overlap, "statistics": table})
    print(
        json.dumps({"pieces": args.pieces, "seconds": args.seconds, "settings": results}, indent=1)
    )


if __name__ == "__main__":
    main()
