"""The network of the flow: what it sums, how it attends, and how large it is."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from emsync.errors import UsageError
from emsync.muvi.codec import PAPER
from emsync.muvi.config import FlowConfig
from emsync.muvi.dit import SMOKE, DiT, DitShape, rotations, turned

LATENT = 5


def network() -> DiT:
    torch.manual_seed(0)
    dit = DiT(LATENT, SMOKE)
    torch.nn.init.normal_(dit.out.weight)
    torch.nn.init.normal_(dit.context)
    return dit.eval()


def given(batch: int = 2, length: int = 7) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    x, c = torch.randn(batch, length, LATENT), torch.randn(batch, length, SMOKE.width)
    return x, torch.rand(batch), c, torch.zeros(batch, length, dtype=torch.bool)


def test_fusion_is_local() -> None:
    dit, (x, t, c, context) = network(), given()
    other = c.clone()
    other[:, 3] += 1
    before, after = dit.fused(x, t, c, context), dit.fused(x, t, other, context)
    changed = (before != after).any(-1)
    assert changed[:, 3].all() and not changed[:, [0, 1, 2, 4, 5, 6]].any()


def test_all_that_is_summed_moves_the_velocity_everywhere() -> None:
    dit, (x, t, c, context) = network(), given()
    before = dit(x, t, c, context)
    here = context.clone()
    here[:, 0] = True
    for one in ((x + 1, t, c, context), (x, t + 0.1, c, context), (x, t, c + 1, context)):
        assert (dit(*one) != before).any(-1).all()
    assert (dit(x, t, c, here) != before).any(-1).all()


def test_a_film_is_read_alike_alone_and_among_others() -> None:
    dit, (x, t, c, context) = network(), given()
    alone = torch.cat([dit(x[i : i + 1], t[i : i + 1], c[i : i + 1], context[i : i + 1])
                       for i in range(2)])  # fmt: skip
    torch.testing.assert_close(dit(x, t, c, context), alone, atol=1e-5, rtol=1e-5)


def test_places_are_told_by_their_distance_alone() -> None:
    q, k = torch.randn(2, 1, 1, 1, 8).unbind(0)
    turns = rotations(20, 8)

    def score(at: int, other: int) -> Tensor:
        a = turned(q, turns[:, at : at + 1])
        return (a * turned(k, turns[:, other : other + 1])).sum()

    torch.testing.assert_close(score(3, 7), score(12, 16), atol=1e-5, rtol=1e-4)
    assert not torch.isclose(score(3, 7), score(3, 8))
    assert torch.equal(turned(q, turns[:, :1]), q)


def test_a_new_network_says_nothing() -> None:
    torch.manual_seed(0)
    assert (DiT(LATENT, SMOKE)(*given()) == 0).all()


def test_the_papers_network_has_the_papers_size() -> None:
    config = FlowConfig.load(Path(__file__).parents[1] / "scripts" / "muvi-paper.toml")
    shape = config.dit_shape()
    with torch.device("meta"):
        dit = DiT(PAPER.width, shape)
    size = sum(weight.numel() for weight in dit.parameters())
    assert size == pytest.approx(151e6, rel=0.01)
    inside = sum(weight.numel() for weight in dit.blocks[0].parameters() if weight.ndim == 2)
    assert inside == 12 * shape.width**2


@pytest.mark.parametrize(("width", "heads"), [(64, 3), (6, 2)])
def test_a_width_that_its_heads_cannot_share_is_refused(width: int, heads: int) -> None:
    with pytest.raises(UsageError, match=f"width {width}"):
        DitShape(width, 1, heads)
