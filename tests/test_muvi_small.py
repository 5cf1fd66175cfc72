"""The shipped network of sound: its codec keeps music, and it plays the chords that it is told."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from emsync.checkpoints import find_checkpoint
from emsync.music.piece import PIANO, Piece
from emsync.muvi.checkpoint import System
from emsync.muvi.codec_training import measured
from emsync.muvi.conditions import RATE as LATENTS
from emsync.muvi.conditions import rows_of
from emsync.muvi.drawing import Asked, draw_latents
from emsync.muvi.voice import voiced
from emsync.sound.mel import RATE, log_mel
from emsync.sound.synthesis import synthesize

GOLDEN = Path(__file__).with_name("golden")
SECONDS = 8


@pytest.fixture(scope="module")
def system() -> System:
    return System.load(find_checkpoint("muvi-small"))


def test_its_codec_keeps_played_music(system: System) -> None:
    scores = sorted(GOLDEN.rglob("*.mid"))
    sounds = [synthesize(score, rate=RATE).samples.mean(1) for score in scores]
    figures = measured(system.codec, (log_mel(torch.from_numpy(one)) for one in sounds))
    assert figures["snr"] > 12
    assert figures["l1"] < 0.32  # nats


@pytest.mark.slow
@pytest.mark.parametrize("tonic", [0, 6])
def test_it_plays_the_chord_that_it_is_told(system: System, tonic: int) -> None:
    tones = [(tonic + step) % 12 for step in (0, 4, 7)]
    asked = chord_for(system, tonic)
    with torch.inference_mode():
        latents = draw_latents(system, asked, 1, system.shape.solving)
        sound = voiced(system.codec.decode(latents))
    heard = librosa.feature.chroma_stft(y=sound, sr=RATE).sum(1)
    assert heard[tones].mean() > 1.3 * np.delete(heard, tones).mean()


def chord_for(system: System, tonic: int) -> Asked:
    """Return what a piece asks that holds a major triad, struck anew in each bar of 2 s."""
    bars = np.arange(0, SECONDS, 2.0)
    notes = [(bar, bar + 2, 48 + tonic + step) for bar in bars for step in (0, 4, 7, 12)]
    onsets, offsets, pitches = map(np.array, zip(*notes, strict=True))
    classes = np.full(len(notes), PIANO)
    piece = Piece(classes, pitches, onsets, offsets, bars, np.zeros(0))
    conditioners, count = system.conditions.conditioners, SECONDS * LATENTS
    rows = rows_of(conditioners, {c.name: c.from_music(piece) for c in conditioners}, count)
    return Asked(rows, np.full((count, system.film_width), np.nan, np.float32))
