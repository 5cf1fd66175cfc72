"""Spectrograms as latents, and back."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from muvi_toys import spectrogram
from torch import Tensor

from emsync.errors import UsageError
from emsync.muvi.codec import (
    PAPER,
    SMOKE,
    STRIDE,
    Codec,
    CodecShape,
    LinearCodec,
    Vae,
    codec_of,
)  # fmt: skip
from emsync.sound.mel import BANDS


def music(rows: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(spectrogram(rows, seed))


@cache
def components(width: int) -> LinearCodec:
    codec = LinearCodec(width)
    codec.fit(music(640, seed) for seed in range(4))
    return codec


def linear() -> LinearCodec:
    return components(SMOKE.width)


def random_vae() -> Vae:
    """Return an autoencoder whose last convolutions, which begin with zeros, say something."""
    torch.manual_seed(0)
    vae = Vae(SMOKE)
    assert vae.linear is not None
    vae.linear.load_state_dict(linear().state_dict())
    with torch.no_grad():
        for weight in vae.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return vae.eval()


CODECS: dict[str, Callable[[], Codec]] = {"linear": linear, "vae": random_vae}


@pytest.fixture(params=list(CODECS))
def codec(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]()


@torch.inference_mode()
def test_any_number_of_rows_comes_back(codec: Codec) -> None:
    for rows in (1, 7, 8, 9, 41):
        latents = codec.encode(music(rows))
        assert latents.shape == (-(-rows // STRIDE), codec.width)
        assert codec.decode(latents, rows).shape == (rows, BANDS)
    assert codec.decode(latents).shape == (48, BANDS)


@torch.inference_mode()
def test_batches_of_any_shape_are_coded_one_by_one(codec: Codec) -> None:
    mels = torch.stack([music(24, seed) for seed in range(6)]).reshape(2, 3, 24, BANDS)
    latents = codec.encode(mels)
    assert latents.shape == (2, 3, 3, codec.width)
    torch.testing.assert_close(latents[1, 2], codec.encode(mels[1, 2]), atol=1e-4, rtol=0)
    back = codec.decode(latents)
    torch.testing.assert_close(back[1, 2], codec.decode(latents[1, 2]), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_music_moved_by_a_latent_s_rows_moves_its_latents_by_one(codec: Codec) -> None:
    mel = music(320)
    here, later = codec.encode(mel), codec.encode(mel[STRIDE:])
    torch.testing.assert_close(later[5:-5], here[6:-5], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_components_keep_the_most_that_a_linear_code_can() -> None:
    codec, mel = linear(), music(640)
    latents = torch.cat([codec.encode(music(640, seed)) for seed in range(4)])
    torch.testing.assert_close(latents.mean(0), torch.zeros(SMOKE.width), atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.cov(latents.mT), torch.eye(SMOKE.width), atol=2e-2, rtol=0)
    kept = components(SMOKE.width + 1)
    errors = [(c.decode(c.encode(mel)) - mel).square().mean() for c in (codec, kept)]
    assert errors[1] < errors[0] < mel.var()


@torch.inference_mode()
def test_an_autoencoder_that_has_learned_nothing_is_the_linear_codec() -> None:
    vae, known, mel = Vae(SMOKE), linear(), music(80)
    assert vae.linear is not None
    vae.linear.load_state_dict(known.state_dict())
    torch.testing.assert_close(vae.encode(mel), known.encode(mel))
    torch.testing.assert_close(vae.decode(vae.encode(mel)), known.decode(vae.encode(mel)))


def test_latents_are_measured() -> None:
    vae = random_vae()
    mels = [music(320, seed) for seed in range(4)]
    vae.measure(mels)
    with torch.inference_mode():
        latents = torch.cat([vae.encode(mel) for mel in mels])
    torch.testing.assert_close(latents.std(0), torch.ones(SMOKE.width), atol=1e-3, rtol=0)


def test_the_divergence_is_that_of_gaussians() -> None:
    vae = random_vae()
    found = vae.posterior(music(16)[None])
    own = torch.distributions.Normal(found.mean, (found.log_variance / 2).exp())
    unit = torch.distributions.Normal(0.0, 1.0)
    wanted = torch.distributions.kl_divergence(own, unit).mean()
    torch.testing.assert_close(found.divergence(), wanted)


@pytest.mark.slow
def test_one_clip_is_learned_by_heart() -> None:
    torch.manual_seed(0)
    mel = music(160)[None]
    vae = Vae(CodecShape(32, (128, 128), (4, 2), 1, linear=False))
    optim = torch.optim.AdamW(vae.parameters(), lr=2e-3)
    for step in range(200):
        optim.param_groups[0]["lr"] = 2e-3 * min(1, 2 - step / 100)
        loss = (vae.written(vae.posterior(mel).drawn()) - mel).abs().mean()
        optim.zero_grad()
        torch.autograd.backward([loss])
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optim.step()
    with torch.inference_mode():
        assert (vae.decode(vae.encode(mel)) - mel).abs().mean() < 0.1


def test_the_paper_s_size_can_be_built() -> None:
    with torch.device("meta"):
        vae = codec_of(PAPER)
    assert vae.width == 8
    assert codec_of(12).described == 12
    assert vae.described == PAPER


@pytest.mark.parametrize("strides", [(2, 2), (2, 4, 2), (3, 3)])
def test_strides_that_make_no_latents_are_refused(strides: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="choose one for each"):
        CodecShape(8, (16, 32), strides)
