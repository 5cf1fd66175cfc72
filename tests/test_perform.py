"""A piece of one's own, played without a film."""

from pathlib import Path

import numpy as np
import pytest

import emsync
from emsync.errors import UsageError
from emsync.formats.smf import read_midi
from emsync.music.piece import Piece


def test_a_palette_plays_every_note_of_a_piece_at_its_time(piece: Piece) -> None:
    parts = emsync.perform(piece, "acoustic", level=90).parts
    onsets = np.sort(np.concatenate([part.onsets for part in parts]))
    assert onsets.tolist() == np.sort(piece.onsets).tolist()  # nobody doubles in this palette


def test_a_performance_is_as_loud_as_its_level_and_no_two_notes_alike(piece: Piece) -> None:
    soft, loud = (
        np.concatenate([part.velocities for part in emsync.perform(piece, level=level).parts])
        for level in (50, 80)
    )
    assert (soft < loud).all() and 15 < np.median(loud) - np.median(soft) < 45
    assert loud.std() > 3


def test_a_midi_file_is_performed_saved_and_kept_to_the_contract(
    piece: Piece, tmp_path: Path
) -> None:
    emsync.perform(piece, out=tmp_path / "plain.mid")
    emsync.perform(
        tmp_path / "plain.mid", "chamber", tmp_path / "chamber.mid", humanize=0.5, seed=3
    )
    assert emsync.check(tmp_path / "chamber.mid").ok
    assert read_midi(tmp_path / "chamber.mid").instruments == piece.instruments


def test_what_cannot_be_performed_is_named(piece: Piece, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the piece has no notes"):
        emsync.perform(Piece.of(np.zeros((0, 4))))
    with pytest.raises(UsageError, match="the level is 0; choose a velocity from 1 to 127"):
        emsync.perform(piece, level=0)
    with pytest.raises(UsageError, match="humanize is 2; choose from 0"):
        emsync.perform(piece, humanize=2)
    with pytest.raises(UsageError, match="there is no palette 'orchestr'"):
        emsync.perform(piece, "orchestr")
    with pytest.raises(UsageError, match=r"end its name with .mid"):
        emsync.perform(piece, out=tmp_path / "a.wav")
    with pytest.raises(UsageError, match="the seed is -1; choose from 0"):
        emsync.perform(piece, humanize=1, seed=-1)
    mine, song = tmp_path / "mine.toml", tmp_path / "song.mid"
    player = '[[players]]\nname = "P{}"\nplays = "piano"\nsound = 0\n'
    mine.write_text("".join(player.format(n) for n in range(15)))
    with pytest.raises(UsageError, match="has 18 players besides drums, with 3 for what"):
        emsync.perform(piece, mine)
    emsync.perform(piece, out=song)
    with pytest.raises(UsageError, match=r"song\.mid' is the piece itself; choose another name"):
        emsync.perform(song, out=song)
