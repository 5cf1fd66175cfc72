"""``scripts/accents.py``: music that strikes where it was asked to, and music that does not."""

import numpy as np
from scripts_loaded import load_script

from emsync.music.piece import DRUMS, PIANO, Piece
from emsync_conditioners.accents import Accents

SECONDS, TOLD = 12.0, Accents()
STEPS = int(SECONDS / TOLD.step)


def song(seed: int) -> Piece:
    """Return notes on a third of the sixteenths, in some bars more of them than in others."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, SECONDS, 2 * TOLD.step) + TOLD.step / 2
    often = np.repeat(rng.random(len(times) // 8 + 1), 8)[: len(times)]
    rows = [
        (c, 60, t, t + 0.1) for c in (DRUMS, PIANO) for t in times[rng.random(len(times)) < often]
    ]
    return Piece.of(np.array(rows))


def test_what_is_played_as_asked_agrees_and_what_is_not_does_not() -> None:
    script = load_script("accents")
    pieces = [song(seed) for seed in range(8)]
    asked = [np.pad(TOLD.from_music(piece), (0, STEPS))[:STEPS] for piece in pieces]
    good, bad = (
        [float(cell.split()[0]) for cell in script.row("toy", asked, some, TOLD)[1:]]
        for some in (pieces, pieces[1:] + pieces[:1])
    )
    assert good[0] == 1.0
    assert good[1] > 0.4  # what is struck is no accent where much is struck around it
    assert good[3] > 0.3
    assert max(np.abs(bad)) < 0.3
