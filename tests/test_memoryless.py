"""Networks without memory have the shapes of others, and are there at once."""

import subprocess
import sys

import torch
from torch import Tensor, nn

from emsync.conditioning import Conditioner
from emsync.memoryless import memoryless
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.plugins import CONDITIONERS, load, names
from emsync.retrieval.reader import Reader
from emsync.synchrony.towers import TowerConfig, Towers

LOADED = """
import sys
from emsync.model.composer import Composer
from emsync.retrieval.checkpoint import System
from emsync.synchrony.checkpoint import Synchrony
Composer.from_pretrained("emsync-small")
for name in ("of-vm-net", "cmvae", "ut-cmvmr"):
    System.load(name)
Synchrony.load("small")
assert "torch._dynamo" not in sys.modules, "a compiler was imported"
"""


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in network.state_dict().items()}


def networks() -> list[nn.Module]:
    conditioners = [load(CONDITIONERS, name, Conditioner)() for name in names(CONDITIONERS)]
    config = ModelConfig(vocab_size=50, width=64, depth=2, heads=2, context=32)
    return [EventTransformer(config, conditioners), Towers(TowerConfig()), Reader({"lite0": 1280})]


def test_they_have_the_shapes_of_others_and_no_memory_and_draw_nothing() -> None:
    with memoryless():
        state = torch.get_rng_state()
        without = networks()
        assert torch.equal(torch.get_rng_state(), state)
    for empty, full in zip(without, networks(), strict=True):
        assert shapes(empty) == shapes(full)
        assert all(weight.is_meta for weight in empty.state_dict().values())
        assert all(bool(w.isfinite().all()) for w in full.state_dict().values())


def test_products_of_tensors_keep_their_shapes() -> None:
    with memoryless():
        column, row = torch.empty(3, 1), torch.empty(4)
        product: Tensor = column * row
        assert product.shape == (3, 4) and (column * 0.5).shape == (3, 1)


def test_what_is_shipped_is_loaded_without_a_compiler() -> None:
    subprocess.run([sys.executable, "-c", LOADED], check=True)
