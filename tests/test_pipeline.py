"""From a video to drawn pieces: what each of them is asked."""

import numpy as np
import pytest
import torch

from emsync.analysis import Analysis
from emsync.brief import apply_options
from emsync.model import sampling
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.tonality import TONICS, key_fits
from emsync.options import Options, Sampling
from emsync.pipeline import draw
from emsync_conditioners.chroma import Chroma
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events


@pytest.fixture
def composer() -> Composer:
    """An untrained network that is told the key."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=64, position_channels=16)
    return Composer(EventTransformer(config, (Chroma(),)).eval(), Events())


def tonics(composer: Composer, monkeypatch: pytest.MonkeyPatch, film: Analysis,
           seeds: list[int]) -> list[str]:  # fmt: skip
    """Return the tonic that each drawn piece is asked for."""
    told = []

    def listen(model: object, tokenizer: Events, targets: list[dict[str, np.ndarray]],
               *rest: object) -> list[np.ndarray]:  # fmt: skip
        told.extend(row["chroma"] for row in targets)
        return [tokenizer.header(5)] * len(targets)

    monkeypatch.setattr(sampling, "sample", listen)
    draw(composer, [film] * len(seeds), seeds, 0.06, Sampling())
    return [TONICS[key_fits(rows[0].astype(np.float64)).argmax() % 12] for rows in told]


def test_the_seed_names_the_tonic_where_nobody_does(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, seeds = Analysis(8.0, "25", valence=0.5), list(range(13))
    assert tonics(composer, monkeypatch, film, seeds) == [*TONICS, "C"]
    edited = Analysis(8.0, "25", valence=-0.5, tonic="Bb")
    assert tonics(composer, monkeypatch, edited, seeds) == ["Bb"] * 13
    chosen = apply_options(edited, Options(tonic="g"))
    assert tonics(composer, monkeypatch, chosen, seeds) == ["G"] * 13
