"""A codec learns the spectrograms of a store; a run that stops goes on as if it had not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from muvi_toys import passages, spectrogram

from emsync.errors import AssetError, InputError, UsageError
from emsync.muvi.codec import LinearCodec, Vae
from emsync.muvi.codec_training import CodecConfig, Coding, fitted, measured, read_codec, train

SMOKE = {"width": 8, "channels": (16, 32), "strides": (4, 2), "blocks": 1}


@pytest.fixture(autouse=True, scope="module")
def fitted_once() -> Iterator[None]:
    """Find the components once for all runs of a width: that takes longest."""
    found: dict[int, LinearCodec] = {}

    def once(width: int, *given: Any) -> LinearCodec:
        if width not in found:
            found[width] = fitted(width, *given)
        return found[width]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emsync.muvi.codec_training.fitted", once)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return passages(tmp_path_factory.mktemp("muvi") / "store", 8)


def settings(store: Path, out: Path, steps: int, **others: Any) -> CodecConfig:
    given: dict[str, Any] = {
        "codec": "vae", "shape": SMOKE, "batch": 2, "seconds": 1.0, "rate": 0.003, "warm_up": 0.0,
        "decay": 0.0, **others,
    }  # fmt: skip
    return CodecConfig(store=str(store), out=str(out), steps=steps, **given)


def test_a_linear_codec_is_fitted_in_one_go(store: Path, tmp_path: Path) -> None:
    told = []
    config = settings(store, tmp_path, 0, codec="linear", shape={"width": 8})
    codec = train(config, lambda state, share, figures: told.append((share, figures)))
    assert isinstance(codec, LinearCodec) and codec.width == 8
    ((share, figures),) = told
    assert share == 1.0
    mel = torch.from_numpy(spectrogram(320))
    one = measured(codec, iter([mel, torch.from_numpy(spectrogram(320, 4))]))
    assert figures["l1"] == pytest.approx(one["l1"], abs=0.01)
    again = read_codec(tmp_path)
    assert torch.equal(again.encode(mel), codec.encode(mel))


def test_a_passage_that_comes_again_is_learned(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Same(Coding):
        def loss(self, step: int, share: float) -> torch.Tensor:
            return super().loss(0, share)

    config = settings(store, tmp_path, 30)
    losses: list[float] = []
    monkeypatch.setattr("emsync.muvi.codec_training.Coding", Same)
    train(config, lambda _, __, figures: losses.append(figures["loss"]))
    assert losses[-1] < 0.9 * losses[0]


def test_a_run_that_stops_goes_on_as_if_it_had_not(store: Path, tmp_path: Path) -> None:
    for name, stops in (("whole", [4]), ("halves", [2, 4])):
        for steps in stops:
            train(settings(store, tmp_path / name, steps))
    one, two = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "halves")
    )
    assert one == two


def test_a_linear_codec_does_not_replace_a_run(store: Path, tmp_path: Path) -> None:
    train(settings(store, tmp_path, 1))
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="holds the run of an autoencoder"):
        train(settings(store, tmp_path, 0, codec="linear", shape={"width": 8}))
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_the_latents_of_what_is_kept_are_scaled(store: Path, tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    codec = train(settings(store, tmp_path, 2), lambda _, __, figures: told.append(dict(figures)))
    assert isinstance(codec, Vae)
    assert set(told[-1]) == {"loss", "norm", "rate", *Coding.figures}
    with torch.inference_mode():
        mels = [torch.from_numpy(spectrogram(320, seed)) for seed in (1, 2, 3, 5, 6, 7)]
        latents = torch.cat([read_codec(tmp_path).encode(mel) for mel in mels])
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=0.01, rtol=0)


def test_music_comes_back_as_near_as_is_told(store: Path, tmp_path: Path) -> None:
    codec = LinearCodec(8)
    mel = torch.from_numpy(spectrogram(80))
    with torch.no_grad():
        codec.mean.fill_(float(mel.mean()))
    assert measured(codec, iter([mel]))["snr"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("config", "words"),
    [({"kind": "muvi"}, "is of the kind 'muvi'"), ({"codec": 0}, "width is 0"),
     ({"codec": 9}, "do not fit config.json"), ({"version": 2}, "its version is 2")],
)  # fmt: skip
def test_a_codec_that_is_none_is_refused(
    store: Path, tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    train(settings(store, tmp_path, 0, codec="linear", shape={"width": 8}))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(AssetError, match=words):
        read_codec(tmp_path)


def test_a_run_needs_passages_to_learn_from_and_a_place_apart(store: Path, tmp_path: Path) -> None:
    held = passages(tmp_path / "held", 1)
    with pytest.raises(InputError, match="held out"):
        train(settings(held, tmp_path / "out", 1))
    with pytest.raises(UsageError, match="in the store"):
        train(settings(store, store / "out", 1))
    with pytest.raises(UsageError, match="needs a budget"):
        settings(store, tmp_path / "out", 0)
