"""SIM in ``evaluate sync``: how far music moves with a film, and where."""

from pathlib import Path

import numpy as np
import pytest
from synchrony_toys import drums, saved

from emsync.arrays import Float32s
from emsync.errors import AssetError
from emsync.evaluation import sim
from emsync.evaluation.sync import embedded
from emsync.evaluation.tables import _sim
from emsync.model import folders
from emsync.sound import audio
from emsync.synchrony.checkpoint import Synchrony


def rows(count: int, seed: int = 0) -> Float32s:
    drawn = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    found: Float32s = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found


def test_music_that_is_as_the_film_is_scores_one_and_moved_less() -> None:
    film = rows(200)
    report = sim.evaluate(film, film)
    assert report["score"] == pytest.approx(1)
    assert abs(report["shifted"]) < 0.1
    assert report["curve"] == pytest.approx([1.0] * 40)
    assert report["times"][:3] == [0.05, 0.55, 1.05]


def test_the_curve_falls_where_the_music_minds_the_film_no_more() -> None:
    film, music = rows(200), rows(200)
    music[100:140] = rows(40, 5)
    report = sim.evaluate(film, music)
    worst = report["times"][int(np.argmin(report["curve"]))]
    assert 10.5 < worst < 13.5
    assert f"the least around {worst:.1f} s" in _sim(report)


def test_music_that_has_ended_moves_with_nothing() -> None:
    film = rows(200)
    assert sim.evaluate(film, film[:50])["score"] == pytest.approx(0.25)
    assert sim.evaluate(film, film[:0])["score"] == 0
    longer = np.concatenate([film, rows(30, 1)])
    assert sim.evaluate(film, longer)["score"] == pytest.approx(1)


def test_where_no_towers_are_installed_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "checkpoints_folder", lambda: tmp_path)
    assert sim.opened(None) is None
    assert "no towers are installed" in _sim(None)
    with pytest.raises(AssetError, match="there is no checkpoint of synchrony 'small'"):
        sim.opened("small")
    saved(tmp_path / "synchrony" / "small")
    assert sim.opened(None) is not None


@pytest.mark.slow
def test_scores_are_read_and_sound_is_heard_and_silence_is_neither(tmp_path: Path) -> None:
    from emsync.music.piece import to_score

    own = Synchrony.load(saved(tmp_path / "towers"))
    score, wav = tmp_path / "a.mid", tmp_path / "a.wav"
    to_score(drums(np.arange(0.5, 6, 0.5))).dump_midi(score)
    noise = np.random.default_rng(0).normal(0, 0.1, (4 * 44_100, 2)).astype(np.float32)
    audio.write_wav(audio.Audio(noise, 44_100), wav)
    assert 50 < len(embedded(own, score, 8.0)) <= 61
    assert len(embedded(own, wav, 8.0)) == 40
    assert len(embedded(own, wav, 2.0)) == 20
    audio.write_wav(audio.Audio(0 * noise, 44_100), wav)
    assert not len(embedded(own, wav, 8.0))
