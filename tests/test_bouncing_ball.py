"""The law of matching by rhythm: a ball that bounces on the beat finds its music, at any tempo."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emsync.matching.matcher import Columns, Shelf, choose
from emsync.music.piece import BASS, DRUMS, PIANO, Piece, to_score
from emsync.signals import SAMPLE_RATE
from emsync.sound.synthesis import synthesize
from emsync.video.film import open_film
from emsync.video.watch import watch

TEMPI = np.geomspace(60, 180, 30)  # BPM, one track each
TRACK, FILM, START = 24.0, 12.0, 6.3  # seconds: of each track, of the films, and where they start
GRAVITY = 4.0  # picture heights a second, each second
FPS = 25


def tune(tempo: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the sound of a band: drums with hats between the beats, a bass and a piano."""
    beat = 60 / tempo
    notes: list[tuple[float, ...]] = []
    for i, at in enumerate(np.arange(0, TRACK - 1, beat / 2)):
        notes.append((DRUMS, 42, at, at + 0.1))
        if i % 2 == 0:
            notes.append((DRUMS, 38 if i % 4 else 36, at, at + 0.1))
        if rng.uniform() < 0.6:
            notes.append((BASS, 36 + int(rng.integers(12)), at, at + 0.4 * beat))
        if rng.uniform() < 0.4:
            notes += [
                (PIANO, 60 + int(rng.integers(12)) + up, at, at + 0.5 * beat) for up in (0, 4, 7)
            ]
    sound = synthesize(to_score(Piece.of(np.array(notes, np.float64))), rate=SAMPLE_RATE)
    return sound.samples.mean(axis=1)[: round(TRACK * SAMPLE_RATE)]


def ball(tempo: float, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of a ball that bounces on each beat, before a grainy ground."""
    import cv2

    beat = 60 / tempo
    ground = np.repeat(rng.integers(20, 110, (15, 20, 1)), 3, axis=2).repeat(12, 0).repeat(16, 1)
    for i in range(round(FILM * FPS)):
        since = (START + i / FPS) % beat
        height = GRAVITY / 2 * since * (beat - since)
        picture = np.clip(ground + rng.normal(0, 4, ground.shape), 0, 255).astype(np.uint8)
        place = (160 * 16, round((150 - 180 * height) * 16))
        cv2.circle(picture, place, 20 * 16, (230, 60, 40), -1, cv2.LINE_AA, 4)
        yield picture


@pytest.mark.slow
def test_a_ball_that_bounces_on_the_beat_finds_its_track_of_thirty_at_ten_tempi(
    tmp_path: Path, write_film: Callable[..., Path]
) -> None:
    rng, matcher = np.random.default_rng(0), choose()
    heard: dict[str, tuple[float, Columns]] = {}
    for tempo in TEMPI:
        heard[f"{tempo:.1f} BPM"] = (TRACK, matcher.hear(tune(tempo, rng)))
    shelf, first = Shelf.of(heard), {}
    for number in np.linspace(0, len(TEMPI) - 1, 10).round().astype(int):
        path = write_film(tmp_path / f"{number}.mp4", ball(TEMPI[number], rng), FPS)
        observers = matcher.observers()
        film = matcher.see(watch(open_film(path), None, observers), observers)
        first[shelf.names[number]] = shelf.names[matcher.rank(film, shelf, 1)[0].track]
    assert first == {name: name for name in first}
