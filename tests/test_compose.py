"""From a video to drawn pieces: what each of them is asked."""

import numpy as np
import pytest
import torch

from emsync import compose
from emsync.analysis import Analysis
from emsync.composer import Composer
from emsync.model import EventTransformer, ModelConfig
from emsync.sampling import Sampling
from emsync.tonality import TONICS, key_fits
from emsync.wishes import Wishes
from emsync_conditioners.chroma import Chroma
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events


@pytest.fixture
def composer() -> Composer:
    """An untrained network that is told the key."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=64, position_channels=16)
    return Composer(EventTransformer(config, (Chroma(),)).eval(), Events())


def tonics(composer: Composer, monkeypatch: pytest.MonkeyPatch, film: Analysis, wishes: Wishes,
           seeds: list[int]) -> list[str]:  # fmt: skip
    """Return the tonic that each drawn piece is asked for."""
    told = []

    def listen(model: object, tokenizer: Events, targets: list[dict[str, np.ndarray]],
               *rest: object) -> list[np.ndarray]:  # fmt: skip
        told.extend(row["chroma"] for row in targets)
        return [tokenizer.header(5)] * len(targets)

    monkeypatch.setattr(compose, "sample", listen)
    compose.draw(composer, [film] * len(seeds), seeds, wishes, Sampling())
    return [TONICS[key_fits(rows[0].astype(np.float64)).argmax() % 12] for rows in told]


def test_the_seed_names_the_tonic_where_nobody_does(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, seeds = Analysis(8.0, "25", valence=0.5), list(range(13))
    assert tonics(composer, monkeypatch, film, Wishes(), seeds) == [*TONICS, "C"]
    edited = Analysis(8.0, "25", valence=-0.5, tonic="Bb")
    assert tonics(composer, monkeypatch, edited, Wishes(), seeds) == ["Bb"] * 13
    assert tonics(composer, monkeypatch, edited, Wishes(tonic="g"), seeds) == ["G"] * 13
