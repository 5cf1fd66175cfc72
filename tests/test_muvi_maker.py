"""The maker of sound: it keeps the rules of all makers, and hears what is asked of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from flow_toys import system

import emsync
from emsync.arrays import Float32s
from emsync.encoders.threads import one_thread
from emsync.errors import AssetError, UsageError
from emsync.muvi import voice
from emsync.muvi.checkpoint import System
from emsync.muvi.conditions import RATE
from emsync.muvi.maker import Muvi
from emsync.muvi.windows import most_given
from emsync.options import Options
from emsync.sound.audio import Audio, whole
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.towers import TowerConfig
from emsync.testing import check_maker
from emsync.video.film import open_film

ALL = ("metre", "boundaries", "chords", "chroma", "instruments", "onset_density", "valence_arousal")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "ITERATIONS", 1)


@pytest.fixture(scope="module")
def film(draw_cut, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """Two seconds with one cut in the middle."""
    return draw_cut(tmp_path_factory.mktemp("film") / "film.mp4", frames=50)


def seeing() -> System:
    """Return a toy system that looks at the film."""
    blind = system()
    torch.manual_seed(0)
    shape = replace(blind.shape, film=TowerConfig(dimensions=4, width=4, channels=1))
    seeing = System(shape)
    for weight in seeing.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    seeing.codec.load_state_dict(blind.codec.state_dict())
    return seeing.eval()


@pytest.mark.slow
@pytest.mark.parametrize("made", [lambda: system(ALL), lambda: system(()), seeing])
def test_it_keeps_the_rules_of_makers(made) -> None:  # type: ignore[no-untyped-def]
    check_maker(Muvi(made()))


def test_it_follows_what_its_network_is_told() -> None:
    assert Muvi(system(())).follows == {"guidance", "like"}
    assert {"tempo", "tonic", "mode"} <= set(Muvi(system(("metre", "chroma"))).follows)
    assert {"chords", "plan", "instruments"} <= set(Muvi(system(ALL)).follows)


def test_how_it_draws_is_told() -> None:
    assert Muvi(system()).settings(Options()) == {"steps": 2, "solver": "euler", "guidance": 4.0}
    assert Muvi(system()).settings(Options(guidance=1.5))["guidance"] == 1.5


def sound(maker: Muvi, film: Path, **wishes) -> Float32s:  # type: ignore[no-untyped-def]
    made = emsync.generate(film, Options(estimator="fixed:joy", **wishes), checkpoint=maker)
    return whole(made.heard()).samples


def test_a_film_gets_sound_as_long_as_it_is(film: Path) -> None:
    made = emsync.generate(film, Options(estimator="fixed:joy"), checkpoint=Muvi(system()))
    heard = whole(made.heard())
    assert heard.duration == pytest.approx(2.0, abs=1e-4) and np.isfinite(heard.samples).all()


def test_the_sound_is_the_same_whatever_the_number_of_threads(film: Path) -> None:
    maker = Muvi(system(ALL))
    with one_thread():
        one = sound(maker, film, candidates=2)
        torch.set_num_threads(2)
        assert np.array_equal(sound(maker, film, candidates=2), one)


def test_what_is_asked_changes_the_sound(film: Path) -> None:
    maker = Muvi(system(ALL))
    plain = sound(maker, film)
    for wishes in ({"tempo": 90.0}, {"tonic": "F#"}, {"guidance": 1.0}, {"seed": 1}):
        assert not np.array_equal(sound(maker, film, **wishes), plain), wishes


def test_what_is_seen_changes_the_sound(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Muvi(seeing())
    plain = sound(maker, film)
    assert np.array_equal(sound(maker, film), plain)
    monkeypatch.setattr(Synchrony, "embed_film", lambda self, film: np.zeros((20, 4), np.float32))
    assert not np.array_equal(sound(maker, film), plain)


@pytest.fixture
def like() -> Audio:
    time = np.arange(24_000 * 4) / 24_000
    tone = 0.3 * np.sin(2 * np.pi * 330 * time) * (time > 1)
    return Audio(np.repeat(tone[:, None], 2, axis=1).astype(np.float32), 24_000)


def test_a_prompt_is_the_middle_of_a_sound_at_the_level_of_what_was_learned(like: Audio) -> None:
    maker = Muvi(system())
    prompt = maker.prompt(like)
    assert len(prompt) == most_given(maker.system.longest)
    louder = Audio(like.samples * 2, like.rate)
    torch.testing.assert_close(maker.prompt(louder), prompt)
    first = (like.length - len(prompt) * like.rate // RATE) // 2
    middle = Audio(like.samples[first : first + len(prompt) * like.rate // RATE], like.rate)
    torch.testing.assert_close(maker.prompt(middle), prompt)


def test_a_prompt_may_be_short(like: Audio) -> None:
    short = Audio(like.samples[-24_000:], like.rate)
    assert len(Muvi(system()).prompt(short)) == RATE


def test_a_prompt_changes_the_sound(film: Path, like: Audio, tmp_path: Path) -> None:
    like.save(tmp_path / "like.wav")
    maker = Muvi(system())
    assert not np.array_equal(sound(maker, film, like=tmp_path / "like.wav"), sound(maker, film))


def test_a_blind_system_looks_at_nothing(film: Path) -> None:
    shown = open_film(film)
    assert Muvi(system()).observers(shown) == ()
    assert len(Muvi(seeing()).observers(shown)) == 1


def test_a_checkpoint_is_opened_where_it_can_compute(tmp_path: Path) -> None:
    system().save(tmp_path)
    assert Muvi.open(tmp_path, "auto").system.shape == system().shape
    with pytest.raises(UsageError, match="device 'elsewhere' cannot be used"):
        Muvi.open(tmp_path, "elsewhere")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(AssetError):
        Muvi.open(tmp_path, "cpu")
