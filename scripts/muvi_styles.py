"""Make sound for films in the style of music, and measure whether it is like that, not like other.

    python scripts/muvi_styles.py FILMS MUSIC --model MODEL [--seconds 12]

For each film in FILMS that lasts at most so long, and each recording in MUSIC, a sound is made,
``--like`` the recording. What musicnn (MSD) hears in it, the mean of its features less that over
all recordings, is compared by cosine with what it hears in its own recording and in the others.
Prints one JSON object; the interval, 95 %, is by a bootstrap of recordings.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from emsync.arrays import Float64s
from emsync.errors import InputError
from emsync.evaluation.sound import find, listen, music_of, patches
from emsync.evaluation.suite import find_films
from emsync.makers import Maker
from emsync.metrics.statistics import mean
from emsync.options import Options
from emsync.pipeline import generate, opened
from emsync.video.film import Film, open_film


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--model", default="muvi-small")
    parser.add_argument("--seconds", type=float, default=12.0)
    given = parser.parse_args()
    maker, _ = opened(given.model, "cpu")
    prompts = {}
    for name, path in find(given.music).items():
        try:
            prompts[name] = path, heard(path)
        except InputError as error:
            print(error, file=sys.stderr)
    likes = [path for path, _ in prompts.values()]
    wanted = np.stack([features for _, features in prompts.values()])
    films = [
        film
        for film in map(open_film, find_films(given.films))
        if 4 <= film.duration <= given.seconds
    ]
    made = np.stack([[features(maker, film, like) for like in likes] for film in films])
    middle = wanted.mean(0)
    alike = unit(made - middle) @ unit(wanted - middle).T  # (films, made, prompt)
    own = alike.diagonal(axis1=1, axis2=2)
    others = (alike.sum(2) - own) / (len(likes) - 1)
    found = {"own": own, "others": others, "own less others": own - others}
    print(
        json.dumps({
            "films": len(films),
            "prompts": len(likes),
            **{name: asdict(mean(values.mean(0))) for name, values in found.items()},
            "own is the nearest": float((alike.argmax(2) == np.arange(len(likes))).mean()),
        }, indent=1)
    )  # fmt: skip


def features(maker: Maker, film: Film, like: Path) -> Float64s:
    """Return the features of a sound that is made for a film like a recording."""
    print(f"{film.path.name} like {like.name}", file=sys.stderr)
    with TemporaryDirectory() as folder:
        made = generate(film, Options(like=like, candidates=1), checkpoint=maker)
        made.save(wav := Path(folder) / "made.wav")
        return heard(wav)


def heard(path: Path) -> Float64s:
    """Return the mean (F,) features of what is heard in a file."""
    rng = np.random.default_rng(0)
    samples = music_of(path, rng)
    return listen(samples, patches(len(samples), rng), "msd").features.mean(0)


def unit(rows: Float64s) -> Float64s:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


if __name__ == "__main__":
    main()
