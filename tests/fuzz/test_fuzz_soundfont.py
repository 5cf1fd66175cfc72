"""Fuzz target: sound fonts. A damaged one plays, or is refused as an asset."""

import os
from pathlib import Path

import numpy as np
import pytest
from symusic.core import NoteTick, ScoreTick, TempoTick, TrackTick

from emsync.errors import AssetError
from emsync.sound import synthesis
from emsync.sound.soundfont import read_soundfont, write_part

TRIALS = int(os.environ.get("EMSYNC_FUZZ_TRIALS", "150"))
REGRESSIONS = sorted((Path(__file__).parent / "regressions" / "soundfont").iterdir())


@pytest.fixture(autouse=True)
def symusic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "_fluidsynth", lambda: None)


def play(font: Path) -> bool:
    """Return whether the font plays a chord; another error than AssetError is a failure."""
    score = ScoreTick(480)
    score.tempos.append(TempoTick(0, 240.0))
    score.tracks.append(TrackTick("a", 33, False))
    for pitch in (0, 40, 60, 127):
        score.tracks[0].notes.append(NoteTick(0, 480, pitch, 100))
    try:
        assert np.isfinite(synthesis.synthesize(score, font, 8000).samples).all()
    except AssetError:
        return False
    return True


@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
def test_damaged_sound_fonts_play_or_are_refused(tmp_path: Path) -> None:
    path, rng, played = tmp_path / "a.sf2", np.random.default_rng(2), 0
    write_part(read_soundfont(synthesis.default_soundfont()), 0, 33, [40, 60], 8000, path)
    good = path.read_bytes()
    records = good.index(b"pdta") - 8
    for trial in range(TRIALS):
        data = bytearray(good)
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(records, len(data)) if rng.integers(5) else rng.integers(200))
            data[at] = (int(rng.integers(256)), 0, 127, 128, 255)[int(rng.integers(5))]
        path.write_bytes(data[: int(rng.integers(len(data)))] if trial % 10 == 0 else data)
        os.utime(path, ns=(trial, trial))  # a font is known by its time
        played += play(path)
    assert TRIALS / 20 < played < TRIALS


@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.name)
def test_what_once_broke_plays_or_is_refused(path: Path) -> None:
    play(path)
