"""Fused relative attention, against the network's own."""

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn

from emsync.errors import UsageError
from emsync.model.attention import ATTENTIONS, biased, check_attention, flexible
from emsync.model.transformer import (
    QUERIES,
    Cache,
    EventTransformer,
    ModelConfig,
    RelativeAttention,
)
from emsync.training.fast import plainly, speed_up

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]

NO_TRITON = pytest.mark.skipif(not find_spec("triton"), reason="Triton is not installed")
FORMS = [pytest.param(name, marks=NO_TRITON if name == "skewed" else ()) for name in ATTENTIONS]
FUSED = FORMS[1:]  # without the network's own

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of FlexAttention on a CPU


@pytest.fixture(autouse=True)
def flex_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let FlexAttention go backwards on a CPU: it can, unfused, but refuses as it is slow."""
    monkeypatch.setattr("torch.nn.attention.flex_attention._validate_device", lambda *_: None)


def attention(longest: int, device: str) -> RelativeAttention:
    torch.manual_seed(0)
    config = ModelConfig(50, width=32, depth=1, heads=2, position_channels=16, dropout=0.0)
    layer = RelativeAttention(config, longest)
    for weight in layer.parameters():
        nn.init.normal_(weight, std=0.3)
    return layer.to(device)


def outputs(layer: RelativeAttention, x: Tensor) -> list[Tensor]:
    """Return the output for ``x``, and the gradients of the weights and of ``x``."""
    x = x.clone().requires_grad_()
    y = layer(x, 0, None)
    wanted = torch.linspace(-1, 1, y.numel(), device=y.device).view(y.shape)
    return [y, *torch.autograd.grad((y * wanted).sum(), [*layer.parameters(), x])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize(
    "tokens", [37, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, QUERIES + 44))]
)
def test_fused_attention_is_the_network_s_own_forwards_and_backwards(
    tokens: int, name: str, device: str
) -> None:
    layer = attention(QUERIES + 50, device)
    x = torch.randn(2, tokens, 32, device=device)
    own = outputs(layer, x)
    layer.fused = ATTENTIONS[name]
    close = 1e-5 if device == "cpu" else 1e-2  # TF32
    for a, b in zip(own, outputs(layer, x), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=close * max(1.0, float(a.detach().abs().max())))
    names = [name for name, _ in layer.named_parameters()]
    assert float(own[1 + names.index("distance")].abs().max()) > 0 or tokens == 1


@pytest.mark.parametrize("name", FORMS)
def test_a_network_with_fused_attention_foretells_the_same_and_reads_with_a_cache(
    name: str,
) -> None:
    torch.manual_seed(0)
    model = EventTransformer(
        ModelConfig(50, width=32, depth=2, heads=2, context=24, position_channels=16)
    ).eval()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.3)
    ids = torch.randint(0, 50, (2, 24))
    with torch.no_grad():
        own = model(ids, {})
        for block in model.blocks:
            layer = block.get_submodule("attention")
            assert isinstance(layer, RelativeAttention)
            layer.fused = ATTENTIONS[name]
        assert torch.allclose(model(ids, {}), own, atol=1e-4)
        assert torch.allclose(model(ids, {}, Cache(model, 2)), own, atol=1e-4)


def test_a_kernel_that_a_machine_cannot_run_is_refused() -> None:
    check_attention("plain", torch.device("cpu"))
    with pytest.raises(UsageError, match=r"needs an NVIDIA GPU and Triton.* attention = 'plain'"):
        check_attention("skewed", torch.device("cpu"))


def test_dropout_that_a_kernel_does_not_know_is_refused() -> None:
    layer = attention(8, "cpu")
    layer.fused, layer.dropout.p = flexible, 0.1
    with pytest.raises(UsageError, match=r"cannot drop 0\.1 of the weights; set dropout = 0"):
        layer(torch.randn(1, 4, 32), 0, None)
    layer.eval()(torch.randn(1, 4, 32), 0, None)


@pytest.mark.slow
def test_compiled_layers_share_one_graph_and_are_not_used_where_a_network_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torch._dynamo.utils import counters  # slow to import

    compiled = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled(module, backend="eager"))
    counters.clear()  # of what was compiled
    torch.manual_seed(0)
    model = EventTransformer(ModelConfig(20, width=32, depth=4, heads=2, context=16, dropout=0.0))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    ids = torch.randint(0, 20, (3, 16))
    before = model(ids, {})
    layers = [module for module in model.modules() if isinstance(module, RelativeAttention)]
    speed_up(model, "biased", compiled=True)
    for _ in range(2):
        assert torch.allclose(model(ids, {}), before, atol=1e-5)
        with plainly(model), torch.no_grad():  # of another shape, and not compiled for it
            assert not model.training and {layer.fused for layer in layers} == {None}
            assert torch.allclose(model(ids[:1, :9], {}), before[:1, :9], atol=1e-5)
        assert model.training and {layer.fused for layer in layers} == {biased}
    assert counters["stats"]["unique_graphs"] == 1
