"""Small systems, and films and music of which some numbers are shared."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from emsync.matching.matcher import Columns
from emsync.retrieval.checkpoint import System
from emsync.retrieval.network import Batch, Parts
from emsync.retrieval.regimes import places

FILM = {"motion": 40, "colour": 20}
MUSIC = {"mel": 80, "onsets": 3, "chroma": 12}
SMALL: dict[str, dict[str, Any]] = {
    "vm-net": {"width": 16, "hidden": 32},
    "of-vm-net": {},
    "cmvae": {"width": 8, "hidden": 16},
}


def pair(seed: int, seconds: int = 28) -> tuple[Columns, Columns]:
    """Return a film, and music that is louder in its first numbers where the film is faster."""
    rng = np.random.default_rng(seed)
    speed = np.repeat(rng.gamma(1, 1, seconds // 7 + 1), 7)[:seconds]
    film, music = (
        {name: rng.normal(size=(seconds, width)).astype(np.float32) for name, width in of.items()}
        for of in (FILM, MUSIC)
    )
    film["motion"][:, :4] = music["mel"][:, :4] = speed[:, None] + rng.normal(size=4)
    film["flow"] = (speed.repeat(4) * rng.uniform(0.9, 1.1, 4 * seconds)).astype(np.float32)
    return film, music


def system(name: str, pairs: Sequence[tuple[Columns, Columns]], **settings: Any) -> System:
    """Return a small new system that is fitted to films and music."""
    torch.manual_seed(0)
    made = System.build(name, FILM, MUSIC, {**SMALL[name], **settings})
    for reader, side in ((made.films, 0), (made.music, 1)):
        reader.fit({column: [both[side][column] for both in pairs] for column in reader.names})
    return made


def batch(of: System, pairs: Sequence[tuple[Columns, Columns]]) -> Batch:
    """Return the parts of films and of the music under them."""
    films, music, film, place, last = [], [], [], [], []
    for number, (seen, heard) in enumerate(pairs):
        parts = of.film_parts(seen)
        films += [of.films(seen)[start:stop] for start, stop in parts]
        music += [of.music(heard)[start:stop] for start, stop in parts]
        speeds = [float(seen["flow"][4 * start : 4 * stop].mean()) for start, stop in parts]
        film += [number] * len(parts)
        place += places(speeds).tolist()
        last += [len(parts) - 1] * len(parts)
    return Batch(Parts.of(films), Parts.of(music), *map(torch.tensor, (film, place, last)))
