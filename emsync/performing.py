"""A piece of one's own, played by the players of a palette, without a film."""

import os
from pathlib import Path

from emsync.errors import UsageError
from emsync.files import check_suffix, check_target
from emsync.fit.hits import fit
from emsync.formats.midi import write_midi
from emsync.formats.smf import read_midi
from emsync.limits import shown
from emsync.music.piece import VELOCITY, Piece
from emsync.options import PathLike, check_humanize, check_seed
from emsync.performance.dynamics import LOUDEST, Dynamics
from emsync.performance.palette import Palette, file_of
from emsync.performance.performance import Performance
from emsync.performance.performance import perform as played
from emsync.planning.casting import check_channels
from emsync.targets import check_apart


def perform(
    piece: Piece | PathLike,
    palette: PathLike = "plain",
    out: PathLike | None = None,
    *,
    level: float = VELOCITY,
    humanize: float = 0.0,
    seed: int = 0,
) -> Performance:
    """Return how the players of a palette play ``piece``, or the notes of a MIDI file.

    Where ``out`` is given, it is written there as a MIDI file, too, whole or not at all.
    Velocities, swells and the choice of players are new; notes keep their times, but for
    ``humanize``, from 0 to 1, which ``seed`` draws. ``palette`` is a name such as "orchestra", or
    the path of a file; ``level`` is the velocity of a plain note. Each of ``parts`` has the player
    and the notes. UsageError or InputError names what cannot be.

    >>> import numpy as np
    >>> chord = Piece.of(np.array([(3, pitch, 0.0, 2.0) for pitch in (60, 64, 67)]))
    >>> perform(chord, "jazz").parts[0].player.name
    'Piano'
    """
    if not 1 <= level <= LOUDEST:
        raise UsageError(f"the level is {shown(level)}; choose a velocity from 1 to {LOUDEST}")
    check_humanize(humanize)
    check_seed(seed)
    name = os.fspath(palette)
    if out is not None:
        read = {"the piece": piece, "the palette": file_of(name)}
        check_apart(
            [Path(out)], {k: Path(v) for k, v in read.items() if isinstance(v, str | os.PathLike)}
        )
        check_suffix(Path(out), (".mid", ".midi"))
        check_target(Path(out))
    players = Palette.named(name).players
    check_channels([players], [name])
    if not isinstance(piece, Piece):
        piece = read_midi(Path(piece))
    if not len(piece):
        raise UsageError("the piece has no notes; give one that has some")
    fitted = fit(piece, (), piece.duration, "off")
    dynamics = Dynamics(levels=(float(level),))
    performance = played(fitted, dynamics, [(0.0, players)], humanize=humanize, seed=seed)
    if out is not None:
        write_midi(Path(out), performance)
    return performance
